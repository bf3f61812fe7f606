//! How busy a shard is. It decides what a crash may strand: where requests come seldom, each is
//! written down as it is; where they are many, storage is told ahead.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::UnixMillis;

/// Admissions that are looked back at.
const LOOK_BACK: usize = 8;
/// So many within this time are dense traffic: a row for each would be dear and slow.
const DENSE: Duration = Duration::from_secs(2);
/// Gaps of at most this length are steady traffic: the platform keeps an idle object about as long.
pub const STEADY_GAP: Duration = Duration::from_secs(75);

/// The moments of the latest admissions since this object woke up.
#[derive(Clone, Debug, Default)]
pub struct Pace(VecDeque<UnixMillis>);

impl Pace {
    /// Notes an admission.
    pub fn note(&mut self, now: UnixMillis) {
        if self.0.back().is_some_and(|last| now.since(*last) > STEADY_GAP) {
            self.0.clear();
        }
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

    /// Whether they have been coming for a while, with this object awake, and may go on.
    #[must_use]
    pub fn is_steady(&self, now: UnixMillis) -> bool {
        self.0.len() >= LOOK_BACK && self.is_awake(now)
    }

    /// Whether there was a request lately.
    #[must_use]
    pub fn is_awake(&self, now: UnixMillis) -> bool {
        self.0.back().is_some_and(|last| now.since(*last) <= STEADY_GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_000_000 + millis)
    }

    #[test]
    fn eight_in_two_seconds_are_dense_and_eight_in_a_row_are_steady() {
        let mut pace = Pace::default();
        for number in 0..7 {
            pace.note(at(number * 100));
            assert!(!pace.is_dense(at(number * 100)) && !pace.is_steady(at(number * 100)));
        }
        pace.note(at(2_000));
        assert!(pace.is_dense(at(2_000)) && pace.is_steady(at(2_000)));
        assert!(!pace.is_dense(at(2_001)) && pace.is_steady(at(77_000)) && !pace.is_steady(at(77_001)));
        pace.note(at(77_001));
        assert!(!pace.is_steady(at(77_001)), "a gap begins anew");
    }
}
