//! How busy a shard is. It decides what a crash may strand: where requests come seldom, each is
//! written down as it is; where they are many, storage is told ahead.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::UnixMillis;

/// Admissions that are looked back at.
const LOOK_BACK: usize = 8;
/// So many within this time are dense traffic: a row for each would be dear and slow.
const DENSE: Duration = Duration::from_secs(2);

/// The moments of the latest admissions since this object woke up.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<UnixMillis>);

impl Pace {
    /// Notes an admission.
    pub fn note(&mut self, now: UnixMillis) {
        self.0.push_back(now);
        if self.0.len() > LOOK_BACK {
            self.0.pop_front();
        }
    }

    /// Whether many requests come at a time.
    #[must_use]
    pub fn is_dense(&self, now: UnixMillis) -> bool {
        self.0.len() >= LOOK_BACK && self.0.front().is_some_and(|first| now.since(*first) <= DENSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_000_000 + millis)
    }

    #[test]
    fn eight_in_two_seconds_are_dense() {
        let mut pace = Pace::default();
        for number in 0..7 {
            pace.note(at(number * 100));
            assert!(!pace.is_dense(at(number * 100)));
        }
        pace.note(at(2_000));
        assert!(pace.is_dense(at(2_000)) && !pace.is_dense(at(2_001)));
    }
}
