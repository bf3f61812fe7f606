//! `policies/redaction.toml`: the words and prefixes that redaction looks for.

use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    words: Vec<String>,
    parts: Vec<String>,
    last_words: Vec<String>,
    harmless: Vec<String>,
    digests: Vec<String>,
    people: Vec<String>,
    token: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    issuer: String,
    prefixes: Vec<String>,
    tail: usize,
    #[serde(default)]
    extra: String,
    #[serde(default)]
    mixed: bool,
    #[serde(default)]
    anywhere: bool,
}

pub fn compile(directory: &Path) -> Result<String, String> {
    let path = directory.join("redaction.toml");
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;

    let mut out = String::new();
    for (name, words) in [
        ("WORDS", &file.words),
        ("PARTS", &file.parts),
        ("LAST_WORDS", &file.last_words),
        ("HARMLESS", &file.harmless),
        ("DIGESTS", &file.digests),
        ("PEOPLE", &file.people),
    ] {
        for (at, word) in words.iter().enumerate() {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if word.is_empty() || !word.bytes().all(plain) {
                return Err(fail(format!("{word:?} in {name} is not a lower-case word")));
            }
            if words.iter().take(at).any(|other| other == word) {
                return Err(fail(format!("{word:?} stands twice in {name}")));
            }
        }
        out.push_str(&format!("static {name}: &[&str] = &{words:?};\n"));
    }

    let mut prefixes: Vec<&str> = Vec::new();
    out.push_str("static TOKENS: &[Token] = &[\n");
    for token in &file.token {
        let issuer = &token.issuer;
        if token.tail < 8 {
            return Err(fail(format!("{issuer}: a tail under 8 would take ordinary words")));
        }
        for prefix in &token.prefixes {
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
