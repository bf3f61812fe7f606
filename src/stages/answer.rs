//! Answer: redact, then ask in the order of what it costs: a certain rule, an answer given before,
//! the model, any rule. Whatever the source, what leaves is screened.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::completion::Usage;
use crate::analysis::excerpt;
use crate::analysis::facts::{self, Facts, Language};
use crate::analysis::redact::{self, Redacted};
use crate::analysis::rules::{self, Advice, Certainty};
use crate::analysis::screen::{self, Screened, Source as Trust, Withheld};
use crate::analysis::trim;
pub use crate::ledger::wire::ended::{Ending, Source};
use crate::ledger::wire::{Budget, Cap, Charge};
use crate::policy::settings::{RulesMode, Settings};
use crate::reject::Reject;
use crate::seams::{AnswerCache, Upstream, UpstreamError};
use crate::stages::accept::Interface;
use crate::stages::admit::{Admitted, Ticket};
use crate::stages::ask::ask;
use crate::stages::flights;
use crate::stages::question::Question;
use crate::units::{NanoUsd, UnixMillis};

/// Proof that a request was answered, with all that is left to do about it.
#[derive(Debug)]
pub struct Answered {
    /// What the client gets.
    pub result: Result<Answer, Reject>,
    /// What the ledger charges.
    pub charge: Charge,
    /// For the log.
    pub ending: Ending,
    /// Where the answer came from.
    pub source: Source,
    /// What the provider counted.
    pub usage: Option<Usage>,
    /// What it cost: the provider's count at our prices, or all that was reserved.
    pub cost: NanoUsd,
    /// The model that was asked, if one was.
    pub asked_model: Option<&'static str>,
    /// Whose it is.
    pub provider: Option<&'static str>,
    /// The model that answered, in the provider's words.
    pub response_model: Option<String>,
    /// The text that was looked at, without secrets.
    pub context: Redacted,
    /// What is to be kept for the next who asks, under which name and for how long.
    pub to_keep: Option<(String, String, Duration)>,
    /// Whether nobody had an answer. The client may be told so in the form of one.
    pub gave_up: bool,
    /// What the log should say of the upstream, if something went wrong there.
    pub upstream_error: Option<UpstreamError>,
}

/// The members of a 200.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    suggestion: String,
    commands: Vec<String>,
    withheld: Vec<Withheld>,
    source: Source,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    cost_usd: String,
}

/// Answers an admitted request. `random` makes the prompt's delimiter unguessable; `clock` tells the
/// time for the price at the end of the call.
pub async fn answer<U: Upstream, C: AnswerCache>(
    admitted: &Admitted,
    settings: &Settings,
    upstream: &U,
    cache: &C,
    random: &str,
    clock: impl Fn() -> UnixMillis,
) -> Answered {
    let Admitted { submitted, ticket } = admitted;
    let most = settings.max_context_bytes.saturating_mul(excerpt::TIMES_CONTEXT);
    let whole = redact::redact(&excerpt::excerpt(&submitted.submission.error_context, most));
    let facts = facts::read(&whole);
    let finding = if settings.rules == RulesMode::Off { None } else { rules::consult(&facts, &whole) };
    let context = trim::trim(&whole, ticket.context_bytes);
    let mut answered = Answered {
        result: Err(Reject::UpstreamFailed),
        charge: Charge::Nothing,
        ending: Ending::Uncertain,
        source: Source::Rules,
        usage: None,
        cost: NanoUsd::ZERO,
        asked_model: None,
        provider: None,
        response_model: None,
        context,
        to_keep: None,
        gave_up: false,
        upstream_error: None,
    };

    // 1. A rule that is certain answers for nothing.
    let certain = finding.as_ref().filter(|finding| finding.certainty == Certainty::Certain);
    if let Some(finding) = certain.filter(|_| settings.rules == RulesMode::First) {
        answered.give(by_rule(&finding.advice, &facts), ticket, None);
        return answered;
    }
    // 2. So does an answer that the model gave to the same question.
    let question = settings.cache_ttl_seconds.map(|ttl| {
        Question::new(settings, &answered.context, &submitted.verified.subject().to_string(), ttl)
    });
    let mut flight = None;
    if let Some(question) = &question {
        let mut before = question.given_before(cache, &facts).await;
        let can_ask = !settings.upstreams.is_empty() && matches!(ticket.budget, Budget::Reserved);
        if before.is_none() && can_ask {
            // One that the model is being asked right now counts too: this one waits for it.
            let turn = flights::turn(cache, &question.key, upstream, ticket.deadline, &clock).await;
            if turn.has_waited {
                before = question.given_before(cache, &facts).await;
            }
            flight = turn.flight;
        }
        if let Some(answer) = before {
            answered.source = Source::Cache;
            answered.give(answer, ticket, None);
            return answered;
        }
    }
    // 3. The model, where there is a key and money is set aside.
    let cannot_ask = match (settings.upstreams.is_empty(), ticket.budget) {
        (true, _) => Some(CannotAsk::NoKey),
        (false, Budget::Reached(cap)) => Some(CannotAsk::Cap(cap)),
        (false, Budget::SwitchedOff) => Some(CannotAsk::SwitchedOff),
        (false, Budget::Reserved) => {
            let asked = ask(&facts, &answered.context, ticket, settings, upstream, random, &clock).await;
            answered.asked_model = asked.model;
            answered.provider = asked.provider;
            answered.response_model = asked.response_model;
            answered.usage = asked.usage;
            answered.charge = asked.charge;
            answered.cost = asked.cost;
            match asked.result {
                Ok(proposal) => {
                    let screened = screen::screen(&proposal, &facts, Trust::Model);
                    answered.to_keep = question.as_ref().and_then(|question| question.to_keep(&screened));
                    if let Some((key, kept, lifetime)) = &answered.to_keep {
                        cache.remember(key, kept, clock().plus(*lifetime));
                    }
                    answered.source = Source::Model;
                    answered.give(screened, ticket, asked.model);
                    None
                }
                Err(error) => Some(CannotAsk::Failed(error)),
            }
        }
    };
    drop(flight);
    // 4. Any rule, where the model cannot be asked.
    if let Some(cause) = cannot_ask {
        if let CannotAsk::Failed(error) = cause {
            answered.upstream_error = Some(error);
        }
        match finding {
            Some(finding) => answered.give(by_rule(&finding.advice, &facts), ticket, None),
            None => answered.give_up(cause, submitted.interface, ticket, facts.language),
        }
    }
    answered
}

