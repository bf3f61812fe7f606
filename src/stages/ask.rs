//! Ask: one call of the model, within the money that the ledger set aside for it.

use serde::Serialize;

use crate::analysis::completion::{self, Usage};
use crate::analysis::facts::Facts;
use crate::analysis::prompt::{self, Message};
use crate::analysis::redact::Redacted;
use crate::analysis::screen::{self, Screened, Source as Trust};
use crate::ledger::wire::Charge;
use crate::policy::settings::Settings;
use crate::seams::{Upstream, UpstreamError};
use crate::stages::admit::Ticket;
use crate::units::{NanoUsd, UnixMillis};

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: &'a [Message],
    max_tokens: u64,
    temperature: u8,
    stream: bool,
}

/// What the model came to.
pub struct Asked {
    /// The screened answer.
    pub result: Result<Screened, UpstreamError>,
    /// What the provider counted.
    pub usage: Option<Usage>,
    /// What the ledger is to charge.
    pub charge: Charge,
    /// What that comes to.
    pub cost: NanoUsd,
}

/// Asks the model and screens what it says. `random` makes the prompt's delimiter unguessable; `clock`
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
    let request = ChatRequest {
        model: settings.model.model,
        messages: &messages,
        max_tokens: settings.max_output_tokens,
        temperature: 0,
        stream: false,
    };
    let Ok(body) = serde_json::to_string(&request) else {
        return nothing_sent(UpstreamError::Connection);
    };
    let started = clock();
    let (result, usage) = match upstream.ask(body, settings.upstream_timeout).await {
        // A refusal with a 4xx is the provider's own word that it generated nothing.
        Err(error @ UpstreamError::Refused(_)) => return nothing_sent(error),
        Err(error) => (Err(error), None),
        Ok(body) => match completion::parse(&body) {
            Ok(completion) => {
                (Ok(screen::screen(&completion.proposal, facts, Trust::Model)), completion.usage)
            }
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
