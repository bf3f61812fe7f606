//! `gatectl` as an operator runs it: the program itself, its output held against the library.

#![cfg(not(target_arch = "wasm32"))]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

use pip_aide_gateway::token::jwt::{self, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::token::signed::{Message, verify_head};
use pip_aide_gateway::units::UnixMillis;
use serde_json::Value;

const POLICY: TokenPolicy<'_> =
    TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };

/// Runs it with just these variables and this standard input.
fn gatectl(arguments: &[&str], environment: &[(&str, &str)], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatectl"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one line on standard output of a run that succeeded.
fn line(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", stderr(output));
    let text = stdout(output);
    let line = text.strip_suffix('\n').unwrap().to_owned();
    assert!(!line.contains('\n'), "{line}");
    line
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn ring_text() -> String {
    format!("{},{}", render_entry("a", &[1; 32]), render_entry("b", &[2; 32]))
}

#[expect(clippy::disallowed_methods, reason = "the program uses the clock of this machine")]
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::from_millis(u64::try_from(since.as_millis()).unwrap())
}

#[test]
fn new_keys_make_a_ring() {
    let first = line(&gatectl(&["keys", "new"], &[], ""));
    let second = line(&gatectl(&["keys", "new", "--kid", "mine"], &[], ""));
    let ring = Keyring::parse(&format!("{first},{second}")).unwrap();
    assert_eq!(ring.keys().last().unwrap().kid(), "mine");
    let named = json(&gatectl(&["keys", "new", "--json"], &[], ""));
    assert!(
        Keyring::parse(named["entry"].as_str().unwrap())
            .unwrap()
            .find(named["kid"].as_str().unwrap())
            .is_some()
    );
    let refused = gatectl(&["keys", "new", "--kid", "a:b"], &[], "");
    assert_eq!((code(&refused), stdout(&refused).as_str()), (2, ""));
    let mistyped = gatectl(&["keys", "old", "--json"], &[], "");
    assert_eq!((code(&mistyped), stderr(&mistyped).as_str()), (2, ""));
    assert!(json(&mistyped)["error"].as_str().unwrap().contains("unrecognized"));
    let help = gatectl(&["--help"], &[], "");
    assert!(code(&help) == 0 && stdout(&help).contains("Usage:"));
}

#[test]
fn a_ring_is_rotated_without_an_outage() {
    let rotate = |arguments: &[&str], text: &str| {
        let arguments = [&["keys", "rotate", "--stdin"], arguments].concat();
        line(&gatectl(&arguments, &[], &format!("{text}\n")))
    };
    let kids = |text: &str| {
        let ring = Keyring::parse(text).unwrap();
        ring.keys().map(|key| key.kid().to_owned()).collect::<Vec<_>>()
    };
    let standby = rotate(&["--standby", "--kid", "n"], &ring_text());
    assert_eq!(kids(&standby), ["a", "b", "n"]);
    let promoted = rotate(&["--promote", "n"], &standby);
    assert_eq!(kids(&promoted), ["n", "a", "b"]);
    let retired = rotate(&["--retire", "a"], &promoted);
    assert_eq!(kids(&retired), ["n", "b"]);
    let at_once = rotate(&["--kid", "m"], &retired);
    assert_eq!(kids(&at_once), ["m", "n", "b"]);
    // The old keys are the same keys still.
    assert!(at_once.ends_with(&retired));

    let environment = [("TOKEN_KEYS", ring_text()), ("OPERATOR_KEYS", render_entry("o", &[3; 32]))];
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let operators = gatectl(&["keys", "rotate", "--ring", "OPERATOR_KEYS", "--json"], &environment, "");
    assert_eq!(json(&operators)["kids"][1], "o");
    for (arguments, word) in [
        (&["keys", "rotate", "--retire", "a"][..], "signs"),
        (&["keys", "rotate", "--promote", "x"], "it has a, b"),
        (&["keys", "rotate", "--kid", "a"], "repeats the kid"),
        (&["keys", "rotate", "--promote", "a", "--retire", "b"], "cannot be used with"),
    ] {
        let refused = gatectl(arguments, &environment, "");
        assert_eq!(code(&refused), 2, "{arguments:?}");
        assert!(stderr(&refused).contains(word), "{}", stderr(&refused));
    }
}

#[test]
fn minted_tokens_verify_and_inspect_says_so() {
    let keys = [("TOKEN_KEYS", ring_text()), ("OPERATOR_KEYS", render_entry("o", &[3; 32]))];
    let keys: Vec<(&str, &str)> = keys.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ring = Keyring::parse(&ring_text()).unwrap();
    let token =
        line(&gatectl(&["token", "mint", "--machine", "m-1", "--plan", "pro", "--days", "2"], &keys, ""));
    let claims = jwt::verify(&token, &ring, &POLICY, now()).unwrap();
    assert_eq!((claims.machine.as_str(), claims.plan.as_deref()), ("m-1", Some("pro")));
    assert_eq!(claims.expires_at.since(claims.issued_at).as_secs(), 2 * 86_400);

    let inspected = json(&gatectl(&["token", "inspect", "--json"], &keys, &token));
    assert_eq!(inspected["verifies_as"], "client");
    assert_eq!(inspected["claims"]["sub"], "m-1");
    assert_eq!(inspected["refused_because"]["operator"], "unknown_key");
    let text = gatectl(&["token", "inspect"], &keys, &token);
    assert_eq!(code(&text), 0);
    assert!(stdout(&text).contains("verifies as a client token"));

    let minted = json(&gatectl(&["--json", "token", "mint", "--machine", "boss", "--operator"], &keys, ""));
    let operator = minted["token"].as_str().unwrap();
    assert_eq!(
        json(&gatectl(&["token", "inspect", operator, "--json"], &keys, ""))["verifies_as"],
        "operator"
    );

    let mut forged = token.clone();
    forged.replace_range(
        forged.len() - 10..forged.len() - 9,
        if forged.as_bytes()[forged.len() - 10] == b'A' { "B" } else { "A" },
    );
    let refused = gatectl(&["token", "inspect"], &keys, &forged);
    assert_eq!(code(&refused), 1);
    assert!(stdout(&refused).contains("does NOT verify") && stdout(&refused).contains("bad_signature"));
    for (arguments, environment, word) in [
        (&["token", "inspect", "x"][..], &keys[..], "not a token"),
        (&["token", "inspect", token.as_str()], &[], "--keys-file"),
        (&["token", "mint", "--machine", "m"], &[], "gatectl keys new"),
        (&["token", "mint", "--machine", "a b"], &keys, "1 to 64"),
        (&["token", "mint", "--machine", "m", "--days", "31"], &keys, "TOKEN_TTL_DAYS"),
        (&["token", "mint", "--machine", "m", "--plan", "Pro"], &keys, "lower-case"),
    ] {
        let refused = gatectl(arguments, environment, "");
        assert_eq!(code(&refused), 2, "{arguments:?}");
        assert!(stderr(&refused).contains(word), "{}", stderr(&refused));
    }
}

#[test]
fn keys_come_from_a_file_too_and_are_never_printed() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let good = directory.join("token-gatectl-good.vars");
    std::fs::write(&good, format!("# local\nTOKEN_KEYS=\"{}\"\nAPI_KEY=x\n", ring_text())).unwrap();
    let file = good.to_str().unwrap();
    let minted = gatectl(&["token", "mint", "--machine", "m", "--keys-file", file], &[], "");
    jwt::verify(&line(&minted), &Keyring::parse(&ring_text()).unwrap(), &POLICY, now()).unwrap();

    let bad = directory.join("token-gatectl-bad.vars");
    let secret = "c2hvcnQgYnV0IHNlY3JldCBrZXk";
    for content in [
        format!("TOKEN_KEYS=a={secret}\n"),
        format!("TOKEN_KEYS={secret}\n"),
        format!("TOKEN_KEYS=a={secret}!\n"),
    ] {
        std::fs::write(&bad, content).unwrap();
        let refused =
            gatectl(&["token", "mint", "--machine", "m", "--keys-file", bad.to_str().unwrap()], &[], "");
        assert_eq!(code(&refused), 2);
        assert!(stderr(&refused).contains("entry 1"), "{}", stderr(&refused));
        assert!(!stderr(&refused).contains(secret) && stdout(&refused).is_empty());
    }
    std::fs::write(&bad, format!("TOKEN_KEYS={0}\nTOKEN_KEYS={0}\n", ring_text())).unwrap();
    let twice = gatectl(&["token", "mint", "--machine", "m", "--keys-file", bad.to_str().unwrap()], &[], "");
    assert!(stderr(&twice).contains("stands twice"), "{}", stderr(&twice));
    let absent =
        gatectl(&["token", "mint", "--machine", "m", "--keys-file", "no/such/file", "--json"], &[], "");
    assert!(json(&absent)["error"].as_str().unwrap().contains("no/such/file"));
}

