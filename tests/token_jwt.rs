//! Client and operator tokens under attack: each row is a token that somebody could send, and the
//! cause for which it is refused.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/tokens.rs"]
mod tokens;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::jwt::{
    self, Claims, MAX_TOKEN_BYTES, MintError, NewToken, TokenPolicy, operator_audience,
};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::units::UnixMillis;
use serde_json::json;
use sha2::{Sha384, Sha512};

use tokens::{
    HEADER, KEY, NOW, OLD_KEY, POLICY, claims, hs256, input, now, ring, seal, seal_with, verify, with,
};

const OPERATOR_KEY: [u8; 32] = [3; 32];

fn operators() -> Keyring {
    Keyring::parse(&render_entry("op", &OPERATOR_KEY)).unwrap()
}

fn assert_denied(rows: &[(&str, String, Denied)]) {
    for (name, token, cause) in rows {
        assert_eq!(verify(token), Err(*cause), "{name}: {token}");
    }
}

#[test]
fn an_honest_token_is_taken_with_either_key() {
    let expected = Claims {
        machine: MachineId::parse("machine-1").unwrap(),
        plan: Some("pro_2_x".to_owned()),
        issued_at: UnixMillis::from_seconds(NOW - 60),
        expires_at: UnixMillis::from_seconds(NOW + 3_600),
        jti: "token-1".to_owned(),
        kid: "new".to_owned(),
    };
    let claims = with("plan", json!("pro_2_x"));
    assert_eq!(verify(&seal(HEADER, &claims)), Ok(expected.clone()));
    let old = seal_with(&OLD_KEY, r#"{"kid":"old","alg":"HS256"}"#, &claims);
    assert_eq!(verify(&old), Ok(Claims { kid: "old".to_owned(), ..expected }));
    for header in [r#"{"alg":"HS256","typ":"jwt","kid":"new"}"#, " {\"alg\" : \"HS256\", \"kid\":\"new\"}\n"]
    {
        assert!(verify(&seal(header, &claims)).is_ok(), "{header}");
    }
    // Claims that we do not know change nothing (RFC 7519 section 4).
    assert!(verify(&seal(HEADER, &with("extra", json!({"a": [1.5, null, -1]})))).is_ok());
}

#[test]
fn the_algorithm_is_never_the_tokens_choice() {
    let mut rows = Vec::new();
    for alg in
        ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS384", "HS512", "RS256", "ES256", "EdDSA"]
    {
        let header = json!({"alg": alg, "typ": "JWT", "kid": "new"}).to_string();
        rows.push((alg, seal(&header, &claims().to_string()), Denied::WrongAlgorithm));
        let unsigned = format!("{}.", input(&header, &claims().to_string()));
        rows.push((alg, unsigned, Denied::WrongAlgorithm));
    }
    for header in [r#"{"kid":"new"}"#, r#"{"alg":null,"kid":"new"}"#, r#"{"alg":["HS256"],"kid":"new"}"#] {
        rows.push(("no alg", seal(header, &claims().to_string()), Denied::WrongAlgorithm));
    }
    assert_denied(&rows);

    // The right key, under an algorithm that the key could serve.
    let input = input(r#"{"alg":"HS384","kid":"new"}"#, &claims().to_string());
    let mut mac = Hmac::<Sha384>::new_from_slice(&KEY).unwrap();
    mac.update(input.as_bytes());
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(verify(&token), Err(Denied::WrongAlgorithm));
    // And under another algorithm than the header says.
    let input = tokens::input(HEADER, &claims().to_string());
    let mut mac = Hmac::<Sha512>::new_from_slice(&KEY).unwrap();
    mac.update(input.as_bytes());
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()));
    assert_eq!(verify(&token), Err(Denied::BadSignature));
}

#[test]
fn the_key_is_one_of_the_ring() {
    let claims = claims().to_string();
    let mut rows = vec![
        ("empty key", seal_with(&[], HEADER, &claims), Denied::BadSignature),
        ("zero key", seal_with(&[0; 32], HEADER, &claims), Denied::BadSignature),
        ("the kid as key", seal_with(b"new", HEADER, &claims), Denied::BadSignature),
        (
            "the key's text as key",
            seal_with(URL_SAFE_NO_PAD.encode(KEY).as_bytes(), HEADER, &claims),
            Denied::BadSignature,
        ),
        ("another key of the ring", seal_with(&OLD_KEY, HEADER, &claims), Denied::BadSignature),
        ("an operator's key", seal_with(&OPERATOR_KEY, HEADER, &claims), Denied::BadSignature),
        ("no kid", seal(r#"{"alg":"HS256"}"#, &claims), Denied::MissingKeyId),
        ("kid a number", seal(r#"{"alg":"HS256","kid":1}"#, &claims), Denied::MissingKeyId),
        ("kid a list", seal(r#"{"alg":"HS256","kid":["new"]}"#, &claims), Denied::MissingKeyId),
    ];
    // The signing key stands in for an unknown one, to cost the same time: it must not count.
    for kid in
        ["", "NEW", "new ", "new\u{0}", "../new", "/dev/null", "new,old", "new=", "' or 1=1", "ne\u{ff57}"]
    {
        let header = json!({"alg": "HS256", "kid": kid}).to_string();
        rows.push((kid, seal(&header, &claims), Denied::UnknownKey));
        rows.push((kid, seal_with(&[], &header, &claims), Denied::UnknownKey));
    }
    assert_denied(&rows);
}

#[test]
fn extensions_and_strange_headers_are_refused() {
    let claims = claims().to_string();
    let header = |more: &str| format!(r#"{{"alg":"HS256","kid":"new",{more}}}"#);
    for (more, cause) in [
        (r#""crit":["exp"]"#, Denied::CriticalExtension),
        (r#""crit":[]"#, Denied::CriticalExtension),
        (r#""crit":null"#, Denied::CriticalExtension),
        (r#""crit":["b64"],"b64":true"#, Denied::CriticalExtension),
        (r#""b64":false"#, Denied::CriticalExtension),
        (r#""b64":true"#, Denied::CriticalExtension),
        (r#""typ":"at+jwt""#, Denied::WrongTokenType),
        (r#""typ":"JOSE""#, Denied::WrongTokenType),
        (r#""typ":"""#, Denied::WrongTokenType),
        (r#""typ":null"#, Denied::WrongTokenType),
        (r#""typ":["JWT"]"#, Denied::WrongTokenType),
        (r#""jku":"https://attacker.example/keys""#, Denied::UnexpectedHeader),
        (r#""jwk":{"kty":"oct","k":""}"#, Denied::UnexpectedHeader),
        (r#""x5u":"https://attacker.example/""#, Denied::UnexpectedHeader),
        (r#""zip":"DEF""#, Denied::UnexpectedHeader),
        (r#""cty":"JWT""#, Denied::UnexpectedHeader),
        (r#""enc":"A256GCM""#, Denied::UnexpectedHeader),
        (r#""kid":"new""#, Denied::DuplicateMember),
        (r#""alg":"none""#, Denied::DuplicateMember),
        (r#""\u0061lg":"HS256""#, Denied::DuplicateMember),
    ] {
        assert_eq!(verify(&seal(&header(more), &claims)), Err(cause), "{more}");
    }
}

#[test]
fn a_token_has_one_spelling() {
    let token = seal(HEADER, &claims().to_string());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header, body) = input.split_once('.').unwrap();
    let mac = hs256(&KEY, input);
    let standard = STANDARD.encode(&mac);
    let resealed = |input: &str| format!("{input}.{}", URL_SAFE_NO_PAD.encode(hs256(&KEY, input)));
    // The last of 43 characters carries two bits beyond the last byte.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    let trailing = format!("{}{}", &signature[..42], alphabet.chars().nth(last + 1).unwrap());
    assert_denied(&[
        ("trailing bits", format!("{input}.{trailing}"), Denied::BadSignature),
        ("padded MAC", format!("{input}.{}", URL_SAFE.encode(&mac)), Denied::BadSignature),
        ("standard alphabet", format!("{input}.{standard}"), Denied::BadSignature),
        ("space behind", format!("{token} "), Denied::BadSignature),
        ("line behind", format!("{token}\n"), Denied::BadSignature),
        ("space before", format!(" {token}"), Denied::MalformedToken),
        ("space within", format!("{header}. {body}.{signature}"), Denied::BadSignature),
        ("MAC cut", format!("{input}.{}", URL_SAFE_NO_PAD.encode(&mac[..31])), Denied::BadSignature),
        ("MAC cut to 16", format!("{input}.{}", URL_SAFE_NO_PAD.encode(&mac[..16])), Denied::BadSignature),
        (
            "MAC extended",
            format!("{input}.{}", URL_SAFE_NO_PAD.encode([&mac[..], &[0]].concat())),
            Denied::BadSignature,
        ),
        ("no MAC", format!("{input}."), Denied::BadSignature),
        ("MAC in hex", format!("{input}.{}", "ab".repeat(32)), Denied::BadSignature),
        ("two parts", input.to_owned(), Denied::MalformedToken),
        ("one part", header.to_owned(), Denied::MalformedToken),
        ("nothing", String::new(), Denied::MalformedToken),
        ("dots", "..".to_owned(), Denied::MalformedToken),
        ("four parts", format!("{token}."), Denied::MalformedToken),
        ("five parts", format!("{token}.a.b"), Denied::MalformedToken),
        ("padded header", resealed(&format!("{header}=.{body}")), Denied::MalformedToken),
        ("padded claims", resealed(&format!("{header}.{body}=")), Denied::MalformedToken),
        ("claims with a line end", resealed(&format!("{header}.{body}\n")), Denied::MalformedToken),
        ("claims no JSON", resealed(&tokens::input(HEADER, "x")), Denied::MalformedToken),
        ("claims a list", resealed(&tokens::input(HEADER, "[]")), Denied::MalformedToken),
        (
            "claims twice",
            resealed(&tokens::input(HEADER, &format!("{0}{0}", claims()))),
            Denied::MalformedToken,
        ),
        (
            "header a text",
            resealed(&tokens::input("\"HS256\"", &claims().to_string())),
            Denied::MalformedToken,
        ),
        ("unicode", "\u{1f511}.\u{1f511}.\u{1f511}".to_owned(), Denied::MalformedToken),
        (
            "JSON serialization",
            json!({"payload": body, "signature": signature}).to_string(),
            Denied::MalformedToken,
        ),
    ]);
    let not_utf8 = format!("{header}.{}", URL_SAFE_NO_PAD.encode(b"{\"iss\":\"\xff\"}"));
    assert_eq!(verify(&resealed(&not_utf8)), Err(Denied::MalformedToken));
}

#[test]
fn every_changed_character_is_noticed() {
    let token = seal(HEADER, &claims().to_string());
    for (position, old) in token.char_indices() {
        for new in ['A', 'B', 'b', '7', '-', '_', '.', '=', '+', '/', ' '] {
            let mut changed = token.clone();
            changed.replace_range(position..=position, &new.to_string());
            assert!(old == new || verify(&changed).is_err(), "{position}: {old} to {new}");
        }
        assert!(verify(&token[..position]).is_err(), "cut at {position}");
    }
}

#[test]
fn the_size_is_bounded() {
    let sized = |padding: usize| seal(HEADER, &with("x", json!("x".repeat(padding))));
    let fits = (0..3_000).map(sized).take_while(|token| token.len() <= MAX_TOKEN_BYTES).last().unwrap();
    assert_eq!(fits.len(), MAX_TOKEN_BYTES);
    assert!(verify(&fits).is_ok() && jwt::peek(&fits).is_ok());
    assert_eq!(verify(&sized(3_000)), Err(Denied::TooLarge));
    assert_eq!(jwt::peek(&sized(3_000)), Err(Denied::TooLarge));
    assert_eq!(verify(&"a".repeat(1_000_000)), Err(Denied::TooLarge));
}

#[test]
fn clients_and_operators_are_kept_apart_both_by_key_and_by_audience() {
    let audience = operator_audience(POLICY.audience);
    assert_eq!(audience, "pip-aide/operator");
    let policy = TokenPolicy { audience: &audience, ..POLICY };
    let as_operator = |token: &str| jwt::verify(token, &operators(), &policy, now()).map(|_| ());
    let header = r#"{"alg":"HS256","kid":"op"}"#;
    let operator = seal_with(&OPERATOR_KEY, header, &with("aud", json!(audience)));
    assert_eq!(as_operator(&operator), Ok(()));
    assert_eq!(verify(&operator), Err(Denied::UnknownKey));
    // A client's key, whatever the token says.
    assert_eq!(as_operator(&seal(HEADER, &with("aud", json!(audience)))), Err(Denied::UnknownKey));
    assert_eq!(as_operator(&seal(header, &with("aud", json!(audience)))), Err(Denied::BadSignature));
    assert_eq!(verify(&seal(HEADER, &with("aud", json!(audience)))), Err(Denied::WrongAudience));
    // The operators' key, for a client.
    let client = seal_with(&OPERATOR_KEY, header, &claims().to_string());
    assert_eq!(as_operator(&client), Err(Denied::WrongAudience));
    for both in [json!(["pip-aide", audience]), json!("pip-aide/operator/"), json!("pip-aide")] {
        let token = seal_with(&OPERATOR_KEY, header, &with("aud", both));
        assert_eq!(as_operator(&token), Err(Denied::WrongAudience));
    }
}

#[test]
fn what_is_minted_is_taken_and_says_the_same() {
    let machine = MachineId::parse("m.1_x-Y").unwrap();
    for (plan, seconds, millis) in [(None, 1, 0), (Some("pro"), 30 * 86_400, 999), (Some("a"), 3_600, 1)] {
        let life = Duration::from_secs(seconds);
        let moment = UnixMillis::from_millis(NOW * 1_000 + millis);
        let new = NewToken { machine: &machine, plan, life, random: [0xff; 16] };
        let minted = jwt::mint(&ring(), &POLICY, &new, moment).unwrap();
        assert_eq!(minted.claims.kid, "new");
        assert_eq!(minted.claims.jti, "_____________________w");
        assert_eq!(minted.claims.expires_at.since(minted.claims.issued_at), life);
        assert_eq!(jwt::verify(&minted.token, &ring(), &POLICY, moment), Ok(minted.claims.clone()));
        assert!(!format!("{minted:?}").contains(&minted.token));
    }
}

#[test]
fn what_would_be_refused_is_not_minted() {
    let machine = MachineId::parse("m").unwrap();
    let new = NewToken { machine: &machine, plan: None, life: Duration::from_secs(60), random: [0; 16] };
    let mint = |policy: &TokenPolicy<'_>, new: NewToken<'_>| {
        jwt::mint(&ring(), policy, &new, now()).map(|minted| minted.token.len())
    };
    let days = |days: u64| Duration::from_secs(days * 86_400);
    assert!(mint(&POLICY, NewToken { life: days(30), ..new }).is_ok());
    for (name, new, error) in [
        ("a plan in capitals", NewToken { plan: Some("Pro"), ..new }, MintError::BadPlan),
        ("an empty plan", NewToken { plan: Some(""), ..new }, MintError::BadPlan),
        ("no life", NewToken { life: Duration::from_millis(999), ..new }, MintError::BadLifetime),
        (
            "too long a life",
            NewToken { life: days(30) + Duration::from_secs(1), ..new },
            MintError::BadLifetime,
        ),
        ("no end", NewToken { life: Duration::MAX, ..new }, MintError::BadLifetime),
    ] {
        assert_eq!(mint(&POLICY, new), Err(error), "{name}");
    }
    let issuers: Vec<String> = (2_500..4_000).map(|length| "x".repeat(length)).collect();
    let lengths: Vec<Result<usize, MintError>> =
        issuers.iter().map(|issuer| mint(&TokenPolicy { issuer, ..POLICY }, new)).collect();
    assert!(lengths.contains(&Ok(MAX_TOKEN_BYTES)), "the longest that is taken is minted");
    assert_eq!(lengths.last(), Some(&Err(MintError::TooLarge)));
    assert!(MintError::TooLarge.to_string().contains("4096 bytes"));
}

/// Stored tokens outlive a release: their form is a contract.
#[test]
fn the_form_of_a_token_is_pinned() {
    let machine = MachineId::parse("machine-1").unwrap();
    let life = Duration::from_secs(3_600);
    let new = NewToken { machine: &machine, plan: Some("pro"), life, random: [0; 16] };
    let token = jwt::mint(&ring(), &POLICY, &new, now()).unwrap().token;
    let peek = jwt::peek(&token).unwrap();
    assert_eq!(peek.header, r#"{"alg":"HS256","typ":"JWT","kid":"new"}"#);
    assert_eq!(
        peek.claims,
        r#"{"iss":"pip-aide-gateway","aud":"pip-aide","sub":"machine-1","iat":1800000000,"exp":1800003600,"jti":"AAAAAAAAAAAAAAAAAAAAAA","plan":"pro"}"#
    );
    for text in ["", "a", "a.b", "e30.e30", "e30.e30.x.y", "!.e30.x", "gA.e30.x", &"x".repeat(5_000)] {
        assert!(jwt::peek(text).is_err(), "{text}");
    }
}
