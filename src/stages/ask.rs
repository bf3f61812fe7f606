//! Ask: one call of the model, within the money that the ledger set aside for it.

use serde::Serialize;

use crate::analysis::completion::{self, Usage};
use crate::analysis::facts::Facts;
use crate::analysis::prompt::{self, Message};
use crate::analysis::proposal::Proposal;
use crate::analysis::redact::Redacted;
use crate::ledger::wire::Charge;
use crate::policy::prices::{ModelPrice, RequestForm};
use crate::policy::settings::Settings;
use crate::seams::{Upstream, UpstreamError};
use crate::stages::admit::Ticket;
use crate::units::{NanoUsd, UnixMillis};

/// A chat completion request. Its members are OpenAI's; a model's entry in `policies/prices.toml`
/// says which of them it takes.
#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    stream: bool,
}

/// DeepSeek's switch (api-docs.deepseek.com, thinking mode). Thinking counts as output: left on, it
/// would use up the answer's tokens.
#[derive(Serialize)]
struct Thinking {
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> ChatRequest<'a> {
    fn new(model: &'static ModelPrice, messages: &'a [Message], most_output_tokens: u64) -> Self {
        let RequestForm { output_limit, temperature, thinking_off } = model.request;
        let is_old_name = output_limit == "max_tokens";
        Self {
            model: model.model,
            messages,
            max_tokens: is_old_name.then_some(most_output_tokens),
            max_completion_tokens: (!is_old_name).then_some(most_output_tokens),
            temperature: temperature.then_some(0),
            thinking: thinking_off.then_some(Thinking { kind: "disabled" }),
            stream: false,
        }
    }
}

/// What the model came to.
pub struct Asked {
    /// What the model proposes, not screened yet.
    pub result: Result<Proposal, UpstreamError>,
    /// What the provider counted.
    pub usage: Option<Usage>,
    /// What the ledger is to charge.
    pub charge: Charge,
    /// What that comes to.
    pub cost: NanoUsd,
}

/// Asks the model. `random` makes the prompt's delimiter unguessable; `clock`
/// tells the time for the price at the end of the call.
pub async fn ask<U: Upstream>(
    facts: &Facts,
    context: &Redacted,
    ticket: &Ticket,
    settings: &Settings,
    upstream: &U,
    random: &str,
    clock: impl Fn() -> UnixMillis,
) -> Asked {
    let nothing_sent =
        |error| Asked { result: Err(error), usage: None, charge: Charge::Nothing, cost: NanoUsd::ZERO };
    let messages = prompt::build(facts, context, random);
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    // The reservation covers this many bytes. A longer prompt is a mistake of ours, and not sent.
    if bytes > ticket.context_bytes.saturating_add(prompt::OVERHEAD_BYTES) {
        return nothing_sent(UpstreamError::TooLarge);
    }
    let request = ChatRequest::new(settings.model, &messages, settings.max_output_tokens);
    let Ok(body) = serde_json::to_string(&request) else {
        return nothing_sent(UpstreamError::Connection);
    };
    let started = clock();
    let (result, usage) = match upstream.ask(body, settings.upstream_timeout).await {
        // The provider's own word that it generated nothing.
        Err(error @ UpstreamError::Refused(_)) => return nothing_sent(error),
        Err(error) => (Err(error), None),
        Ok(body) => match completion::parse(&body) {
            Ok(completion) => (Ok(completion.proposal), completion.usage),
            Err(error) => (Err(UpstreamError::Unusable), error.usage),
        },
    };
    // Sent, and no count of what it took: charged in full.
    let Some(usage) = usage else {
        return Asked { result, usage: None, charge: Charge::Full, cost: ticket.worst };
    };
    let rates = settings.model.dearest(started, clock());
    let cost =
        rates.cost(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens).min(ticket.worst);
    Asked { result, usage: Some(usage), charge: Charge::Actual(cost), cost }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::prices;

    #[test]
    fn each_model_is_asked_as_it_wants_to_be() {
        for (model, form) in [
            ("deepseek-flash", r#""max_tokens":150,"temperature":0,"thinking":{"type":"disabled"}"#),
            ("gpt-4o-mini", r#""max_tokens":150,"temperature":0"#),
            ("gpt-5-nano", r#""max_completion_tokens":150"#),
        ] {
            let request = ChatRequest::new(prices::find(model).unwrap(), &[], 150);
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(text, format!(r#"{{"model":"{model}","messages":[],{form},"stream":false}}"#));
        }
    }
}
