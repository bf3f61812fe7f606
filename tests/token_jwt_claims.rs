//! Claims under attack: each token has a right MAC, and one thing wrong in what it says.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/tokens.rs"]
mod tokens;

use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::jwt;
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use tokens::{HEADER, NOW, POLICY, claims, ring, seal, verify, with};

fn without(name: &str) -> String {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims.to_string()
}

#[test]
fn every_claim_is_required_and_typed() {
    for name in ["iss", "aud", "sub", "iat", "exp", "jti"] {
        assert_eq!(verify(&seal(HEADER, &without(name))), Err(Denied::MissingClaim), "{name}");
        assert_eq!(verify(&seal(HEADER, &with(name, Value::Null))), Err(Denied::MistypedClaim), "{name}");
        assert_eq!(verify(&seal(HEADER, &with(name, json!({})))), Err(Denied::MistypedClaim), "{name}");
        assert_eq!(verify(&seal(HEADER, &with(name, json!(true)))), Err(Denied::MistypedClaim), "{name}");
    }
    for name in ["iat", "exp", "nbf"] {
        for value in [
            "\"1800000060\"",
            "[1800000060]",
            "1800000060.0",
            "1.80000006e9",
            "-1",
            "1e400",
            "\"\"",
            "253402300800",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
        ] {
            let text = with(name, json!("@")).replace("\"@\"", value);
            let cause = verify(&seal(HEADER, &text)).unwrap_err();
            // 1e400 is a number that no JSON reader of ours can hold.
            let expected = if value == "1e400" { Denied::MalformedToken } else { Denied::MistypedClaim };
            assert_eq!(cause, expected, "{name} {value}");
        }
    }
    for name in ["iss", "sub", "jti"] {
        for value in [json!(1), json!(["x"])] {
            assert_eq!(verify(&seal(HEADER, &with(name, value))), Err(Denied::MistypedClaim), "{name}");
        }
    }
}

#[test]
fn issuer_audience_subject_id_and_plan_are_exact() {
    let long = "x".repeat(65);
    let rows = [
        ("iss", json!("pip-aide-gateway/"), Denied::WrongIssuer),
        ("iss", json!("PIP-AIDE-GATEWAY"), Denied::WrongIssuer),
        ("iss", json!(""), Denied::WrongIssuer),
        ("aud", json!(""), Denied::WrongAudience),
        ("aud", json!("pip-aide/operator"), Denied::WrongAudience),
        ("aud", json!("pip-aide2"), Denied::WrongAudience),
        ("aud", json!([]), Denied::WrongAudience),
        ("aud", json!(["other"]), Denied::WrongAudience),
        ("aud", json!(["pip-aide", "other"]), Denied::WrongAudience),
        ("aud", json!(["pip-aide", "pip-aide"]), Denied::WrongAudience),
        ("aud", json!(["pip-aide", 1]), Denied::MistypedClaim),
        ("aud", json!([["pip-aide"]]), Denied::MistypedClaim),
        ("aud", json!(1), Denied::MistypedClaim),
        ("sub", json!(""), Denied::BadSubject),
        ("sub", json!("a:b"), Denied::BadSubject),
        ("sub", json!("a/b"), Denied::BadSubject),
        ("sub", json!("m\u{ff41}chine"), Denied::BadSubject),
        ("sub", json!("machine-1\n"), Denied::BadSubject),
        ("sub", json!("jwt~abc"), Denied::BadSubject),
        ("sub", json!(long), Denied::BadSubject),
        ("jti", json!(""), Denied::BadTokenId),
        ("jti", json!("a b"), Denied::BadTokenId),
        ("jti", json!("a\u{7f}"), Denied::BadTokenId),
        ("jti", json!("\u{e9}"), Denied::BadTokenId),
        ("jti", json!("x".repeat(129)), Denied::BadTokenId),
        ("plan", json!(""), Denied::BadPlan),
        ("plan", json!("Pro"), Denied::BadPlan),
        ("plan", json!("a.b"), Denied::BadPlan),
        ("plan", json!("x".repeat(33)), Denied::BadPlan),
        ("plan", json!(1), Denied::BadPlan),
        ("plan", json!(null), Denied::BadPlan),
    ];
    for (name, value, cause) in rows {
        assert_eq!(verify(&seal(HEADER, &with(name, value.clone()))), Err(cause), "{name} {value}");
    }
    for (name, value) in [
        ("aud", json!(["pip-aide"])),
        ("sub", json!("x".repeat(64))),
        ("jti", json!("x".repeat(128))),
        ("plan", json!("x".repeat(32))),
    ] {
        assert!(verify(&seal(HEADER, &with(name, value.clone()))).is_ok(), "{name} {value}");
    }
}

#[test]
fn times_are_held_to_thirty_seconds_and_the_days_allowed() {
    let times = |iat: u64, exp: u64| {
        let mut claims = claims();
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        verify(&seal(HEADER, &claims.to_string())).map(|_| ())
    };
    let days = 86_400;
    for (name, iat, exp, result) in [
        ("expired within the leeway", NOW - 60, NOW - 29, Ok(())),
        ("expired just over the leeway", NOW - 60, NOW - 30, Err(Denied::Expired)),
        ("expired long ago", NOW - 90, NOW - 60, Err(Denied::Expired)),
        ("issued within the leeway", NOW + 30, NOW + 60, Ok(())),
        ("issued in the future", NOW + 31, NOW + 60, Err(Denied::IssuedInFuture)),
        ("issued far in the future", NOW + 9 * days, NOW + 10 * days, Err(Denied::IssuedInFuture)),
        ("thirty days", NOW, NOW + 30 * days, Ok(())),
        ("a second more", NOW, NOW + 30 * days + 1, Err(Denied::BadLifetime)),
        ("a life before its birth", NOW, NOW - 1, Err(Denied::BadLifetime)),
        ("no life", NOW, NOW, Err(Denied::BadLifetime)),
        ("for ever", 0, 253_402_300_799, Err(Denied::BadLifetime)),
        ("since the epoch", 0, NOW + 1, Err(Denied::BadLifetime)),
    ] {
        assert_eq!(times(iat, exp), result, "{name}");
    }
    let nbf = |moment: u64| verify(&seal(HEADER, &with("nbf", json!(moment)))).map(|_| ());
    assert_eq!(nbf(NOW + 30), Ok(()));
    assert_eq!(nbf(NOW + 31), Err(Denied::NotYetValid));
    assert_eq!(nbf(0), Ok(()));
    // The gateway's clock counts milliseconds: the last one of the leeway is the last one.
    let token = seal(HEADER, &with("exp", json!(NOW)));
    for (millis, result) in [(29_999, Ok(())), (30_000, Err(Denied::Expired))] {
        let moment = UnixMillis::from_millis(NOW * 1_000 + millis);
        assert_eq!(jwt::verify(&token, &ring(), &POLICY, moment).map(|_| ()), result);
    }
}

#[test]
fn a_claim_that_occurs_twice_is_refused() {
    let usual = claims().to_string();
    let body = usual.strip_prefix('{').unwrap();
    for first in [
        r#""exp":9999999999"#,
        r#""sub":"machine-2""#,
        r#""aud":"other""#,
        r#""\u0065xp":1"#,
        r#""plan":"a","plan":"b""#,
        r#""x":{"y":1,"y":2}"#,
    ] {
        let token = seal(HEADER, &format!("{{{first},{body}"));
        assert_eq!(verify(&token), Err(Denied::DuplicateMember), "{first}");
    }
}
