//! What is sent to Cloudflare: it passes Wrangler's checks, is small, and is the same in every environment.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::process::Folder;
use crate::support::project;

/// The budget; the free plan takes 3 MiB (developers.cloudflare.com/workers/platform/limits). `make size`
/// says what it is spent on.
const BUDGET: usize = 861 << 10;

#[test]
fn it_can_be_deployed_and_is_within_its_size() {
    assert!(project().join("build/index.js").is_file(), "there is no built Worker: run `make build` first");
    let folder = Folder::new("package");
    let outdir = folder.path().join("out");
    dry_run(&folder, &["--outdir", &outdir.to_string_lossy()]);

    let mut files = Vec::new();
    list(&outdir, &mut files);
    files.retain(|path| ["js", "mjs", "wasm"].map(|kind| path.ends_with(kind)).contains(&true));
    assert!(files.iter().any(|path| path.ends_with(".wasm")), "no module: {files:?}");
    let size: usize = files.iter().map(|path| gzipped(Path::new(path))).sum();
    println!("{size} bytes gzipped: {files:?}");
    assert!(size < BUDGET, "{size} bytes gzipped: {files:?}");
}

#[test]
fn environments_have_the_bindings_and_settings_of_the_top_level() {
    let folder = Folder::new("environments");
    // As Wrangler sees them: it hands none of them down. `env.NAME ("value")  Environment Variable`
    let names = |environment: &str| -> BTreeSet<String> {
        let said = dry_run(&folder, &["--env", environment]);
        let lines = said.lines().filter_map(|line| line.trim_start().strip_prefix("env."));
        lines.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
    };
    let top = names("");
    assert!(top.contains("LEDGER") && top.contains("LOGS_KV") && top.contains("DAILY_USD"), "{top:?}");
    for environment in ["staging", "production"] {
        assert_eq!(names(environment), top, "{environment}");
    }
}

/// What `wrangler deploy --dry-run` says, which must pass.
fn dry_run(folder: &Folder, options: &[&str]) -> String {
    let output = Command::new(project().join("node_modules/.bin/wrangler"))
        .args(["deploy", "--dry-run"])
        .args(options)
        .current_dir(project())
        .env("CI", "true")
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_LOG_PATH", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("Wrangler starts");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

fn list(folder: &Path, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").filter_map(Result::ok) {
        if entry.path().is_dir() {
            list(&entry.path(), files);
        } else {
            files.push(entry.path().to_string_lossy().into_owned());
        }
    }
}

fn gzipped(path: &Path) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&std::fs::read(path).expect("a file")).expect("memory takes it");
    encoder.finish().expect("memory takes it").len()
}
