//! What strangers cost, counted: a module of ours stands before the built Worker, counts every use of
//! the ledger, the log, the cache, the storage and the network, and tells.

use std::collections::BTreeMap;
use std::time::Duration;

use pip_aide_gateway::token::enrol::Challenge;
use pip_aide_gateway::token::keys::{Keyring, Purpose};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::credentials::{Key, basic, bearer, claims, unix_seconds, unsigned};
use crate::support::door::Door as _;
use crate::support::enrol::{address, challenge, post, post_bytes, solve, solved};
use crate::support::faulty::Faulty;
use crate::support::fleet::{Fleet, Member};
use crate::support::forge::changed;
use crate::support::gateway::{Settings, request_body};
use crate::support::provider::{self, Answer, Provider};
use crate::support::raw::{Then, exchange};
use crate::support::signing::{Signed, ToSign};
use crate::support::wait_for;

/// How often each was used since this was last asked.
type Counts = BTreeMap<String, u64>;

fn counted(worker: Member) -> Counts {
    let reply = Reply::of("GET", &worker.url("/counted"), &[], None).expect("the counter answers");
    serde_json::from_value(reply.json()).expect("counts by name")
}

fn uses(counts: &Counts, prefix: &str) -> u64 {
    counts.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
}

/// Checks the answer, and that it cost nothing.
#[track_caller]
fn assert_free(worker: Member, name: &str, status: u16, reply: &Reply) {
    assert_eq!(reply.status, status, "{name}: {reply:?}");
    assert_eq!(counted(worker), Counts::new(), "{name} is not free");
}

/// Checks that the counters count: an honest request uses what they stand before.
#[track_caller]
fn assert_honest_requests_cost(worker: Member, key: &Key, model: bool) {
    let token = bearer(&key.token("honest"));
    let reply = worker.post("/v1/analyze", &token, &request_body(NO_CV2));
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut counts = Counts::new();
    let wanted: &[&str] =
        if model { &["ledger.", "object", "sql.", "kv.", "cache.", "fetch"] } else { &["ledger.", "kv."] };
    // The settlement and the record come after the answer, and may be kept for a while.
    let all = wait_for(Duration::from_secs(90), || {
        for (name, count) in counted(worker) {
            *counts.entry(name).or_default() += count;
        }
        wanted.iter().all(|prefix| uses(&counts, prefix) > 0).then_some(())
    });
    assert!(all.is_some(), "an honest request is not counted: {counts:?}");
    assert_eq!(worker.look(&token).status, 200);
    assert!(uses(&counted(worker), "ledger.") > 0, "a look is not counted");
    let home = address();
    let enrolled = post(&worker, &home, "/v1/enroll", &solved(&worker, &home));
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    assert!(uses(&counted(worker), "ledger.") > 0, "an enrolment is not counted");
    // Nothing that they started may be counted against those that come next.
    let quiet = wait_for(Duration::from_secs(90), || {
        std::thread::sleep(Duration::from_secs(2));
        counted(worker).is_empty().then_some(())
    });
    assert!(quiet.is_some(), "the Worker does not come to rest");
}

/// The settings of a Worker that asks a model and keeps its answers.
fn asking(model: &Faulty) -> Settings {
    Settings::new()
        .unhurried()
        .model_on(model.port())
        .var("CACHE_TTL_SECONDS", "86400")
        .var("ENROLLMENT_DIFFICULTY", "8")
}

