//! Record: settle what the request cost, and hand its log record over with it. Runs whether or not
//! the client is still there.

use serde::Serialize;

use crate::analysis::completion::Usage;
use crate::analysis::redact;
use crate::ledger::wire::Settlement;
use crate::ledger::wire::ended::Ended;
use crate::policy::settings::Settings;
use crate::seams::{Ledger, LedgerUnavailable};
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
    /// What was set aside at admission: what a replay of the log under other caps has to know.
    reserved_usd: String,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_context: Option<&'a str>,
}

/// Settles and logs one request that began at `started`.
///
/// # Errors
/// The settlement may not have arrived: then the reservation is charged in full when it expires.
pub async fn record<L: Ledger>(
    admitted: &Admitted,
    answered: &Answered,
    settings: &Settings,
    ledger: &L,
    started: UnixMillis,
    now: UnixMillis,
) -> Result<(), LedgerUnavailable> {
    let ticket = &admitted.ticket;
    let verified = &admitted.submitted.verified;
    let subject = verified.subject().to_string();
    let reported = admitted.submitted.submission.machine_id.as_deref();
    let duration_ms = u64::try_from(now.since(started).as_millis()).unwrap_or(u64::MAX);
    let tokens = answered.usage.map_or((0, 0), |usage| (usage.prompt_tokens, usage.completion_tokens));
    let source = (!answered.gave_up).then_some(answered.source);
    let ended = Ended { outcome: answered.ending, source, tokens, ms: duration_ms };
    let record = LogRecord {
        timestamp: ticket.record_at.rfc3339(),
        machine_id: &subject,
        // The client may have put anything there, a secret too: it is text of users like any other.
        reported_machine_id: reported
            .filter(|_| settings.log_error_context)
            .map(|id| redact::redact(id).as_str().to_owned()),
        request_id: &ticket.request_id,
        plan: verified.plan(),
        auth: verified.scheme().name(),
        outcome: answered.ending,
        source: answered.source,
        model: answered.asked_model,
        usage: answered.usage,
        cost_usd: answered.cost.to_string(),
        reserved_usd: ticket.reserved().to_string(),
        duration_ms,
        error_context: settings.log_error_context.then(|| answered.context.as_str()),
    };
    let record = serde_json::to_string(&record).ok();
    let settlement = Settlement {
        id: ticket.request_id.clone(),
        charge: answered.charge,
        shard: ticket.shard,
        record,
        subject,
        ended: Some(ended),
    };
    ledger.settle(settlement).await
}
