//! Programs of others that the tests compare ourselves with, run as they are published.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

#[path = "../python_support/mod.rs"]
pub mod python_support;

/// Runs a Python script of `tests/token_support` with `input` as JSON and reads JSON from it.
pub fn python(script: &str, input: &Value) -> Value {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let python = PYTHON.get_or_init(|| python_support::virtual_environment("peers").join("bin/python"));
    // Some of what is made here is weak on purpose, and the libraries say so.
    run(Command::new(python).args(["-W", "ignore"]).arg(support().join(script)), input)
}

/// The same for a Node script; the packages are those of package.json.
pub fn node(script: &str, input: &Value) -> Value {
    static PACKAGES: OnceLock<()> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let _lock = lock("token-npm.lock");
        if ["jose", "http-message-signatures"]
            .iter()
            .any(|name| !root.join("node_modules").join(name).is_dir())
        {
            succeed(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(root));
        }
    });
    run(Command::new("node").arg(support().join(script)), input)
}

fn support() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("token_support")
}

/// Held until the file is dropped: test programs may run side by side.
fn lock(name: &str) -> File {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(directory).unwrap();
    let file = File::create(directory.join(name)).unwrap();
    file.lock().unwrap();
    file
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn run(command: &mut Command, input: &Value) -> Value {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}
