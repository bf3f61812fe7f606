//! An HTTP response before the runtime has it.

use std::time::Duration;

use crate::ledger::wire::Standing;

/// A response: status, headers and a whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Header names and values, in order.
    pub headers: Vec<(&'static str, String)>,
    /// The body, UTF-8.
    pub body: String,
}

impl Reply {
    /// A response with what every response carries: `X-Request-Id`, and that nobody may keep it or
    /// guess at its type.
    #[must_use]
    pub fn new(status: u16, media_type: &str, request_id: &str, body: String) -> Self {
        let headers = vec![
            ("Content-Type", media_type.to_owned()),
            ("X-Request-Id", request_id.to_owned()),
            ("Cache-Control", "no-store".to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
        ];
        Self { status, headers, body }
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the limits in force and what is left of them, as structured fields
    /// (draft-ietf-httpapi-ratelimit-headers): the machine's bucket in requests, its day in
    /// micro-dollars, its requests in flight. Caps that many machines share are not told: what is
    /// left of them says what others do.
    #[must_use]
    pub fn with_limits(self, standing: &Standing) -> Self {
        let day_left = standing.cap.saturating_sub(standing.spent).micros();
        let day_ends = whole_seconds(standing.resets_at.since(standing.now));
        let policy = format!(
            "\"machine\";q={};w={}, \"machine-day\";q={};w=86400;qu=\"micro-usd\", \
             \"machine-concurrency\";q={};qu=\"concurrent-requests\"",
            standing.rate_count,
            standing.rate_window,
            standing.cap.micros(),
            standing.concurrency
        );
        let left = format!(
            "\"machine\";r={};t={}, \"machine-day\";r={day_left};t={day_ends}, \"machine-concurrency\";r={}",
            standing.level.remaining,
            whole_seconds(Duration::from_nanos(standing.level.next_in)),
            standing.concurrency.saturating_sub(standing.in_flight),
        );
        self.with_header("RateLimit-Policy", policy).with_header("RateLimit", left)
    }
}

/// Whole seconds, rounded up: who waits that long has waited long enough.
#[must_use]
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_is_a_second_to_wait() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(10)), 10);
    }
}