/// Every `Authorization` that is nobody's, by name.
fn nobodys(key: &Key, operator: &Key) -> Vec<(&'static str, String)> {
    let other = Key::random(&key.kid);
    let usual = claims("stranger");
    let now = unix_seconds();
    let signed = |claims: &Value| bearer(&key.sign(&key.header(), claims));
    let with = |name: &str, value: Value| signed(&changed(&usual, name, Some(value)));
    let good = key.token("stranger");
    vec![
        ("empty", String::new()),
        ("Bearer alone", "Bearer".to_owned()),
        ("no token", bearer("nonsense")),
        ("three words", bearer("a.b.c")),
        ("unsigned", bearer(&unsigned(&usual))),
        ("forged", bearer(&other.token("stranger"))),
        ("forged, by Basic", basic("x", &other.token("stranger"))),
        ("of an unknown kid", bearer(&Key::random("nobody").token("stranger"))),
        ("of a long kid", bearer(&Key::random(&"k".repeat(500)).token("stranger"))),
        ("an operator's", bearer(&operator.token("stranger"))),
        ("expired", signed(&changed(&changed(&usual, "iat", Some(json!(1))), "exp", Some(json!(2))))),
        ("to come", with("nbf", json!(now + 600))),
        ("for another", with("aud", json!("another"))),
        ("without an id", signed(&changed(&usual, "jti", None))),
        ("over 4 KB", with("more", json!("x".repeat(4_096)))),
        ("over 8 KB", bearer(&"x".repeat(9_000))),
        ("cut", bearer(&good[..good.len() - 4])),
        ("twice", format!("Bearer {good}, Bearer {good}")),
        ("garbage by Basic", "Basic ~~~".to_owned()),
        ("Basic alone", "Basic".to_owned()),
        ("Basic without a token", basic("x", "")),
        ("Basic of bytes", "Basic /////w==".to_owned()),
        ("another scheme", format!("Negotiate {good}")),
    ]
}

/// Signed requests that do not verify, by name.
fn badly_signed(worker: Member, key: &Key) -> Vec<(&'static str, Signed)> {
    let good = ToSign::analysis(key, "stranger");
    let other = Key::random(&key.kid);
    let changed = |change: fn(&mut Signed)| {
        let mut signed = good.sign(&worker);
        change(&mut signed);
        signed
    };
    vec![
        ("by another key", ToSign { key: other.clone(), ..good.clone() }.sign(&worker)),
        ("a look by another key", ToSign::look(&other, "stranger").sign(&worker)),
        ("too old", ToSign { created: unix_seconds() - 400, ..good.clone() }.sign(&worker)),
        ("too new", ToSign { created: unix_seconds() + 400, ..good.clone() }.sign(&worker)),
        ("without a nonce", ToSign { without: vec!["nonce"], ..good.clone() }.sign(&worker)),
        (
            "without the digest",
            ToSign { fields: vec!["@method", "@authority", "@target-uri"], ..good.clone() }.sign(&worker),
        ),
        ("another body", changed(|signed| signed.body = Some(request_body("another")))),
        ("another query", changed(|signed| signed.target.push_str("?x"))),
        ("without its input", changed(|signed| signed.headers.retain(|(name, _)| name != "signature-input"))),
        ("without its signature", changed(|signed| signed.headers.retain(|(name, _)| name != "signature"))),
        ("with a token too", good.sign(&worker).with("authorization", &bearer(&key.token("stranger")))),
        ("no signature at all", good.sign(&worker).with("signature", "nonsense")),
    ]
}

