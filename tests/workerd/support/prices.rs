//! What the model's operator bills, read from the policy file and not through the gateway.

use std::sync::LazyLock;

use toml::Value;

use super::project;

/// Nano-dollars a token of input and output: the lowest that the file has for the default model.
static PRICES: LazyLock<(u64, u64)> = LazyLock::new(|| {
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
    (lowest("input"), lowest("output"))
});

/// What these many tokens cost at least, in nano-dollars: at the lowest price that the file has for
/// the default model.
pub fn bill(prompt_tokens: u64, completion_tokens: u64) -> u64 {
    let (input, output) = *PRICES;
    prompt_tokens * input + completion_tokens * output
}
