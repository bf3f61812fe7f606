//! Callers without a credential: turned away, or let in within a small pool by their network. And
//! enrolment that is turned off.

use std::sync::{Arc, LazyLock};

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::client::Reply;
use crate::support::credentials::{Key, bearer, claims, unsigned};
use crate::support::enrol::{address, post};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::signing::ToSign;

/// One an hour, so that no bucket fills while a test runs.
fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| {
        Gateway::shared(
            Settings::new()
                .unhurried()
                .var("ANONYMOUS", "limited")
                .var("ENROLLMENT", "off")
                .var("PLAN_ANONYMOUS_RATE", "1/hour")
                .var("PLAN_ANONYMOUS_BURST", "2"),
        )
    });
    Arc::clone(&GATEWAY)
}

#[track_caller]
fn ask(gateway: &Gateway, address: &str) -> Reply {
    let headers = [("CF-Connecting-IP", address), ("Content-Type", "application/json")];
    gateway.send("POST", "/v1/analyze", &headers, Some(&request_body(NO_CV2)))
}

#[test]
fn without_a_credential_a_network_has_a_small_pool() {
    let gateway = door();
    let home = address();
    let first = ask(&gateway, &home);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.json()["source"], "rules");
    let headers = [("CF-Connecting-IP", home.as_str())];
    let me = gateway.send("GET", "/v1/me", &headers, None);
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.json()["plan"], "anonymous", "{me:?}");
    assert_eq!(me.json()["rate"]["remaining"], 1, "{me:?}");
    // The same address, mapped into IPv6, is the same network.
    assert_eq!(ask(&gateway, &format!("::ffff:{home}")).status, 200);
    for address in [home.clone(), format!("::ffff:{home}")] {
        let limited = ask(&gateway, &address);
        limited.assert_problem(429, "rate-limited");
        assert!(limited.retry_after() > 0);
    }
    assert_eq!(ask(&gateway, &address()).status, 200, "another network has a pool of its own");
    assert_eq!(gateway.analyze("/v1/analyze", "known", NO_CV2).status, 200, "a known machine goes on");
}

#[test]
fn ipv6_counts_by_the_network_and_mapped_addresses_do_not_meet() {
    let gateway = door();
    let [a, b, c, d] = crate::support::random_bytes::<4>();
    let prefix = format!("2001:db8:{a:x}{b:02x}:{c:x}{d:02x}");
    assert_eq!(ask(&gateway, &format!("{prefix}::1")).status, 200);
    assert_eq!(ask(&gateway, &format!("{prefix}:9:8:7:6")).status, 200);
    ask(&gateway, &format!("{prefix}::2")).assert_problem(429, "rate-limited");
    // Were these one /64, the third would be refused.
    for _ in 0..4 {
        assert_eq!(ask(&gateway, &format!("::ffff:{}", address())).status, 200);
    }
}

#[test]
fn one_ipv4_address_is_one_network_however_it_is_written() {
    let gateway = door();
    let home = address();
    let parts: Vec<u8> = home.split('.').map(|part| part.parse().expect("a byte")).collect();
    let [a, b, c, d] = parts.try_into().expect("four bytes");
    assert_eq!(ask(&gateway, &home).status, 200);
    assert_eq!(ask(&gateway, &home).status, 200);
    for spelling in [
        home.clone(),
        format!("::ffff:{home}"),
        format!("::FFFF:{home}"),
        format!("0:0:0:0:0:ffff:{home}"),
        format!("0000:0000:0000:0000:0000:ffff:{home}"),
        format!("::ffff:{a:02x}{b:02x}:{c:02x}{d:02x}"),
        format!("::FFFF:{a:02X}{b:02X}:{c:02X}{d:02X}"),
    ] {
        let reply = ask(&gateway, &spelling);
        assert_eq!(reply.status, 429, "{spelling} is another network than {home}: {reply:?}");
        reply.assert_problem(429, "rate-limited");
    }
    // What is no address has no pool at all.
    for spelling in [format!("{home}:80"), format!("0{home}"), format!("[::ffff:{home}]"), "x".to_owned()] {
        let reply = ask(&gateway, &spelling);
        assert_eq!(reply.status, 401, "{spelling}: {reply:?}");
    }
    assert_eq!(ask(&gateway, &address()).status, 200, "another address has a pool of its own");
}

#[test]
fn a_wrong_credential_is_never_taken_for_none() {
    let gateway = door();
    let machine = "impostor";
    let foreign = Key::random(&gateway.key().kid);
    let body = request_body(NO_CV2);
    let home = address();
    for authorization in [
        bearer(&foreign.token(machine)),
        bearer(&unsigned(&claims(machine))),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic Og==".to_owned(),
        "Negotiate abc".to_owned(),
    ] {
        let headers = [
            ("CF-Connecting-IP", home.as_str()),
            ("Content-Type", "application/json"),
            ("Authorization", authorization.as_str()),
        ];
        let reply = gateway.send("POST", "/v1/analyze", &headers, Some(&body));
        assert_eq!(reply.status, 401, "{authorization:?}: {reply:?}");
        assert_stranger(&reply);
    }
    let forged = ToSign::analysis(&foreign, machine).sign(&gateway).with("cf-connecting-ip", &home);
    assert_stranger(&forged.send(&gateway));
    let replayed = ToSign::look(gateway.key(), machine).sign(&gateway).with("cf-connecting-ip", &home);
    assert_eq!(replayed.send(&gateway).status, 200);
    assert_stranger(&replayed.send(&gateway));
    // None of these has cost the network anything.
    let me = gateway.send("GET", "/v1/me", &[("CF-Connecting-IP", &home)], None);
    assert_eq!(me.json()["rate"]["remaining"], 2, "{me:?}");
    assert_stranger(&gateway.send("GET", "/admin/revocations", &[("CF-Connecting-IP", &home)], None));
}

#[test]
fn enrolment_can_be_turned_off() {
    let gateway = door();
    let home = address();
    post(&gateway, &home, "/v1/enroll/challenge", &json!({})).assert_problem(403, "forbidden");
    let body = json!({ "challenge": "x", "solution": "1" });
    post(&gateway, &home, "/v1/enroll", &body).assert_problem(403, "forbidden");
}
