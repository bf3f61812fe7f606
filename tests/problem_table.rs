//! The table of problems, pinned: slugs, statuses and the headers that go with them.
#![cfg(not(target_arch = "wasm32"))]

use pip_aide_gateway::ledger::bucket::Level;
use pip_aide_gateway::ledger::wire::{Cap, Refusal, Standing};
use pip_aide_gateway::problem;
use pip_aide_gateway::reject::Reject;
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

fn standing() -> Box<Standing> {
    Box::new(Standing {
        plan: "standard".to_owned(),
        rate_count: 6,
        rate_window: 60,
        burst: 3,
        level: Level { remaining: 0, next_in: 9_500_000_000 },
        in_flight: 2,
        concurrency: 2,
        spent: NanoUsd::from_nanos(49_999_999),
        cap: NanoUsd::from_nanos(50_000_000),
        now: UnixMillis::from_millis(1_795_401_599_500),
        resets_at: UnixMillis::from_seconds(1_795_478_400),
    })
}

#[test]
fn the_table_of_the_contract() {
    let table = [
        (Reject::MalformedRequest("It is not JSON."), "malformed-request", 400, None),
        (Reject::Unauthenticated(Denied::MissingCredential), "unauthenticated", 401, None),
        (Reject::Revoked, "revoked", 403, None),
        (Reject::Forbidden("Not this."), "forbidden", 403, None),
        (Reject::NotFound, "not-found", 404, None),
        (Reject::NoSuchMachine, "not-found", 404, None),
        (Reject::MethodNotAllowed("POST"), "method-not-allowed", 405, None),
        (Reject::BodyTooLarge(1_048_576), "body-too-large", 413, None),
        (Reject::UnsupportedMediaType, "unsupported-media-type", 415, None),
        (Reject::RateLimited(Refusal::Rate(9_500_000_000), standing()), "rate-limited", 429, Some("10")),
        (Reject::RateLimited(Refusal::Concurrency, standing()), "rate-limited", 429, Some("5")),
        (Reject::EnrolmentLimited(7), "rate-limited", 429, Some("7")),
        (Reject::SpendCapReached(Cap::Machine, standing()), "spend-cap-reached", 429, Some("76801")),
        (Reject::SpendCapReached(Cap::Plan, standing()), "spend-cap-reached", 429, Some("76801")),
        (Reject::SpendCapReached(Cap::Service, standing()), "spend-cap-reached", 429, Some("76801")),
        (Reject::UpstreamFailed, "upstream-failed", 502, None),
        (Reject::ModelSwitchedOff, "upstream-failed", 502, None),
        (Reject::UpstreamTimeout, "upstream-timeout", 504, None),
        (Reject::Misconfigured, "misconfigured", 503, Some("5")),
        (Reject::LedgerUnavailable, "ledger-unavailable", 503, Some("5")),
    ];
    for (reject, slug, status, retry_after) in table {
        let reply = problem::reply(&reject, "0123456789abcdef0123456789abcdef");
        let document: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(reply.status, status, "{slug}");
        assert_eq!(document["status"], status, "{slug}");
        assert_eq!(document["type"], format!("urn:pip-aide-gateway:problem:{slug}"));
        assert_eq!(document["request_id"], "0123456789abcdef0123456789abcdef", "{slug}");
        for member in ["title", "detail"] {
            assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{slug} {member}");
        }
        let header = |name: &str| {
            let mut values = reply.headers.iter().filter(|(header, _)| *header == name);
            let value = values.next().map(|(_, value)| value.as_str());
            assert!(name == "WWW-Authenticate" || values.next().is_none(), "{slug}: {name} twice");
            value
        };
        assert_eq!(header("Content-Type"), Some("application/problem+json"), "{slug}");
        assert_eq!(header("X-Request-Id"), Some("0123456789abcdef0123456789abcdef"), "{slug}");
        assert_eq!(header("Cache-Control"), Some("no-store"), "{slug}");
        assert_eq!(header("X-Content-Type-Options"), Some("nosniff"), "{slug}");
        assert_eq!(header("Retry-After"), retry_after, "{slug}");
        assert_eq!(header("Allow"), (status == 405).then_some("POST"), "{slug}");
        let has_standing = status == 429 && !matches!(reject, Reject::EnrolmentLimited(_));
        assert_eq!(header("RateLimit").is_some(), has_standing, "{slug}");
        let challenges: Vec<&str> = reply
            .headers
            .iter()
            .filter(|(name, _)| *name == "WWW-Authenticate")
            .filter_map(|(_, value)| value.split(' ').next())
            .collect();
        assert_eq!(challenges, if status == 401 { vec!["Bearer", "Basic"] } else { vec![] }, "{slug}");
        // The log's words carry no value of the request, so that they can be a metric's label.
        assert!(reject.to_string().starts_with(slug));
    }
}

#[test]
fn all_that_is_not_authenticated_looks_alike() {
    let one = problem::reply(&Reject::Unauthenticated(Denied::MissingCredential), "r");
    for cause in Denied::ALL {
        assert_eq!(problem::reply(&Reject::Unauthenticated(*cause), "r"), one, "{cause}");
    }
}

#[test]
fn the_limits_are_structured_fields() {
    let reply = problem::reply(&Reject::RateLimited(Refusal::Rate(9_500_000_000), standing()), "r");
    let header = |name: &str| reply.headers.iter().find(|(header, _)| *header == name).unwrap().1.clone();
    assert_eq!(
        header("RateLimit-Policy"),
        r#""machine";q=6;w=60, "machine-day";q=50000;w=86400;qu="micro-usd", "machine-concurrency";q=2;qu="concurrent-requests""#
    );
    assert_eq!(
        header("RateLimit"),
        r#""machine";r=0;t=10, "machine-day";r=0;t=76801, "machine-concurrency";r=0"#
    );
}
