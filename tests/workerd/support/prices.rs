//! What the model's operator bills, read from the policy file and not through the gateway.

use toml::Value;

use super::project;

/// What these many tokens cost at least, in nano-dollars: at the lowest price that the file has for
/// the default model.
pub fn bill(prompt_tokens: u64, completion_tokens: u64) -> u64 {
    let text = std::fs::read_to_string(project().join("policies/prices.toml")).expect("the prices are there");
    let file: toml::Table = text.parse().expect("the prices are TOML");
    let models = file["model"].as_array().expect("models");
    let model = models.iter().find(|model| model["name"].as_str() == Some("deepseek-chat"));
    let periods = model.and_then(|model| model["price"].as_array()).expect("the default model has a price");
    let lowest = |kind: &str| {
        let prices =
            periods.iter().map(|period| period.get(kind).and_then(Value::as_integer).expect("a price"));
        u64::try_from(prices.min().expect("a price")).expect("no negative price")
    };
    prompt_tokens * lowest("input") + completion_tokens * lowest("output")
}