#[test]
fn strangers_cost_no_ledger_request_no_row_and_no_storage_operation() {
    let model = Faulty::start();
    let settings = asking(&model);
    let (key, operator) = (settings.key().clone(), settings.operator_key().clone());
    let fleet = Fleet::start_behind(Some("counting.mjs"), &[("worker", settings)]);
    let worker = fleet.member("worker");
    assert_eq!(counted(worker), Counts::new());
    // Before any honest request: not even the object exists yet.
    let first = worker.send("GET", "/v1/me", &[], None);
    assert_free(worker, "the first", 401, &first);
    assert_honest_requests_cost(worker, &key, true);

    let json = ("Content-Type", "application/json");
    let body = request_body(NO_CV2);
    let revoke = br#"{"machine":"victim","reason":"x"}"#;
    let routes: [(&str, &str, Option<&[u8]>); 6] = [
        ("POST", "/v1/analyze", Some(&body)),
        ("POST", "/analyze_error", Some(&body)),
        ("GET", "/v1/me", None),
        ("GET", "/admin/revocations", None),
        ("POST", "/admin/revocations", Some(revoke)),
        ("DELETE", "/admin/revocations", Some(revoke)),
    ];
    for (method, path, body) in routes {
        let reply = worker.send(method, path, &[json], body);
        assert_free(worker, &format!("{method} {path} without a credential"), 401, &reply);
        for (name, authorization) in nobodys(&key, &operator) {
            // On their own routes operators are no strangers, but for their token's audience.
            let reply = worker.send(method, path, &[json, ("Authorization", &authorization)], body);
            assert_free(worker, &format!("{method} {path}, {name}"), 401, &reply);
        }
    }
    for (name, signed) in badly_signed(worker, &key) {
        assert_free(worker, name, 401, &signed.send(&worker));
    }
    let client = bearer(&key.token("client"));
    for (method, path, body) in &routes[3..] {
        let reply = worker.send(method, path, &[json, ("Authorization", &client)], *body);
        assert_free(worker, &format!("{method} {path} by a client"), 403, &reply);
    }

    // Whoever is still sending when the answer comes may not hear it.
    let large = request_body(&"x".repeat(2_000_000));
    let head = format!(
        "POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        large.len()
    );
    if let Some(reply) = exchange(worker.port(), &[head.as_bytes(), &large].concat(), Then::Wait) {
        assert_eq!(reply.status, 401, "a large body: {reply:?}");
    }
    assert_eq!(counted(worker), Counts::new(), "a large body is not free");
    let garbage = [b'\xff'; 1_000];
    for (name, method, path, headers, body, status) in [
        ("a body of garbage", "POST", "/v1/analyze", vec![json], Some(&garbage[..]), 401),
        ("another media type", "POST", "/v1/analyze", vec![("Content-Type", "text/plain")], Some(&body), 415),
        (
            "a content coding",
            "POST",
            "/v1/analyze",
            vec![json, ("Content-Encoding", "gzip")],
            Some(&body),
            400,
        ),
        ("an unknown route", "GET", "/nowhere", vec![], None, 404),
        ("an unknown route of operators", "GET", "/admin/nothing", vec![], None, 404),
        ("the machines", "GET", "/admin/machines", vec![], None, 401),
        ("a machine", "GET", "/admin/machines/somebody", vec![], None, 401),
        ("the log", "GET", "/admin/logs", vec![], None, 401),
        ("the usage", "GET", "/admin/usage", vec![], None, 401),
        ("the metrics", "GET", "/admin/metrics", vec![], None, 401),
        ("the kill switch", "PUT", "/admin/kill-switch", vec![json], Some(b"{\"model\":\"on\"}"), 401),
        ("another method", "PUT", "/v1/analyze", vec![json], Some(&body), 405),
        ("a look at an analysis", "GET", "/analyze_error", vec![], None, 405),
        ("a look by HEAD", "HEAD", "/v1/me", vec![], None, 401),
        ("a preflight", "OPTIONS", "/v1/analyze", vec![("Origin", "https://a.example")], None, 405),
        ("liveness", "GET", "/healthz", vec![], None, 200),
        ("readiness", "GET", "/readyz", vec![], None, 200),
        ("the description", "GET", "/openapi.json", vec![], None, 200),
        ("the first page", "GET", "/", vec![], None, 200),
    ] {
        assert_free(worker, name, status, &worker.send(method, path, &headers, body));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(counted(worker), Counts::new(), "something was done after the answers");
    assert_honest_requests_cost(worker, &key, false);
    assert!(!fleet.output().contains("rror"), "{}", fleet.output());
}

#[test]
fn enrolments_that_fail_before_the_ledger_cost_it_nothing() {
    let model = Faulty::start();
    let settings = asking(&model);
    let key = settings.key().clone();
    let fleet = Fleet::start_behind(Some("counting.mjs"), &[("worker", settings)]);
    let worker = fleet.member("worker");
    assert_honest_requests_cost(worker, &key, true);
    let home = address();
    for number in 0..20 {
        let reply = post(&worker, &home, "/v1/enroll/challenge", &json!({}));
        assert_free(worker, &format!("the {number}th challenge"), 200, &reply);
    }
    let (issued, difficulty) = challenge(&worker, &home);
    let good = solve(&issued, difficulty, true);
    let ring = |key: &Key| Keyring::parse(&key.setting()).expect("a ring");
    let made = |key: &Key, seconds: u64| {
        let subkey = ring(key).signing().subkey(Purpose::Challenge);
        let challenge = Challenge::issue(&subkey, &home, 8, UnixMillis::from_seconds(seconds), [7; 16]);
        let solution = solve(&challenge, 8, true);
        (challenge, solution)
    };
    let (now, other) = (unix_seconds(), Key::random(&key.kid));
    let (expired, forged, early) = (made(&key, now - 301), made(&other, now), made(&key, now + 60));
    for (name, challenge, solution) in [
        ("not enough work", &issued, &solve(&issued, difficulty, false)),
        ("no number", &issued, &"x".to_owned()),
        ("a number too long", &issued, &"1".repeat(21)),
        ("forged, with the work done", &forged.0, &forged.1),
        ("expired, with the work done", &expired.0, &expired.1),
        ("issued in the future, with the work done", &early.0, &early.1),
        ("no challenge at all", &"x".to_owned(), &"1".to_owned()),
        ("a long one", &"A".repeat(3_000), &"1".to_owned()),
    ] {
        let body = json!({ "challenge": challenge, "solution": solution });
        assert_free(worker, name, 403, &post(&worker, &home, "/v1/enroll", &body));
    }
    let solved = json!({ "challenge": issued, "solution": good });
    assert_free(worker, "another network's", 403, &post(&worker, &address(), "/v1/enroll", &solved));
    assert_free(worker, "no network", 403, &post(&worker, "nonsense", "/v1/enroll", &solved));
    for path in ["/v1/enroll", "/v1/enroll/challenge"] {
        for (name, body, status) in
            [("no JSON", &b"{"[..], 400), ("a list", b"[]", 400), ("10 KB", &[b' '; 10_000], 413)]
        {
            assert_free(worker, name, status, &post_bytes(&worker, &home, path, body));
        }
    }
    // The work was not for nothing: the same challenge, from its network and solved, goes through.
    assert_eq!(post(&worker, &home, "/v1/enroll", &solved).status, 201);
    assert!(uses(&counted(worker), "ledger.") > 0);
}

#[test]
fn with_a_provider_and_anonymous_callers_too_a_wrong_credential_costs_no_storage() {
    let model = Faulty::start();
    let provider = Provider::start(Answer::Keys);
    let kid = provider.key("rsa", "RS256", true);
    let unpublished = provider.key("unpublished", "RS256", false);
    let settings = asking(&model)
        .var("ANONYMOUS", "limited")
        .var("JWKS_URL", &provider.url())
        .var("JWT_ISSUER", "https://issuer.example")
        .var("JWT_AUDIENCE", "gateway");
    let (key, operator) = (settings.key().clone(), settings.operator_key().clone());
    let fleet = Fleet::start_behind(Some("counting.mjs"), &[("worker", settings)]);
    let worker = fleet.member("worker");
    let theirs = |kid: &str, header: &Value, claims: &Value| bearer(&provider.token(kid, header, claims));
    let usual = provider::claims("user");
    assert_eq!(worker.look(&theirs(&kid, &json!({}), &usual)).status, 200);
    assert_honest_requests_cost(worker, &key, true);
    let home = ("CF-Connecting-IP", "203.0.113.7");
    let anonymous = worker.send("GET", "/v1/me", &[home], None);
    assert_eq!(anonymous.status, 200, "{anonymous:?}");
    assert!(uses(&counted(worker), "ledger.") > 0, "an anonymous caller counts");

    let mut wrong = nobodys(&key, &operator);
    // An `Authorization` with nothing in it is dropped by the platform, before any Worker sees it.
    wrong.retain(|(name, _)| *name != "empty");
    wrong.push(("a provider's, expired", theirs(&kid, &json!({}), &changed(&usual, "exp", Some(json!(2))))));
    wrong.push(("a provider's, for another", theirs(&kid, &json!({}), &changed(&usual, "aud", None))));
    wrong.push(("a provider's, forged", theirs(&unpublished, &json!({ "kid": kid }), &usual)));
    wrong.push(("a provider's, of an unknown key", theirs(&unpublished, &json!({}), &usual)));
    for (name, authorization) in wrong {
        let headers = [home, ("Authorization", &*authorization)];
        let reply = worker.send("GET", "/v1/me", &headers, None);
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
        let mut counts = counted(worker);
        // The provider may be asked, once a minute at most; see `foreign`.
        counts.remove("fetch");
        assert_eq!(counts, Counts::new(), "{name} is not free");
    }
    // Somebody without a network is nobody.
    assert_free(worker, "no network", 401, &worker.send("GET", "/v1/me", &[], None));
    assert!(provider.asked().len() <= 4, "{:?}", provider.asked());
    assert_honest_requests_cost(worker, &key, false);
}
