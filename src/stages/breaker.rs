//! A circuit breaker for each upstream, as long as an isolate lives: one that has failed ten times
//! running is left alone for a while, then tried by one request before the others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seams::{Failed, UpstreamError};
use crate::units::UnixMillis;

/// Failures in a row after which an upstream is left alone.
const MOST_FAILURES: u32 = 10;
/// A failure this long after the last one begins a new row.
const ONE_ROW: Duration = Duration::from_secs(60);
/// For how long it is left alone. Longer than any one request may take, so that the one that tries
/// has its answer before the next does.
const REST: Duration = Duration::from_secs(30);

/// What is known of every upstream, by name. The names are the policy's, so that there are few.
#[derive(Debug, Default)]
pub struct Breakers(BTreeMap<&'static str, Breaker>);

#[derive(Clone, Copy, Debug, Default)]
struct Breaker {
    failures: u32,
    last_failure: UnixMillis,
    rests_since: UnixMillis,
}

impl Breakers {
    /// Whether `name` may be asked now. After a rest the one who is told yes is the one who tries.
    pub fn may_ask(&mut self, name: &'static str, now: UnixMillis) -> bool {
        let Some(breaker) = self.0.get_mut(name).filter(|breaker| breaker.failures >= MOST_FAILURES) else {
            return true;
        };
        // A clock that was ahead and is put right does not make it longer.
        if breaker.rests_since <= now && now.since(breaker.rests_since) < REST {
            return false;
        }
        breaker.rests_since = now;
        true
    }

    /// Takes in how a call ended. A refusal is an answer: whoever says no is there.
    pub fn hear(&mut self, name: &'static str, failed: Option<&Failed>, now: UnixMillis) {
        match failed.map(|failed| failed.error) {
            Some(UpstreamError::Connection | UpstreamError::Timeout | UpstreamError::Status(500..=599)) => {
                self.failed(name, now);
            }
            _ => self.answered(name),
        }
    }

    /// It answered, whatever it said.
    fn answered(&mut self, name: &'static str) {
        self.0.remove(name);
    }

    /// It could not be reached, took too long or failed by its own word.
    fn failed(&mut self, name: &'static str, now: UnixMillis) {
        let breaker = self.0.entry(name).or_default();
        if breaker.failures < MOST_FAILURES && now.since(breaker.last_failure) > ONE_ROW {
            breaker.failures = 0;
        }
        breaker.failures = breaker.failures.saturating_add(1);
        breaker.last_failure = now;
        if breaker.failures >= MOST_FAILURES {
            breaker.rests_since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_seconds(1_000 + seconds)
    }

    fn broken() -> Breakers {
        let mut breakers = Breakers::default();
        (0..10).for_each(|second| breakers.failed("a", at(second)));
        breakers
    }

    #[test]
    fn one_that_fails_ten_times_running_is_left_alone_for_a_while() {
        let mut breakers = Breakers::default();
        for second in 0..10 {
            assert!(breakers.may_ask("a", at(second)));
            breakers.failed("a", at(second));
        }
        assert!(!breakers.may_ask("a", at(10)) && !breakers.may_ask("a", at(38)));
        assert!(breakers.may_ask("b", at(10)), "another one is not to blame");
    }

    #[test]
    fn after_its_rest_one_request_tries_it() {
        let mut breakers = broken();
        assert!(breakers.may_ask("a", at(40)));
        assert!(!breakers.may_ask("a", at(41)), "the others wait for the one");
        breakers.failed("a", at(42));
        assert!(!breakers.may_ask("a", at(71)));
        assert!(breakers.may_ask("a", at(72)));
        breakers.answered("a");
        assert!(breakers.may_ask("a", at(73)) && breakers.may_ask("a", at(73)));
    }

    #[test]
    fn a_clock_that_was_ahead_makes_no_rest_longer() {
        let mut breakers = Breakers::default();
        (600..610).for_each(|second| breakers.failed("a", at(second)));
        assert!(breakers.may_ask("a", at(10)), "it has been put right by ten minutes");
        assert!(!breakers.may_ask("a", at(39)) && breakers.may_ask("a", at(40)));
    }

    #[test]
    fn an_answer_or_a_pause_ends_the_row() {
        let mut breakers = Breakers::default();
        for second in 0..30 {
            breakers.failed("a", at(second));
            if second % 9 == 8 {
                breakers.answered("a");
            }
            breakers.failed("b", at(second * 61));
        }
        assert!(breakers.may_ask("a", at(30)) && breakers.may_ask("b", at(30 * 61)));
    }
}
