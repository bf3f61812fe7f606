//! `openapi.json` against the running gateway, by Schemathesis: what fits the description is taken, what does
//! not is refused, and every answer is one of those that it has.

use std::process::{Command, Stdio};

use crate::front_door::NO_CV2;
use crate::peers::python_support::virtual_environment;
use crate::support::aimock::Aimock;
use crate::support::credentials::bearer;
use crate::support::gateway::{Gateway, Settings, request_body};
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

/// What the description tells of pages of other origins, in words: no operation of its own has it.
#[test]
fn a_page_of_a_listed_origin_may_call_and_no_other() {
    const PAGE: &str = "https://pip.example";
    let gateway = Gateway::start(Settings::new().unhurried().var("CORS_ORIGINS", PAGE));
    let ask = |origin, path: &str| {
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
        gateway.send("OPTIONS", path, &headers, None)
    };
    for (path, methods) in [("/analyze_error", "POST"), ("/v1/analyze", "POST"), ("/v1/me", "GET")] {
        let reply = ask(PAGE, path);
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (204, Some(PAGE)),
            "{reply:?}"
        );
        assert_eq!(reply.header("access-control-allow-methods"), Some(methods), "{path}");
        assert_eq!(
            reply.header("access-control-allow-headers"),
            Some("Authorization, Content-Type"),
            "{path}"
        );
        assert!(reply.header("access-control-max-age").is_some(), "{reply:?}");
        ask("https://pip.example.org", path).assert_problem(405, "method-not-allowed");
    }
    for path in ["/v1/enroll", "/v1/enroll/challenge"] {
        ask(PAGE, path).assert_problem(405, "method-not-allowed");
    }
    let token = bearer(&gateway.key().token("paged"));
    for (origin, allowed) in [(PAGE, Some(PAGE)), ("https://pip.example.org", None)] {
        let headers =
            [("Authorization", token.as_str()), ("Content-Type", "application/json"), ("Origin", origin)];
        let reply = gateway.send("POST", "/v1/analyze", &headers, Some(&request_body(NO_CV2)));
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, allowed), "{reply:?}");
        let told = ["access-control-expose-headers", "vary"].map(|name| reply.header(name).is_some());
        assert_eq!(told, [allowed.is_some(); 2], "{reply:?}");
    }
}
