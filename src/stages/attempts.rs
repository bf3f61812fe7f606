//! Which upstream to ask next, and when: in the policy's order, again only after what may pass, never
//! before an upstream said, never past the deadline.

use std::time::Duration;

use crate::bytes::fnv1a;
use crate::seams::{Failed, UpstreamError};
use crate::units::UnixMillis;

/// Calls of one request at most, those that cost nothing included.
const MOST_ATTEMPTS: u32 = 4;
/// No call is begun for less time than that.
const SHORTEST_CALL: Duration = Duration::from_millis(400);
/// How long the first repetition waits where the upstream says nothing; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// What a request knows of the upstreams that it may ask.
#[derive(Debug)]
pub struct Attempts<'a> {
    lines: Vec<Line>,
    made: u32,
    began: UnixMillis,
    deadline: UnixMillis,
    /// Random text, for the jitter.
    random: &'a str,
}

#[derive(Clone, Copy, Debug)]
struct Line {
    ready_at: UnixMillis,
    failures: u32,
    is_out: bool,
}

impl<'a> Attempts<'a> {
    /// None made yet.
    #[must_use]
    pub fn new(upstreams: usize, now: UnixMillis, deadline: UnixMillis, random: &'a str) -> Self {
        let lines = vec![Line { ready_at: now, failures: 0, is_out: false }; upstreams];
        Self { lines, made: 0, began: now, deadline, random }
    }

    /// The place of the upstream to ask next and how long to wait before: the first that is ready, or
    /// the one that is ready first.
    #[must_use]
    pub fn next(&self, now: UnixMillis) -> Option<(usize, Duration)> {
        if self.made >= MOST_ATTEMPTS {
            return None;
        }
        let now = now.max(self.began);
        let ready = |line: &Line| line.ready_at.max(now);
        let lines = self.lines.iter().enumerate().filter(|(_, line)| !line.is_out);
        let (place, line) = lines.min_by_key(|(_, line)| ready(line))?;
        let begins = ready(line);
        (begins.plus(SHORTEST_CALL) <= self.deadline).then(|| (place, begins.since(now)))
    }

    /// What is left of the one deadline: never more than there was, also where the clock was set back.
    #[must_use]
    pub fn left(&self, now: UnixMillis) -> Duration {
        self.deadline.since(now.max(self.began))
    }

    /// It is not to be asked, or not again.
    pub fn leave_out(&mut self, place: usize) {
        if let Some(line) = self.lines.get_mut(place) {
            line.is_out = true;
        }
    }

    /// It was asked and failed; `now` is the moment after.
    pub fn failed(&mut self, place: usize, failed: Failed, now: UnixMillis) {
        self.made = self.made.saturating_add(1);
        let jitter = jitter(self.random, self.made);
        let Some(line) = self.lines.get_mut(place) else { return };
        line.is_out = !may_pass(failed.error);
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(line.failures).unwrap_or(u32::MAX));
        line.failures = line.failures.saturating_add(1);
        // From the whole pause to one and a half, so that those who failed together do not come back
        // together, and nobody before the upstream said.
        let pause = failed.retry_after.unwrap_or(pause);
        let more = pause.saturating_mul(jitter).checked_div(512).unwrap_or_default();
        line.ready_at = now.plus(pause.saturating_add(more));
    }
}

/// Whether asking the same upstream again may end otherwise.
const fn may_pass(error: UpstreamError) -> bool {
    matches!(
        error,
        UpstreamError::Connection | UpstreamError::Refused(429) | UpstreamError::Status(429 | 500..=599)
    )
}

/// Whether it is worth asking another upstream.
#[must_use]
pub const fn is_another_worth_it(error: UpstreamError) -> bool {
    may_pass(error) || matches!(error, UpstreamError::Refused(_))
}

