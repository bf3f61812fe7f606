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

use std::collections::HashMap;
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

/// The buckets that one isolate has seen.
#[derive(Debug, Default)]
pub struct Buckets(HashMap<String, Bucket>);

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

    fn make_room(&mut self, now: UnixMillis) {
        if self.0.len() >= MOST_BUCKETS {
            self.0.retain(|_, bucket| bucket.tat > now.nanos());
        }
        if self.0.len() >= MOST_BUCKETS {
            self.0.clear();
        }
    }
}
