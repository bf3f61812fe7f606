//! Tokens minted by published libraries, with keys and claims that we choose: as a client's token
//! and as an identity provider's.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/minted.rs"]
mod minted;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::foreign::{ForeignClaims, verify_foreign};
use pip_aide_gateway::token::jwt::{self, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};
use sha2::Sha256;

use minted::{
    KEY, NOW, OURS, THEIRS, asked, changed, foreign, jose, key_set, now, peers, public, pyjwt, token,
};

fn ring() -> Keyring {
    Keyring::parse(&render_entry("k", &KEY)).unwrap()
}

fn verify(made: &Value, token: &str) -> Result<ForeignClaims, Denied> {
    verify_foreign(token, &key_set(made), &THEIRS, now())
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
        assert_eq!(subject.to_string(), subject.as_str());
        assert!(MachineId::parse(subject.as_str()).is_err(), "{subject}");
    }
    // Another provider's user of the same name, and a split elsewhere, are other subjects.
    let claims = changed("iss", json!("https://idp.example/u"));
    let mut asked = asked();
    asked["foreign"] = json!({"x": {"iss": claims["iss"], "aud": THEIRS.audience, "sub": "ser|1",
        "iat": NOW, "exp": NOW + 60}});
    let made = peers::python("mint.py", &asked);
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
