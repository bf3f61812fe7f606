//! What the documents tell operators to type exists: commands and options of `gatectl` and of Wrangler, as
//! their own help has them. `scripts/documents.py` also holds links and languages together; `make lint` runs
//! that part.
#![cfg(not(target_arch = "wasm32"))]

use std::process::Command;

#[test]
fn every_command_in_the_documents_exists() {
    let mut check = Command::new("python3");
    check.args(["-B", "scripts/documents.py", "--gatectl", env!("CARGO_BIN_EXE_gatectl")]);
    // Not installed where only the native tests are run, with cargo alone.
    if std::path::Path::new("node_modules/.bin/wrangler").exists() {
        check.arg("--wrangler");
    } else {
        println!("Skipped: Wrangler's commands, since npm's packages are not installed (make setup).");
    }
    let output = check.env("WRANGLER_SEND_METRICS", "false").output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
