//! Counts of a few kinds of things, each at its place: shorter than names, and nothing to look up.

use serde::{Deserialize, Serialize};

/// Counts by place, up to the last one that has any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(Vec<u64>);

impl Counts {
    /// Whether nothing was counted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts so many more of what has this place.
    pub fn add(&mut self, place: usize, more: u64) {
        if self.0.len() <= place {
            self.0.resize(place.saturating_add(1), 0);
        }
        if let Some(count) = self.0.get_mut(place) {
            *count = count.saturating_add(more);
        }
    }

    /// What was counted of it.
    #[must_use]
    pub fn get(&self, place: usize) -> u64 {
        self.0.get(place).copied().unwrap_or_default()
    }

    /// All that was counted.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Takes in what was counted elsewhere.
    pub fn take_in(&mut self, other: &Self) {
        for (place, more) in other.0.iter().enumerate() {
            self.add(place, *more);
        }
    }
}
