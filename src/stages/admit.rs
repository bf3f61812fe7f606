//! Admit: may this caller go on now, and may it spend? One round trip to one ledger object, which
//! decides on everything at once and sets the worst cost aside.

use std::time::Duration;

use crate::analysis::prompt;
use crate::ledger::kv_bucket::Taken;
use crate::ledger::wire::{Admission, Budget, Command, Outcome, Refusal, Standing};
use crate::policy::prices::ModelPrice;
use crate::policy::settings::Settings;
use crate::reject::Reject;
use crate::seams::{Buckets, Ledger};
use crate::stages::accept::Submitted;
use crate::stages::authenticate::Refused;
use crate::stages::beforehand::{is_limited_by_rate_alone, unseen};
use crate::token::Denied;
use crate::units::{NanoUsd, UnixMillis};

/// Tokens that a provider's chat template may add around our messages. Templates in use take some
/// ten a message; there are two messages.
const TEMPLATE_TOKENS: u64 = 64;

/// Room that redaction may take beyond the length of a short context: a mark can be longer than the
/// secret that it stands for.
const REDACTION_ROOM: usize = 256;

/// Calls of one request that may be billed: one, and one more after a failure of which nobody knows
/// whether it was billed.
pub const MOST_BILLED: u64 = 2;

/// How much longer than the upstream's deadline a reservation lives. What has not settled by then
/// never will.
const SETTLING: Duration = Duration::from_secs(10);

/// Proof that the ledger let a request go on.
#[derive(Debug)]
pub struct Admitted {
    /// What was submitted, and by whom.
    pub submitted: Submitted,
    /// The reservation.
    pub ticket: Ticket,
}

/// What the ledger gave to one request.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The request's id.
    pub request_id: String,
    /// Whether the model may be asked.
    pub budget: Budget,
    /// What is reserved when it may: enough for [`MOST_BILLED`] calls of the dearest upstream.
    pub worst: NanoUsd,
    /// Until when the model may be asked, and at whose prices that was reckoned.
    pub deadline: UnixMillis,
    /// Bytes of context that the reservation covers.
    pub context_bytes: usize,
    /// The time of the log record.
    pub record_at: UnixMillis,
    /// The ledger's shard that admitted the request.
    pub shard: u32,
    /// What to write of a bucket outside the ledger: its theoretical arrival time and life.
    pub bucket: Option<(u64, Duration)>,
    /// How the machine stands.
    pub standing: Standing,
}

impl Ticket {
    /// What is set aside for the request: nothing where a cap was reached.
    #[must_use]
    pub fn reserved(&self) -> NanoUsd {
        if self.budget == Budget::Reserved { self.worst } else { NanoUsd::ZERO }
    }
}

/// Asks the ledger; before it the bucket, where that is kept elsewhere.
///
/// # Errors
/// [`Reject::RateLimited`], [`Reject::Forbidden`] for a plan that is not configured, and
/// [`Reject::LedgerUnavailable`].
pub async fn admit<L: Ledger, B: Buckets>(
    submitted: Submitted,
    request_id: &str,
    settings: &Settings,
    ledger: &L,
    buckets: &B,
    now: UnixMillis,
) -> Result<Admitted, Refused> {
    match ticket(&submitted, request_id, settings, ledger, buckets, now).await {
        Ok(ticket) => Ok(Admitted { submitted, ticket }),
        Err(reject) => Err(Refused::to(submitted.verified, reject)),
    }
}

async fn ticket<L: Ledger, B: Buckets>(
    submitted: &Submitted,
    request_id: &str,
    settings: &Settings,
    ledger: &L,
    buckets: &B,
    now: UnixMillis,
) -> Result<Ticket, Reject> {
    let context_bytes = context_bound(submitted, settings);
    let worst = worst_cost(settings, context_bytes, now);
    let subject = submitted.verified.subject().to_string();
    let life = reservation_life(settings.upstream_timeout);
    let plan = settings.limits.plan(submitted.verified.plan());
    let taken = match plan {
        Some(plan) => buckets.take(&subject, plan.quota, now).await,
        None => None,
    };
    let (level, bucket) = match taken {
        None => (None, None),
        Some(Taken::Yes { level, write }) => (Some(level), write),
        Some(Taken::No { wait, level }) => {
            return Err(unseen(submitted.verified.plan(), settings, Refusal::Rate(wait), level, now));
        }
    };
    let admission = Admission {
        id: request_id.to_owned(),
        subject: subject.clone(),
        plan: submitted.verified.plan().to_owned(),
        credential: submitted.verified.shown().clone(),
        worst,
        lifetime_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
        level,
    };
    let outcome = ledger.send(&subject, Command::Admit(admission)).await;
    match outcome.map_err(|_| Reject::LedgerUnavailable)? {
        Outcome::Admitted { budget, record_at, shard, standing } => {
            let request_id = request_id.to_owned();
            let deadline = now.plus(settings.upstream_timeout);
            Ok(Ticket {
                request_id,
                budget,
                worst,
                deadline,
                context_bytes,
                record_at,
                shard,
                bucket,
                standing,
            })
        }
        Outcome::Refused { reason, standing } => {
            if let Refusal::Rate(wait) = reason
                && is_limited_by_rate_alone(&submitted.verified)
            {
                buckets.note_wait(&subject, wait, &standing, now);
            }
            Err(Reject::RateLimited(reason, Box::new(standing)))
        }
        other => {
            // Whoever sends a machine's signed request again, or its revoked token, empties no bucket of it.
            if let (Outcome::Replayed | Outcome::Revoked, Some(_), Some(plan)) = (&other, level, plan) {
                buckets.give_back(&subject, plan.quota);
            }
            Err(refused(&other))
        }
    }
}

