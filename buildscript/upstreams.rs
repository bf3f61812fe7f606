//! `policies/upstreams.toml`: where else the model is asked.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

/// The same check that `API_BASE` goes through.
#[allow(dead_code, reason = "only the check is needed here")]
#[path = "../src/policy/api_base.rs"]
mod api_base;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    upstream: Vec<Spanned<Upstream>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upstream {
    name: String,
    api_base: String,
    model: String,
    key: String,
}

pub fn compile(directory: &Path) -> Result<String, String> {
    // What is wrong with the prices is told where they are read.
    let prices = std::fs::read_to_string(directory.join("prices.toml")).unwrap_or_default();
    place::read(&directory.join("upstreams.toml"), |text| table(text, &prices))
}

pub fn table(text: &str, prices: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    let prices: toml::Table = prices.parse().unwrap_or_default();
    let models = prices.get("model").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let mut out = "static FALLBACKS: &[Fallback] = &[\n".to_owned();
    for (at, spanned) in file.upstream.iter().enumerate() {
        let Upstream { name, api_base, model, key } = spanned.get_ref();
        let fail = |reason: &str| Err(place::of(text, spanned, format!("{name}: {reason}")));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(plain) {
            return fail("a name has small letters, digits and dashes");
        }
        let words = key.strip_prefix("API_KEY_").unwrap_or_default();
        if words.is_empty() || !words.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
            return fail("key must be API_KEY_ and capitals");
        }
        let mut before = file.upstream.iter().take(at).map(Spanned::get_ref);
        if before.any(|other| other.name == *name || other.key == *key) {
            return fail("its name or key stands twice");
        }
        if api_base::ApiBase::parse(api_base).is_none() {
            return fail("api_base must be an https URL without userinfo, query or fragment");
        }
        if !models.iter().any(|price| price.get("name").and_then(toml::Value::as_str) == Some(model)) {
            return fail("its model has no price in prices.toml");
        }
        out.push_str(&format!(
            "    Fallback {{ name: {name:?}, api_base: {api_base:?}, model: {model:?}, key: {key:?} }},\n"
        ));
    }
    out.push_str("];\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: &str = "[[model]]\nname = \"m\"\n";

    fn with(change: (&str, &str)) -> Result<String, String> {
        let good = "[[upstream]]\nname = \"a\"\napi_base = \"https://h.example/v1\"\nmodel = \"m\"\nkey = \"API_KEY_A\"\n";
        table(&good.replace(change.0, change.1), PRICES)
    }

    #[test]
    fn a_wrong_upstream_stops_the_build() {
        assert!(with(("", "")).is_ok_and(|table| table.contains("API_KEY_A")));
        assert!(table("", PRICES).is_ok());
        for change in [
            ("https://", "http://"),
            ("h.example", "u:p@h.example"),
            ("\"m\"", "\"other\""),
            ("API_KEY_A", "API_KEY"),
            ("API_KEY_A", "OPENAI"),
            ("API_KEY_A", "API_KEY_a"),
            ("\"a\"", "\"A\""),
            ("key =", "keys ="),
        ] {
            assert!(with(change).is_err(), "{change:?}");
        }
        let twice = with(("", "")).is_ok()
            && {
                let one = "[[upstream]]\nname = \"a\"\napi_base = \"https://h.example\"\nmodel = \"m\"\nkey = \"API_KEY_A\"\n";
                table(&format!("{one}{}", one.replace("\"a\"", "\"b\"")), PRICES).is_ok()
            };
        assert!(!twice, "two upstreams with one key");
    }
}
