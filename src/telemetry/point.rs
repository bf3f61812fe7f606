//! A point for the Analytics Engine (binding `ANALYTICS`, optional), one for each analysis that was admitted
//! or refused to somebody known.
//!
//! | | |
//! |---|---|
//! | `index1` | machine |
//! | `blob1` to `blob7` | route, outcome, source, plan, auth, model that was asked, provider |
//! | `double1` to `double5` | cost in dollars, duration in ms, status, input tokens, output tokens |
//!
//! What there is none of is an empty text or 0.

use serde::Serialize;

use super::line::Request;
use crate::gateway::{End, Report};

/// Bytes of an index (developers.cloudflare.com/analytics/analytics-engine, limits).
const MOST_INDEX: usize = 96;

#[derive(Serialize)]
struct Point<'a> {
    indexes: [&'a str; 1],
    blobs: [&'a str; 7],
    doubles: [f64; 5],
}

/// The argument of `writeDataPoint`, as JSON. `None` for a stranger's request.
#[must_use]
pub fn of_analysis(request: &Request<'_>, report: &Report) -> Option<String> {
    super::line::is_bounded(report)?;
    let caller = report.caller.as_ref()?;
    let subject = caller.subject().to_string();
    let end = (0..=MOST_INDEX.min(subject.len())).rev().find(|end| subject.is_char_boundary(*end));
    let index = end.and_then(|end| subject.get(..end)).unwrap_or_default();
    let answered = match &report.end {
        End::Done(answered, _) => Some(answered),
        End::Rejected(_) => None,
    };
    let outcome = match &report.end {
        End::Done(answered, _) => answered.ending.name(),
        End::Rejected(reject) => reject.kind().slug,
    };
    let usage = answered.and_then(|answered| answered.usage);
    let model = answered.and_then(|answered| answered.asked_model);
    let provider = answered.and_then(|answered| answered.provider);
    let blobs = [
        request.route,
        outcome,
        answered.map_or("", |answered| answered.source.name()),
        caller.plan(),
        caller.scheme().name(),
        model.unwrap_or_default(),
        provider.unwrap_or_default(),
    ];
    #[expect(clippy::cast_precision_loss, reason = "for people to look at: sums of money are the ledger's")]
    let number = |number: u64| number as f64;
    let millis = u64::try_from(report.ended.since(report.started).as_millis()).unwrap_or(u64::MAX);
    let doubles = [
        answered.map_or(0.0, |answered| number(answered.cost.nanos()) / 1e9),
        number(millis),
        f64::from(report.status),
        usage.map_or(0.0, |usage| number(usage.prompt_tokens)),
        usage.map_or(0.0, |usage| number(usage.completion_tokens)),
    ];
    serde_json::to_string(&Point { indexes: [index], blobs, doubles }).ok()
}
