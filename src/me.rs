//! `GET /v1/me`: how a caller stands with its limits.

use crate::gateway::identify;
use crate::ledger::bucket::Level;
use crate::ledger::wire::{Command, Outcome, Refusal, Standing};
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams::{Buckets, KeyStore, Ledger};
use crate::stages::accept::Head;
use crate::stages::admit::refused;
use crate::stages::beforehand::within_the_strangers_share;
use crate::stages::looks::{LOOKS_A_MINUTE, LOOKS_AT_ONCE};
use crate::units::UnixMillis;

/// `GET /v1/me`: 401, 403, 429, 503, or how the caller stands with its limits.
pub async fn show<L: Ledger, B: Buckets, K: KeyStore>(
    head: &Head,
    id: &str,
    settings: &Settings,
    ledger: &L,
    buckets: &B,
    keys: &K,
    now: UnixMillis,
) -> Reply {
    match look(head, settings, ledger, buckets, keys, now).await {
        Ok((name, standing)) => {
            let body = serde_json::json!({
                "machine_id": name,
                "plan": standing.plan,
                "rate": {
                    "requests": standing.rate_count,
                    "window_seconds": standing.rate_window,
                    "burst": standing.burst,
                    "remaining": standing.level.remaining,
                },
                "concurrency": { "in_flight": standing.in_flight, "limit": standing.concurrency },
                "spend": {
                    "today_usd": standing.spent.to_string(),
                    "cap_usd": standing.cap.to_string(),
                    "resets_at": standing.resets_at.rfc3339(),
                },
                "request_id": id,
            });
            Reply::new(200, "application/json", id, body.to_string()).with_limits(&standing)
        }
        Err(reject) => problem::reply(&reject, id),
    }
}

async fn look<L: Ledger, B: Buckets, K: KeyStore>(
    head: &Head,
    settings: &Settings,
    ledger: &L,
    buckets: &B,
    keys: &K,
    now: UnixMillis,
) -> Result<(String, Standing), Reject> {
    let verified = identify(head, settings, keys, now).await?.with_body(&[])?;
    within_the_strangers_share(&verified, settings, buckets, now)?;
    let subject = verified.subject().to_string();
    if let Err(wait) = buckets.take_look(&subject, now) {
        let level = Level { remaining: 0, next_in: wait };
        let standing = Standing::unseen(verified.plan(), &settings.limits, level, now).map(|standing| {
            Standing { rate_count: LOOKS_A_MINUTE, rate_window: 60, burst: LOOKS_AT_ONCE, ..standing }
        });
        let limited = standing.map(|standing| Reject::RateLimited(Refusal::Rate(wait), Box::new(standing)));
        return Err(limited.unwrap_or_else(|| refused(&Outcome::UnknownPlan)));
    }
    let level = match settings.limits.plan(verified.plan()) {
        Some(plan) => buckets.level(&subject, plan.quota, now).await,
        None => None,
    };
    let command = Command::Look {
        subject: subject.clone(),
        plan: verified.plan().to_owned(),
        credential: verified.shown().clone(),
        level,
    };
    match ledger.send(&subject, command).await.map_err(|_| Reject::LedgerUnavailable)? {
        Outcome::Standing(standing) => Ok((subject, standing)),
        Outcome::Refused { reason, standing } => Err(Reject::RateLimited(reason, Box::new(standing))),
        other => Err(refused(&other)),
    }
}