/// How long a reservation that was not settled is held.
#[must_use]
pub const fn reservation_life(upstream_timeout: Duration) -> Duration {
    upstream_timeout.saturating_add(SETTLING)
}

/// What an outcome means that lets nobody on.
#[must_use]
pub const fn refused(outcome: &Outcome) -> Reject {
    match outcome {
        Outcome::UnknownPlan => Reject::Forbidden("The credential's plan does not exist here."),
        Outcome::Revoked => Reject::Revoked,
        Outcome::Replayed => Reject::Unauthenticated(Denied::Replayed),
        _ => Reject::LedgerUnavailable,
    }
}

/// Bytes of context that can reach the model: the context is cut to this.
fn context_bound(submitted: &Submitted, settings: &Settings) -> usize {
    let sent = submitted.submission.error_context.len().saturating_add(REDACTION_ROOM);
    settings.max_context_bytes.min(sent)
}

/// What the request can cost at most, over all calls that can be billed.
fn worst_cost(settings: &Settings, context_bytes: usize, now: UnixMillis) -> NanoUsd {
    let until = now.plus(settings.upstream_timeout);
    let calls = settings.upstreams.iter().map(|to| call_bound(settings, to.model, context_bytes, now, until));
    calls.max().unwrap_or(NanoUsd::ZERO).saturating_mul(MOST_BILLED)
}

/// What one call can cost at most. A tokenizer that works on bytes never makes more tokens than there
/// are bytes; the output is limited by the `max_tokens` that we send; the price is the dearest until
/// the deadline.
#[must_use]
pub fn call_bound(
    settings: &Settings,
    model: &ModelPrice,
    context_bytes: usize,
    from: UnixMillis,
    until: UnixMillis,
) -> NanoUsd {
    let bytes = context_bytes.saturating_add(prompt::OVERHEAD_BYTES);
    let input = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(TEMPLATE_TOKENS);
    model.dearest(from, until).bound(input, settings.max_output_tokens)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::settings::Entry;

    #[test]
    fn what_is_set_aside_pays_for_two_calls_of_the_dearest_upstream() {
        let now = UnixMillis::from_seconds(1_800_000_000);
        let worst = |model: &str, two: bool| {
            let mut entries = BTreeMap::from([
                ("TOKEN_KEYS", "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                ("OPERATOR_KEYS", "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
                ("API_KEY", "not-a-key"),
                ("MODEL", model),
            ]);
            entries.extend(two.then_some(("API_KEY_DEEPSEEK", "not-a-key-either")));
            let text = |(name, value): (&str, &str)| (name.to_owned(), Entry::Text(value.to_owned()));
            let settings = Settings::read(&entries.into_iter().map(text).collect()).unwrap();
            let until = now.plus(settings.upstream_timeout);
            let calls: Vec<NanoUsd> = settings
                .upstreams
                .iter()
                .map(|to| call_bound(&settings, to.model, 1_000, now, until).saturating_mul(2))
                .collect();
            (worst_cost(&settings, 1_000, now), calls)
        };
        // The dearer one second, and first.
        for (model, dearest) in [("gpt-4o-mini", 1), ("deepseek-v4-pro", 0)] {
            let (aside, calls) = worst(model, true);
            assert_eq!(calls.len(), 2);
            assert!(calls[dearest] > calls[1 - dearest], "{model}: {calls:?}");
            assert_eq!(aside, calls[dearest], "{model}");
            let (aside, calls) = worst(model, false);
            assert_eq!(vec![aside], calls);
        }
    }
}
