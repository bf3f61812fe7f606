//! Which credential a request carries, as clients and attackers write it.

#![cfg(not(target_arch = "wasm32"))]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::credential::{Credential, MAX_AUTHORIZATION_BYTES, read};

fn basic(pair: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn jwt(value: &str) -> Result<String, Denied> {
    match read(&[value], false)? {
        Credential::Jwt(token) => Ok(token.into_owned()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_read_from_either_scheme() {
    for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer  a.b.c"] {
        assert_eq!(jwt(value).as_deref(), Ok("a.b.c"), "{value}");
    }
    let lower = basic("u:a.b.c").replace("Basic", "bAsIc");
    for value in [
        basic("user:a.b.c"),
        basic(":a.b.c"),
        basic("caf\u{e9} x:a.b.c"),
        basic(b"caf\xe9:a.b.c"),
        basic(format!("{}:a.b.c", "u".repeat(4_096))),
        lower,
    ] {
        assert_eq!(jwt(&value).as_deref(), Ok("a.b.c"), "{value}");
    }
    // RFC 7617 section 2: the password begins after the first colon, and may hold more of them.
    assert_eq!(jwt(&basic("user:a:b")).as_deref(), Ok("a:b"));
}

#[test]
fn nothing_and_signatures_are_told_apart() {
    assert_eq!(read(&[], false), Ok(Credential::None));
    assert_eq!(read(&[], true), Ok(Credential::Signed));
    assert_eq!(format!("{:?}", read(&["Bearer secret"], false).unwrap()), "Jwt(..)");
}

#[test]
fn two_credentials_are_never_chosen_between() {
    let both = basic("u:a.b.c");
    for (values, signed) in [
        (vec!["Bearer a", "Bearer b"], false),
        (vec!["Bearer a", "Bearer a"], false),
        (vec!["Bearer a", both.as_str()], false),
        (vec!["Bearer a"], true),
        (vec![""], true),
        (vec!["Bearer a, Bearer b"], false),
        (vec!["Bearer a,Bearer a"], false),
        (vec!["Bearer a, Basic eDp5"], false),
        (vec!["Bearer a,"], false),
        (vec![", Bearer a"], false),
    ] {
        assert_eq!(read(&values, signed), Err(Denied::SeveralCredentials), "{values:?}");
    }
}

#[test]
fn what_does_not_have_its_schemes_form_is_refused() {
    let pair = STANDARD.encode("u:a.b.c");
    let unpadded = format!("Basic {}", STANDARD_NO_PAD.encode("u:a.b.cc"));
    let url_safe = format!("Basic {}", URL_SAFE.encode(b"\xfb\xff:a.b.c"));
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearera.b.c",
        "Bearer\ta.b.c",
        "Bearer a.b.c d",
        "Bearer a\u{e9}",
        "Bearer a\u{0}",
        "Basic",
        "Basic ",
        "Basic !",
        "Basic a.b.c",
        &unpadded,
        &url_safe,
        &format!("Basic {pair} x"),
        &format!("Basic {pair}{pair}"),
        &basic(""),
        &basic("a.b.c"),
        &basic("user:"),
        &basic("u:a b"),
        &basic("u:a\n"),
        &basic("u:a\u{e9}"),
        &basic(b"u:\xff"),
        &basic("u:\0"),
    ] {
        assert_eq!(jwt(value), Err(Denied::MalformedCredential), "{value:?}");
    }
    for value in [" ", "Digest x", "Negotiate x", "Bearer: x", " Bearer x", "Signature x", "a.b.c x"] {
        let result = jwt(value);
        assert!(matches!(result, Err(Denied::UnsupportedScheme | Denied::MalformedCredential)), "{value:?}");
    }
}

#[test]
fn the_header_is_bounded() {
    let longest = format!("Bearer {}", "a".repeat(MAX_AUTHORIZATION_BYTES - 7));
    assert!(jwt(&longest).is_ok());
    assert_eq!(jwt(&format!("{longest}a")), Err(Denied::TooLarge));
    // The longest token fits with a user name of a kilobyte.
    assert!(jwt(&basic(format!("{}:{}", "u".repeat(1_024), "a".repeat(4_096)))).is_ok());
}
