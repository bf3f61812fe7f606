//! `gatectl revoke` against a server of ours: what it sends, and what it makes of the answers.

#![cfg(not(target_arch = "wasm32"))]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread::JoinHandle;
use std::time::SystemTime;

use pip_aide_gateway::token::jwt::{self, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

/// What the server received.
struct Request {
    line: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn token(&self) -> &str {
        self.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
    }
}

/// Answers one request with this status and body; the address to send it to.
fn serve(status: &'static str, body: impl Into<String>) -> (String, JoinHandle<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let body = body.into();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers: Vec<(String, String)> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut received = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
        reader.read_exact(&mut received).unwrap();
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nLocation: /elsewhere\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .unwrap();
        Request { line: lines[0].clone(), headers, body: String::from_utf8(received).unwrap() }
    });
    (address, server)
}

/// Runs `gatectl revoke` with just these variables, and no proxy.
fn revoke(gateway: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatectl"))
        .args(["revoke", "--gateway", gateway])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the program uses the clock of this machine")]
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::from_millis(u64::try_from(since.as_millis()).unwrap())
}

const TOKEN: [(&str, &str); 1] = [("OPERATOR_TOKEN", "a.b.c")];

#[test]
fn a_revocation_is_sent_with_its_target_and_reason() {
    for (arguments, target) in [
        (["--machine", "build-7"], json!({ "machine": "build-7" })),
        (["--machine", "jwt~abc"], json!({ "machine": "jwt~abc" })),
        (["--jti", "x_-1"], json!({ "jti": "x_-1" })),
        (["--issued-before", "2026-01-31T00:00:00Z"], json!({ "issued_before": "2026-01-31T00:00:00.000Z" })),
    ] {
        let (gateway, server) = serve("200 OK", r#"{"changed":true}"#);
        let output = revoke(&gateway, &[&arguments[..], &["--reason", "lost \"it\""]].concat(), &TOKEN);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).ends_with(" is out of use\n"), "{}", stdout(&output));
        let request = server.join().unwrap();
        assert_eq!(request.line, "POST /admin/revocations HTTP/1.1");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.token(), "a.b.c");
        let mut expected = target.clone();
        expected["reason"] = "lost \"it\"".into();
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), expected);

        let (gateway, server) = serve("200 OK", r#"{"changed":true}"#);
        let output = revoke(&gateway, &[&arguments[..], &["--take-back"]].concat(), &TOKEN);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert!(stdout(&output).ends_with(" is in use again\n"), "{}", stdout(&output));
        let request = server.join().unwrap();
        assert_eq!(request.line, "DELETE /admin/revocations HTTP/1.1");
        assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), target);
    }
}

