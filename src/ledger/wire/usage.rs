//! What was used, for operators.

use serde::{Deserialize, Serialize};

use crate::ledger::tally::Tally;
use crate::ledger::tally::asked::Asked;
use crate::ledger::wire::Revocation;
use crate::ledger::wire::state::ShardState;
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// What one shard counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardUsage {
    /// How it stands.
    pub state: ShardState,
    /// By day, the earliest first; days without traffic are not among them.
    pub tallies: Vec<Tally>,
    /// What it asked of the platform.
    pub asked: Asked,
}

/// What machines are sorted by, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// What they spent.
    Spent,
    /// Their requests.
    Requests,
    /// When they were seen last.
    Seen,
}

/// One machine, or another subject by its ledger name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineState {
    /// The authenticated subject.
    pub subject: String,
    /// The plan by which it was admitted last.
    pub plan: String,
    /// Requests of today that are over.
    pub requests: u64,
    /// Spent today.
    pub spent: NanoUsd,
    /// Set aside for requests in flight.
    pub reserved: NanoUsd,
    /// Requests in flight.
    pub in_flight: u32,
    /// When it was admitted last.
    pub seen: UnixMillis,
}

impl Order {
    /// The first so many of these machines.
    #[must_use]
    pub fn first(self, machines: impl IntoIterator<Item = MachineState>, limit: u32) -> Vec<MachineState> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let rank = |machine: &MachineState| match self {
            Self::Spent => machine.spent.saturating_add(machine.reserved).nanos(),
            Self::Requests => machine.requests,
            Self::Seen => machine.seen.millis(),
        };
        let mut first: Vec<MachineState> = Vec::new();
        for machine in machines {
            let mine = rank(&machine);
            // Names decide between equals, so that the list holds still.
            let is_before = |other: &MachineState| {
                mine.cmp(&rank(other)).then_with(|| other.subject.cmp(&machine.subject)).is_lt()
            };
            let place = first.partition_point(is_before);
            first.insert(place, machine);
            first.truncate(limit);
        }
        first
    }
}

/// Machines of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machines {
    /// The spending day.
    pub day: Day,
    /// Those that were asked for.
    pub machines: Vec<MachineState>,
    /// Whether all were looked at: see [`crate::ledger::shard::MOST_LISTED`].
    pub complete: bool,
}

/// One machine in detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineDetail {
    /// The machine, where it was seen lately.
    pub machine: Option<MachineState>,
    /// Its own revocation, where it has one.
    pub revocation: Option<Revocation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(subject: &str, spent: u64, reserved: u64, requests: u64, seen: u64) -> MachineState {
        MachineState {
            subject: subject.to_owned(),
            plan: "standard".to_owned(),
            requests,
            spent: NanoUsd::from_nanos(spent),
            reserved: NanoUsd::from_nanos(reserved),
            in_flight: 0,
            seen: UnixMillis::from_millis(seen),
        }
    }

    #[test]
    fn those_with_the_most_come_first_and_names_decide_between_equals() {
        let machines = [
            machine("c", 5, 0, 1, 9),
            machine("a", 3, 2, 7, 1),
            machine("d", 1, 0, 1, 2),
            machine("b", 8, 1, 1, 2),
        ];
        for (order, names) in [(Order::Spent, "bacd"), (Order::Requests, "abcd"), (Order::Seen, "cbda")] {
            for limit in 0..=5 {
                let first = order.first(machines.clone(), limit);
                let first: String = first.iter().map(|machine| machine.subject.as_str()).collect();
                let count = names.len().min(usize::try_from(limit).unwrap());
                assert_eq!(first, names[..count], "{order:?}, {limit}");
            }
        }
    }
}
