//! Buckets in KV, where `LIMIT_STORE` is `kv`: a refusal then costs no call of the ledger, and the
//! bound holds less exactly.
//!
//! KV may show what was written a minute ago, in each place another, and takes one write a second
//! for a key (developers.cloudflare.com/kv, limits). So each isolate keeps the buckets that it sees
//! in its memory, reads one from KV when it sees it first and again after [`READ_EVERY`], and
//! writes it back at most once in [`WRITE_EVERY`]. Of what it reads and what it knows, the later
//! theoretical arrival time counts: reading never gives a token back.
//!
//! The bound: each isolate alone admits at most what the bucket allows. With `n` isolates that see
//! nothing of each other, a machine is admitted at most `n` times burst and rate; once a write of
//! one has reached the others, what it admitted counts there too.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::bucket::{Level, Quota};
use crate::units::UnixMillis;

/// Between two reads of a bucket that is in use.
pub const READ_EVERY: Duration = Duration::from_secs(30);
/// Between two writes of one key.
pub const WRITE_EVERY: Duration = Duration::from_secs(2);
/// The shortest life that KV takes for a key.
const LEAST_LIFE: Duration = Duration::from_secs(60);
/// Buckets in the memory of an isolate. Beyond it, those that are full are forgotten, then all.
const MOST_BUCKETS: usize = 4_096;

/// The buckets that one isolate has seen. In order and not by a hash: whoever has a network of IPv6 chooses keys.
#[derive(Debug, Default)]
pub struct Buckets(BTreeMap<String, Bucket>);

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Theoretical arrival time, nanoseconds since the epoch.
    tat: u64,
    read_at: UnixMillis,
    written_at: UnixMillis,
}

/// What became of a request for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was one. `write`, where it is time: what to write, and for how long it is to live.
    Yes {
        /// What is left.
        level: Level,
        /// Theoretical arrival time and its life in KV.
        write: Option<(u64, Duration)>,
    },
    /// There was none: nanoseconds until there is, and what is left.
    No {
        /// Nanoseconds to wait.
        wait: u64,
        /// What is left.
        level: Level,
    },
}

impl Buckets {
    /// Whether the bucket should be read from KV first.
    #[must_use]
    pub fn is_stale(&self, key: &str, now: UnixMillis) -> bool {
        self.0.get(key).is_none_or(|bucket| now.since(bucket.read_at) >= READ_EVERY)
    }

    /// Takes in what KV holds: a theoretical arrival time, or nothing.
    pub fn read(&mut self, key: &str, tat: Option<u64>, now: UnixMillis) {
        self.make_room(now);
        let bucket = self.0.entry(key.to_owned()).or_default();
        // A time far ahead is no bucket of ours.
        let tat = tat.filter(|tat| *tat <= now.plus(Duration::from_secs(366 * 86_400)).nanos());
        bucket.tat = bucket.tat.max(tat.unwrap_or(0));
        bucket.read_at = now;
    }

    /// What is left, without taking.
    #[must_use]
    pub fn level(&self, key: &str, quota: Quota, now: UnixMillis) -> Level {
        quota.level(self.0.get(key).map_or(0, |bucket| bucket.tat), now.nanos())
    }

    /// Takes a token.
    pub fn take(&mut self, key: &str, quota: Quota, now: UnixMillis) -> Taken {
        let bucket = self.0.entry(key.to_owned()).or_default();
        match quota.take(bucket.tat, now.nanos()) {
            Ok(tat) => {
                bucket.tat = tat;
                let is_time = now.since(bucket.written_at) >= WRITE_EVERY;
                if is_time {
                    bucket.written_at = now;
                }
                let filled = Duration::from_nanos(tat.saturating_sub(now.nanos()));
                let write = is_time.then_some((tat, filled.max(LEAST_LIFE)));
                Taken::Yes { level: quota.level(tat, now.nanos()), write }
            }
            Err(wait) => Taken::No { wait, level: quota.level(bucket.tat, now.nanos()) },
        }
    }

