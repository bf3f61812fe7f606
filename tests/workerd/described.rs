//! `openapi.json` against the running gateway, by Schemathesis: what fits the description is taken, what does
//! not is refused, and every answer is one of those that it has.

use std::process::{Command, Stdio};

use crate::peers::python_support::virtual_environment;
use crate::support::aimock::Aimock;
use crate::support::credentials::bearer;
use crate::support::gateway::{Gateway, Settings};
use crate::support::process::Folder;
use crate::support::{project, support_file};

/// Cases that are made up for each operation, beside those at the bounds of each value.
const CASES: &str = "20";
/// The same cases each time.
const SEED: &str = "1";

/// Runs all of its checks on the operations whose paths match, and fails with what it says.
#[track_caller]
fn assert_as_described(gateway: &Gateway, authorization: &str, filter: [&str; 2]) {
    let environment = virtual_environment("schemathesis");
    // It keeps what it saw in the folder that it runs in.
    let folder = Folder::new("schemathesis");
    let output = Command::new(environment.join("bin/schemathesis"))
        .arg("--config-file")
        .arg(support_file("schemathesis.toml"))
        .arg("run")
        .arg(project().join("openapi.json"))
        .args([
            "--url",
            &gateway.url(""),
            "--checks",
            "all",
            "--max-examples",
            CASES,
            "--seed",
            SEED,
            "--no-color",
        ])
        .args(["--header", &format!("Authorization: {authorization}")])
        .args(filter)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("schemathesis starts");
    gateway.note_use();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // A filter that matches nothing must not pass.
    let passed = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_default();
    println!("{}", passed.trim());
    assert!(!passed.is_empty(), "{said}");
}

#[test]
fn clients_and_operators_find_what_is_described() {
    let model = Aimock::start("```\npip install requests\n```", 1_000, 50);
    let settings = Settings::new().unhurried().model_on(model.port());
    let gateway = Gateway::start(settings);
    let client = bearer(&gateway.key().token("laptop"));
    assert_as_described(&gateway, &client, ["--exclude-path-regex", "^/admin/"]);
    let operator = bearer(&gateway.operator_key().operator_token("alice"));
    assert_as_described(&gateway, &operator, ["--include-path-regex", "^/admin/"]);
}
