//! Operators put credentials out of use, from the next request on, and back into use.

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::client::Reply;
use crate::support::credentials::{Key, bearer, claims, unix_seconds};
use crate::support::enrol::{address, post, solved};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;
use crate::support::signing::{self, ToSign};

const PATH: &str = "/admin/revocations";

/// A token of the operator with this name.
fn operator(gateway: &Gateway, name: &str) -> String {
    bearer(&gateway.operator_key().operator_token(name))
}

#[track_caller]
fn change(gateway: &Gateway, method: &str, body: &Value) -> Reply {
    let authorization = operator(gateway, "alice");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    gateway.send(method, PATH, &headers, Some(body.to_string().as_bytes()))
}

#[track_caller]
fn list(gateway: &Gateway) -> Vec<Value> {
    let reply = gateway.send("GET", PATH, &[("Authorization", &operator(gateway, "bob"))], None);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["revocations"].as_array().unwrap_or_else(|| panic!("no list: {reply:?}")).clone()
}

fn analyze(gateway: &Gateway, token: &str) -> Reply {
    gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2))
}

fn token(key: &Key, machine: &str, changes: &Value) -> String {
    let mut claims = claims(machine);
    for (name, value) in changes.as_object().expect("claims by name") {
        claims[name] = value.clone();
    }
    key.sign(&key.header(), &claims)
}

#[test]
fn a_revocation_is_in_force_at_once_and_survives_a_crash_until_it_is_taken_back() {
    let gateway = Gateway::start(Settings::new().unhurried().var("ENROLLMENT_DIFFICULTY", "8"));
    let home = address();
    let enrolled = post(&gateway, &home, "/v1/enroll", &solved(&gateway, &home)).json();
    let text = |name: &str| enrolled[name].as_str().unwrap_or_else(|| panic!("{enrolled}")).to_owned();
    let (machine, own) = (text("machine_id"), text("token"));
    let signed = || signing::anew(&gateway, || ToSign::analysis(gateway.key(), &machine));
    let second = token(gateway.key(), &machine, &json!({}));
    let jti = random_word();
    let stolen = token(gateway.key(), "laptop", &json!({ "jti": jti }));
    let kept = token(gateway.key(), "laptop", &json!({}));
    let hour_ago = unix_seconds() - 3_600;
    let old = token(gateway.key(), "desktop", &json!({ "iat": hour_ago }));
    let recent = token(gateway.key(), "desktop", &json!({}));
    for token in [&own, &second, &stolen, &kept, &old, &recent] {
        assert_eq!(analyze(&gateway, token).status, 200);
    }
    assert_eq!(signed().status, 200);
    assert_eq!(list(&gateway), Vec::<Value>::new());

    let moment = rfc3339(unix_seconds() - 1_800);
    let targets = [("machine", machine.as_str()), ("jti", jti.as_str()), ("issued_before", moment.as_str())];
    let check = |revoked: [bool; 3]| {
        let [of_machine, of_jti, before] = revoked;
        for (token, revoked, who) in [
            (&own, of_machine, "the machine's token"),
            (&second, of_machine, "another token of the machine"),
            (&stolen, of_jti, "the stolen token"),
            (&kept, false, "another token of the same machine"),
            (&old, before, "the old token"),
            (&recent, false, "a recent token of the same machine"),
        ] {
            let reply = analyze(&gateway, token);
            if revoked {
                reply.assert_problem(403, "revoked");
                let look = gateway.send("GET", "/v1/me", &[("Authorization", &bearer(token))], None);
                look.assert_problem(403, "revoked");
            } else {
                assert_eq!(reply.status, 200, "{who}: {reply:?}");
            }
        }
        let reply = signed();
        if of_machine {
            reply.assert_problem(403, "revoked");
        } else {
            assert_eq!(reply.status, 200, "{reply:?}");
        }
    };
    for (count, (name, value)) in (1..).zip(targets) {
        let body = json!({ name: value, "reason": format!("reason {name}") });
        let reply = change(&gateway, "POST", &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json(), json!({ "changed": true }));
        check([count >= 1, count >= 2, count >= 3]);
        let again = change(&gateway, "POST", &json!({ name: value, "reason": "another" }));
        assert_eq!(again.json(), json!({ "changed": false }), "it is in force already");
    }
    let assert_listed = || {
        let listed = list(&gateway);
        assert_eq!(listed.len(), 3, "{listed:?}");
        for (name, value) in targets {
            let of: Vec<&Value> = listed.iter().filter(|one| one.get(name).is_some()).collect();
            assert_eq!(of.len(), 1, "{listed:?}");
            let text = |member: &str| of[0][member].as_str().unwrap_or_else(|| panic!("{listed:?}"));
            assert!(text(name).starts_with(value.trim_end_matches('Z')), "{listed:?}");
            assert_eq!((text("by"), text("reason")), ("alice", &*format!("reason {name}")), "{listed:?}");
            assert!(text("at").starts_with(&rfc3339(unix_seconds())[..4]), "{listed:?}");
            assert!(text("at").ends_with('Z'), "{listed:?}");
        }
        listed
    };
    let before = assert_listed();
    gateway.crash();
    gateway.run();
    check([true; 3]);
    assert_eq!(assert_listed(), before);

    for (count, (name, value)) in (1..).zip(targets) {
        let reply = change(&gateway, "DELETE", &json!({ name: value }));
        assert_eq!(reply.json(), json!({ "changed": true }), "{reply:?}");
        check([count < 1, count < 2, count < 3]);
        let again = change(&gateway, "DELETE", &json!({ name: value }));
        assert_eq!(again.json(), json!({ "changed": false }), "{again:?}");
    }
    assert_eq!(list(&gateway), Vec::<Value>::new());
    gateway.crash();
    gateway.run();
    check([false; 3]);

    // Whoever signs with a secret from before that moment is as old as the secret.
    let soon = rfc3339(unix_seconds() + 3_600);
    change(&gateway, "POST", &json!({ "issued_before": soon, "reason": "all of them" }));
    for token in [&own, &stolen, &recent] {
        analyze(&gateway, token).assert_problem(403, "revoked");
    }
    signed().assert_problem(403, "revoked");
    let named_by_hand = ToSign::analysis(gateway.key(), "by-hand").sign(&gateway);
    named_by_hand.send(&gateway).assert_problem(403, "revoked");
    assert_eq!(list(&gateway).len(), 1, "operators are not shut out");
    change(&gateway, "DELETE", &json!({ "issued_before": soon }));
    assert_eq!(signed().status, 200);
}