#[test]
fn what_was_so_already_is_said() {
    let (gateway, server) = serve("200 OK", r#"{"changed":false}"#);
    let output = revoke(&gateway, &["--machine", "m", "--reason", "r", "--json"], &TOKEN);
    server.join().unwrap();
    assert_eq!(code(&output), 0);
    let answer: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(answer, json!({ "machine": "m", "revoked": true, "changed": false }));

    let (gateway, server) = serve("200 OK", r#"{"changed":false}"#);
    let output = revoke(&gateway, &["--jti", "m", "--take-back"], &TOKEN);
    server.join().unwrap();
    assert_eq!((code(&output), stdout(&output)), (1, "token m was not out of use\n"));
}

#[test]
fn the_list_is_shown_without_control_characters() {
    let moment = "2026-11-23T02:40:00.000Z";
    let list = json!({ "revocations": [
        { "machine": "build-7", "at": moment, "by": "boss", "reason": "lost\u{1b}[2J \u{e9}" },
        { "issued_before": moment, "at": moment, "by": "boss", "reason": "key seen" },
    ] });
    let (gateway, server) = serve("200 OK", list.to_string());
    let output = revoke(&gateway, &["--list"], &TOKEN);
    let request = server.join().unwrap();
    assert_eq!(request.line, "GET /admin/revocations HTTP/1.1");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let expected = format!(
        "machine\tbuild-7\t{moment}\tboss\tlost[2J \u{e9}\nissued_before\t{moment}\t{moment}\tboss\tkey seen\n"
    );
    assert_eq!(stdout(&output), expected);

    let (gateway, server) = serve("200 OK", list.to_string());
    let output = revoke(&gateway, &["--list", "--json"], &TOKEN);
    server.join().unwrap();
    assert_eq!(serde_json::from_str::<Value>(stdout(&output)).unwrap(), list);

    let (gateway, server) = serve("200 OK", r#"{"revocations":[]}"#);
    let output = revoke(&gateway, &["--list"], &TOKEN);
    server.join().unwrap();
    assert_eq!(stdout(&output), "nothing is out of use\n");
}

#[test]
fn a_token_is_made_for_the_request_where_none_is_given() {
    let ring = render_entry("o", &[3; 32]);
    let keys = [("OPERATOR_KEYS", ring.as_str())];
    let policy = TokenPolicy { issuer: "pip-aide-gateway", audience: "mine/operator", ttl_days: 30 };
    let (gateway, server) = serve("200 OK", r#"{"changed":true}"#);
    let arguments = ["--machine", "m", "--reason", "r", "--by", "boss", "--audience", "mine"];
    let output = revoke(&gateway, &arguments, &keys);
    let request = server.join().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let claims = jwt::verify(request.token(), &Keyring::parse(&ring).unwrap(), &policy, now()).unwrap();
    assert_eq!(claims.machine.as_str(), "boss");
    assert_eq!(claims.expires_at.since(claims.issued_at).as_secs(), 300);

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("token-gatectl-revoke.vars");
    std::fs::write(&file, format!("OPERATOR_KEYS={ring}\n")).unwrap();
    let (gateway, server) = serve("200 OK", r#"{"changed":true}"#);
    let file_arguments = ["--keys-file", file.to_str().unwrap(), "--audience", "mine"];
    let arguments = [&["--machine", "m", "--reason", "r"][..], &file_arguments].concat();
    // The file, not the environment, is asked.
    assert_eq!(code(&revoke(&gateway, &arguments, &TOKEN)), 0);
    let request = server.join().unwrap();
    assert!(jwt::verify(request.token(), &Keyring::parse(&ring).unwrap(), &policy, now()).is_ok());

    let (gateway, server) = serve("200 OK", r#"{"changed":true}"#);
    assert_eq!(code(&revoke(&gateway, &[&arguments[..], &["--token", "d.e.f"]].concat(), &TOKEN)), 0);
    assert_eq!(server.join().unwrap().token(), "d.e.f");
}

#[test]
fn refusals_become_sentences() {
    let problem = |status: u16, title: &str, detail: &str| {
        json!({ "type": "urn:x", "title": title, "status": status, "detail": detail, "request_id": "4c0f" })
            .to_string()
    };
    for (status, body, words) in [
        (
            "403 Forbidden",
            problem(403, "Not for this", "A client token."),
            "403: Not for this. A client token.",
        ),
        ("401 Unauthorized", problem(401, "A credential", "Send a client token."), "OPERATOR_KEYS"),
        (
            "503 Service Unavailable",
            problem(503, "The\u{1b} ledger", "Try again."),
            "503: The ledger. Try again. (request 4c0f)",
        ),
        ("404 Not Found", "<html>".to_owned(), "is it the gateway's address?"),
        ("302 Found", String::new(), "answered 302"),
        ("200 OK", "{}".to_owned(), "same version"),
        ("200 OK", "<html>".to_owned(), "is it the gateway's address?"),
    ] {
        let (gateway, server) = serve(status, body.clone());
        let output = revoke(&gateway, &["--machine", "m", "--reason", "r"], &TOKEN);
        server.join().unwrap();
        assert_eq!((code(&output), stdout(&output)), (2, ""), "{status}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
        assert!(!stderr(&output).contains("a.b.c") && !stderr(&output).contains('\u{1b}'));

        let (gateway, server) = serve(status, body);
        let output = revoke(&gateway, &["--machine", "m", "--reason", "r", "--json"], &TOKEN);
        server.join().unwrap();
        let error: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert!(error["error"].as_str().unwrap().contains(words), "{error}");
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before() {
    let why = ["--reason", "r"];
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for (gateway, arguments, environment, word) in [
        ("http://gateway.example", &["--machine", "m"][..], &TOKEN[..], "only for this machine"),
        ("gateway.example", &["--machine", "m"], &TOKEN, "https://"),
        ("https://u:p@gateway.example", &["--machine", "m"], &TOKEN, "https://"),
        (&nobody, &["--machine", "m"], &TOKEN, "no answer from"),
        (&nobody, &["--machine", "m"], &[("OPERATOR_TOKEN", "a b")], "token mint --operator"),
        (&nobody, &["--machine", "m"], &[], "OPERATOR_KEYS"),
        (&nobody, &["--machine", "a b"], &TOKEN, "without spaces"),
        (&nobody, &["--issued-before", "yesterday"], &TOKEN, "RFC 3339"),
        (&nobody, &["--issued-before", "2999-01-01T00:00:00Z"], &TOKEN, "in the future"),
        (&nobody, &["--machine", "m", "--jti", "j"], &TOKEN, "cannot be used with"),
        (&nobody, &[], &TOKEN, "required"),
        (&nobody, &["--machine", "m", "--take-back"], &TOKEN, "cannot be used with"),
        (&nobody, &["--list"], &TOKEN, "cannot be used with"),
    ] {
        let output = revoke(gateway, &[arguments, &why[..]].concat(), environment);
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
    let output = revoke(&nobody, &["--machine", "m"], &TOKEN);
    assert!(code(&output) == 2 && stderr(&output).contains("--reason"), "{}", stderr(&output));
    let output = revoke(&nobody, &["--machine", "m", "--reason", " "], &TOKEN);
    assert!(code(&output) == 2 && stderr(&output).contains("in words"), "{}", stderr(&output));
}
