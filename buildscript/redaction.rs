//! `policies/redaction.toml`: the words and prefixes that redaction looks for.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    words: Vec<Spanned<String>>,
    parts: Vec<Spanned<String>>,
    last_words: Vec<Spanned<String>>,
    endings: Vec<Spanned<String>>,
    harmless: Vec<Spanned<String>>,
    digests: Vec<Spanned<String>>,
    people: Vec<Spanned<String>>,
    token: Vec<Spanned<Token>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    issuer: String,
    prefixes: Vec<Spanned<String>>,
    tail: usize,
    #[serde(default)]
    extra: String,
    #[serde(default)]
    mixed: bool,
    #[serde(default)]
    anywhere: bool,
}

pub fn compile(directory: &Path) -> Result<String, String> {
    place::read(&directory.join("redaction.toml"), render)
}

pub fn render(text: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;

    let mut out = String::new();
    for (name, words) in [
        ("WORDS", &file.words),
        ("PARTS", &file.parts),
        ("LAST_WORDS", &file.last_words),
        ("ENDINGS", &file.endings),
        ("HARMLESS", &file.harmless),
        ("DIGESTS", &file.digests),
        ("PEOPLE", &file.people),
    ] {
        for (at, spanned) in words.iter().enumerate() {
            let fail = |reason: String| place::of(text, spanned, reason);
            let word = spanned.get_ref();
            // Only an ending may hold several words.
            let marks: &[u8] = if name == "ENDINGS" { b"_- " } else { b"_" };
            let plain =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || marks.contains(&byte);
            if word.is_empty() || !word.bytes().all(plain) {
                return Err(fail(format!("{word:?} in {name} is not a lower-case word")));
            }
            if name == "ENDINGS" && word.len() < 4 {
                return Err(fail(format!("{word:?}: an ending under 4 bytes would take ordinary words")));
            }
            if words.iter().take(at).any(|other| other.get_ref() == word) {
                return Err(fail(format!("{word:?} stands twice in {name}")));
            }
        }
        let words: Vec<&String> = words.iter().map(Spanned::get_ref).collect();
        out.push_str(&format!("static {name}: &[&str] = &{words:?};\n"));
    }

    let mut prefixes: Vec<&str> = Vec::new();
    out.push_str("static TOKENS: &[Token] = &[\n");
    for spanned in &file.token {
        let token = spanned.get_ref();
        let issuer = &token.issuer;
        if token.tail < 8 {
            return Err(place::of(
                text,
                spanned,
                format!("{issuer}: a tail under 8 would take ordinary words"),
            ));
        }
        for spanned in &token.prefixes {
            let fail = |reason: String| place::of(text, spanned, reason);
            let prefix = spanned.get_ref();
            if prefix.len() < 3 || !prefix.is_ascii() {
                return Err(fail(format!("{issuer}: prefix {prefix:?} is under 3 bytes or not ASCII")));
            }
            if prefixes.contains(&prefix.as_str()) {
                return Err(fail(format!("prefix {prefix:?} stands twice")));
            }
            prefixes.push(prefix);
            let key = prefix.bytes().take(3).rev().fold(0_u32, |key, byte| key << 8 | u32::from(byte));
            out.push_str(&format!(
                "    Token {{ prefix: {prefix:?}, key: {key}, tail: {}, extra: {:?}, mixed: {}, anywhere: {} }},\n",
                token.tail, token.extra, token.mixed, token.anywhere
            ));
        }
    }
    out.push_str("];\n");

    Ok(out)
}
