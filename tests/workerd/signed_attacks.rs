//! Signed requests that are almost right: each is signed by a published client with the right secret,
//! and what is wrong is in what it says of the query, the body or the moment.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use crate::signed::assert_stranger;
use crate::support::credentials::unix_seconds;
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;
use crate::support::signing::ToSign;

fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| Gateway::shared(Settings::new().unhurried()));
    Arc::clone(&GATEWAY)
}

fn analysis() -> ToSign {
    ToSign::analysis(door().key(), "almost")
}

/// Signs anew, with a nonce of its own, and sends.
#[track_caller]
fn status(to_sign: ToSign) -> u16 {
    let gateway = door();
    let reply = ToSign { nonce: random_word(), ..to_sign }.sign(&gateway).send(&gateway);
    if reply.status != 200 {
        assert_stranger(&reply);
    }
    reply.status
}

#[test]
fn the_query_is_signed_to_the_letter() {
    let gateway = door();
    for fields in [
        &["@method", "@authority", "@target-uri", "content-digest"][..],
        &["@method", "@authority", "@path", "@query", "content-digest"],
    ] {
        let good = ToSign { target: "/v1/analyze?a=1&b=%20", fields: fields.to_vec(), ..analysis() };
        assert_eq!(status(good.clone()), 200, "{fields:?}");
        for query in [
            "",
            "?",
            "?a=1",
            "?a=2&b=%20",
            "?b=%20&a=1",
            "?a=1&b=%20&",
            "?a=1&b=+",
            "?A=1&b=%20",
            "?a=%31&b=%20",
        ] {
            let mut signed = ToSign { nonce: random_word(), ..good.clone() }.sign(&gateway);
            signed.target = format!("/v1/analyze{query}");
            let reply = signed.send(&gateway);
            assert_eq!(reply.status, 401, "{query} with {fields:?}: {reply:?}");
            assert_stranger(&reply);
        }
    }
}

#[test]
fn the_digest_is_of_the_body_as_it_is_sent() {
    let body = analysis().body.expect("an analysis has a body");
    let other = request_body("another");
    let sha256 = |body: &[u8]| STANDARD.encode(Sha256::digest(body));
    let sha512 = |body: &[u8]| STANDARD.encode(Sha512::digest(body));
    let with = |digest: &str| status(ToSign { digest: Some(digest.to_owned()), ..analysis() });
    let (right, long) = (sha256(&body), sha512(&body));
    for good in [
        format!("sha-256=:{right}:"),
        format!("sha-512=:{long}:"),
        format!("sha-256=:{right}:, sha-512=:{long}:"),
    ] {
        assert_eq!(with(&good), 200, "{good}");
    }
    for (name, digest) in [
        ("of another body", format!("sha-256=:{}:", sha256(&other))),
        ("of no body", format!("sha-256=:{}:", sha256(b""))),
        ("of another body, longer", format!("sha-512=:{}:", sha512(&other))),
        ("one right, one of another", format!("sha-256=:{right}:, sha-512=:{}:", sha512(&other))),
        ("one of another, one right", format!("sha-256=:{}:, sha-512=:{long}:", sha256(&other))),
        ("under the other's name", format!("sha-512=:{right}:")),
        ("of a broken algorithm", "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:".to_owned()),
        ("of an unknown algorithm", format!("sha-999=:{right}:")),
        ("cut", format!("sha-256=:{}:", STANDARD.encode(&Sha256::digest(&body)[..16]))),
        ("empty", "sha-256=::".to_owned()),
        ("as text", format!("sha-256=\"{right}\"")),
        ("a list of nothing", "sha-256".to_owned()),
    ] {
        assert_eq!(with(&digest), 401, "{name}: {digest}");
    }
}

#[test]
fn a_signature_is_good_for_five_minutes_and_no_longer() {
    let now = unix_seconds();
    let at = |created: u64| status(ToSign { created, ..analysis() });
    for created in [now, now - 280, now + 280] {
        assert_eq!(at(created), 200, "{created}, now {now}");
    }
    for (name, created) in [
        ("five and a half minutes old", now - 331),
        ("an hour old", now - 3_600),
        ("a year old", now - 365 * 86_400),
        ("of the epoch", 0),
        ("five and a half minutes early", now + 360),
        ("of tomorrow", now + 86_400),
        ("of the year 9999", 253_402_300_799),
    ] {
        assert_eq!(at(created), 401, "{name}");
    }
}
