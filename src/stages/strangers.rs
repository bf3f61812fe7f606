//! The rate that all callers without a credential share in this isolate, since they are as many as somebody likes.

use crate::ledger::bucket::Quota;
use crate::units::UnixMillis;

/// Requests that callers without a credential may send in a second, all of them together and in one isolate,
/// and how many at once. Each of them has a small bucket of its own at the ledger, but whoever has a network of
/// IPv6 has as many of these as are asked for.
const STRANGERS_A_SECOND: u32 = 10;
const STRANGERS_AT_ONCE: u32 = 20;

/// The bucket that they share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strangers {
    tat: u64,
    seen: UnixMillis,
}

impl Strangers {
    /// Takes one request.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn take(&mut self, now: UnixMillis) -> Result<(), u64> {
        // Once the clock has been set back, what was counted before would refuse everybody until it catches up.
        if now < self.seen {
            self.tat = 0;
        }
        self.seen = now;
        let Some(quota) = Quota::new(STRANGERS_A_SECOND, 1, STRANGERS_AT_ONCE) else { return Ok(()) };
        self.tat = quota.take(self.tat, now.nanos())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_000_000 + millis)
    }

    #[test]
    fn they_share_a_bucket() {
        let mut strangers = Strangers::default();
        let among = |strangers: &mut Strangers, from: u64, count: u64| {
            (0..count).filter(|number| strangers.take(at(from + number)).is_ok()).count()
        };
        // A request each millisecond: those at once, and then ten a second.
        assert_eq!(among(&mut strangers, 0, 3_000), 20 + 29);
        assert_eq!(strangers.take(at(3_000)), Ok(()));
        assert_eq!(strangers.take(at(3_001)), Err(SECOND * 99 / 1_000));
        // Set back by an hour.
        assert_eq!(strangers.take(UnixMillis::from_millis(0)), Ok(()));
    }
}
