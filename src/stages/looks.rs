//! How often a caller may look at how it stands. A look takes no token of its bucket and no money, but it asks the
//! ledger, whose requests are counted by the day (developers.cloudflare.com/durable-objects/platform/limits): without
//! a limit one caller could use up everybody's.

use crate::ledger::bucket::Quota;
use crate::ledger::kv_bucket::{Buckets, Taken};
use crate::units::UnixMillis;

/// Looks in a minute, and at once, of one caller in one isolate.
pub const LOOKS_A_MINUTE: u32 = 10;
/// And at once.
pub const LOOKS_AT_ONCE: u32 = 20;

/// The bucket of each who looked lately.
#[derive(Debug, Default)]
pub struct Looks(Allowance);

impl Looks {
    /// Takes one look.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn take(&mut self, subject: &str, now: UnixMillis) -> Result<(), u64> {
        let Some(quota) = Quota::new(LOOKS_A_MINUTE, 60, LOOKS_AT_ONCE) else { return Ok(()) };
        self.0.take(subject, quota, now)
    }
}

/// Buckets that this isolate alone keeps, no more than [`Buckets`] holds.
#[derive(Debug, Default)]
pub struct Allowance {
    buckets: Buckets,
    seen: UnixMillis,
}

impl Allowance {
    /// Takes a token.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn take(&mut self, key: &str, quota: Quota, now: UnixMillis) -> Result<(), u64> {
        self.keep_up(now);
        if self.buckets.is_stale(key, now) {
            // Nothing is kept elsewhere: this makes room for it.
            self.buckets.read(key, None, now);
        }
        match self.buckets.take(key, quota, now) {
            Taken::Yes { .. } => Ok(()),
            Taken::No { wait, .. } => Err(wait),
        }
    }

    /// Whether there is a token, without taking it.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn look(&mut self, key: &str, quota: Quota, now: UnixMillis) -> Result<(), u64> {
        self.keep_up(now);
        let level = self.buckets.level(key, quota, now);
        if level.remaining > 0 { Ok(()) } else { Err(level.next_in) }
    }

    /// Once the clock has been set back, what was taken before would keep everybody out until it catches up.
    fn keep_up(&mut self, now: UnixMillis) {
        if now < self.seen {
            self.buckets = Buckets::default();
        }
        self.seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_800_000_000_000 + millis)
    }

    #[test]
    fn each_caller_has_twenty_at_once_and_ten_a_minute() {
        let mut looks = Looks::default();
        // One each 100 milliseconds, for ten minutes.
        let taken = (0..6_000).filter(|number| looks.take("a", at(100 * number)).is_ok()).count();
        assert_eq!(taken, 20 + 99);
        assert_eq!(looks.take("a", at(599_900)), Err(100_000_000));
        assert_eq!(looks.take("b", at(599_900)), Ok(()));
        assert_eq!(looks.take("a", UnixMillis::from_millis(0)), Ok(()), "the clock is set back");
    }

    #[test]
    fn memory_is_bounded() {
        let mut looks = Looks::default();
        for number in 0..20_000_u64 {
            assert_eq!(looks.take(&number.to_string(), at(number)), Ok(()));
        }
        assert!(format!("{looks:?}").matches("tat").count() <= 4_096);
    }
}
