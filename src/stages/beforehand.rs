//! What an isolate knows of a caller before the ledger is asked: who is sent away by that costs the ledger nothing.

use crate::ledger::bucket::Level;
use crate::ledger::wire::{Outcome, Refusal, Standing};
use crate::policy::settings::Settings;
use crate::reject::Reject;
use crate::seams::Buckets;
use crate::stages::admit::refused;
use crate::stages::authenticate::{Scheme, Verified};
use crate::units::UnixMillis;

/// Whether a caller may come now, as far as that is known before the ledger is asked: one who was sent away before has
/// to wait as long as it was told, and of callers without a credential only so many may come in all.
///
/// # Errors
/// [`Reject::RateLimited`].
pub fn may_come<B: Buckets>(
    caller: &Verified,
    settings: &Settings,
    buckets: &B,
    now: UnixMillis,
) -> Result<(), Reject> {
    still_waits(caller, buckets, now)?;
    within_the_strangers_share(caller, settings, buckets, now)
}

/// Sends away who was sent away before and has not waited yet.
///
/// # Errors
/// [`Reject::RateLimited`].
pub fn still_waits<B: Buckets>(caller: &Verified, buckets: &B, now: UnixMillis) -> Result<(), Reject> {
    if is_limited_by_rate_alone(caller)
        && let Some((wait, standing)) = buckets.wait_of(&caller.subject().to_string(), caller.plan(), now)
    {
        return Err(Reject::RateLimited(Refusal::Rate(wait), Box::new(standing)));
    }
    Ok(())
}

/// Sends callers without a credential away while too many of them come.
///
/// # Errors
/// [`Reject::RateLimited`].
pub fn within_the_strangers_share<B: Buckets>(
    caller: &Verified,
    settings: &Settings,
    buckets: &B,
    now: UnixMillis,
) -> Result<(), Reject> {
    if caller.scheme() != Scheme::Anonymous {
        return Ok(());
    }
    buckets.take_of_strangers(now).map_err(|wait| {
        let level = Level { remaining: 0, next_in: wait };
        unseen(caller.plan(), settings, Refusal::Rate(wait), level, now)
    })
}

/// One who signs also waits where its nonces fill their memory, and hears of one that was seen before.
pub(super) fn is_limited_by_rate_alone(caller: &Verified) -> bool {
    caller.shown().nonce.is_none()
}

/// A refusal without the ledger: but for `level`, its caller stands like a machine never seen. A plan that is not
/// configured is refused as the ledger does.
#[must_use]
pub fn unseen(plan: &str, settings: &Settings, reason: Refusal, level: Level, now: UnixMillis) -> Reject {
    match Standing::unseen(plan, &settings.limits, level, now) {
        Some(standing) => Reject::RateLimited(reason, Box::new(standing)),
        None => refused(&Outcome::UnknownPlan),
    }
}
