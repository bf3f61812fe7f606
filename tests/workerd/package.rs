//! What is sent to Cloudflare: it passes Wrangler's checks and is small.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::process::Folder;
use crate::support::project;

/// The budget; the free plan takes 3 MiB (developers.cloudflare.com/workers/platform/limits). `make size`
/// says what it is spent on.
const BUDGET: usize = 760 << 10;

#[test]
fn it_can_be_deployed_and_is_within_its_size() {
    assert!(project().join("build/index.js").is_file(), "there is no built Worker: run `make build` first");
    let folder = Folder::new("package");
    let outdir = folder.path().join("out");
    let output = Command::new(project().join("node_modules/.bin/wrangler"))
        .args(["deploy", "--dry-run", "--outdir"])
        .arg(&outdir)
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

    let mut files = Vec::new();
    list(&outdir, &mut files);
    files.retain(|path| ["js", "mjs", "wasm"].map(|kind| path.ends_with(kind)).contains(&true));
    assert!(files.iter().any(|path| path.ends_with(".wasm")), "no module: {files:?}");
    let size: usize = files.iter().map(|path| gzipped(Path::new(path))).sum();
    println!("{size} bytes gzipped: {files:?}");
    assert!(size < BUDGET, "{size} bytes gzipped: {files:?}");
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
