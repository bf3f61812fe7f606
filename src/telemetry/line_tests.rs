use serde_json::{Value, json};

use super::*;
use crate::analysis::completion::Usage;
use crate::analysis::redact::redact;
use crate::ledger::wire::Charge;
use crate::seams::LedgerUnavailable;
use crate::stages::answer::{Ending, Source};
use crate::token::Denied;
use crate::units::NanoUsd;

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(1_795_401_600_000 + millis)
}

fn trace() -> Trace {
    Trace::of(None, None, "4c0f7d1be0f94a8f8f2c8a0b6d5e3f21", [1; 8])
}

fn answered() -> Answered {
    Answered {
        result: Err(Reject::UpstreamFailed),
        charge: Charge::Nothing,
        ending: Ending::Answered,
        source: Source::Model,
        usage: Some(Usage { prompt_tokens: 100, completion_tokens: 10, cached_tokens: 7 }),
        cost: NanoUsd::from_nanos(1_500),
        asked_model: Some("deepseek-flash"),
        provider: Some("deepseek"),
        response_model: Some("deepseek-flash-0924".to_owned()),
        context: redact("planted words"),
        to_keep: None,
        gave_up: false,
        upstream_error: None,
    }
}

fn line(status: u16, end: End) -> Value {
    let request = Request { route: "POST /v1/analyze", id: "r", trace: &trace() };
    let report = Report { started: at(0), ended: at(250), status, caller: None, end };
    let line = of_analysis(&request, &report, 0);
    assert!(!line.contains('\n') && !line.contains("planted"), "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn an_answer_of_the_model_has_all_its_members() {
    assert_eq!(
        line(200, End::Done(Box::new(answered()), Ok(()))),
        json!({
            "timestamp": "2026-11-23T02:40:00.000Z", "level": "warn", "request_id": "r",
            "route": "POST /v1/analyze", "status": 200, "duration_ms": 250,
            "trace_id": "4c0f7d1be0f94a8f8f2c8a0b6d5e3f21", "span_id": "0101010101010101",
            "machine": null, "plan": null, "auth": null, "outcome": "answered", "source": "model",
            "cost_usd": "0.0000015", "gen_ai.operation.name": "chat", "gen_ai.provider.name": "deepseek",
            "gen_ai.request.model": "deepseek-flash", "gen_ai.response.model": "deepseek-flash-0924",
            "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10,
        })
    );
}

#[test]
fn what_went_wrong_is_told_at_its_level() {
    let failed = Answered { upstream_error: Some(UpstreamError::Status(500)), ..answered() };
    let shown = line(502, End::Done(Box::new(failed), Ok(())));
    assert_eq!((&shown["level"], &shown["error"]), (&"error".into(), &"upstream: status 500".into()));
    let shown = line(200, End::Done(Box::new(answered()), Err(LedgerUnavailable)));
    assert_eq!(shown["level"], "error");
    assert!(shown["settlement"].as_str().unwrap().starts_with("may be lost"));
    let rules = Answered { asked_model: None, usage: None, source: Source::Rules, ..answered() };
    let shown = line(200, End::Done(Box::new(rules), Ok(())));
    assert!(!shown.as_object().unwrap().keys().any(|name| name.starts_with("gen_ai")), "{shown}");
    for (reject, status, level) in [
        (Reject::LedgerUnavailable, 503, "error"),
        (Reject::Revoked, 403, "warn"),
        (Reject::MalformedRequest("a \"reason\" of ours\n"), 400, "warn"),
    ] {
        let shown = line(status, End::Rejected(reject.clone()));
        assert_eq!((&shown["level"], &shown["outcome"]), (&level.into(), &reject.kind().slug.into()));
        assert_eq!(shown["error"], reject.to_string());
    }
}

#[test]
fn the_words_are_those_of_the_log() {
    for ending in [
        Ending::Answered,
        Ending::Uncertain,
        Ending::SpendCapReached,
        Ending::UpstreamFailed,
        Ending::UpstreamTimeout,
    ] {
        assert_eq!(serde_json::to_value(ending).unwrap(), ending.name());
    }
    for source in [Source::Rules, Source::Cache, Source::Model] {
        assert_eq!(serde_json::to_value(source).unwrap(), source.name());
    }
}

#[test]
fn strangers_have_no_lines() {
    let report = |end| Report { started: at(0), ended: at(1), status: 401, caller: None, end };
    for reject in [
        Reject::Unauthenticated(Denied::BadSignature),
        Reject::UnsupportedMediaType,
        Reject::BodyTooLarge(1),
        Reject::MalformedRequest("x"),
    ] {
        assert_eq!(is_bounded(&report(End::Rejected(reject.clone()))), None, "{reject}");
    }
    assert_eq!(is_bounded(&report(End::Done(Box::new(answered()), Ok(())))), Some(true));
}

#[test]
fn what_was_left_out_is_told_with_the_next_line() {
    let request = Request { route: "GET /v1/me", id: "r", trace: &trace() };
    let shown: Value = serde_json::from_str(&of_other(&request, 503, (at(0), at(1)), 7)).unwrap();
    assert_eq!((&shown["lines_left_out"], &shown["level"]), (&7.into(), &"error".into()));
    assert!(!of_other(&request, 200, (at(0), at(1)), 0).contains("left_out"));
}
