//! How many lines a minute one isolate writes about requests that no limit of the ledger bounds: who is
//! turned away, or asks how it stands. Whoever has a token can send any number of these, and the platform
//! keeps so many lines a day and then none; so the rest is counted, and the next line tells how many.

use std::time::Duration;

use crate::units::UnixMillis;

/// Lines a minute.
pub const A_MINUTE: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// The lines of this minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sieve {
    since: UnixMillis,
    passed: u32,
    left_out: u64,
}

impl Sieve {
    /// With nothing passed yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { since: UnixMillis::from_millis(0), passed: 0, left_out: 0 }
    }

    /// Whether a line may be written.
    pub fn passes(&mut self, now: UnixMillis) -> bool {
        if now.since(self.since) >= MINUTE {
            (self.since, self.passed) = (now, 0);
        }
        let passes = self.passed < A_MINUTE;
        if passes {
            self.passed = self.passed.saturating_add(1);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        passes
    }

    /// How many were left out since a line told of it.
    pub const fn take_left_out(&mut self) -> u64 {
        std::mem::replace(&mut self.left_out, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_a_minute_and_the_rest_is_counted() {
        let at = UnixMillis::from_seconds;
        let mut sieve = Sieve::default();
        let passed = (0..100).filter(|_| sieve.passes(at(100))).count();
        assert_eq!((passed, sieve.take_left_out(), sieve.take_left_out()), (60, 40, 0));
        assert!(!sieve.passes(at(159)) && sieve.passes(at(160)));
        assert_eq!(sieve.take_left_out(), 1);
    }
}
