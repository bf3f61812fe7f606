//! An identity provider's published keys: which are used, and which are left aside.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/minted.rs"]
mod minted;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::foreign::verify_foreign;
use pip_aide_gateway::token::jwks::{Jwks, JwksError, MAX_DOCUMENT_BYTES};
use serde_json::{Value, json};

use minted::{KEY, THEIRS, jose, key_set, now, public, pyjwt, token};

/// The names of the keys that are usable in a set of these.
fn usable(keys: &[Value]) -> Vec<String> {
    match Jwks::parse(json!({ "keys": keys }).to_string().as_bytes()) {
        Ok(jwks) => jwks.keys().map(|key| key.kid().to_owned()).collect(),
        Err(JwksError::NoUsableKey) => Vec::new(),
        Err(error) => panic!("{error}"),
    }
}

fn set(kid: &str, name: &str, value: Value) -> Value {
    let mut key = public(kid);
    key[name] = value;
    key
}

#[test]
fn only_keys_that_may_verify_are_used() {
    assert_eq!(usable(&[public("rsa"), public("p256"), public("ed")]), ["rsa", "p256", "ed"]);
    for (name, key) in [
        ("encryption", set("rsa", "use", json!("enc"))),
        ("use of another type", set("rsa", "use", json!(["sig"]))),
        ("signing only", set("rsa", "key_ops", json!(["sign"]))),
        ("operations of another type", set("rsa", "key_ops", json!("verify"))),
        ("another algorithm", set("rsa", "alg", json!("RS512"))),
        ("PSS", set("rsa", "alg", json!("PS256"))),
        ("HMAC by name", set("rsa", "alg", json!("HS256"))),
        ("algorithm of another type", set("rsa", "alg", json!(["RS256"]))),
        ("EC for RSA", set("p256", "alg", json!("RS256"))),
        ("1024 bits", public("rsa-small")),
        ("zeros before 1024 bits", {
            let modulus = URL_SAFE_NO_PAD.decode(public("rsa-small")["n"].as_str().unwrap()).unwrap();
            set("rsa-small", "n", json!(URL_SAFE_NO_PAD.encode([vec![0; 128], modulus].concat())))
        }),
        ("an even modulus", set("rsa", "n", json!(URL_SAFE_NO_PAD.encode([0xf0; 256])))),
        ("a huge modulus", set("rsa", "n", json!(URL_SAFE_NO_PAD.encode([0xff; 1_025])))),
        ("an empty modulus", set("rsa", "n", json!(""))),
        ("exponent 1", set("rsa", "e", json!("AQ"))),
        ("exponent 1 with zeros", set("rsa", "e", json!("AAAB"))),
        ("an even exponent", set("rsa", "e", json!("Ag"))),
        ("an empty exponent", set("rsa", "e", json!(""))),
        ("a long exponent", set("rsa", "e", json!("AQAAAAE"))),
        ("padding", set("rsa", "e", json!("AQAB===="))),
        ("a larger curve", public("p384")),
        ("another curve of that size", set("p256", "crv", json!("secp256k1"))),
        ("a short x", set("p256", "x", json!(URL_SAFE_NO_PAD.encode([1; 31])))),
        ("a long y", set("p256", "y", json!(URL_SAFE_NO_PAD.encode([1; 33])))),
        ("no y", set("p256", "y", json!(null))),
        ("X25519", set("ed", "crv", json!("X25519"))),
        // The library would panic at this one.
        ("a short Ed25519 key", set("ed", "x", json!(URL_SAFE_NO_PAD.encode([1; 31])))),
        ("an empty Ed25519 key", set("ed", "x", json!(""))),
        ("no kid", set("rsa", "kid", json!(null))),
        ("an empty kid", set("rsa", "kid", json!(""))),
        ("a long kid", set("rsa", "kid", json!("x".repeat(257)))),
        ("symmetric", json!({"kty": "oct", "kid": "s", "k": URL_SAFE_NO_PAD.encode(KEY)})),
        ("symmetric in disguise", set("rsa", "k", json!(URL_SAFE_NO_PAD.encode(KEY)))),
        ("unknown", json!({"kty": "AKP", "kid": "s", "alg": "ML-DSA-44", "pub": "AA"})),
        ("no kind", json!({"kid": "s"})),
        ("a private RSA key", pyjwt()["private rsa"].clone()),
        ("a private EC key", pyjwt()["private p256"].clone()),
        ("a private Ed25519 key", pyjwt()["private ed"].clone()),
    ] {
        assert_eq!(usable(&[key, set("p256", "kid", json!("other"))]), ["other"], "{name}");
    }
    // jose names purpose and algorithm of each.
    assert_eq!(usable(jose()["keys"].as_array().unwrap()), ["rsa", "p256", "ed"]);
    for key in [
        set("rsa", "use", json!("sig")),
        set("rsa", "key_ops", json!(["sign", "verify"])),
        set("rsa", "x5c", json!(["ignored"])),
        set("rsa", "e", json!("AAEAAQ")),
        set("ed", "alg", json!("Ed25519")),
    ] {
        assert_eq!(usable(std::slice::from_ref(&key)).len(), 1, "{key}");
    }
    // Which of two keys of one name counts would be a guess.
    let twin = set("p256", "kid", json!("rsa"));
    assert_eq!(usable(&[public("rsa"), public("ed"), twin]), ["ed"]);
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let off = set("p256", "y", json!(URL_SAFE_NO_PAD.encode([1; 32])));
    let jwks = Jwks::parse(json!({ "keys": [off] }).to_string().as_bytes()).unwrap();
    let denied = verify_foreign(token(pyjwt(), "p256 ES256 good"), &jwks, &THEIRS, now());
    assert_eq!(denied, Err(Denied::BadSignature));
}

#[test]
fn a_document_is_bounded_and_strict() {
    let parse = |text: &str| Jwks::parse(text.as_bytes()).map(|_| ());
    for text in ["", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[1]}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert_eq!(parse(text), Err(JwksError::Malformed), "{text}");
    }
    assert_eq!(parse(r#"{"keys":[]}"#), Err(JwksError::NoUsableKey));
    assert_eq!(parse(&" ".repeat(MAX_DOCUMENT_BYTES)), Err(JwksError::Malformed));
    assert_eq!(parse(&" ".repeat(MAX_DOCUMENT_BYTES + 1)), Err(JwksError::TooLarge));
    // What operators read on the console tells these apart.
    assert_eq!(JwksError::TooLarge.to_string(), "the key set is over 64 KiB or 64 keys");
    assert_eq!(JwksError::Malformed.to_string(), "not a JWK Set");
    let many: Vec<Value> = (0..65).map(|i| set("ed", "kid", json!(i.to_string()))).collect();
    assert_eq!(parse(&json!({ "keys": many }).to_string()), Err(JwksError::TooLarge));
    assert_eq!(usable(&many[..64]).len(), 64);
    let printed = format!("{:?}", key_set(pyjwt()));
    assert!(printed.contains("RS256") && printed.len() < 500, "{printed}");
}
