//! The dashboard: how its files are served, and in a real Chromium what operators see and do. The tests in
//! the browser are in `tests/dashboard`; where there is no Chromium they are skipped aloud, and fail with
//! `REQUIRE_CHROMIUM`, which `make test-dashboard` sets.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::json;

use crate::support::client::Reply;
use crate::support::faulty::Faulty;
use crate::support::gateway::{Gateway, Settings};
use crate::support::project;

fn folder() -> PathBuf {
    project().join("tests/dashboard")
}

/// Whether this test, which needs the browser, can run. Where it cannot, that is said past the test harness, which would
/// swallow it, in the words that scripts/claims.py looks for.
fn has_chromium(test: &str) -> bool {
    static FOUND: LazyLock<bool> = LazyLock::new(|| {
        let found = Command::new("node")
            .arg(folder().join("support/chromium.mjs"))
            .stdin(Stdio::null())
            .output()
            .expect("node starts");
        if !found.status.success() {
            assert!(
                std::env::var_os("REQUIRE_CHROMIUM").is_none(),
                "there is no Chromium on the PATH: install one, or say where it is with CHROMIUM=/path/to/it"
            );
        }
        found.status.success()
    });
    if !*FOUND {
        let _ = writeln!(
            std::io::stderr(),
            "\nSKIPPED `workerd dashboard::{test}`: there is no Chromium on the PATH; CHROMIUM=/path/to/it says where \
             one is"
        );
    }
    *FOUND
}

/// Runs tests of Node, and fails with what they say.
#[track_caller]
fn run(files: &[PathBuf], environment: &[(&str, String)]) {
    let Output { status, stdout, stderr } = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .args(files)
        .current_dir(project())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("SHOTS", project().join("target/dashboard"))
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    println!("{said}");
    assert!(status.success(), "a test in the browser failed:\n{said}");
}

#[test]
fn in_a_browser_it_does_as_it_should_with_a_stand_in() {
    if !has_chromium("in_a_browser_it_does_as_it_should_with_a_stand_in") {
        return;
    }
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the tests are there")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    // One after the other: each has a browser, and others want the processor too.
    for file in files {
        run(&[file], &[]);
    }
}

#[test]
fn operators_see_real_traffic_and_act_on_it() {
    if !has_chromium("operators_see_real_traffic_and_act_on_it") {
        return;
    }
    let model = Faulty::start();
    let settings = Settings::new()
        .unhurried()
        .model_on(model.port())
        .var("RULES", "first")
        .var("CACHE_TTL_SECONDS", "600")
        .var("MACHINE_DAILY_USD", "1");
    let gateway = Gateway::start(settings);
    let tokens: serde_json::Map<_, _> = ["thrifty", "spender", "lost", "talker"]
        .map(|machine| (machine.to_owned(), json!(gateway.key().token(machine))))
        .into_iter()
        .collect();
    gateway.note_use();
    run(
        &[folder().join("gateway.mjs")],
        &[
            ("GATEWAY", format!("http://127.0.0.1:{}", gateway.port())),
            ("OPERATOR", gateway.operator_key().operator_token("alice")),
            ("MACHINES", json!(tokens).to_string()),
        ],
    );
}

#[test]
fn its_files_are_served_with_a_strict_policy_and_everything_else_by_the_worker() {
    let gateway = Gateway::start(Settings::new());
    let get = |path: &str| Reply::of("GET", &gateway.url(path), &[], None).expect("an answer");
    for (path, media_type) in [
        ("/admin/", "text/html"),
        ("/admin/main.js", "text/javascript"),
        ("/admin/uplot/uplot.js", "text/javascript"),
        ("/admin/style/base.css", "text/css"),
    ] {
        let reply = get(path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        let of = |name: &str| reply.header(name).unwrap_or_default();
        assert!(of("content-type").starts_with(media_type), "{path}: {reply:?}");
        assert_eq!((of("cache-control"), of("x-content-type-options")), ("no-store", "nosniff"), "{path}");
        assert_eq!(of("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(of("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(of("cross-origin-resource-policy"), "same-origin", "{path}");
        let policy: Vec<&str> = of("content-security-policy").split("; ").collect();
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(&directive), "{path}: {directive}: {policy:?}");
        }
        assert!(!policy.iter().any(|directive| directive.contains("unsafe")), "{policy:?}");
    }
    let page = get("/admin/").text();
    assert!(
        !page.contains("<script>") && !page.contains("style="),
        "nothing stands in the page itself: {page}"
    );

    let bare = get("/admin");
    assert_eq!((bare.status, bare.header("location")), (307, Some("/admin/")), "{bare:?}");
    // What is no file is the Worker's, with all that it promises of its answers.
    gateway.send("GET", "/admin/revocations", &[], None).assert_problem(401, "unauthenticated");
    for path in
        ["/admin/nothing", "/admin/_headers", "/_headers", "/admin/main", "/index.html", "/admin/uplot"]
    {
        gateway.send("GET", path, &[], None).assert_problem(404, "not-found");
    }
    assert_eq!(gateway.send("GET", "/", &[], None).header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(gateway.send("GET", "/healthz", &[], None).status, 200);
}
