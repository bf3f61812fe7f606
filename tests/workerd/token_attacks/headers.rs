//! What a token says of itself: algorithm, key and extensions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::json;
use sha2::{Sha384, Sha512};

use super::{KID, assert_refused, door, header, key, row};
use crate::support::credentials::claims;
use crate::support::forge::{bytes, hs256, input, seal, sign};

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    let claims = claims("unsigned").to_string();
    // Each letter small or capital.
    let mut names: Vec<String> = (0_u32..16)
        .map(|capitals| {
            let letter = |(at, letter): (usize, char)| {
                if capitals >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
            };
            "none".chars().enumerate().map(letter).collect()
        })
        .collect();
    names.extend(["none ", " none", "none\u{0}", "n\u{f6}ne", "\u{ff4e}one", "null", ""].map(str::to_owned));
    let mut rows = Vec::new();
    for name in names {
        for header in [json!({ "alg": name }), json!({ "alg": name, "typ": "JWT", "kid": KID })] {
            let input = input(&header.to_string(), &claims);
            rows.push(row(format!("{header} unsigned"), format!("{input}.")));
            rows.push(row(format!("{header} with a right MAC"), sign(&key(), &input)));
        }
    }
    // The same letters as a JSON escape, and no text at all.
    for alg in [r#""\u006eone""#, "null", "[]", r#"["none"]"#, "{}", "false", "0"] {
        let header = format!(r#"{{"alg":{alg},"typ":"JWT","kid":"{KID}"}}"#);
        rows.push(row(&header, format!("{}.", input(&header, &claims))));
        rows.push(row(&header, seal(&key(), &header, &claims)));
    }
    let without = json!({ "typ": "JWT", "kid": KID }).to_string();
    rows.push(row("no alg", format!("{}.", input(&without, &claims))));
    rows.push(row("no alg, with a right MAC", seal(&key(), &without, &claims)));
    // Two of them: whichever is read, one of them is not what was meant.
    for twice in [r#""alg":"HS256","alg":"none""#, r#""alg":"none","alg":"HS256""#] {
        rows.push(row(twice, seal(&key(), &format!(r#"{{{twice},"kid":"{KID}"}}"#), &claims)));
    }
    assert_refused(&rows);
}

#[test]
fn the_algorithm_is_the_keys_and_not_the_tokens() {
    let claims = claims("chosen").to_string();
    let mut rows = Vec::new();
    for alg in [
        "hs256", "Hs256", "HS256 ", "HS1", "HS384", "HS512", "RS256", "RS512", "PS256", "ES256", "ES256K",
        "EdDSA", "A256KW", "dir",
    ] {
        let header = json!({ "alg": alg, "typ": "JWT", "kid": KID }).to_string();
        rows.push(row(alg, seal(&key(), &header, &claims)));
    }
    let encoded = |header: &str| input(header, &claims);
    let long = |alg: &str, input: &str| {
        let mac = if alg == "HS384" {
            let mut mac = Hmac::<Sha384>::new_from_slice(&key()).expect("a key");
            mac.update(input.as_bytes());
            mac.finalize().into_bytes().to_vec()
        } else {
            let mut mac = Hmac::<Sha512>::new_from_slice(&key()).expect("a key");
            mac.update(input.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac))
    };
    for alg in ["HS384", "HS512"] {
        let own = encoded(&json!({ "alg": alg, "typ": "JWT", "kid": KID }).to_string());
        rows.push(row(format!("{alg} as it should be"), long(alg, &own)));
        rows.push(row(format!("{alg} under the name of HS256"), long(alg, &encoded(&header()))));
    }
    assert_refused(&rows);
}

#[test]
fn a_kid_that_reaches_for_another_key_finds_none() {
    let claims = claims("injected").to_string();
    let mut rows = Vec::new();
    for kid in [
        "",
        " ",
        "client-2",
        "CLIENT-1",
        "Client-1",
        " client-1",
        "client-1 ",
        "client-1\u{0}",
        "client-1\n",
        "client-1,client-2",
        "client-1=",
        "client-1:machine",
        "client",
        "client-",
        "*",
        "client-%",
        "%63lient-1",
        "client\u{2010}1",
        "\u{ff43}lient-1",
        "../../dev/null",
        "/dev/null",
        "file:///dev/null",
        "https://attacker.example/key",
        "client-1' OR '1'='1",
        "' UNION SELECT ''--",
        "client-1; ls",
        "$(TOKEN_KEYS)",
        "__proto__",
        "constructor",
        "toString",
        "0",
        "-1",
    ] {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string();
        // Under the right key, that of nothing, and that which names itself.
        for (which, key) in [("right", key()), ("empty", Vec::new()), ("named", kid.as_bytes().to_vec())] {
            rows.push(row(format!("{kid:?} under the {which} key"), seal(&key, &header, &claims)));
        }
    }
    let long = "client-1".repeat(64);
    rows.push(row("long", seal(&key(), &json!({ "alg": "HS256", "kid": long }).to_string(), &claims)));
    for kid in [json!(null), json!(0), json!(true), json!([KID]), json!({ "kid": KID }), json!([])] {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid }).to_string();
        rows.push(row(&header, seal(&key(), &header, &claims)));
    }
    rows.push(row("no kid", seal(&key(), r#"{"alg":"HS256","typ":"JWT"}"#, &claims)));
    for twice in [r#""kid":"client-1","kid":"x""#, r#""kid":"x","kid":"client-1""#] {
        rows.push(row(twice, seal(&key(), &format!(r#"{{"alg":"HS256",{twice}}}"#), &claims)));
    }
    let operators = json!({ "alg": "HS256", "typ": "JWT", "kid": "operator-1" }).to_string();
    rows.push(row("an operator's kid", seal(&key(), &operators, &claims)));
    let theirs = bytes(door().operator_key());
    rows.push(row("an operator's kid and key", seal(&theirs, &operators, &claims)));
    rows.push(row("an operator's key", seal(&theirs, &header(), &claims)));
    assert_refused(&rows);
}

#[test]
fn a_key_in_the_header_or_where_it_points_is_not_used() {
    let claims = claims("brought").to_string();
    let own = b"a key of the attacker, long enough to be one";
    let k = URL_SAFE_NO_PAD.encode(own);
    let mut rows = Vec::new();
    for more in [
        format!(r#""jwk":{{"kty":"oct","alg":"HS256","kid":"{KID}","k":"{k}"}}"#),
        r#""jku":"https://attacker.example/keys""#.to_owned(),
        r#""x5u":"https://attacker.example/certificate""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
        r#""x5t":"AAAA""#.to_owned(),
        r#""zip":"DEF""#.to_owned(),
        r#""enc":"A256GCM""#.to_owned(),
        r#""cty":"JWT""#.to_owned(),
    ] {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KID}",{more}}}"#);
        rows.push(row(&more, seal(own, &header, &claims)));
        rows.push(row(format!("{more} under the right key"), seal(&key(), &header, &claims)));
    }
    assert_refused(&rows);
}

#[test]
fn a_critical_extension_is_refused_known_unknown_or_empty() {
    let claims = claims("critical").to_string();
    let mut rows = Vec::new();
    for more in [
        r#""crit":["pip-aide"],"pip-aide":true"#,
        r#""crit":["absent"]"#,
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["alg"]"#,
        r#""crit":["b64"],"b64":true"#,
        r#""crit":[]"#,
        r#""crit":[""]"#,
        r#""crit":null"#,
        r#""crit":"exp""#,
        r#""crit":{}"#,
        r#""crit":true"#,
        r#""\u0063rit":[]"#,
    ] {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KID}",{more}}}"#);
        rows.push(row(more, seal(&key(), &header, &claims)));
    }
    assert_refused(&rows);
}

#[test]
fn a_payload_that_is_not_encoded_is_refused() {
    let claims = claims("unencoded").to_string();
    let mut rows = Vec::new();
    for more in [r#""b64":false"#, r#""b64":false,"crit":["b64"]"#, r#""b64":true"#, r#""b64":null"#] {
        let header = format!(r#"{{"alg":"HS256","typ":"JWT","kid":"{KID}",{more}}}"#);
        rows.push(row(format!("{more}, encoded all the same"), seal(&key(), &header, &claims)));
        // As RFC 7797 has it: the claims stand there as they are, and that is what is signed.
        let plain = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(&header));
        let tag = URL_SAFE_NO_PAD.encode(hs256(&key(), &plain));
        rows.push(row(format!("{more}, as it is"), format!("{plain}.{tag}")));
        // Detached: nothing stands there.
        let empty = format!("{}.", URL_SAFE_NO_PAD.encode(&header));
        rows.push(row(format!("{more}, detached"), format!("{empty}.{tag}")));
    }
    assert_refused(&rows);
}
