//! The operators' commands of `gatectl` against a server with the agreed answers.

#![cfg(not(target_arch = "wasm32"))]

mod gatectl_support;

use std::process::{Command, Stdio};

use gatectl_support::{Server, code, stderr, stdout};
use serde_json::{Value, json};

fn usage() -> Value {
    json!({
        "day": 20784, "started_at": "2026-11-26T00:00:00.000Z", "resets_at": "2026-11-27T00:00:00.000Z", "model": "on",
        "service": { "spent_usd": "4.5123", "reserved_usd": "0.02", "cap_usd": "5" },
        "plans": [
            { "plan": "standard", "spent_usd": "4.5", "cap_usd": null, "requests": 12345 },
            { "plan": "trusted", "spent_usd": "0.0123", "cap_usd": "0.01", "requests": 7 },
        ],
        "days": [
            { "day": 20784, "started_at": "2026-11-26T00:00:00.000Z", "requests": 12352, "spent_usd": "4.5123",
              "sources": { "rules": 3000, "cache": 2000, "model": 7351, "none": 1 },
              "outcomes": { "answered": 12000, "uncertain": 352, "unsettled": 0 },
              "refusals": { "unauthenticated": 4, "rate-limited": 1002, "revoked": 0 },
              "tokens": { "input": 1234567, "output": 45678 } },
            { "day": 20783, "started_at": "2026-11-25T00:00:00.000Z", "requests": 1, "spent_usd": "0",
              "sources": { "rules": 1 }, "outcomes": { "answered": 1 }, "refusals": { "unauthenticated": 1 }, "tokens": {} },
        ],
        "allowances": [{ "name": "kv writes", "used": 850, "of": 1000 }],
        "request_id": "r1",
    })
}

