//! A machine that nobody knows gets credentials of its own, for work, and each challenge gives once.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::client::Reply;
use crate::support::credentials::{Key, basic, bearer, unix_seconds};
use crate::support::enrol::{address, challenge, post, post_bytes, solve, solved};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;
use crate::support::signing::ToSign;

const DIFFICULTY: u32 = 8;

fn easy() -> Settings {
    Settings::new().unhurried().var("ENROLLMENT_DIFFICULTY", &DIFFICULTY.to_string())
}

fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| Gateway::shared(easy()));
    Arc::clone(&GATEWAY)
}

fn enroll(gateway: &Gateway, address: &str, body: &Value) -> Reply {
    post(gateway, address, "/v1/enroll", body)
}

#[test]
fn a_machine_enrols_and_both_of_its_credentials_work() {
    let gateway = door();
    let address = address();
    let (challenge, difficulty) = challenge(&gateway, &address);
    // Others who enrol meanwhile may have raised it, by a bit at a time.
    assert!((DIFFICULTY..DIFFICULTY + 3).contains(&difficulty), "{difficulty}");
    let solution = solve(&challenge, difficulty, true);
    let reply = enroll(&gateway, &address, &json!({ "challenge": challenge, "solution": solution }));
    assert_eq!(reply.status, 201, "{reply:?}");
    let enrolled = reply.json();
    let text = |name: &str| {
        enrolled[name].as_str().unwrap_or_else(|| panic!("{name} is no text: {enrolled}")).to_owned()
    };
    let machine = text("machine_id");
    let token = text("token");
    assert!(machine.len() <= 64 && !machine.is_empty(), "{machine}");
    assert_eq!(text("keyid"), format!("{}:{machine}", gateway.key().kid));
    let claims =
        URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a JWT has claims")).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("claims are JSON");
    assert_eq!(claims["sub"], Value::from(machine.clone()));
    assert_eq!(claims["aud"], "pip-aide");
    let life = claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat");
    assert_eq!(life, 30 * 86_400);
    assert!(claims["exp"].as_u64().expect("exp").abs_diff(unix_seconds() + life) < 3_600);
    let expires_at = text("expires_at");
    assert!(expires_at.len() >= 20 && expires_at.ends_with('Z'), "{expires_at}");

    for authorization in [bearer(&token), basic("pip-aide", &token)] {
        let reply = gateway.post("/analyze_error", &authorization, &request_body(NO_CV2));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let me = gateway.send("GET", "/v1/me", &[("Authorization", &bearer(&token))], None);
    assert_eq!(me.json()["machine_id"], Value::from(machine.clone()));
    assert_eq!(me.json()["plan"], "standard");

    let signing =
        ToSign { secret: Some(text("signing_secret")), ..ToSign::analysis(gateway.key(), &machine) };
    let signed = signing.sign(&gateway);
    assert_eq!(signed.send(&gateway).status, 200);
    assert_stranger(&signed.send(&gateway));
    // The secret is this machine's: it signs for no other.
    let other = ToSign { machine: "another-machine".to_owned(), nonce: random_word(), ..signing };
    assert_stranger(&other.sign(&gateway).send(&gateway));
}

#[test]
fn the_server_picks_another_machine_each_time() {
    let gateway = door();
    let address = address();
    let enrolled: Vec<Value> =
        (0..3).map(|_| enroll(&gateway, &address, &solved(&gateway, &address)).json()).collect();
    for name in ["machine_id", "token", "signing_secret", "keyid"] {
        for (a, b) in [(0, 1), (0, 2), (1, 2)] {
            assert!(enrolled[a][name].is_string() && enrolled[a][name] != enrolled[b][name], "{name}");
        }
    }
    let named = solved(&gateway, &address);
    let mut named = named.as_object().expect("an object").clone();
    named.insert("machine_id".to_owned(), Value::from("mine"));
    let reply = enroll(&gateway, &address, &Value::from(named));
    assert!(reply.status != 201 || reply.json()["machine_id"] != "mine", "{reply:?}");
}

#[test]
fn a_challenge_works_once_also_at_once_and_over_a_crash() {
    let gateway = Gateway::start(easy());
    let address = address();
    let body = solved(&gateway, &address);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| enroll(&gateway, &address, &body).status)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 15, "{statuses:?}");
    let unused = solved(&gateway, &address);
    gateway.crash();
    gateway.run();
    enroll(&gateway, &address, &body).assert_problem(403, "forbidden");
    assert_eq!(enroll(&gateway, &address, &unused).status, 201, "what is not used still works");
}

