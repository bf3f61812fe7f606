//! The token bucket, as the generic cell rate algorithm (GCRA, ITU-T I.371) in whole nanoseconds:
//! one number a machine, no tokens to refill, no rounding that adds up.

use serde::{Deserialize, Serialize};

/// A bucket's size and pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests a window.
    count: u32,
    window_seconds: u32,
    burst: u32,
    /// Nanoseconds until one more request may come.
    interval: u64,
}

/// What a bucket has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Requests that may come now.
    pub remaining: u32,
    /// Nanoseconds until there is one more than that; 0 when the bucket is full.
    pub next_in: u64,
}

impl Quota {
    /// `count` requests every `window_seconds`, `burst` of them at once. `None` when any is zero,
    /// or when requests would be less than a microsecond apart.
    #[must_use]
    pub fn new(count: u32, window_seconds: u32, burst: u32) -> Option<Self> {
        let window = u64::from(window_seconds).checked_mul(1_000_000_000)?;
        // Rounded up: rounded down, a bucket would let through more than its rate over time.
        let interval = window.checked_add(u64::from(count))?.checked_sub(1)?.checked_div(u64::from(count))?;
        // The bucket's depth has to be a span of time that fits.
        interval.checked_mul(u64::from(burst))?;
        (burst > 0 && interval >= 1_000).then_some(Self { count, window_seconds, burst, interval })
    }

    /// Requests a window.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// Length of the window in seconds.
    #[must_use]
    pub const fn window_seconds(self) -> u32 {
        self.window_seconds
    }

    /// Requests that may come at once.
    #[must_use]
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Takes one request at `now` from a bucket whose theoretical arrival time is `tat`, both in
    /// nanoseconds. `Ok` is the new theoretical arrival time, `Err` the nanoseconds to wait.
    pub fn take(self, tat: u64, now: u64) -> Result<u64, u64> {
        let next = tat.max(now).saturating_add(self.interval);
        match next.saturating_sub(now).checked_sub(self.depth()) {
            None | Some(0) => Ok(next),
            Some(wait) => Err(wait),
        }
    }

    /// The theoretical arrival time without one request that [`Quota::take`] took.
    #[must_use]
    pub const fn give_back(self, tat: u64) -> u64 {
        tat.saturating_sub(self.interval)
    }

    /// What is left at `now`.
    #[must_use]
    pub fn level(self, tat: u64, now: u64) -> Level {
        let filled = tat.saturating_sub(now);
        let room = self.depth().saturating_sub(filled);
        let remaining = u32::try_from(room.checked_div(self.interval).unwrap_or(0)).unwrap_or(self.burst);
        let next_in = if filled == 0 {
            0
        } else {
            let next_room = u64::from(remaining).saturating_add(1).saturating_mul(self.interval);
            filled.saturating_sub(self.depth().saturating_sub(next_room))
        };
        Level { remaining, next_in }
    }

    /// The theoretical arrival time of a bucket from which everything is taken at `now`.
    #[must_use]
    pub fn empty_at(self, now: u64) -> u64 {
        now.saturating_add(self.depth())
    }

    /// Nanoseconds that a full bucket is ahead of an empty one.
    const fn depth(self) -> u64 {
        self.interval.saturating_mul(self.burst as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_then_the_rate_and_no_more() {
        let quota = Quota::new(6, 60, 3).unwrap();
        let (mut tat, mut admitted) = (0, Vec::new());
        let start = 1_000 * SECOND;
        for millis in 0..=60_000_u64 {
            let now = start + millis * 1_000_000;
            while let Ok(next) = quota.take(tat, now) {
                tat = next;
                admitted.push(millis);
            }
        }
        assert_eq!(admitted, [0, 0, 0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    }

    #[test]
    fn the_wait_is_exact() {
        let quota = Quota::new(6, 60, 1).unwrap();
        let now = 5 * SECOND;
        let tat = quota.take(0, now).unwrap();
        let wait = quota.take(tat, now).unwrap_err();
        assert_eq!(wait, 10 * SECOND);
        assert!(quota.take(tat, now + wait - 1).is_err());
        assert!(quota.take(tat, now + wait).is_ok());
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let quota = Quota::new(6, 60, 3).unwrap();
        let now = 100 * SECOND;
        let empty = quota.empty_at(now);
        let back = quota.give_back(empty);
        assert_eq!(back, empty - 10 * SECOND);
        assert_eq!((quota.take(back, now), quota.give_back(0)), (Ok(empty), 0));
    }

    #[test]
    fn the_level_tells_what_take_would_do() {
        let quota = Quota::new(6, 60, 3).unwrap();
        let now = 100 * SECOND;
        assert_eq!(quota.level(0, now), Level { remaining: 3, next_in: 0 });
        let one = quota.take(0, now).unwrap();
        assert_eq!(quota.level(one, now), Level { remaining: 2, next_in: 10 * SECOND });
        let empty = quota.empty_at(now);
        assert_eq!(quota.level(empty, now), Level { remaining: 0, next_in: 10 * SECOND });
        assert_eq!(quota.level(empty, now + 4 * SECOND), Level { remaining: 0, next_in: 6 * SECOND });
        assert_eq!(quota.take(empty, now), Err(10 * SECOND));
    }

    #[test]
    fn a_rate_that_does_not_divide_is_rounded_to_the_safe_side() {
        let quota = Quota::new(7, 60, 2).unwrap();
        assert_eq!((quota.count(), quota.window_seconds(), quota.burst()), (7, 60, 2));
        assert_eq!(quota.interval, 8_571_428_572);
        assert!(quota.interval * 7 >= 60 * SECOND);
    }

    #[test]
    fn nonsense_is_no_quota() {
        assert_eq!(Quota::new(0, 60, 3), None);
        assert_eq!(Quota::new(6, 0, 3), None);
        assert_eq!(Quota::new(6, 60, 0), None);
        assert_eq!(Quota::new(2_000_000, 1, 3), None);
    }
}
