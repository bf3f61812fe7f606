//! Tokens minted by published libraries, with keys and claims that we choose.

#![cfg(not(target_arch = "wasm32"))]

mod token_support;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::foreign::{ForeignClaims, verify_foreign};
use pip_aide_gateway::token::jwks::{Jwks, JwksError, MAX_DOCUMENT_BYTES};
use pip_aide_gateway::token::jwt::{self, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};
use sha2::Sha256;

const KEY: [u8; 32] = [5; 32];
const NOW: u64 = 1_800_000_000;
const OURS: TokenPolicy<'_> = TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };
const THEIRS: TokenPolicy<'_> =
    TokenPolicy { issuer: "https://idp.example/", audience: "https://gateway.example", ttl_days: 30 };

fn now() -> UnixMillis {
    UnixMillis::from_seconds(NOW)
}

fn ring() -> Keyring {
    Keyring::parse(&render_entry("k", &KEY)).unwrap()
}

fn foreign() -> Value {
    json!({
        "iss": THEIRS.issuer, "aud": THEIRS.audience, "sub": "user|1", "iat": NOW - 60, "exp": NOW + 3_600,
    })
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = foreign();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

fn asked() -> Value {
    let client = json!({
        "iss": OURS.issuer, "aud": OURS.audience, "sub": "machine-1", "plan": "pro", "jti": "a-b",
        "iat": NOW, "exp": NOW + 30 * 86_400, "nbf": NOW,
    });
    let variants: BTreeMap<&str, Value> = BTreeMap::from([
        ("good", foreign()),
        ("several audiences", changed("aud", json!(["https://idp.example/userinfo", THEIRS.audience]))),
        ("with an id", changed("jti", json!("x1"))),
        ("another subject", changed("sub", json!("user|2"))),
        ("a machine's name", changed("sub", json!("machine-1"))),
        ("a plan", changed("plan", json!("unlimited"))),
        ("no audience", changed("aud", Value::Null)),
        ("another audience", changed("aud", json!(["a", "b"]))),
        ("a mixed audience", changed("aud", json!([THEIRS.audience, 1]))),
        ("no issuer", changed("iss", Value::Null)),
        ("another issuer", changed("iss", json!("https://idp.example"))),
        ("no subject", changed("sub", Value::Null)),
        ("an empty subject", changed("sub", json!(""))),
        ("a long subject", changed("sub", json!("x".repeat(256)))),
        ("no end", changed("exp", Value::Null)),
        ("ended", changed("exp", json!(NOW - 30))),
        ("no beginning", changed("iat", Value::Null)),
        ("to come", changed("iat", json!(NOW + 31))),
        ("not yet", changed("nbf", json!(NOW + 31))),
        ("too long a life", changed("exp", json!(NOW + 31 * 86_400))),
        ("a bad id", changed("jti", json!("a b"))),
    ]);
    json!({"secret": URL_SAFE_NO_PAD.encode(KEY), "kid": "k", "client": client, "foreign": variants})
}

fn pyjwt() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(|| token_support::python("mint.py", &asked()))
}

fn jose() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(|| token_support::node("mint.mjs", &asked()))
}

fn key_set(made: &Value) -> Jwks {
    Jwks::parse(json!({"keys": made["keys"]}).to_string().as_bytes()).unwrap()
}

fn verify(made: &Value, token: &str) -> Result<ForeignClaims, Denied> {
    verify_foreign(token, &key_set(made), &THEIRS, now())
}

fn token<'a>(made: &'a Value, name: &str) -> &'a str {
    made["tokens"][name].as_str().unwrap_or_else(|| panic!("no token {name}"))
}

