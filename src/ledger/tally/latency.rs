//! A histogram of how long requests took.

use serde::{Deserialize, Serialize};

use super::counts::Counts;

/// The upper ends of the buckets, in milliseconds. Stored counts go by their places, so that another end
/// would be another form.
pub const BOUNDS_MS: [u64; 12] = [5, 25, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000];

/// Counts by bucket, the last of which has no upper end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    counts: Counts,
    sum_ms: u64,
}

impl Latency {
    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Counts a request.
    pub fn add(&mut self, ms: u64) {
        let place = BOUNDS_MS.partition_point(|bound| *bound < ms);
        self.counts.add(place, 1);
        self.sum_ms = self.sum_ms.saturating_add(ms);
    }

    /// Takes in what was counted elsewhere.
    pub fn take_in(&mut self, other: &Self) {
        self.counts.take_in(&other.counts);
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
    }

    /// Requests counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.sum()
    }

    /// All that they took.
    #[must_use]
    pub const fn sum_ms(&self) -> u64 {
        self.sum_ms
    }

    /// By the upper ends of the buckets: requests that took no longer.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut up_to = 0_u64;
        BOUNDS_MS.iter().enumerate().map(move |(place, bound)| {
            up_to = up_to.saturating_add(self.counts.get(place));
            (*bound, up_to)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_upper_end() {
        let mut latency = Latency::default();
        assert!(latency.is_empty());
        for ms in [0, 5, 6, 60_000, 60_001] {
            latency.add(ms);
        }
        let cumulative: Vec<(u64, u64)> = latency.cumulative().collect();
        assert_eq!(cumulative.first(), Some(&(5, 2)));
        assert_eq!(cumulative.get(1), Some(&(25, 3)));
        assert_eq!(cumulative.last(), Some(&(60_000, 4)), "one took longer than any end");
        assert_eq!((latency.count(), latency.sum_ms()), (5, 120_012));
    }

    #[test]
    fn the_ends_stay_where_they_are() {
        assert_eq!(
            BOUNDS_MS,
            [5, 25, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 30_000, 60_000],
            "stored counts go by their places"
        );
        assert!(BOUNDS_MS.is_sorted());
    }
}