/// What a shell passes to `curl` when the line is pasted.
fn arguments_of(curl_line: &str) -> Vec<String> {
    let script = r#"curl() { for word in "$@"; do printf '%s\0' "$word"; done; }; eval "$LINE""#;
    let output = Command::new("sh").args(["-c", script]).env("LINE", curl_line).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn a_signed_curl_line_sends_what_was_signed() {
    let ring = ring_text();
    let keys = [("TOKEN_KEYS", ring.as_str())];
    let body = "{\"error_context\":\"it's $HOME `x` \\\\ \u{e9}\n@\"}";
    let arguments =
        ["sign", "--machine", "m-1", "--url", "https://gateway.example/v1/analyze?a=1&b=[x]", "--data", body];
    let words = arguments_of(&line_of(&gatectl(&arguments, &keys, "")));
    let after = |flag: &str| {
        let position = words.iter().position(|word| word == flag).unwrap();
        words[position + 1].clone()
    };
    assert_eq!((after("-X").as_str(), after("--data-raw").as_str()), ("POST", body));
    assert!(words.contains(&"https://gateway.example/v1/analyze?a=1&b=[x]".to_owned()));
    let header = |name: &str| {
        words.iter().find_map(|word| {
            let (known, value) = word.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let message = Message {
        method: "POST",
        scheme: "https",
        authority: "gateway.example",
        path: "/v1/analyze",
        query: Some("a=1&b=[x]"),
        header,
        has_body: true,
    };
    let signed = verify_head(&message, &Keyring::parse(&ring).unwrap(), now()).unwrap();
    assert_eq!(signed.verify_body(body.as_bytes()).unwrap().machine.as_str(), "m-1");
    assert_eq!(header("content-type").as_deref(), Some("application/json"));

    let plain =
        gatectl(&["sign", "--machine", "m", "--url", "http://127.0.0.1:8787/v1/me", "--json"], &keys, "");
    assert_eq!(json(&plain)["method"], "GET");
    assert!(json(&plain)["headers"].get("Content-Digest").is_none());
    for (arguments, word) in [
        (&["sign", "--machine", "m", "--url", "gateway/v1/me"][..], "https://"),
        (&["sign", "--machine", "m", "--url", "https://u:p@h/"], "user name"),
        (&["sign", "--machine", "m", "--url", "https://h/", "--method", "get"], "upper-case"),
        (&["sign", "--machine", "m", "--url", "https://h/", "--data-file", "no/such/file"], "no/such/file"),
    ] {
        let refused = gatectl(arguments, &keys, "");
        assert_eq!(code(&refused), 2, "{arguments:?}");
        assert!(stderr(&refused).contains(word), "{}", stderr(&refused));
    }
}

/// Standard output of a run that succeeded; a body may hold line ends.
fn line_of(output: &Output) -> String {
    assert_eq!(code(output), 0, "{}", stderr(output));
    stdout(output)
}
