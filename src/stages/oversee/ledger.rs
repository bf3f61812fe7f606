//! How the ledger's objects stand: `GET /admin/ledger`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::ledger::wire::state::{Operations, ShardState, TreasuryState};
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::{Command, Outcome};
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::units::NanoUsd;

/// What the route answers.
#[derive(Debug, Serialize)]
pub struct Overview {
    treasury: Treasury,
    shards: Vec<Shard>,
}

#[derive(Debug, Serialize)]
struct Treasury {
    day: u64,
    shards: u32,
    /// By pool and shard, in dollars.
    leased_usd: BTreeMap<String, BTreeMap<u32, String>>,
    operations: Operations,
}

#[derive(Debug, Serialize)]
struct Shard {
    shard: u32,
    restarts: u64,
    machines: u64,
    open_reservations: u64,
    funds: BTreeMap<String, Fund>,
    log: Log,
    dense: bool,
    operations: Operations,
}

#[derive(Debug, Serialize)]
struct Fund {
    used_usd: String,
    leased_usd: String,
}

#[derive(Debug, Serialize)]
struct Log {
    waiting: u64,
    dropped: u64,
}

/// Asks the treasury and every shard of today.
///
/// # Errors
/// [`Reject::LedgerUnavailable`].
pub async fn ledger<L: Ledger>(ledger: &L) -> Result<Overview, Reject> {
    let unavailable = |_| Reject::LedgerUnavailable;
    let Answer::State(treasury) = ledger.treasury(Errand::State).await.map_err(unavailable)? else {
        return Err(Reject::LedgerUnavailable);
    };
    let mut shards = Vec::new();
    for shard in 0..treasury.shards {
        match ledger.tell(shard, Command::State).await.map_err(unavailable)? {
            Outcome::State(state) => shards.push(Shard::of(*state)),
            _ => return Err(Reject::LedgerUnavailable),
        }
    }
    Ok(Overview { treasury: Treasury::of(treasury), shards })
}

impl Treasury {
    fn of(state: TreasuryState) -> Self {
        let TreasuryState { day, shards, granted, operations, .. } = state;
        let in_usd = |leases: BTreeMap<u32, NanoUsd>| {
            leases.into_iter().map(|(shard, lease)| (shard, lease.to_string())).collect()
        };
        let leased_usd = granted.into_iter().map(|(pool, leases)| (pool, in_usd(leases))).collect();
        Self { day: day.number(), shards, leased_usd, operations }
    }
}

impl Shard {
    fn of(state: ShardState) -> Self {
        let funds = state.funds.into_iter().map(|(pool, fund)| {
            (pool, Fund { used_usd: fund.used.to_string(), leased_usd: fund.leased.to_string() })
        });
        Self {
            shard: state.shard,
            restarts: state.epoch.saturating_sub(1),
            machines: state.machines,
            open_reservations: state.open,
            funds: funds.collect(),
            log: Log { waiting: state.log_records, dropped: state.log_dropped },
            dense: state.dense,
            operations: state.operations,
        }
    }
}
