//! Records that left for KV lately, so that one whose settlement comes again after a crash is known.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::fnv1a;
use crate::units::UnixMillis;

/// How long a record is remembered: no request lives so long, so none of its settlements comes later.
pub const REMEMBERED: Duration = Duration::from_secs(60);

/// How many at most. What comes again comes from isolates whose call a crash cut off, within seconds, so
/// the latest are enough where there are more.
const MOST: usize = 2_048;

/// The records of each batch, oldest first, by a hash of their keys: they stand in the shard's main row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed(VecDeque<Batch>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    at: UnixMillis,
    keys: Vec<u32>,
}

impl Departed {
    /// Takes in the keys of a batch.
    pub fn add(&mut self, keys: impl Iterator<Item = String>, now: UnixMillis) {
        // Whoever finds a collision can, after a crash, keep a record of its own out of the log.
        self.0.push_back(Batch { at: now, keys: keys.map(|key| fnv1a(key.bytes())).collect() });
        self.forget(now);
        let mut surplus = self.0.iter().map(|batch| batch.keys.len()).sum::<usize>().saturating_sub(MOST);
        while surplus > 0
            && let Some(oldest) = self.0.front_mut()
        {
            let gone = surplus.min(oldest.keys.len());
            oldest.keys.drain(..gone);
            surplus = surplus.saturating_sub(gone);
            if oldest.keys.is_empty() {
                self.0.pop_front();
            }
        }
    }

    /// Forgets what is too long ago to come again.
    pub fn forget(&mut self, now: UnixMillis) {
        while self.0.front().is_some_and(|batch| now.since(batch.at) >= REMEMBERED) {
            self.0.pop_front();
        }
    }

    /// Whether a record with this key is among them. One in a million others is taken for one that is.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        let hash = fnv1a(key.bytes());
        self.0.iter().any(|batch| batch.keys.contains(&hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known_for_a_minute() {
        let at = UnixMillis::from_seconds;
        let keys = |numbers: std::ops::Range<u32>| numbers.map(|number| format!("m:{number}"));
        let mut departed = Departed::default();
        departed.add(keys(0..10), at(100));
        departed.add(keys(10..20), at(130));
        assert!(departed.knows("m:0") && departed.knows("m:19") && !departed.knows("m:20"));
        departed.forget(at(159));
        assert!(departed.knows("m:0"));
        departed.forget(at(160));
        assert!(!departed.knows("m:0") && departed.knows("m:10"));
        departed.add(keys(1_000..5_000), at(160));
        assert!(departed.knows("m:4999") && departed.knows("m:2960") && !departed.knows("m:10"));
        assert_eq!(departed.0.iter().map(|batch| batch.keys.len()).sum::<usize>(), MOST);
        let stored = serde_json::to_string(&departed).unwrap();
        assert!(stored.len() < 24_000, "{} bytes", stored.len());
        assert_eq!(serde_json::from_str::<Departed>(&stored).unwrap(), departed);
    }
}