/// A number below 256 that differs between requests and between their attempts.
fn jitter(random: &str, attempt: u32) -> u32 {
    fnv1a(random.bytes().chain(attempt.to_le_bytes())) >> 24
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_000);

    fn attempts(upstreams: usize, seconds: u64) -> Attempts<'static> {
        Attempts::new(upstreams, NOW, NOW.plus(Duration::from_secs(seconds)), "r")
    }

    fn failed(error: UpstreamError, retry_after: Option<u64>) -> Failed {
        Failed { error, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn only_what_may_pass_is_asked_again() {
        for (error, again, another) in [
            (UpstreamError::Connection, true, true),
            (UpstreamError::Refused(429), true, true),
            (UpstreamError::Status(429), true, true),
            (UpstreamError::Status(500), true, true),
            (UpstreamError::Status(503), true, true),
            (UpstreamError::Refused(401), false, true),
            (UpstreamError::Refused(400), false, true),
            (UpstreamError::Status(307), false, false),
            (UpstreamError::TooLarge, false, false),
            (UpstreamError::Unusable, false, false),
            (UpstreamError::Timeout, false, false),
        ] {
            let mut attempts = attempts(1, 25);
            attempts.failed(0, failed(error, None), NOW);
            assert_eq!(attempts.next(NOW).is_some(), again, "{error:?}");
            assert_eq!(is_another_worth_it(error), another, "{error:?}");
        }
    }

    #[test]
    fn pauses_grow_and_never_undercut_what_the_upstream_said() {
        let mut attempts = attempts(1, 25);
        assert_eq!(attempts.next(NOW), Some((0, Duration::ZERO)));
        let mut last = Duration::ZERO;
        for _ in 0..2 {
            attempts.failed(0, failed(UpstreamError::Status(500), None), NOW);
            let (_, pause) = attempts.next(NOW).unwrap();
            assert!(pause > last && pause >= FIRST_PAUSE && pause < FIRST_PAUSE * 4, "{pause:?}");
            last = pause;
        }
        attempts.failed(0, failed(UpstreamError::Refused(429), Some(3)), NOW);
        let (_, pause) = attempts.next(NOW).unwrap();
        assert!((Duration::from_secs(3)..Duration::from_millis(4_500)).contains(&pause), "{pause:?}");
        attempts.failed(0, failed(UpstreamError::Refused(429), None), NOW);
        assert_eq!(attempts.next(NOW), None, "four calls are enough");
    }

    #[test]
    fn nothing_is_begun_past_the_deadline() {
        let mut late = attempts(1, 25);
        late.failed(0, failed(UpstreamError::Refused(429), Some(25)), NOW);
        assert_eq!(late.next(NOW), None);
        assert!(attempts(1, 25).next(NOW.plus(Duration::from_millis(24_700))).is_none());
        assert_eq!(attempts(1, 25).left(NOW.plus(Duration::from_secs(26))), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_steps_back_leaves_a_call_no_more_time_than_it_had() {
        let earlier = UnixMillis::from_seconds(NOW.seconds() - 10);
        assert_eq!(attempts(1, 25).left(earlier), Duration::from_secs(25));
        assert_eq!(attempts(1, 25).next(earlier), Some((0, Duration::ZERO)));
    }

    #[test]
    fn the_next_upstream_is_asked_at_once_and_the_first_again_after_its_pause() {
        let mut attempts = attempts(2, 25);
        attempts.failed(0, failed(UpstreamError::Status(500), None), NOW);
        assert_eq!(attempts.next(NOW), Some((1, Duration::ZERO)));
        attempts.failed(1, failed(UpstreamError::Refused(401), None), NOW);
        assert!(attempts.next(NOW).is_some_and(|(place, pause)| place == 0 && pause >= FIRST_PAUSE));
        attempts.leave_out(0);
        assert_eq!(attempts.next(NOW), None);
    }

    #[test]
    fn requests_that_fail_together_come_back_apart() {
        let jitters: std::collections::BTreeSet<u32> =
            (0..64).map(|request: u32| jitter(&format!("{request:08x}"), 1)).collect();
        assert!(jitters.len() > 32 && jitters.iter().all(|jitter| *jitter < 256), "{jitters:?}");
    }
}