/// `1970-01-01T00:00:00Z`, by days counted as everybody does it.
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let mut left = days;
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while left >= if is_leap(year) { 366 } else { 365 } {
        left -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", left + 1)
}

#[test]
fn only_operators_come_in_and_only_by_their_own_door() {
    let gateway = Gateway::start(Settings::new().unhurried());
    let client = gateway.key().token("client");
    let audience = json!({ "aud": "pip-aide/operator" });
    let json = ("Content-Type", "application/json");
    let body = json!({ "machine": "victim", "reason": "x" }).to_string();
    for method in ["GET", "POST", "DELETE"] {
        let send = |authorization: Option<&str>| {
            let headers: Vec<(&str, &str)> =
                authorization.map(|value| ("Authorization", value)).into_iter().chain([json]).collect();
            gateway.send(method, PATH, &headers, (method != "GET").then_some(body.as_bytes()))
        };
        send(Some(&bearer(&client))).assert_problem(403, "forbidden");
        assert_stranger(&send(None));
        for (name, token) in [
            ("a client's key", token(gateway.key(), "x", &audience)),
            ("the clients' audience", token(gateway.operator_key(), "x", &json!({}))),
            ("an unknown key", token(&Key::random(&gateway.operator_key().kid), "x", &audience)),
            (
                "both audiences",
                token(gateway.operator_key(), "x", &json!({ "aud": ["pip-aide", "pip-aide/operator"] })),
            ),
            (
                "expired",
                token(
                    gateway.operator_key(),
                    "x",
                    &json!({ "aud": "pip-aide/operator", "iat": 1, "exp": 2 }),
                ),
            ),
        ] {
            let reply = send(Some(&bearer(&token)));
            assert_eq!(reply.status, 401, "{method} {name}: {reply:?}");
            assert_stranger(&reply);
        }
    }
    let signed = ToSign { target: PATH, ..ToSign::look(gateway.key(), "client") };
    assert_stranger(&signed.sign(&gateway).send(&gateway));
    let operator = operator(&gateway, "alice");
    for path in ["/v1/analyze", "/analyze_error"] {
        assert_stranger(&gateway.post(path, &operator, &request_body(NO_CV2)));
    }
    assert_stranger(&gateway.send("GET", "/v1/me", &[("Authorization", &operator)], None));
    assert_eq!(list(&gateway), Vec::<Value>::new(), "none of these changed anything");

    for body in [
        json!({}),
        json!([]),
        json!("x"),
        json!({ "machine": "a" }),
        json!({ "reason": "x" }),
        json!({ "machine": "a", "reason": "" }),
        json!({ "machine": "", "reason": "x" }),
        json!({ "machine": "a", "jti": "b", "reason": "x" }),
        json!({ "machine": 1, "reason": "x" }),
        json!({ "machine": "a b", "reason": "x" }),
        json!({ "machine": "a", "reason": "x", "more": "y" }),
        json!({ "issued_before": "yesterday", "reason": "x" }),
        json!({ "issued_before": 5, "reason": "x" }),
        json!({ "issued_before": "2026-02-30T00:00:00Z", "reason": "x" }),
    ] {
        let reply = change(&gateway, "POST", &body);
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        reply.assert_problem(400, "malformed-request");
    }
    change(&gateway, "DELETE", &json!({})).assert_problem(400, "malformed-request");
    change(&gateway, "PUT", &json!({})).assert_problem(405, "method-not-allowed");
    let text = [("Authorization", operator.as_str()), ("Content-Type", "text/plain")];
    gateway.send("POST", PATH, &text, Some(b"{}")).assert_problem(415, "unsupported-media-type");
    let large = json!({ "machine": "a", "reason": "x".repeat(10_000) });
    change(&gateway, "POST", &large).assert_problem(413, "body-too-large");
    assert_eq!(list(&gateway), Vec::<Value>::new());
}
