//! What is refused at the door: the right problem document, and nothing else happens.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::credentials::{Key, basic, bearer, claims, unix_seconds, unsigned};
use crate::support::faulty::Faulty;
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::logs::{records, wait_for_record};
use crate::support::random_word;
use crate::support::raw::Then;

const MIB: usize = 1 << 20;

static MODEL: LazyLock<Faulty> = LazyLock::new(Faulty::start);
static GATEWAY: LazyLock<Gateway> =
    LazyLock::new(|| Gateway::start(Settings::new().unhurried().model_on(MODEL.port())));

/// Sends one request that must pass, waits for its record, and checks that nothing but such
/// requests has reached the model or the log.
#[track_caller]
fn assert_that_nothing_else_happened() {
    let machine = format!("accepted-{}", random_word());
    let reply = GATEWAY.analyze("/v1/analyze", &machine, "ERROR: accepted");
    assert_eq!(reply.status, 200, "{}", reply.text());
    wait_for_record(&GATEWAY, "request_id", reply.request_id());
    for record in records(&GATEWAY) {
        assert!(
            record.text("machine_id").starts_with("accepted-"),
            "a refused request was logged: {record:?}"
        );
    }
    for asked in MODEL.asked() {
        assert!(asked.body.to_string().contains("accepted"), "a refused request was forwarded: {asked:?}");
    }
}

fn good_authorization() -> String {
    bearer(&GATEWAY.key().token(&format!("refused-{}", random_word())))
}

