//! What a token says of its machine: each claim required, typed, and held to.

use serde_json::{Value, json};

use super::{Row, assert_admitted, assert_refused, header, key, row};
use crate::support::credentials::{claims, unix_seconds};
use crate::support::forge::{changed, seal};

const CLAIMS: [&str; 6] = ["iss", "aud", "sub", "iat", "exp", "jti"];

#[test]
fn no_claim_may_be_missing() {
    let rows: Vec<Row> = CLAIMS
        .iter()
        .map(|name| row(name, seal(&key(), &header(), &changed(&claims("less"), name, None).to_string())))
        .chain(["{}", "[]", "null", "\"\"", ""].map(|text| row(text, seal(&key(), &header(), text))))
        .collect();
    assert_eq!(rows.len(), 11);
    assert_refused(&rows);
}

#[test]
fn no_claim_may_be_of_another_type() {
    let mut rows = Vec::new();
    for name in CLAIMS {
        for value in [json!(null), json!(true), json!({}), json!([]), json!(1.5), json!(-1), json!("")] {
            let claims = changed(&claims("mistyped"), name, Some(value.clone()));
            rows.push(row(format!("{name} is {value}"), seal(&key(), &header(), &claims.to_string())));
        }
    }
    for name in ["iss", "sub", "jti"] {
        let claims = claims("mistyped");
        for value in [json!([claims[name]]), json!({ "value": claims[name] }), json!(1)] {
            let claims = changed(&claims, name, Some(value.clone()));
            rows.push(row(format!("{name} is {value}"), seal(&key(), &header(), &claims.to_string())));
        }
    }
    for value in [json!(null), json!(1), json!(["trusted"]), json!("Trusted"), json!("")] {
        let claims = changed(&claims("mistyped"), "plan", Some(value.clone()));
        rows.push(row(format!("plan is {value}"), seal(&key(), &header(), &claims.to_string())));
    }
    assert_refused(&rows);
}

#[test]
fn a_time_that_is_text_or_no_whole_number_is_refused() {
    let now = unix_seconds();
    let moments = [
        format!("\"{}\"", now + 600),
        format!("\"{now}\""),
        format!("[{}]", now + 600),
        format!("{}.0", now + 600),
        format!("{}.5", now + 600),
        format!("{}e1", now / 10),
        format!("-{now}"),
        "\"\"".to_owned(),
        "\"tomorrow\"".to_owned(),
        "1e400".to_owned(),
        "253402300800".to_owned(),
        "18446744073709551615".to_owned(),
        "18446744073709551616".to_owned(),
        "NaN".to_owned(),
        "Infinity".to_owned(),
        format!("0{now}"),
        format!("+{now}"),
        format!("{:#x}", now + 600),
    ];
    let mut rows = Vec::new();
    for name in ["exp", "iat", "nbf"] {
        for moment in &moments {
            let claims = changed(&claims("typed"), name, Some(json!("@"))).to_string();
            let claims = claims.replace("\"@\"", moment);
            rows.push(row(format!("{name} is {moment}"), seal(&key(), &header(), &claims)));
        }
    }
    assert_refused(&rows);
}

#[test]
fn a_token_before_its_time_after_it_or_for_too_long_is_refused() {
    let now = unix_seconds();
    let times = |iat: u64, exp: u64, nbf: Option<u64>| {
        let mut claims = claims("timed");
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        if let Some(nbf) = nbf {
            claims["nbf"] = json!(nbf);
        }
        seal(&key(), &header(), &claims.to_string())
    };
    let day = 86_400;
    for (name, token) in [
        ("a minute to go", times(now - day, now + 60, None)),
        ("thirty days", times(now, now + 30 * day, None)),
        ("not before now", times(now, now + 60, Some(now))),
        ("not before long ago", times(now, now + 60, Some(0))),
    ] {
        assert_admitted(name, &token);
    }
    assert_refused(&[
        row("nbf in a minute", times(now, now + 600, Some(now + 60))),
        row("nbf in an hour", times(now, now + 7_200, Some(now + 3_600))),
        row("nbf after exp", times(now, now + 600, Some(now + 700))),
        row("nbf at the end of time", times(now, now + 600, Some(253_402_300_799))),
        row("iat in a minute", times(now + 60, now + 600, None)),
        row("iat tomorrow", times(now + day, now + 2 * day, None)),
        row("exp a minute ago", times(now - 600, now - 60, None)),
        row("exp at the epoch", times(now, 0, None)),
        row("exp before iat", times(now, now - 1, None)),
        row("no life at all", times(now, now, None)),
        row("thirty days and a second", times(now, now + 30 * day + 1, None)),
        row("for ever", times(now, 253_402_300_799, None)),
        row("since the epoch", times(0, now + 600, None)),
    ]);
}

#[test]
fn a_claim_that_stands_there_twice_is_refused() {
    let usual = claims("twice").to_string();
    let rest = usual.strip_prefix('{').expect("an object");
    let rows = [r#""sub":"victim""#, r#""exp":9999999999"#, r#""\u0073ub":"victim""#, r#""aud":"other""#]
        .map(|first| row(first, seal(&key(), &header(), &format!("{{{first},{rest}"))));
    assert_refused(&rows);
}

#[test]
fn a_token_for_another_audience_or_of_another_issuer_is_refused() {
    let with = |name: &str, value: Value| {
        let claims = changed(&claims("elsewhere"), name, Some(value.clone()));
        row(format!("{name} is {value}"), seal(&key(), &header(), &claims.to_string()))
    };
    assert_admitted("a list of one", &with("aud", json!(["pip-aide"])).1);
    assert_refused(&[
        with("aud", json!("another-service")),
        with("aud", json!("PIP-AIDE")),
        with("aud", json!("pip-aide ")),
        with("aud", json!("pip-aide/")),
        with("aud", json!("pip-aide2")),
        with("aud", json!("pip")),
        with("aud", json!("*")),
        with("aud", json!("pip-aide/operator")),
        with("aud", json!(["another-service"])),
        with("aud", json!(["pip-aide", "another-service"])),
        with("aud", json!(["pip-aide", "pip-aide/operator"])),
        with("aud", json!(["pip-aide", 1])),
        with("iss", json!("https://issuer.example")),
        with("iss", json!("PIP-AIDE-GATEWAY")),
        with("iss", json!("pip-aide-gateway/")),
    ]);
}
