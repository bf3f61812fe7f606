//! Callers whose bucket the ledger found empty, in this isolate's memory. Until their wait is over the
//! ledger would say the same again: it is not asked, and what else they send is not looked at. So whoever
//! sends beyond its rate costs one request to the ledger for each wait, and not one for each request.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::wire::Standing;
use crate::units::UnixMillis;

/// How many are kept in mind. Those beyond are asked of the ledger each time.
const MOST: usize = 1_024;

/// Them, by name. In order and not by a hash: without a credential, callers choose what they are called by.
#[derive(Debug, Default)]
pub struct Waiting(BTreeMap<String, Wait>);

#[derive(Debug)]
struct Wait {
    since: UnixMillis,
    nanos: u64,
    standing: Standing,
}

impl Waiting {
    /// Notes that a request which came at `since` was refused for so many nanoseconds more. The wait began
    /// later, when the ledger had the request: it is never held to be longer than it is.
    pub fn note(&mut self, subject: &str, nanos: u64, standing: &Standing, since: UnixMillis) {
        if self.0.len() >= MOST {
            self.0.retain(|_, wait| wait.left(since).is_some());
        }
        if self.0.len() < MOST {
            let standing = standing.clone();
            self.0.insert(subject.to_owned(), Wait { since, nanos, standing });
        }
    }

    /// How much longer somebody on this plan has to wait, in nanoseconds, and how it stands. `None` where
    /// the ledger is to be asked.
    #[must_use]
    pub fn of(&self, subject: &str, plan: &str, now: UnixMillis) -> Option<(u64, Standing)> {
        // On another plan it has another bucket's size.
        let wait = self.0.get(subject).filter(|wait| wait.standing.plan == plan)?;
        let left = wait.left(now)?;
        let mut standing = wait.standing.clone();
        let passed = now.since(wait.since);
        standing.now = standing.now.plus(passed);
        standing.level.next_in = standing.level.next_in.saturating_sub(nanos(passed));
        // With a new day it stands otherwise.
        (standing.now < standing.resets_at).then_some((left, standing))
    }
}

impl Wait {
    /// Nothing is left when the clock has been set back: it is not known then how much has passed.
    fn left(&self, now: UnixMillis) -> Option<u64> {
        let left = self.nanos.saturating_sub(nanos(now.since(self.since)));
        (now >= self.since && left > 0).then_some(left)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::bucket::Level;
    use crate::units::NanoUsd;

    const SECOND: u64 = 1_000_000_000;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_000_000 + millis)
    }

    fn standing() -> Standing {
        Standing {
            plan: String::from("standard"),
            rate_count: 6,
            rate_window: 60,
            burst: 3,
            level: Level { remaining: 0, next_in: 10 * SECOND },
            in_flight: 0,
            concurrency: 2,
            spent: NanoUsd::ZERO,
            cap: NanoUsd::ZERO,
            now: at(5),
            resets_at: at(60_000),
        }
    }

    #[test]
    fn somebody_waits_until_the_wait_is_over_and_on_that_plan_only() {
        let mut waiting = Waiting::default();
        waiting.note("a", 10 * SECOND, &standing(), at(0));
        let (left, stands) = waiting.of("a", "standard", at(4_000)).unwrap();
        assert_eq!((left, stands.level.next_in, stands.now), (6 * SECOND, 6 * SECOND, at(4_005)));
        assert_eq!(waiting.of("a", "standard", at(9_999)).unwrap().0, SECOND / 1_000);
        assert!(waiting.of("a", "standard", at(10_000)).is_none());
        assert!(waiting.of("a", "trusted", at(4_000)).is_none());
        assert!(waiting.of("b", "standard", at(4_000)).is_none());
        assert!(waiting.of("a", "standard", UnixMillis::from_millis(999_999)).is_none(), "set back");
    }

    #[test]
    fn a_new_day_is_asked_of_the_ledger() {
        let mut waiting = Waiting::default();
        waiting.note("a", 100 * SECOND, &standing(), at(0));
        assert!(waiting.of("a", "standard", at(59_000)).is_some());
        assert!(waiting.of("a", "standard", at(60_000)).is_none());
    }

    #[test]
    fn memory_is_bounded_and_who_has_waited_makes_room() {
        let mut waiting = Waiting::default();
        for number in 0..5_000 {
            waiting.note(&number.to_string(), SECOND, &standing(), at(0));
        }
        assert_eq!(waiting.0.len(), MOST);
        assert!(waiting.of("4999", "standard", at(1)).is_none());
        waiting.note("later", SECOND, &standing(), at(1_000));
        assert_eq!(waiting.0.len(), 1);
        assert!(waiting.of("later", "standard", at(1_001)).is_some());
    }
}
