//! Programs that others wrote in Python, as they are published: each set of packages is in `<name>.in`, and in
//! `<name>.txt` with all that it brings along, each by its hashes. The first lines of that file say how it is made
//! again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A virtual environment with what `<name>.txt` lists and nothing else, made once and kept with the build, and made
/// again when the list changes.
pub fn virtual_environment(name: &str) -> PathBuf {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(made).expect("the folder can be made");
    // Test programs may run side by side, and their threads do. It ends with this function.
    let turn = File::create(made.join(format!("{name}.lock"))).expect("a lock can be made");
    turn.lock().expect("it can be taken");
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/python_support/{name}.txt"));
    let wanted = fs::read_to_string(&list).expect("the list is there");
    let folder = made.join(name);
    let done = folder.join("installed.txt");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return folder;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    let options = ["install", "--quiet", "--require-hashes", "--no-deps", "--requirement"];
    run(Command::new(folder.join("bin/python")).args(["-m", "pip"]).args(options).arg(&list));
    run(Command::new(folder.join("bin/python")).args(["-m", "pip", "check"]));
    fs::write(&done, wanted).expect("the environment can be marked");
    folder
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("python3 starts");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
