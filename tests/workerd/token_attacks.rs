//! Tokens that somebody could make, by what is wrong with them. Each has a right MAC wherever its
//! attack allows one, so that nothing but the attack is what it is refused for; and before and
//! after each attack an honest token, made by the same hand, is admitted.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Sha384, Sha512};

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::credentials::{basic, bearer, claims, unix_seconds};
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::forge::{bytes, changed, hs256, input, seal, sign};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::random_word;

/// The name of the key that signs; see [`Settings::new`].
const KID: &str = "client-1";

fn door() -> Arc<Gateway> {
    static GATEWAY: LazyLock<Arc<Gateway>> = LazyLock::new(|| Gateway::shared(Settings::new().unhurried()));
    Arc::clone(&GATEWAY)
}

fn key() -> Vec<u8> {
    bytes(door().key())
}

fn header() -> String {
    json!({ "alg": "HS256", "typ": "JWT", "kid": KID }).to_string()
}

/// An attack by name, and the token it sends.
type Row = (String, String);

fn row(name: impl ToString, token: String) -> Row {
    (name.to_string(), token)
}

#[track_caller]
fn assert_admitted(name: &str, token: &str) {
    let gateway = door();
    let asked = gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2));
    assert_eq!(asked.status, 200, "{name}: {token}: {asked:?}");
    let looked = gateway.look(&basic("x", token));
    assert_eq!(looked.status, 200, "{name}: {token}: {looked:?}");
}

/// Sends each by Bearer to the route that spends money, and by Basic to one that only looks.
#[track_caller]
fn assert_refused(rows: &[Row]) {
    assert!(!rows.is_empty());
    let gateway = door();
    let honest = || seal(&key(), &header(), &claims("honest").to_string());
    assert_admitted("an honest token", &honest());
    for (name, token) in rows {
        let asked = gateway.post("/v1/analyze", &bearer(token), &request_body(NO_CV2));
        assert_eq!(asked.status, 401, "{name}: {token}: {asked:?}");
        assert_stranger(&asked);
        let looked = gateway.look(&basic("x", token));
        assert_eq!(looked.status, 401, "{name}, by Basic: {token}: {looked:?}");
        assert_stranger(&looked);
    }
    assert_admitted("an honest token, afterwards", &honest());
}

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

/// A token whose every part has a character in which the alphabets differ, and a length that
/// padding would fill.
fn spellable() -> [String; 3] {
    (0..)
        .map(|number| {
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": KID }).to_string();
            // Claims that nobody reads may hold anything: '>' and '?' come out as '-' and '_'.
            let mut claims = claims("spelled");
            claims["more"] = json!(format!("{}{number}", "~?>".repeat(4)));
            let token = seal(&key(), &header, &claims.to_string());
            let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
            <[String; 3]>::try_from(parts).expect("three parts")
        })
        .find(|[_, claims, mac]| {
            [claims, mac].iter().all(|part| part.contains(['-', '_'])) && claims.len() % 4 != 0
        })
        .expect("there is always another number")
}

#[test]
fn a_token_has_one_spelling() {
    let parts = spellable();
    assert_admitted("as it should be spelled", &parts.join("."));
    let mut rows = Vec::new();
    let mut add = |name: &str, at: usize, part: String| {
        let mut parts = parts.clone();
        parts[at] = part;
        rows.push(row(format!("{name}, part {at}"), parts.join(".")));
        // The same, with a MAC over what is sent: it does not help.
        if at < 2 {
            let input = parts[..2].join(".");
            rows.push(row(format!("{name}, part {at}, signed so"), sign(&key(), &input)));
        }
    };
    for (at, part) in parts.iter().enumerate() {
        let bytes = URL_SAFE_NO_PAD.decode(part).expect("base64url");
        for (name, other) in [
            ("padded", URL_SAFE.encode(&bytes)),
            ("padded with one", format!("{part}=")),
            ("padded with two", format!("{part}==")),
            ("padded as in a URL", format!("{part}%3D")),
            ("the standard alphabet", STANDARD_NO_PAD.encode(&bytes)),
            ("the standard alphabet, padded", STANDARD.encode(&bytes)),
        ] {
            if other != *part {
                add(name, at, other);
            }
        }
        let (head, tail) = part.split_at(part.len() / 2);
        for (name, space) in [("a blank", " "), ("a tab", "\t"), ("a line's end", "%0A"), ("a plus", "+")] {
            add(&format!("{name} within"), at, format!("{head}{space}{tail}"));
            // More blanks after the scheme's name are HTTP's own (RFC 9110 section 11.4).
            if (at, space) != (0, " ") {
                add(&format!("{name} before"), at, format!("{space}{part}"));
            }
        }
        // The last character's low bits are beyond the last byte: as many spellings of the same.
        if part.len() % 4 != 0 {
            let last = part.chars().last().expect("a character");
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let value = alphabet.find(last).expect("of the alphabet");
            let next = alphabet.chars().nth(value | 1).expect("of the alphabet");
            assert_ne!(last, next, "the bits are zero");
            add("bits beyond the last byte", at, format!("{}{next}", &part[..part.len() - 1]));
        }
    }
    assert_refused(&rows);
}

#[test]
fn a_token_with_anything_before_or_after_is_refused() {
    let token = seal(&key(), &header(), &claims("around").to_string());
    let gateway = door();
    assert_eq!(gateway.look(&bearer(&token)).status, 200);
    for value in [
        format!("Bearer {token} "),
        format!("Bearer\t{token}"),
        format!("Bearer  {token}"),
        format!("bearer {token}"),
    ] {
        // What HTTP itself allows around a value, or in the scheme's spelling, is no attack: it may
        // pass, but only as that token.
        let reply = gateway.look(&value);
        assert!(reply.status == 401 || reply.json()["machine_id"] == "around", "{value:?}: {reply:?}");
    }
    for value in [
        format!("Bearer {token} x"),
        format!("Bearer {token}."),
        format!("Bearer .{token}"),
        format!("Bearer {token}.{token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer token={token}"),
        format!("Bearer{token}"),
        format!("Token {token}"),
        format!("Basic {token}"),
        format!("Basic {}", STANDARD.encode(&token)),
        format!("Basic {}", STANDARD.encode(format!("x:{token}\n"))),
        format!("Basic {}", STANDARD.encode(format!("x: {token}"))),
        format!("Basic {}", STANDARD.encode(format!("x:{token}:"))),
        format!("Basic {}=", STANDARD_NO_PAD.encode(format!("x:{token}"))),
        format!("Basic {} {}", STANDARD.encode("x:"), STANDARD.encode(&token)),
    ] {
        let reply = gateway.look(&value);
        assert_eq!(reply.status, 401, "{value:?}: {reply:?}");
        assert_stranger(&reply);
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