/// The public key of that name, to be changed.
fn public(kid: &str) -> Value {
    let keys = pyjwt()["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap().clone()
}

#[test]
fn client_tokens_of_both_libraries_are_taken() {
    for made in [pyjwt(), jose()] {
        let claims = jwt::verify(made["client"].as_str().unwrap(), &ring(), &OURS, now()).unwrap();
        assert_eq!(claims.machine, MachineId::parse("machine-1").unwrap());
        assert_eq!((claims.plan.as_deref(), claims.jti.as_str()), (Some("pro"), "a-b"));
    }
}

#[test]
fn providers_tokens_are_taken_with_all_three_algorithms() {
    for made in [pyjwt(), jose()] {
        let mut subjects = Vec::new();
        for name in ["rsa RS256", "p256 ES256", "ed EdDSA"] {
            let claims = verify(made, token(made, &format!("{name} good"))).unwrap();
            assert_eq!(claims.kid, name.split(' ').next().unwrap());
            assert_eq!(claims.expires_at, UnixMillis::from_seconds(NOW + 3_600));
            assert_eq!(claims.jti, None);
            subjects.push(claims.subject);
            assert!(verify(made, token(made, &format!("{name} several audiences"))).is_ok());
            let with_id = verify(made, token(made, &format!("{name} with an id"))).unwrap();
            assert_eq!(with_id.jti.as_deref(), Some("x1"));
        }
        assert!(subjects.iter().all(|subject| *subject == subjects[0]));
    }
}

#[test]
fn a_providers_subject_is_never_a_machine() {
    let subject =
        |name: &str| verify(pyjwt(), token(pyjwt(), &format!("p256 ES256 {name}"))).unwrap().subject;
    let (one, other, machine) = (subject("good"), subject("another subject"), subject("a machine's name"));
    assert!(one != other && one != machine);
    for subject in [&one, &other, &machine] {
        assert_eq!(subject.as_str().len(), 47);
        assert!(MachineId::parse(subject.as_str()).is_err(), "{subject}");
    }
    // Another provider's user of the same name, and a split elsewhere, are other subjects.
    let claims = changed("iss", json!("https://idp.example/u"));
    let mut asked = asked();
    asked["foreign"] = json!({"x": {"iss": claims["iss"], "aud": THEIRS.audience, "sub": "ser|1",
        "iat": NOW, "exp": NOW + 60}});
    let made = token_support::python("mint.py", &asked);
    let policy = TokenPolicy { issuer: "https://idp.example/u", ..THEIRS };
    let keys = key_set(&made);
    let split = verify_foreign(token(&made, "ed EdDSA x"), &keys, &policy, now()).unwrap().subject;
    assert_ne!(split, one);
    // A plan that the provider writes counts for nothing: there is no field for it.
    assert_eq!(subject("a plan"), one);
}

#[test]
fn providers_claims_are_required_and_typed() {
    for (name, cause) in [
        ("no audience", Denied::MissingClaim),
        ("another audience", Denied::WrongAudience),
        ("a mixed audience", Denied::MistypedClaim),
        ("no issuer", Denied::MissingClaim),
        ("another issuer", Denied::WrongIssuer),
        ("no subject", Denied::MissingClaim),
        ("an empty subject", Denied::BadSubject),
        ("a long subject", Denied::BadSubject),
        ("no end", Denied::MissingClaim),
        ("ended", Denied::Expired),
        ("no beginning", Denied::MissingClaim),
        ("to come", Denied::IssuedInFuture),
        ("not yet", Denied::NotYetValid),
        ("too long a life", Denied::BadLifetime),
        ("a bad id", Denied::BadTokenId),
    ] {
        for key in ["rsa RS256", "p256 ES256", "ed EdDSA"] {
            assert_eq!(verify(pyjwt(), token(pyjwt(), &format!("{key} {name}"))), Err(cause), "{key} {name}");
        }
    }
}

/// The same token under a header that somebody else wrote.
fn reheaded(token: &str, header: &Value) -> String {
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn hs256(secret: &[u8], header: &Value) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(foreign().to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_public_key_is_no_secret() {
    let rsa = public("rsa");
    let modulus = rsa["n"].as_str().unwrap();
    for secret in [
        modulus.as_bytes().to_vec(),
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        rsa.to_string().into_bytes(),
        Vec::new(),
    ] {
        for alg in ["HS256", "RS256"] {
            let token = hs256(&secret, &json!({"alg": alg, "kid": "rsa"}));
            let cause = if alg == "HS256" { Denied::WrongAlgorithm } else { Denied::BadSignature };
            assert_eq!(verify(pyjwt(), &token), Err(cause));
        }
        assert!(
            jwt::verify(&hs256(&secret, &json!({"alg": "HS256", "kid": "rsa"})), &ring(), &OURS, now())
                .is_err()
        );
    }
    // A ring's key does not make a provider's token, nor a provider's key one of ours.
    let ours = hs256(&KEY, &json!({"alg": "HS256", "kid": "k"}));
    assert_eq!(verify(pyjwt(), &ours), Err(Denied::UnknownKey));
    let theirs = token(pyjwt(), "rsa RS256 good");
    assert_eq!(jwt::verify(theirs, &ring(), &OURS, now()), Err(Denied::WrongAlgorithm));
    assert!(jwt::claims_to_be_ours(&ours) && !jwt::claims_to_be_ours(theirs));
    assert!(!jwt::claims_to_be_ours("x") && !jwt::claims_to_be_ours(""));
}

#[test]
fn the_algorithm_is_the_keys() {
    let good = token(pyjwt(), "rsa RS256 good");
    for (name, token, cause) in [
        ("RS384 by the same key", token(pyjwt(), "rsa RS384 good").to_owned(), Denied::WrongAlgorithm),
        ("PS256 by the same key", token(pyjwt(), "rsa PS256 good").to_owned(), Denied::WrongAlgorithm),
        (
            "another key's kid",
            reheaded(good, &json!({"alg": "RS256", "kid": "p256"})),
            Denied::WrongAlgorithm,
        ),
        (
            "another key's kid and alg",
            reheaded(good, &json!({"alg": "ES256", "kid": "p256"})),
            Denied::BadSignature,
        ),
        (
            "another kind of signature",
            reheaded(good, &json!({"alg": "EdDSA", "kid": "ed"})),
            Denied::BadSignature,
        ),
        ("none", reheaded(good, &json!({"alg": "none", "kid": "rsa"})), Denied::WrongAlgorithm),
        ("no alg", reheaded(good, &json!({"kid": "rsa"})), Denied::WrongAlgorithm),
        ("no kid", reheaded(good, &json!({"alg": "RS256"})), Denied::MissingKeyId),
        ("unknown kid", reheaded(good, &json!({"alg": "RS256", "kid": "new"})), Denied::UnknownKey),
        (
            "crit",
            reheaded(good, &json!({"alg": "RS256", "kid": "rsa", "crit": ["x"]})),
            Denied::CriticalExtension,
        ),
        (
            "b64",
            reheaded(good, &json!({"alg": "RS256", "kid": "rsa", "b64": false})),
            Denied::CriticalExtension,
        ),
        (
            "typ",
            reheaded(good, &json!({"alg": "RS256", "kid": "rsa", "typ": "dpop+jwt"})),
            Denied::WrongTokenType,
        ),
        ("another header", reheaded(good, &json!({"alg": "RS256", "kid": "rsa"})), Denied::BadSignature),
        ("a small key", token(pyjwt(), "rsa-small RS256 good").to_owned(), Denied::UnknownKey),
        ("a larger curve", token(pyjwt(), "p384 ES384 good").to_owned(), Denied::UnknownKey),
        ("cut", good[..good.len() - 4].to_owned(), Denied::BadSignature),
        ("too large", format!("{good}{}", "x".repeat(4_096)), Denied::TooLarge),
    ] {
        assert_eq!(verify(pyjwt(), &token), Err(cause), "{name}");
    }
    // The same names, another provider's keys.
    for name in ["rsa RS256 good", "p256 ES256 good", "ed EdDSA good"] {
        assert_eq!(verify(jose(), token(pyjwt(), name)), Err(Denied::BadSignature), "{name}");
    }
}

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
        ("another curve", public("p384")),
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
    for key in [
        set("rsa", "use", json!("sig")),
        set("rsa", "key_ops", json!(["sign", "verify"])),
        set("rsa", "x5c", json!(["ignored"])),
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
    assert_eq!(parse(&" ".repeat(MAX_DOCUMENT_BYTES + 1)), Err(JwksError::TooLarge));
    let many: Vec<Value> = (0..65).map(|i| set("ed", "kid", json!(i.to_string()))).collect();
    assert_eq!(parse(&json!({ "keys": many }).to_string()), Err(JwksError::TooLarge));
    assert_eq!(usable(&many[..64]).len(), 64);
    let printed = format!("{:?}", key_set(pyjwt()));
    assert!(printed.contains("RS256") && printed.len() < 500, "{printed}");
}
