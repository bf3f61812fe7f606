//! Record: settle what the request cost and write it down. Runs whether or not the client is still
//! there.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::completion::Usage;
use crate::analysis::redact;
use crate::ledger::wire::{Command, Settlement};
use crate::policy::settings::Settings;
use crate::seams::{Ledger, LedgerUnavailable, LogStore, LogUnavailable};
use crate::stages::admit::Admitted;
use crate::stages::answer::{Answered, Ending, Source};
use crate::units::UnixMillis;

/// A log record, as the contract's section 6 names its members.
#[derive(Serialize)]
struct LogRecord<'a> {
    timestamp: String,
    machine_id: &'a str,
    reported_machine_id: Option<String>,
    request_id: &'a str,
    plan: &'a str,
    auth: &'static str,
    outcome: Ending,
    source: Source,
    model: Option<&'static str>,
    usage: Option<Usage>,
    cost_usd: String,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_context: Option<&'a str>,
}

/// What of the record could not be done. The client has its answer; this is for the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The settlement did not arrive: the reservation is charged in full when it expires.
    pub settlement: Option<LedgerUnavailable>,
    /// The log record is lost.
    pub log: Option<LogUnavailable>,
}

/// Settles and logs one request that began at `started`.
pub async fn record<L: Ledger, S: LogStore>(
    admitted: &Admitted,
    answered: &Answered,
    settings: &Settings,
    ledger: &L,
    log: &S,
    started: UnixMillis,
    now: UnixMillis,
) -> Recorded {
    let ticket = &admitted.ticket;
    let verified = &admitted.submitted.verified;
    let subject = verified.subject().to_string();
    let settlement =
        Settlement { id: ticket.request_id.clone(), subject: subject.clone(), charge: answered.charge };
    let settlement = ledger.send(&subject, &Command::Settle(settlement)).await.err();

    let timestamp = ticket.record_at.rfc3339();
    let key = format!("{subject}:{timestamp}");
    let reported = admitted.submitted.submission.machine_id.as_deref();
    let record = LogRecord {
        timestamp,
        machine_id: &subject,
        // The client may have put anything there, a secret too.
        reported_machine_id: reported.map(|id| redact::redact(id).as_str().to_owned()),
        request_id: &ticket.request_id,
        plan: verified.plan(),
        auth: verified.scheme().name(),
        outcome: answered.ending,
        source: answered.source,
        model: answered.asked_model,
        usage: answered.usage,
        cost_usd: answered.cost.to_string(),
        duration_ms: u64::try_from(now.since(started).as_millis()).unwrap_or(u64::MAX),
        error_context: settings.log_error_context.then(|| answered.context.as_str()),
    };
    let lifetime = Duration::from_secs(settings.log_retention_days.saturating_mul(86_400));
    let log = match serde_json::to_string(&record) {
        Ok(text) => log.put(&key, text, lifetime).await.err(),
        Err(_) => Some(LogUnavailable),
    };
    Recorded { settlement, log }
}