#[derive(Clone, Copy)]
enum CannotAsk {
    NoKey,
    Cap(Cap),
    SwitchedOff,
    Failed(UpstreamError),
}

impl Answered {
    fn give(&mut self, screened: Screened, ticket: &Ticket, model: Option<&'static str>) {
        self.ending = if screened.commands.is_empty() { Ending::Uncertain } else { Ending::Answered };
        self.result = Ok(Answer {
            suggestion: screened.suggestion,
            commands: screened.commands,
            withheld: screened.withheld,
            source: self.source,
            request_id: ticket.request_id.clone(),
            model,
            usage: if model.is_some() { self.usage } else { None },
            cost_usd: self.cost.to_string(),
        });
    }

    /// Nothing has an answer. What the client sees of that depends on the route: the old one knows
    /// failures of the upstream only as a suggestion that begins with `UNCERTAIN`.
    fn give_up(&mut self, cause: CannotAsk, interface: Interface, ticket: &Ticket, language: Language) {
        self.gave_up = true;
        let (ending, reject) = match cause {
            CannotAsk::NoKey => {
                let words = match language {
                    Language::English => "No built-in rule knows this failure, and no model is set up.",
                    Language::Chinese => "没有内置规则认识这种失败，也没有配置模型。",
                };
                self.give(uncertain(words), ticket, None);
                return;
            }
            CannotAsk::Cap(cap) => {
                (Ending::SpendCapReached, Reject::SpendCapReached(cap, Box::new(ticket.standing.clone())))
            }
            CannotAsk::SwitchedOff => (Ending::UpstreamFailed, Reject::ModelSwitchedOff),
            CannotAsk::Failed(UpstreamError::Timeout) => (Ending::UpstreamTimeout, Reject::UpstreamTimeout),
            CannotAsk::Failed(_) => (Ending::UpstreamFailed, Reject::UpstreamFailed),
        };
        if matches!(cause, CannotAsk::Failed(_)) {
            self.source = Source::Model;
        }
        let is_cap = matches!(cause, CannotAsk::Cap(_));
        if interface == Interface::PipAide && !is_cap {
            let words = match (language, cause) {
                (Language::English, CannotAsk::SwitchedOff) => {
                    "The operator has switched the analysis model off, and no built-in rule knows this failure."
                }
                (Language::Chinese, CannotAsk::SwitchedOff) => {
                    "运营者已关闭分析模型，也没有内置规则认识这种失败。"
                }
                (Language::English, _) => "The analysis model did not answer. Please try again later.",
                (Language::Chinese, _) => "分析模型没有回答，请稍后重试。",
            };
            self.give(uncertain(words), ticket, self.asked_model);
        } else {
            self.result = Err(reject);
        }
        self.ending = ending;
    }
}

fn uncertain(sentence: &str) -> Screened {
    Screened { suggestion: format!("UNCERTAIN: {sentence}"), commands: Vec::new(), withheld: Vec::new() }
}

/// A rule's advice, screened like anything else.
fn by_rule(advice: &Advice, facts: &Facts) -> Screened {
    screen::screen(&advice.clone().into(), facts, Trust::Rule)
}

/// Keeps what the model answered. Done after the reply: no client waits for a cache.
pub async fn keep<C: AnswerCache>(answered: &mut Answered, cache: &C) {
    if let Some((key, kept, lifetime)) = answered.to_keep.take() {
        cache.put(&key, kept, lifetime).await;
    }
}