#[test]
fn what_is_not_ours_or_not_solved_is_forbidden() {
    let gateway = door();
    let address = address();
    let (challenge, difficulty) = challenge(&gateway, &address);
    let send = |challenge: &str, solution: &str| {
        enroll(&gateway, &address, &json!({ "challenge": challenge, "solution": solution }))
    };
    let wrong = solve(&challenge, difficulty, false);
    send(&challenge, &wrong).assert_problem(403, "forbidden");
    for form in ["-1", "0x10", "1e3", " 1", "x", &"1".repeat(40)] {
        send(&challenge, form).assert_problem(403, "forbidden");
    }

    // Forged: easier than it was issued, dated later, another's MAC, none at all.
    let bytes = URL_SAFE_NO_PAD.decode(&challenge).expect("base64url");
    for index in [0, 1, 2, 9, 10, 20, bytes.len() - 1] {
        let mut forged = bytes.clone();
        forged[index] ^= 1;
        let forged = URL_SAFE_NO_PAD.encode(forged);
        let solution = solve(&forged, difficulty + 1, true);
        send(&forged, &solution).assert_problem(403, "forbidden");
    }
    let short = &challenge[..challenge.len() - 4];
    for forged in ["x", short, &format!("{challenge}=="), &"A".repeat(challenge.len())] {
        send(forged, &solve(forged, difficulty, true)).assert_problem(403, "forbidden");
    }
    let elsewhere = Gateway::start(easy());
    let foreign = solved(&elsewhere, &address);
    enroll(&gateway, &address, &foreign).assert_problem(403, "forbidden");

    // What failed did not use the challenge up.
    let solution = solve(&challenge, difficulty, true);
    assert_eq!(send(&challenge, &solution).status, 201);
    send(&challenge, &solution).assert_problem(403, "forbidden");
}

#[test]
fn a_challenge_is_for_its_network_only() {
    let gateway = door();
    let home = address();
    let body = solved(&gateway, &home);
    enroll(&gateway, &address(), &body).assert_problem(403, "forbidden");
    enroll(&gateway, "2001:db8::1", &body).assert_problem(403, "forbidden");
    // The same IPv4 address, as an IPv6 socket tells it.
    assert_eq!(enroll(&gateway, &format!("::ffff:{home}"), &body).status, 201);
    let [a, b, c, d] = crate::support::random_bytes::<4>();
    let prefix = format!("2001:db8:{a:x}{b:02x}:{c:x}{d:02x}");
    let body = solved(&gateway, &format!("{prefix}::1"));
    enroll(&gateway, "2001:db8:ffff:ffff::1", &body).assert_problem(403, "forbidden");
    assert_eq!(enroll(&gateway, &format!("{prefix}:1:2:3:4"), &body).status, 201, "one /64 is one network");
    for address in ["nonsense", "1.2.3.4, 5.6.7.8"] {
        post(&gateway, address, "/v1/enroll/challenge", &json!({})).assert_problem(403, "forbidden");
    }
}

