//! Log records that wait in a shard, for operators who look at the log.

use serde::{Deserialize, Serialize};

use super::verbatim;
use crate::ledger::logbook::label::{Label, hash, parts};
use crate::units::UnixMillis;

/// Where a record stands in the log as operators see it, which is ordered by time. Records of one time
/// stand in the order of a hash of their keys, which is as good as any other and short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub UnixMillis, pub u64, pub u32);

impl Position {
    /// The position of the record with this key, of which there is one. `None` where it tells no time.
    #[must_use]
    pub fn of(key: &str) -> Option<Self> {
        Some(Self(parts(key).1?, hash(key), 0))
    }

    /// Before all records of a moment.
    #[must_use]
    pub const fn start_of(at: UnixMillis) -> Self {
        Self(at, 0, 0)
    }
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// Of this machine only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub machine: Option<String>,
    /// Not before this moment.
    pub from: UnixMillis,
    /// Before this position only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Position>,
    /// The newest of them, so many at most.
    pub most: u32,
}

/// The newest of them, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more, for which there was no room.
    pub is_cut: bool,
    /// Batches that left lately: KV may not list them yet.
    pub left: Vec<Left>,
}

/// A record that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its own key: machine and time.
    pub key: String,
    /// JSON, one line.
    #[serde(with = "verbatim")]
    pub line: String,
}

/// A batch in KV.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Its KV key.
    pub key: String,
    /// What it has in it.
    pub label: Label,
}
