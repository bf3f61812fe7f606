//! One request on the console: one JSON object on one line, which the platform's observability takes apart.
//! Members about the model have OpenTelemetry's names for generative AI.
//!
//! Strangers have no lines. Whoever could make one by sending a request without a credential could fill the
//! operator's log, so those are only counted.

use std::fmt::Write as _;

use super::trace::Trace;
use crate::gateway::{End, Report};
use crate::reject::Reject;
use crate::seams::UpstreamError;
use crate::stages::answer::Answered;
use crate::stages::authenticate::Scheme;
use crate::units::UnixMillis;

/// What happened to a request, besides its route.
pub struct Request<'a> {
    /// `POST /v1/analyze`.
    pub route: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Where it stands in a trace.
    pub trace: &'a Trace,
}

/// Whether a line about this analysis has to pass the sieve. `None`: there is none.
#[must_use]
pub fn is_bounded(report: &Report) -> Option<bool> {
    match (&report.end, &report.caller) {
        // The ledger admitted it: its limits bound how many there are.
        (End::Done(..), _) => Some(true),
        (End::Rejected(Reject::Unauthenticated(_)), _) | (_, None) => None,
        (End::Rejected(_), Some(caller)) if caller.scheme() == Scheme::Anonymous => None,
        (End::Rejected(_), Some(_)) => Some(false),
    }
}

/// The line of an analysis.
#[must_use]
pub fn of_analysis(request: &Request<'_>, report: &Report, left_out: u64) -> String {
    let failed_settling = matches!(&report.end, End::Done(_, Err(_)));
    let level = match &report.end {
        End::Rejected(Reject::LedgerUnavailable) => "error",
        End::Rejected(_) => "warn",
        End::Done(answered, _) if failed_settling || answered.upstream_error.is_some() => "error",
        End::Done(answered, _) if answered.result.is_err() => "warn",
        End::Done(..) => "info",
    };
    let mut line = Line::begin(request, level, report.status, report.started, report.ended);
    let caller = report.caller.as_ref();
    line.word("machine", caller.map(|caller| caller.subject().to_string()).as_deref());
    line.word("plan", caller.map(|caller| caller.plan()));
    line.word("auth", caller.map(|caller| caller.scheme().name()));
    match &report.end {
        End::Rejected(reject) => {
            line.word("outcome", Some(reject.kind().slug));
            line.word("source", None);
            line.word("error", Some(&reject.to_string()));
        }
        End::Done(answered, _) => {
            line.word("outcome", Some(answered.ending.name()));
            line.word("source", Some(answered.source.name()));
            line.display("cost_usd", &answered.cost);
            line.model(answered);
            if let Some(error) = answered.upstream_error {
                line.word("error", Some(&upstream(error)));
            }
            if failed_settling {
                line.word(
                    "settlement",
                    Some("may be lost: all that was set aside is charged when it expires"),
                );
            }
        }
    }
    line.end(left_out)
}

/// The line of another request of somebody known.
#[must_use]
pub fn of_other(
    request: &Request<'_>,
    status: u16,
    (started, ended): (UnixMillis, UnixMillis),
    left_out: u64,
) -> String {
    let level = match status {
        500.. => "error",
        400.. => "warn",
        _ => "info",
    };
    Line::begin(request, level, status, started, ended).end(left_out)
}

/// What went wrong with the upstream, without a word of its own.
fn upstream(error: UpstreamError) -> String {
    match error {
        UpstreamError::Refused(status) => format!("upstream: refused with {status}"),
        UpstreamError::Status(status) => format!("upstream: status {status}"),
        UpstreamError::Connection => "upstream: connection lost".to_owned(),
        UpstreamError::Timeout => "upstream: too slow".to_owned(),
        UpstreamError::TooLarge => "upstream: too large".to_owned(),
        UpstreamError::Unusable => "upstream: unusable answer".to_owned(),
        UpstreamError::Resting => "upstream: left alone after failures".to_owned(),
    }
}

/// An object, member by member: no tree of it is made first.
struct Line(String);

impl Line {
    fn begin(
        request: &Request<'_>,
        level: &str,
        status: u16,
        started: UnixMillis,
        ended: UnixMillis,
    ) -> Self {
        let mut line = Self(String::with_capacity(768));
        line.0.push_str("{\"timestamp\":\"");
        line.0.push_str(&started.rfc3339());
        line.0.push('"');
        line.word("level", Some(level));
        line.word("request_id", Some(request.id));
        line.word("route", Some(request.route));
        line.display("status", &status);
        line.display("duration_ms", &ended.since(started).as_millis());
        line.word("trace_id", Some(&request.trace.trace_id));
        line.word("span_id", Some(&request.trace.span_id));
        line
    }

    fn model(&mut self, answered: &Answered) {
        let Some(asked) = answered.asked_model else { return };
        self.word("gen_ai.operation.name", Some("chat"));
        self.word("gen_ai.provider.name", answered.provider);
        self.word("gen_ai.request.model", Some(asked));
        if let Some(model) = &answered.response_model {
            self.word("gen_ai.response.model", Some(model));
        }
        if let Some(usage) = answered.usage {
            self.display("gen_ai.usage.input_tokens", &usage.prompt_tokens);
            self.display("gen_ai.usage.output_tokens", &usage.completion_tokens);
        }
    }

    fn name(&mut self, name: &str) {
        self.0.push_str(",\"");
        self.0.push_str(name);
        self.0.push_str("\":");
    }

    /// A text, or `null`.
    fn word(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        let Some(value) = value else { return self.0.push_str("null") };
        let is_plain = value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
        if is_plain {
            self.0.push('"');
            self.0.push_str(value);
            self.0.push('"');
        } else {
            self.0.push_str(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()));
        }
    }

    /// A number; dollars are a text.
    fn display<T: Number>(&mut self, name: &str, value: &T) {
        self.name(name);
        let quote = if T::IS_TEXT { "\"" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(self.0, "{quote}{value}{quote}");
    }

    fn end(mut self, left_out: u64) -> String {
        if left_out > 0 {
            self.display("lines_left_out", &left_out);
        }
        self.0.push('}');
        self.0
    }
}

/// What is written without escapes.
trait Number: std::fmt::Display {
    const IS_TEXT: bool = false;
}

impl Number for u16 {}
impl Number for u64 {}
impl Number for u128 {}
impl Number for crate::units::NanoUsd {
    const IS_TEXT: bool = true;
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