#[test]
fn a_network_enrols_so_many_a_day_and_the_work_rises() {
    let gateway = Gateway::start(easy());
    let home = address();
    let mut hardest = 0;
    let mut limited = None;
    for number in 0..60 {
        // By turns as IPv4 and as the same, mapped into IPv6: it is one network.
        let from = if number % 2 == 0 { home.clone() } else { format!("::ffff:{home}") };
        let (challenge, difficulty) = challenge(&gateway, &from);
        hardest = hardest.max(difficulty);
        let solution = solve(&challenge, difficulty, true);
        let reply = enroll(&gateway, &from, &json!({ "challenge": challenge, "solution": solution }));
        if reply.status != 201 {
            reply.assert_problem(429, "rate-limited");
            assert!((1..=86_400).contains(&reply.retry_after()), "{reply:?}");
            limited = Some(number);
            break;
        }
    }
    assert_eq!(limited, Some(50), "a network's share is 50 a day");
    assert_eq!(hardest, DIFFICULTY + 2, "after 16 a bit more, after 32 another");
    let other = address();
    assert_eq!(enroll(&gateway, &other, &solved(&gateway, &other)).status, 201, "another network goes on");
    gateway.crash();
    gateway.run();
    enroll(&gateway, &home, &solved(&gateway, &home)).assert_problem(429, "rate-limited");
}

#[test]
fn bad_bodies_are_told_so() {
    let gateway = door();
    let address = address();
    let bad: [&[u8]; 9] = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{\"challenge\":1}",
        b"{\"x\":{}}",
        b"{\"challenge\":\"a\",\"challenge\":\"b\",\"solution\":\"1\"}",
        b"\xff",
        b"{} {}",
    ];
    for path in ["/v1/enroll/challenge", "/v1/enroll"] {
        for body in bad {
            // A challenge may be asked for with members that it does not know, if they are text.
            post_bytes(&gateway, &address, path, body).assert_problem(400, "malformed-request");
        }
        post_bytes(&gateway, &address, path, &vec![b' '; 10_000]).assert_problem(413, "body-too-large");
        let text = [("CF-Connecting-IP", address.as_str()), ("Content-Type", "text/plain")];
        gateway.send("POST", path, &text, Some(b"{}")).assert_problem(415, "unsupported-media-type");
        gateway.send("GET", path, &[], None).assert_problem(405, "method-not-allowed");
    }
    for body in [json!({}), json!({ "challenge": "x" }), json!({ "challenge": "", "solution": "" })] {
        enroll(&gateway, &address, &body).assert_problem(400, "malformed-request");
    }
    enroll(&gateway, &address, &json!({ "challenge": "x", "solution": 1 }))
        .assert_problem(400, "malformed-request");
}

/// Files of databases that the Worker's storage consists of.
fn databases(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(databases(&path));
        } else if path.extension().is_some_and(|extension| extension == "sqlite") {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    // What the runtime keeps of its own is none of ours.
    found.retain(|path| !path.ends_with("metadata.sqlite"));
    found
}

#[test]
fn strangers_touch_no_storage() {
    let gateway = Gateway::start(easy());
    let address = address();
    let machine = "stranger";
    let foreign = Key::random(&gateway.key().kid);
    for _ in 0..5 {
        challenge(&gateway, &address);
        let (challenge, difficulty) = challenge(&gateway, &address);
        let wrong = solve(&challenge, difficulty, false);
        enroll(&gateway, &address, &json!({ "challenge": challenge, "solution": wrong }))
            .assert_problem(403, "forbidden");
        gateway.send("GET", "/v1/me", &[], None).assert_problem(401, "unauthenticated");
        let token = bearer(&foreign.token(machine));
        gateway.post("/v1/analyze", &token, &request_body(NO_CV2)).assert_problem(401, "unauthenticated");
        gateway.post("/admin/revocations", &token, b"{}").assert_problem(401, "unauthenticated");
        let forged = ToSign::analysis(&foreign, machine).sign(&gateway);
        assert_stranger(&forged.send(&gateway));
        let mut changed = ToSign::analysis(gateway.key(), machine).sign(&gateway);
        changed.body = Some(request_body("another"));
        assert_stranger(&changed.send(&gateway));
    }
    assert_eq!(databases(&gateway.state()), Vec::<String>::new(), "nothing is stored for strangers");
    assert_eq!(gateway.analyze("/v1/analyze", machine, NO_CV2).status, 200);
    assert!(!databases(&gateway.state()).is_empty(), "a known machine has a row");
}
