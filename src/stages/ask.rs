//! Ask: calls of the model, within the time and the money that were set aside for them.

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
use crate::stages::admit::{Ticket, call_bound};
use crate::stages::attempts::{Attempts, is_another_worth_it};
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
    /// The model that was asked last, if one was.
    pub model: Option<&'static str>,
    /// Whose it is.
    pub provider: Option<&'static str>,
    /// The model that answered, in the provider's words.
    pub response_model: Option<String>,
    /// What the provider counted, of the last call.
    pub usage: Option<Usage>,
    /// What the ledger is to charge for all calls.
    pub charge: Charge,
    /// What that comes to.
    pub cost: NanoUsd,
}

/// Asks the models, one after the other and again, until one answers, the time is up or the money set
/// aside does not cover another call. `random` makes the prompt's delimiter unguessable; `clock`
/// tells the time.
pub async fn ask<U: Upstream>(
    facts: &Facts,
    context: &Redacted,
    ticket: &Ticket,
    settings: &Settings,
    upstream: &U,
    random: &str,
    clock: impl Fn() -> UnixMillis,
) -> Asked {
    let mut asked = Asked {
        result: Err(UpstreamError::Resting),
        model: None,
        provider: None,
        response_model: None,
        usage: None,
        charge: Charge::Nothing,
        cost: NanoUsd::ZERO,
    };
    let messages = prompt::build(facts, context, random);
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    // The reservation covers this many bytes. A longer prompt is a mistake of ours, and not sent.
    if bytes > ticket.context_bytes.saturating_add(prompt::OVERHEAD_BYTES) {
        asked.result = Err(UpstreamError::TooLarge);
        return asked;
    }
    let mut attempts = Attempts::new(settings.upstreams.len(), clock(), ticket.deadline, random);
    if attempts.next(clock()).is_none() {
        // It waited for another's answer until it was too late to ask.
        asked.result = Err(UpstreamError::Timeout);
    }
    while let Some((place, pause)) = attempts.next(clock())
        && let Some(to) = settings.upstreams.get(place)
    {
        let bound = call_bound(settings, to.model, ticket.context_bytes, clock(), ticket.deadline);
        let is_covered = asked.cost.saturating_add(bound) <= ticket.worst;
        // A call that might have to be paid for and could not be is not made.
        let is_up =
            || upstream.breakers().try_borrow_mut().is_ok_and(|mut all| all.may_ask(to.name, clock()));
        if !is_covered || !is_up() {
            attempts.leave_out(place);
            continue;
        }
        if !pause.is_zero() {
            upstream.pause(pause).await;
        }
        let request = ChatRequest::new(to.model, &messages, settings.max_output_tokens);
        let Ok(body) = serde_json::to_string(&request) else { return asked };
        asked.model = Some(to.model.model);
        asked.provider = Some(to.api_base.provider());
        let started = clock();
        let outcome = upstream.ask(to, body, attempts.left(started)).await;
        let now = clock();
        if let Ok(mut all) = upstream.breakers().try_borrow_mut() {
            all.hear(to.name, outcome.as_ref().err(), now);
        }
        let failed = match outcome {
            Ok(body) => {
                let read = completion::parse(&body);
                asked.usage = match &read {
                    Ok(completion) => completion.usage,
                    Err(error) => error.usage,
                };
                let cost = asked.usage.map_or(bound, |usage| {
                    let Usage { prompt_tokens, cached_tokens, completion_tokens } = usage;
                    to.model
                        .dearest(started, now)
                        .cost(prompt_tokens, cached_tokens, completion_tokens)
                        .min(bound)
                });
                asked.add(cost);
                asked.result = match read {
                    Ok(completion) => {
                        asked.response_model = completion.model;
                        Ok(completion.proposal)
                    }
                    Err(_) => Err(UpstreamError::Unusable),
                };
                return asked;
            }
            Err(failed) => failed,
        };
        asked.result = Err(failed.error);
        // A refusal is the provider's own word that it generated nothing. All else may be billed.
        if !matches!(failed.error, UpstreamError::Refused(_)) {
            asked.add(bound);
        }
        if !is_another_worth_it(failed.error) {
            return asked;
        }
        attempts.failed(place, failed, now);
    }
    asked
}

impl Asked {
    fn add(&mut self, cost: NanoUsd) {
        self.cost = self.cost.saturating_add(cost);
        self.charge = Charge::Actual(self.cost);
    }
}

#[cfg(test)]
#[path = "ask_tests.rs"]
mod tests;