    /// Gives back a token that was taken for nothing. What was written of it meanwhile counts on elsewhere.
    pub fn give_back(&mut self, key: &str, quota: Quota) {
        if let Some(bucket) = self.0.get_mut(key) {
            bucket.tat = quota.give_back(bucket.tat);
        }
    }

    fn make_room(&mut self, now: UnixMillis) {
        if self.0.len() >= MOST_BUCKETS {
            self.0.retain(|_, bucket| bucket.tat > now.nanos());
        }
        if self.0.len() >= MOST_BUCKETS {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn after(millis: u64) -> UnixMillis {
        NOW.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_bucket_is_read_again_after_thirty_seconds() {
        let mut buckets = Buckets::default();
        assert!(buckets.is_stale("m", NOW));
        buckets.read("m", None, NOW);
        buckets.read("n", None, NOW);
        assert!(!buckets.is_stale("m", after(29_999)) && buckets.is_stale("m", after(30_000)));
    }

    #[test]
    fn reading_never_gives_a_token_back_and_believes_no_time_far_ahead() {
        let quota = Quota::new(1, 60, 1).unwrap();
        let year = NOW.plus(Duration::from_secs(366 * 86_400)).nanos();
        for (tat, is_believed) in [(year, true), (year + 1, false), (u64::MAX, false)] {
            let mut buckets = Buckets::default();
            buckets.read("m", Some(tat), NOW);
            assert_eq!(buckets.level("m", quota, NOW).remaining, u32::from(!is_believed), "{tat}");
            assert_eq!(matches!(buckets.take("m", quota, NOW), Taken::No { .. }), is_believed, "{tat}");
            buckets.read("m", Some(0), NOW);
            buckets.read("m", None, NOW);
            assert_eq!(buckets.level("m", quota, NOW).remaining, 0, "{tat}");
        }
    }

    #[test]
    fn a_bucket_is_written_every_two_seconds_at_most() {
        let quota = Quota::new(60, 60, 3).unwrap();
        let mut buckets = Buckets::default();
        let mut take = |millis: u64| match buckets.take("m", quota, after(millis)) {
            Taken::Yes { write, .. } => write,
            Taken::No { .. } => panic!("{millis}"),
        };
        let second = Duration::from_secs(1);
        assert_eq!(take(0), Some((NOW.plus(second).nanos(), LEAST_LIFE)));
        assert_eq!(take(1_999), None);
        assert_eq!(take(2_000), Some((after(1_999).plus(2 * second).nanos(), LEAST_LIFE)));
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let quota = Quota::new(1, 60, 1).unwrap();
        let mut buckets = Buckets::default();
        assert!(matches!(buckets.take("m", quota, NOW), Taken::Yes { .. }));
        assert!(matches!(buckets.take("m", quota, NOW), Taken::No { .. }));
        buckets.give_back("m", quota);
        buckets.give_back("nobody", quota);
        assert!(matches!(buckets.take("m", quota, NOW), Taken::Yes { .. }));
    }

    #[test]
    fn of_too_many_buckets_those_that_are_full_are_forgotten_then_all() {
        let full = |count: usize, tat: u64| {
            let mut buckets = Buckets::default();
            for number in 0..count {
                buckets.read(&number.to_string(), Some(tat), NOW);
            }
            buckets
        };
        let (at_rest, in_use) = (NOW.nanos(), NOW.nanos() + 1);
        let mut buckets = full(MOST_BUCKETS - 2, at_rest);
        buckets.read("in use", Some(in_use), NOW);
        buckets.read("last", Some(at_rest), NOW);
        assert!(!buckets.is_stale("0", NOW), "there is room for so many");
        buckets.read("one more", None, NOW);
        assert!(!buckets.is_stale("in use", NOW) && buckets.is_stale("0", NOW));
        let mut buckets = full(MOST_BUCKETS, in_use);
        buckets.read("one more", None, NOW);
        assert!(buckets.is_stale("0", NOW) && !buckets.is_stale("one more", NOW));
    }
}