#[test]
fn what_is_no_such_json_is_malformed() {
    let text = |text: &str| text.as_bytes().to_vec();
    let with =
        |more: &str| format!("{{\"machine_id\":\"0x1\",\"error_context\":\"refused\",{more}}}").into_bytes();
    let nested = |depth: usize| with(&format!("\"more\":{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1)));
    let mut not_utf8 = text("{\"machine_id\":\"0x1\",\"error_context\":\"refused ");
    not_utf8.extend_from_slice(b"\xff\xfe\"}");
    let cases = [
        ("nothing", Vec::new()),
        ("no JSON", text("refused")),
        ("half of it", text("{\"machine_id\":\"0x1\",\"error_context\":\"refu")),
        ("more after it", text("{\"machine_id\":\"0x1\",\"error_context\":\"refused\"} x")),
        ("two of it", text("{\"machine_id\":\"0x1\",\"error_context\":\"refused\"}{}")),
        ("a list", text("[\"0x1\",\"refused\"]")),
        ("a string", text("\"refused\"")),
        ("null", text("null")),
        ("a trailing comma", text("{\"machine_id\":\"0x1\",\"error_context\":\"refused\",}")),
        ("not a number", with("\"more\":NaN")),
        ("not UTF-8", not_utf8),
        ("half a surrogate pair", with("\"more\":\"\\ud800\"")),
        ("a raw control character", text("{\"machine_id\":\"0x1\",\"error_context\":\"refused\u{1}\"}")),
        ("no error_context", text("{\"machine_id\":\"0x1\"}")),
        ("an empty error_context", text("{\"machine_id\":\"0x1\",\"error_context\":\"\"}")),
        ("error_context is a number", text("{\"machine_id\":\"0x1\",\"error_context\":1}")),
        ("error_context is null", text("{\"machine_id\":\"0x1\",\"error_context\":null}")),
        ("error_context is a list", text("{\"machine_id\":\"0x1\",\"error_context\":[\"refused\"]}")),
        ("machine_id is a number", text("{\"machine_id\":1,\"error_context\":\"refused\"}")),
        ("machine_id is an object", text("{\"machine_id\":{},\"error_context\":\"refused\"}")),
        ("a known key twice", with("\"error_context\":\"refused\"")),
        ("a known key twice, once escaped", with("\"error\\u005fcontext\":\"refused\"")),
        ("an unknown key twice", with("\"more\":1,\"more\":1")),
        ("a key twice inside", with("\"more\":[{\"a\":1,\"a\":2}]")),
        ("17 deep", nested(17)),
        ("100,000 deep", nested(100_000)),
    ];
    let authorization = good_authorization();
    for path in ["/analyze_error", "/v1/analyze"] {
        for (name, body) in &cases {
            let reply = GATEWAY.post(path, &authorization, body);
            assert_eq!(reply.status, 400, "{name} on {path}: {}", reply.text());
            reply.assert_problem(400, "malformed-request");
            assert!(!reply.text().contains("refused"), "{name}: the answer gives the request back");
        }
    }
    for body in ["{\"error_context\":\"refused\"}", "{\"machine_id\":\"\",\"error_context\":\"refused\"}"] {
        let reply = GATEWAY.post("/analyze_error", &authorization, body.as_bytes());
        reply.assert_problem(400, "malformed-request");
    }
    let deepest = nested(16);
    let deepest = String::from_utf8_lossy(&deepest).replace("refused", "accepted");
    let accepted = bearer(&GATEWAY.key().token("accepted-deep"));
    let reply = GATEWAY.post("/v1/analyze", &accepted, deepest.as_bytes());
    assert_eq!(reply.status, 200, "16 deep is not too deep: {}", reply.text());
    assert_that_nothing_else_happened();
}

#[test]
fn a_content_coding_is_malformed_and_another_media_type_is_unsupported() {
    let authorization = good_authorization();
    let body = request_body("refused");
    for coding in ["gzip", "deflate", "br", "gzip, identity"] {
        let headers = [
            ("Authorization", &*authorization),
            ("Content-Type", "application/json"),
            ("Content-Encoding", coding),
        ];
        GATEWAY.send("POST", "/v1/analyze", &headers, Some(&body)).assert_problem(400, "malformed-request");
    }
    let bomb = gzip(&request_body(&"refused ".repeat(1 << 17)));
    let headers = [
        ("Authorization", &*authorization),
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
    ];
    GATEWAY.send("POST", "/v1/analyze", &headers, Some(&bomb)).assert_problem(400, "malformed-request");
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/json", ""]
    {
        let headers = [("Authorization", &*authorization), ("Content-Type", media_type)];
        let reply = GATEWAY.send("POST", "/analyze_error", &headers, Some(&body));
        reply.assert_problem(415, "unsupported-media-type");
    }
    let untyped = GATEWAY.send("POST", "/v1/analyze", &[("Authorization", &authorization)], Some(&body));
    untyped.assert_problem(415, "unsupported-media-type");
    let accepted = bearer(&GATEWAY.key().token("accepted-typed"));
    for media_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let headers = [("Authorization", &*accepted), ("Content-Type", media_type)];
        let reply = GATEWAY.send("POST", "/v1/analyze", &headers, Some(&request_body("accepted")));
        assert_eq!(reply.status, 200, "{media_type}: {}", reply.text());
    }
    assert_that_nothing_else_happened();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A request, byte for byte.
fn raw_request(path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n");
    for header in headers {
        let _ = write!(head, "{header}\r\n");
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

fn raw_request_without_body(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").into_bytes()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let chunk = |chunk: &[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    body.chunks(60_000).map(chunk).chain([b"0\r\n\r\n".to_vec()]).flatten().collect()
}

/// A good body of exactly this many bytes. The word has a line of its own: of very long ones nothing is looked at.
fn padded(word: &str, length: usize) -> Vec<u8> {
    let line = format!("{word}\n");
    let bare = request_body(&line).len();
    request_body(&format!("{line}{}", "a".repeat(length - bare)))
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_is_sent() {
    let authorization = format!("Authorization: {}", good_authorization());
    let two_mb = padded("refused", 2_000_000);
    let length = format!("Content-Length: {}", two_mb.len());
    let just_over = padded("refused", MIB + 1);
    let cases = [
        ("2 MB", raw_request("/v1/analyze", &[&authorization, &length], &two_mb)),
        (
            "2 MB in chunks",
            raw_request("/v1/analyze", &[&authorization, "Transfer-Encoding: chunked"], &chunked(&two_mb)),
        ),
        (
            "one byte too many, in chunks",
            raw_request(
                "/analyze_error",
                &[&authorization, "Transfer-Encoding: chunked"],
                &chunked(&just_over),
            ),
        ),
    ];
    for (name, bytes) in cases {
        let reply = GATEWAY.send_raw(&bytes, Then::Wait);
        let reply = reply.unwrap_or_else(|| panic!("{name}: no answer"));
        reply.assert_common_headers();
        reply.assert_problem(413, "body-too-large");
        // And whoever comes next over the connections in between is served.
        let next = raw_request_without_body("/healthz");
        let next =
            GATEWAY.send_raw(&next, Then::Wait).unwrap_or_else(|| panic!("{name}: the next got no answer"));
        assert_eq!(next.status, 200, "{name}: {next:?}");
    }
    let accepted = bearer(&GATEWAY.key().token("accepted-large"));
    let reply = GATEWAY.post("/v1/analyze", &accepted, &padded("accepted", MIB));
    assert_eq!(reply.status, 200, "the limit itself is allowed: {}", reply.text());
    assert_that_nothing_else_happened();
}

#[test]
fn a_content_length_that_lies_helps_nobody() {
    let authorization = format!("Authorization: {}", good_authorization());
    let body = request_body("refused");
    let send = |length: usize, body: &[u8]| {
        let length = format!("Content-Length: {length}");
        GATEWAY.send_raw(&raw_request("/v1/analyze", &[&authorization, &length], body), Then::Close)
    };
    // More announced than sent: the body never ends, so there may be nobody left to answer, or only
    // the server before the gateway, which has no id for it.
    for length in [body.len() + 1, body.len() + 1_000, 2_000_000] {
        if let Some(reply) = send(length, &body) {
            assert!(reply.status >= 400, "{length}: {reply:?}");
            if reply.header("x-request-id").is_some() && reply.status != 413 {
                reply.assert_problem(400, "malformed-request");
            }
        }
    }
    // Less announced than sent: what is announced counts, and it is no JSON.
    for length in [body.len() - 1, 1, 0] {
        let reply = send(length, &body).expect("an answer to the part that was announced");
        reply.assert_common_headers();
        reply.assert_problem(400, "malformed-request");
    }
    // What no HTTP server takes, the gateway need not answer, but it must not pass on.
    for length in ["Content-Length: -1", "Content-Length: 1, 2", "Content-Length: 99999999999999999999"] {
        let bytes = raw_request("/v1/analyze", &[&authorization, length], &body);
        if let Some(reply) = GATEWAY.send_raw(&bytes, Then::Close) {
            assert!(reply.status >= 400, "{length}: {reply:?}");
        }
    }
    assert_that_nothing_else_happened();
}

#[test]
fn another_method_or_route_is_refused() {
    let authorization = good_authorization();
    let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
    for (method, path, allowed) in [
        ("GET", "/analyze_error", "POST"),
        ("PUT", "/analyze_error", "POST"),
        ("DELETE", "/v1/analyze", "POST"),
        ("PATCH", "/v1/analyze", "POST"),
        ("POST", "/v1/me", "GET"),
        ("POST", "/healthz", "GET"),
        ("POST", "/readyz", "GET"),
        ("PUT", "/", "GET"),
    ] {
        let body = (!["GET", "DELETE"].contains(&method)).then(|| request_body("refused"));
        let reply = GATEWAY.send(method, path, &headers, body.as_deref());
        reply.assert_problem(405, "method-not-allowed");
        let allow = reply.header("allow").unwrap_or_else(|| panic!("no Allow: {reply:?}"));
        assert!(allow.split(',').any(|other| other.trim() == allowed), "{method} {path}: {allow}");
        assert!(!allow.split(',').any(|other| other.trim() == method), "{method} {path}: {allow}");
    }
    for path in [
        "/nowhere",
        "/analyze_error/",
        "/Analyze_Error",
        "//analyze_error",
        "/analyze_error/more",
        "/v1",
        "/v1/analyze/",
        "/v1/analyze%2f",
        "/v2/analyze",
        "/x/../analyze_errorr",
    ] {
        let reply = GATEWAY.post(path, &authorization, &request_body("refused"));
        reply.assert_problem(404, "not-found");
    }
    assert_that_nothing_else_happened();
}

/// Every `Authorization` that must not open the door.
fn bad_authorizations() -> Vec<(String, Option<String>)> {
    let key = GATEWAY.key();
    let good = claims("refused-token");
    let token = key.sign(&key.header(), &good);
    let parts: Vec<&str> = token.split('.').collect();
    let now = unix_seconds();
    let signed = |header: &Value, claims: &Value| bearer(&key.sign(header, claims));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&key.header(), &claims)
    };
    let without = |name: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().expect("claims are an object").remove(name);
        signed(&key.header(), &claims)
    };
    let header = |name: &str, value: Value| {
        let mut header = key.header();
        header[name] = value;
        signed(&header, &good)
    };
    let mut lifetime = good.clone();
    lifetime["exp"] = json!(now + 31 * 86_400);
    let mut operator = good.clone();
    operator["aud"] = json!("pip-aide/operator");
    let other = Key::random(&key.kid);
    let mut no_kid = key.header();
    no_kid.as_object_mut().expect("a header is an object").remove("kid");
    let other_claims = key.sign(&key.header(), &claims("refused-other"));
    let other_claims = other_claims.split('.').nth(1).expect("claims");

    let mut cases = vec![
        ("none".to_owned(), None),
        ("an empty one".to_owned(), Some(String::new())),
        ("unsigned, by Basic".to_owned(), Some(basic("x", &unsigned(&good)))),
    ];
    let mut add = |name: &str, value: String| cases.push((name.to_owned(), Some(value)));
    add("Bearer alone", "Bearer".to_owned());
    add("Bearer and a blank", "Bearer ".to_owned());
    add("a word", bearer("nonsense"));
    add("three words", bearer("a.b.c"));
    add("empty parts", bearer(".."));
    add("no scheme", token.clone());
    add("another scheme", format!("Digest {token}"));
    add("two tokens", format!("Bearer {token}, Bearer {token}"));
    add("more after the token", format!("Bearer {token} x"));
    add("Basic without a token", basic("id", ""));
    add("Basic without a colon", format!("Basic {}", STANDARD.encode(&token)));
    add("Basic that is no base64", "Basic ~~~".to_owned());
    add("Basic with the token for a name", basic(&token, "x"));
    add("unsigned", bearer(&unsigned(&good)));
    add("no signature", bearer(&format!("{}.{}.", parts[0], parts[1])));
    add("a part of the signature", bearer(&token[..token.len() - 4]));
    add("another's claims", bearer(&format!("{}.{other_claims}.{}", parts[0], parts[2])));
    add("four parts", bearer(&format!("{token}.{}", parts[2])));
    add("another key of the same name", bearer(&other.sign(&other.header(), &good)));
    add("an operator's key", bearer(&GATEWAY.operator_key().token("refused-operator")));
    add("an unknown kid", header("kid", json!("client-2")));
    add("an empty kid", header("kid", json!("")));
    add("no kid", signed(&no_kid, &good));
    add("HS384", header("alg", json!("HS384")));
    add("HS512", header("alg", json!("HS512")));
    add("a critical extension", {
        let mut header = key.header();
        header["crit"] = json!(["pip-aide"]);
        header["pip-aide"] = json!(true);
        signed(&header, &good)
    });
    add("an hour past", with("exp", json!(now - 3_600)));
    add("a minute past", with("exp", json!(now - 60)));
    add("from the future", with("iat", json!(now + 600)));
    add("not before later", with("nbf", json!(now + 600)));
    add("31 days", signed(&key.header(), &lifetime));
    add("another issuer", with("iss", json!("pip-aide-gateway ")));
    add("another audience", with("aud", json!("pip")));
    add("the operators' audience", signed(&key.header(), &operator));
    add("an empty subject", with("sub", json!("")));
    add("a subject of 65", with("sub", json!("a".repeat(65))));
    add("a subject with a colon", with("sub", json!("refused:1")));
    add("a subject with a slash", with("sub", json!("refused/1")));
    add("a subject not in ASCII", with("sub", json!("refusé")));
    add("a subject that is a number", with("sub", json!(1)));
    add("an expiry that is text", with("exp", json!("9999999999")));
    add("over 4 KB", with("more", json!("x".repeat(4_096))));
    for name in ["iss", "aud", "sub", "iat", "exp", "jti"] {
        add(&format!("no {name}"), without(name));
    }
    cases
}

#[test]
fn whatever_does_not_verify_looks_the_same() {
    let body = request_body("refused");
    for path in ["/analyze_error", "/v1/analyze"] {
        let mut first: Option<(String, Reply)> = None;
        let mut check = |name: &str, reply: Reply| {
            assert_eq!(reply.status, 401, "{name} on {path}: {}", reply.text());
            reply.assert_problem(401, "unauthenticated");
            let challenges = reply.header_list("www-authenticate");
            for scheme in ["Bearer", "Basic"] {
                assert!(challenges.contains(scheme), "{name}: no challenge for {scheme}: {challenges:?}");
            }
            let reply = without_what_differs(reply);
            let (first_name, first) = first.get_or_insert_with(|| (name.to_owned(), reply.clone()));
            assert_eq!(reply.text(), first.text(), "{name} differs from {first_name}");
            assert_eq!(reply.headers, first.headers, "{name} differs from {first_name}");
        };
        for (name, authorization) in bad_authorizations() {
            let mut headers = vec![("Content-Type", "application/json")];
            headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
            check(&name, GATEWAY.send("POST", path, &headers, Some(&body)));
        }
        let good = format!("Authorization: {}", good_authorization());
        let bad = "Authorization: Bearer a.b.c".to_owned();
        for (name, headers) in [("twice", [&good, &good]), ("good, then bad", [&good, &bad])] {
            let length = format!("Content-Length: {}", body.len());
            let bytes = raw_request(path, &[headers[0], headers[1], &length], &body);
            let reply = GATEWAY.send_raw(&bytes, Then::Wait).expect("an answer");
            reply.assert_common_headers();
            check(name, reply);
        }
    }
    assert_that_nothing_else_happened();
}

/// An answer without what is new in each: its id, wherever it stands, and the time.
fn without_what_differs(mut reply: Reply) -> Reply {
    let id = reply.request_id().to_owned();
    reply.body = reply.text().replace(&id, "id").into_bytes();
    reply.headers.retain(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    reply.headers.sort();
    reply
}

#[test]
fn no_storage_is_touched_before_a_credential_verifies() {
    let gateway = Gateway::start(Settings::new());
    let objects = gateway.state().join("v3/do");
    let before = files_below(&objects);
    let other = Key::random(&gateway.key().kid);
    for authorization in [String::new(), bearer("a.b.c"), bearer(&other.token("refused"))] {
        for path in ["/analyze_error", "/v1/analyze"] {
            let reply = gateway.post(path, &authorization, &request_body("refused"));
            reply.assert_problem(401, "unauthenticated");
        }
        let reply = gateway.send("GET", "/v1/me", &[("Authorization", &authorization)], None);
        reply.assert_problem(401, "unauthenticated");
    }
    assert_eq!(files_below(&objects), before, "a request without a credential woke a Durable Object");
    assert_eq!(gateway.analyze("/analyze_error", "accepted", "ERROR: accepted").status, 200);
    assert!(files_below(&objects) > before, "this test looks in the wrong place");
}

fn files_below(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 })
        .sum()
}