#[test]
fn usage_is_a_table_or_json() {
    let server = Server::of(&usage());
    let output = server.gatectl(&["usage", "--days", "30"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let requests = server.requests();
    assert_eq!(
        (requests[0].line.as_str(), requests[0].authorization.as_str()),
        ("GET /admin/usage?days=30", "Bearer a.b.c")
    );
    let expected = "\
Spent $4.5123 and $0.02 set aside of $5 (90%) since 2026-11-26T00:00:00.000Z; the next day begins at 2026-11-27T00:00:00.000Z. The model may be asked.

PLAN      REQUESTS  SPENT $  CAP $
standard    12,345      4.5      -
trusted          7   0.0123   0.01  123%

DAY FROM                  REQUESTS  SPENT $  RULES  CACHE  MODEL  NONE  REFUSED      INPUT  OUTPUT
2026-11-26T00:00:00.000Z    12,352   4.5123  3,000  2,000  7,351     1    1,006  1,234,567  45,678
2026-11-25T00:00:00.000Z         1        0      1      0      0     0        1          0       0

OUTCOME     TODAY  ALL DAYS
answered   12,000    12,001
uncertain     352       352

REFUSED          TODAY  ALL DAYS
rate-limited     1,002     1,002
unauthenticated      4         5

FREE PLAN, UTC DAY  USED     OF
kv writes            850  1,000  85%
";
    assert_eq!(stdout(&output), expected);
    let output = server.gatectl(&["usage", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(stdout(&output)).unwrap(), usage());
    for days in ["0", "32", "x"] {
        assert_eq!(code(&server.gatectl(&["usage", "--days", days])), 2);
    }
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let server = Server::of(&usage());
    let piped = server.gatectl(&["usage"]);
    assert!(!stdout(&piped).contains('\u{1b}'));
    // Python's pty is a terminal.
    let on_terminal = |environment: &[(&str, &str)]| {
        let script = "import pty, sys; pty.spawn(sys.argv[1:])";
        let mut command = Command::new("python3");
        command.args(["-c", script, env!("CARGO_BIN_EXE_gatectl"), "usage"]);
        command.env("OPERATOR_TOKEN", "a.b.c").env("GATECTL_GATEWAY", &server.address);
        command.env_remove("NO_COLOR").env("TERM", "xterm").envs(environment.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let coloured = on_terminal(&[]);
    assert!(coloured.contains("\u{1b}[1mPLAN\u{1b}[0m") && coloured.contains("\u{1b}[31m123%"), "{coloured}");
    // Without its colours it is what a pipe gets.
    let mut stripped = coloured.replace("\r\n", "\n");
    for code in ["0", "1", "31", "32", "33"] {
        stripped = stripped.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(stripped, stdout(&piped));
    for environment in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert!(!on_terminal(&[environment]).contains('\u{1b}'), "{environment:?}");
    }
}

#[test]
fn machines_are_listed_and_shown() {
    let machine = json!({ "machine_id": "net~2001-db8--_64", "plan": "anonymous", "requests": 1000,
        "spent_usd": "0.02", "in_flight": 1, "seen_at": "2026-11-26T01:02:03.000Z" });
    let server =
        Server::of(&json!({ "day": 1, "machines": [machine], "complete": false, "request_id": "r" }));
    let output = server.gatectl(&["machines", "--order", "seen", "--limit", "5"]);
    let expected = "\
MACHINE            PLAN       REQUESTS  SPENT $  IN FLIGHT  SEEN
net~2001-db8--_64  anonymous     1,000     0.02          1  2026-11-26T01:02:03.000Z
";
    assert_eq!((code(&output), stdout(&output)), (0, expected), "{}", stderr(&output));
    assert!(stderr(&output).contains("one may be missing"));
    assert_eq!(server.requests()[0].line, "GET /admin/machines?order=seen&limit=5");

    let mut detail = machine;
    detail["revoked"] = json!({ "at": "2026-11-26T00:00:00.000Z", "by": "boss", "reason": "lost\u{1b}[2J" });
    let server = Server::of(&detail);
    let output = server.gatectl(&["machines", "net~2001-db8--_64"]);
    assert!(
        stdout(&output).ends_with("Revoked at 2026-11-26T00:00:00.000Z by boss: lost[2J\n"),
        "{}",
        stdout(&output)
    );
    assert_eq!(server.requests()[0].line, "GET /admin/machines/net~2001-db8--_64");
    server.gatectl(&["machines", "a/b?c"]);
    assert_eq!(server.requests()[1].line, "GET /admin/machines/a%2Fb%3Fc");

    let problem = json!({ "title": "Not found", "status": 404, "detail": "No machine of this name was seen lately.",
        "request_id": "r", "type": "urn:not-found" });
    let server = Server::start(move |_| (404, problem.to_string()));
    let output = server.gatectl(&["machines", "m"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("No machine of this name was seen lately."), "{}", stderr(&output));
    let output = Server::of(&json!({ "machines": [] })).gatectl(&["machines"]);
    assert_eq!(stdout(&output), "no machine was seen lately\n");
}

#[test]
fn the_kill_switch_says_what_it_did() {
    let state = |model: &str, changed: Option<bool>| {
        json!({ "model": model, "since": "2026-11-26T01:00:00.000Z", "by": "boss", "reason": "too\u{9b}31m dear",
            "changed": changed, "request_id": "r" })
    };
    let server = Server::of(&state("off", Some(true)));
    let output = server.gatectl(&["kill-switch", "off", "--reason", "too dear"]);
    assert_eq!(stdout(&output), "the model is off since 2026-11-26T01:00:00.000Z, by boss: too31m dear\n");
    let request = &server.requests()[0];
    assert_eq!(request.line, "PUT /admin/kill-switch");
    assert_eq!(request.body, Some(json!({ "model": "off", "reason": "too dear" })));
    // Not one byte of JSON commands a terminal either.
    let output = server.gatectl(&["kill-switch", "status", "--json"]);
    assert!(stdout(&output).contains(r"too\u009b31m dear"), "{}", stdout(&output));
    assert_eq!(serde_json::from_str::<Value>(stdout(&output)).unwrap(), state("off", Some(true)));
    assert_eq!(server.requests()[1].line, "GET /admin/kill-switch");
    // It was asked to be on, and is not.
    let output = server.gatectl(&["kill-switch", "on"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("the model is off still"), "{}", stderr(&output));

    let server =
        Server::of(&json!({ "model": "on", "since": null, "by": null, "reason": null, "changed": false }));
    let output = server.gatectl(&["kill-switch", "on"]);
    assert_eq!(stdout(&output), "the model is on (as it was already)\n");
    assert_eq!(server.requests()[0].body, Some(json!({ "model": "on" })));
    for wrong in [
        &["kill-switch", "off"][..],
        &["kill-switch", "off", "--reason", " "],
        &["kill-switch", "on", "--reason", "x"],
        &["kill-switch"],
    ] {
        assert_eq!(code(&server.gatectl(wrong)), 2, "{wrong:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_went_wrong_is_said_with_what_to_do() {
    let problem = |status: u16| {
        json!({ "type": "urn:x", "title": "Title", "status": status, "detail": "Detail.", "request_id": "r" })
            .to_string()
    };
    for (status, body, words) in [
        (401, problem(401), "--audience is not the gateway's"),
        (403, problem(403), "gatectl token mint --operator"),
        (503, problem(503), "503: Title. Detail. (request r)"),
        (404, "<html>".to_owned(), "is it the gateway's address?"),
        (200, "{}".to_owned(), "is it the same version?"),
    ] {
        for command in [&["usage"][..], &["machines"], &["logs"], &["kill-switch", "status"]] {
            let body = body.clone();
            let server = Server::start(move |_| (status, body.clone()));
            let output = server.gatectl(command);
            assert_eq!((code(&output), stdout(&output)), (2, ""), "{command:?}");
            assert!(stderr(&output).contains(words), "{command:?}: {}", stderr(&output));
        }
    }
    let output = Command::new(env!("CARGO_BIN_EXE_gatectl"))
        .arg("usage")
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(code(&output) == 2 && stderr(&output).contains("--gateway"), "{}", stderr(&output));
}
