//! How the ledger's objects stand, for operators.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::tally::asked::Asked;
use crate::ledger::wire::Revocation;
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// What an object asked of the platform since it woke up, as the platform counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Calls that it answered, alarms included.
    pub requests: u64,
    /// Rows that its SQL read.
    pub rows_read: u64,
    /// Rows that its SQL wrote, and alarms set.
    pub rows_written: u64,
    /// KV writes.
    pub kv_writes: u64,
    /// Requests to the treasury.
    pub treasury_requests: u64,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardState {
    /// Which, from 0.
    pub shard: u32,
    /// How often it was restored from storage.
    pub epoch: u64,
    /// Its clock.
    pub now: UnixMillis,
    /// How many shards there are today; 0 while it has not been told.
    pub shards: u32,
    /// Machines in memory.
    pub machines: u64,
    /// Reservations that are open.
    pub open: u64,
    /// By pool: `service`, `plan/<name>`.
    pub funds: BTreeMap<String, FundState>,
    /// Log records that wait for KV.
    pub log_records: u64,
    /// Log records dropped for want of room, ever.
    pub log_dropped: u64,
    /// Whether many requests come at a time, so that storage is told ahead.
    pub dense: bool,
    /// Since it woke up.
    pub operations: Operations,
}

/// A cap as one shard has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundState {
    /// The spending day.
    pub day: Day,
    /// Spent and set aside.
    pub used: NanoUsd,
    /// Spent.
    #[serde(default)]
    pub spent: NanoUsd,
    /// What may be spent without asking, all in all.
    pub leased: NanoUsd,
}

/// The treasury.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TreasuryState {
    /// The spending day.
    pub day: Day,
    /// How many shards there are on it.
    pub shards: u32,
    /// By pool: what is leased, by shard.
    pub granted: BTreeMap<String, BTreeMap<u32, NanoUsd>>,
    /// Changes of revocations so far.
    pub revision: u64,
    /// Since it woke up.
    pub operations: Operations,
    /// Who switched the model off, and why, where it is off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub switched_off: Option<Revocation>,
    /// Every shard that ever asked, and those of today.
    #[serde(default)]
    pub known: Vec<u32>,
    /// What it asked of the platform today.
    #[serde(default)]
    pub asked: Asked,
}
