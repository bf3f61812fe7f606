//! The same token, written otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{KID, assert_admitted, assert_refused, door, header, key, row};
use crate::signed::assert_stranger;
use crate::support::credentials::{bearer, claims};
use crate::support::door::Door as _;
use crate::support::forge::{seal, sign};

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
