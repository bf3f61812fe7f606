//! The wrong MAC, the wrong key, and keys that are none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{KID, Row, assert_refused, door, header, key, row};
use crate::front_door::NO_CV2;
use crate::support::credentials::{bearer, claims, unix_seconds};
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::forge::{bytes, changed, input, seal};
use crate::support::gateway::{Settings, request_body};
use crate::support::random_word;

#[test]
fn a_token_of_an_empty_a_short_or_a_guessed_key_is_refused() {
    let claims = claims("guessed").to_string();
    let right = key();
    let mut longer = right.clone();
    longer.push(1);
    assert_refused(&[
        row("empty", seal(&[], &header(), &claims)),
        row("one zero byte", seal(&[0], &header(), &claims)),
        row("zeros", seal(&[0; 32], &header(), &claims)),
        row("the first half", seal(&right[..16], &header(), &claims)),
        row("all but the last byte", seal(&right[..31], &header(), &claims)),
        row("a byte more", seal(&longer, &header(), &claims)),
        row("the kid", seal(KID.as_bytes(), &header(), &claims)),
        row("the setting's text", seal(door().key().secret.as_bytes(), &header(), &claims)),
        row("secret", seal(b"secret", &header(), &claims)),
        row("the issuer", seal(b"pip-aide-gateway", &header(), &claims)),
    ]);
}

#[test]
fn a_key_that_is_empty_or_short_is_none_and_nobody_comes_in() {
    let encode = |length: usize| URL_SAFE_NO_PAD.encode(vec![b'k'; length]);
    let long = encode(32);
    let rings = [
        ("empty", "client-1=".to_owned(), Vec::new()),
        ("no ring", String::new(), Vec::new()),
        ("one byte", format!("client-1={}", encode(1)), vec![b'k'; 1]),
        ("short", format!("client-1={}", encode(31)), vec![b'k'; 31]),
        ("a short one beside", format!("client-1={long},client-2={}", encode(16)), vec![b'k'; 32]),
        ("an empty one beside", format!("client-1={long},client-2="), vec![b'k'; 32]),
        ("no base64url", format!("client-1={}", "+".repeat(43)), vec![b'+'; 43]),
    ];
    let good = Settings::new();
    // The first has the ledger, so it is in order.
    let mut workers = vec![("good", good.clone())];
    workers.extend(rings.iter().map(|(name, ring, _)| (*name, good.clone().secret("TOKEN_KEYS", ring))));
    workers.push(("short for operators", good.clone().secret("OPERATOR_KEYS", "operator-1=c2hvcnQ")));
    let fleet = Fleet::start(&workers);
    let token = |key: &[u8]| bearer(&seal(key, &header(), &claims("anybody").to_string()));
    let own = token(&bytes(good.key()));
    assert_eq!(fleet.member("good").look(&own).status, 200);
    let refused = rings.iter().map(|(name, _, key)| (*name, token(key)));
    for (name, authorization) in refused.chain([("short for operators", own)]) {
        let worker = fleet.member(name);
        assert_eq!(worker.send("GET", "/healthz", &[], None).status, 200, "{name}");
        let reply = worker.look(&authorization);
        assert_eq!(reply.status, 503, "{name}: {reply:?}");
        reply.assert_problem(503, "misconfigured");
        worker
            .post("/v1/analyze", &authorization, &request_body(NO_CV2))
            .assert_problem(503, "misconfigured");
        let headers = [("CF-Connecting-IP", "10.0.0.1"), ("Content-Type", "application/json")];
        let challenge = worker.send("POST", "/v1/enroll/challenge", &headers, Some(b"{}"));
        challenge.assert_problem(503, "misconfigured");
    }
}

#[test]
fn a_mac_that_is_cut_short_at_any_length_is_refused() {
    let token = seal(&key(), &header(), &claims("cut").to_string());
    let (input, tag) = token.rsplit_once('.').expect("a MAC");
    let mac = URL_SAFE_NO_PAD.decode(tag).expect("base64url");
    let mut rows: Vec<Row> = (0..mac.len())
        .map(|length| {
            let cut = URL_SAFE_NO_PAD.encode(&mac[..length]);
            row(format!("{length} bytes"), format!("{input}.{cut}"))
        })
        .collect();
    rows.extend((0..tag.len()).map(|at| row(format!("{at} characters"), format!("{input}.{}", &tag[..at]))));
    let twice = URL_SAFE_NO_PAD.encode([mac.as_slice(), &mac].concat());
    rows.push(row("twice", format!("{input}.{twice}")));
    rows.push(row("a byte more", format!("{input}.{}", URL_SAFE_NO_PAD.encode([&mac[..], &[0]].concat()))));
    rows.push(row("no third part", input.to_owned()));
    assert_refused(&rows);
}

#[test]
fn a_mac_with_any_one_bit_flipped_is_refused() {
    let token = seal(&key(), &header(), &claims("flipped").to_string());
    let (input, tag) = token.rsplit_once('.').expect("a MAC");
    let mac = URL_SAFE_NO_PAD.decode(tag).expect("base64url");
    let rows: Vec<Row> = (0..mac.len() * 8)
        .map(|bit| {
            let mut flipped = mac.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            row(format!("bit {bit}"), format!("{input}.{}", URL_SAFE_NO_PAD.encode(flipped)))
        })
        .collect();
    assert_eq!(rows.len(), 256);
    assert_refused(&rows);
}

#[test]
fn what_is_changed_under_a_right_mac_is_refused() {
    let usual = claims("changed");
    let token = seal(&key(), &header(), &usual.to_string());
    let mac = token.rsplit('.').next().expect("a MAC");
    let mut rows = Vec::new();
    for (name, value) in
        [("sub", json!("victim")), ("exp", json!(unix_seconds() + 86_400)), ("plan", json!("trusted"))]
    {
        let input = input(&header(), &changed(&usual, name, Some(value)).to_string());
        rows.push(row(format!("another {name}"), format!("{input}.{mac}")));
    }
    let reordered = format!(r#"{{"kid":"{KID}","alg":"HS256","typ":"JWT"}}"#);
    rows.push(row("another header", format!("{}.{mac}", input(&reordered, &usual.to_string()))));
    let other = seal(&key(), &header(), &claims(&random_word()).to_string());
    let other_mac = other.rsplit('.').next().expect("a MAC");
    rows.push(row("another token's MAC", token.replace(mac, other_mac)));
    assert_refused(&rows);
}
