//! What strangers send in their heads: much, long, and never the same.

use serde_json::json;

use super::arena::Arena;
use super::attacks::Maker;
use super::bombs::colliding;
use super::requests::{analysis, request, signature};
use crate::front_door::NO_CV2;
use crate::support::credentials::{Key, basic, bearer, claims};
use crate::support::random_word;

/// What the server takes of a head at most, a little less.
const HEAD: usize = 60_000;

/// Many short headers, some long ones, and many of a name, by turns.
pub fn headers(_: &Arena) -> Maker {
    let many: Vec<(String, String)> =
        (0..500).map(|number| (format!("x-{}", colliding(number)), "1".to_owned())).collect();
    let long = vec![("x-long".to_owned(), "y".repeat(HEAD))];
    let same: Vec<(String, String)> =
        (0..2_000).map(|number| ("x-same".to_owned(), number.to_string())).collect();
    // With a signature, every header is looked at.
    let mut signed = many.clone();
    signed.push(("signature".to_owned(), "sig=:AAAA:".to_owned()));
    signed.push(("signature-input".to_owned(), "sig=(\"@method\");created=1".to_owned()));
    let requests: Vec<Vec<u8>> = [many, long, same, signed]
        .iter()
        .map(|headers| {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            analysis(&headers, NO_CV2)
        })
        .collect();
    Box::new(move |number| requests[number as usize % requests.len()].clone())
}

/// Tokens of up to 60,000 bytes, with much in them, some signed by the right key.
pub fn tokens(key: &Key) -> Vec<(&'static str, Vec<(String, String)>)> {
    let authorization = |value: String| vec![("Authorization".to_owned(), value)];
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = claims("oversized");
        claims[name] = value;
        authorization(bearer(&key.sign(&key.header(), &claims)))
    };
    let mut header = key.header();
    header["x"] = json!("y".repeat(2_000));
    let nested = format!("{}{}", "[".repeat(900), "]".repeat(900));
    let mut deep = key.header().to_string();
    deep.insert_str(1, &format!("\"x\":{nested},"));
    let many: String = (0..300).map(|number| format!("\"{number}\":0,")).collect();
    let mut wide = key.header().to_string();
    wide.insert_str(1, &many);
    let raw = |header: &str| {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        authorization(bearer(&format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header))))
    };
    let input = |fields: String| {
        vec![("Signature".to_owned(), "sig=:AAAA:".to_owned()), ("Signature-Input".to_owned(), fields)]
    };
    let components = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("\"x-{number}\"")).collect();
        format!("sig=({});created=1;keyid=\"{}:m\";nonce=\"n\"", names.join(" "), key.kid)
    };
    let dictionary = |count: usize| {
        let labels: Vec<String> = (0..count).map(|number| format!("s{number}=()")).collect();
        labels.join(", ")
    };
    vec![
        ("8 KB", authorization(bearer(&"a".repeat(8_100)))),
        ("60 KB", authorization(bearer(&"a".repeat(HEAD)))),
        ("60 KB of dots", authorization(bearer(&".".repeat(HEAD)))),
        ("60 KB by Basic", authorization(basic("x", &"a".repeat(HEAD * 3 / 4 - 10)))),
        ("60 KB without a scheme", authorization("a".repeat(HEAD))),
        ("60 KB of commas", authorization(bearer(&",".repeat(HEAD)))),
        ("a long header", authorization(bearer(&key.sign(&header, &claims("oversized"))))),
        ("a deep header", raw(&deep)),
        ("a wide header", raw(&wide)),
        ("long claims", with("x", json!("y".repeat(8_000)))),
        ("many claims", with("x", json!(vec![0; 1_500]))),
        ("a long kid", authorization(bearer(&Key::random(&"k".repeat(2_000)).token("oversized")))),
        ("many components", input(components(200))),
        ("60 KB of components", input(components(HEAD / 10))),
        ("many signatures", input(dictionary(400))),
        ("60 KB of signatures", input(dictionary(HEAD / 10))),
        ("a long parameter", input(format!("sig=();x=\"{}\"", "y".repeat(3_000)))),
        (
            "many parameters",
            input(format!("sig=(){}", (0..700).map(|number| format!(";p{number}")).collect::<String>())),
        ),
    ]
}

/// These by turns.
pub fn oversized(arena: &Arena) -> Maker {
    let requests: Vec<Vec<u8>> = tokens(&arena.key)
        .iter()
        .map(|(_, headers)| {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            analysis(&headers, NO_CV2)
        })
        .collect();
    Box::new(move |number| requests[number as usize % requests.len()].clone())
}

/// Never the same machine, key or nonce, in heads that do not verify, and queries and header names that
/// collide: what a table keyed by them would grow or slow down with.
pub fn names(arena: &Arena) -> Maker {
    let key = arena.key.clone();
    Box::new(move |number| {
        let word = random_word();
        let short = number as u32;
        match number % 4 {
            0 => {
                let stranger = Key { kid: word.clone(), ..Key::random("") };
                analysis(&[("Authorization", &super::requests::token(&stranger, &word, None))], NO_CV2)
            }
            1 => {
                let stranger = Key::random(&key.kid);
                let signed = signature(&stranger, &word, &word);
                let headers =
                    [("Signature", &*signed.signature), ("Signature-Input", &*signed.signature_input)];
                request("GET", "/v1/me", &headers, b"")
            }
            2 => {
                let query: Vec<String> =
                    (0..100).map(|part| colliding(short.wrapping_mul(100) + part)).collect();
                request("GET", &format!("/v1/me?{}=1", query.join("=1&")), &[], b"")
            }
            _ => {
                let names: Vec<String> =
                    (0..50).map(|part| format!("x-{}", colliding(short.wrapping_mul(50) + part))).collect();
                let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
                analysis(&headers, NO_CV2)
            }
        }
    })
}
