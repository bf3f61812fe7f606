//! What all objects of the ledger counted, put together.

use std::collections::BTreeMap;

use crate::ledger::tally::Tally;
use crate::ledger::tally::asked::Asked;
use crate::ledger::wire::state::{ShardState, TreasuryState};
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::{Command, Outcome};
use crate::policy::day::Day;
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::units::{NanoUsd, UnixMillis};

/// The free plan's allowances a UTC day
/// (developers.cloudflare.com, Workers, Durable Objects and KV: limits and pricing), of what a Worker can count
/// itself. For how long objects stay in memory (13,000 GB-s) only the platform knows; nothing is deleted in KV.
const ALLOWANCES: [(&str, u64); 7] = [
    ("worker requests", 100_000),
    ("ledger requests", 100_000),
    ("rows read", 5_000_000),
    ("rows written", 100_000),
    ("kv reads", 100_000),
    ("kv writes", 1_000),
    ("kv lists", 1_000),
];

/// All of it.
#[derive(Debug)]
pub struct Gathered {
    /// The treasury.
    pub treasury: TreasuryState,
    /// Today's shards.
    pub shards: Vec<ShardState>,
    /// Over all shards: each day with traffic, and today.
    pub days: BTreeMap<Day, Tally>,
    asked: Asked,
}

/// What is gone of a cap today.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gone {
    /// Spent.
    pub spent: NanoUsd,
    /// Set aside for requests in flight.
    pub reserved: NanoUsd,
}

impl Gathered {
    /// Asks the treasury and each shard, also those that were in use on other days, for what was counted
    /// on the last `days` days.
    ///
    /// # Errors
    /// [`Reject::LedgerUnavailable`]: one of them does not answer.
    pub async fn ask<L: Ledger>(ledger: &L, days: u64, now: UnixMillis) -> Result<Self, Reject> {
        let unavailable = |_| Reject::LedgerUnavailable;
        let Answer::State(treasury) = ledger.treasury(Errand::State).await.map_err(unavailable)? else {
            return Err(Reject::LedgerUnavailable);
        };
        let today = treasury.day;
        let since = Day::from_number(today.number().saturating_sub(days.saturating_sub(1)));
        let mut asked = Asked { day: Asked::day_of(now), ..Asked::default() };
        asked.take_in(&treasury.asked);
        let mut gathered = Self { treasury, shards: Vec::new(), days: BTreeMap::new(), asked };
        gathered.days.insert(today, Tally::of(today));
        for shard in gathered.treasury.known.clone() {
            let Outcome::Usage(usage) =
                ledger.tell(shard, Command::Usage { since }).await.map_err(unavailable)?
            else {
                return Err(Reject::LedgerUnavailable);
            };
            for tally in usage.tallies.iter().filter(|tally| tally.day <= today) {
                gathered.days.entry(tally.day).or_insert_with(|| Tally::of(tally.day)).take_in(tally);
            }
            gathered.asked.take_in(&usage.asked);
            if shard < gathered.treasury.shards {
                gathered.shards.push(usage.state);
            }
        }
        Ok(gathered)
    }

    /// Today's counters.
    #[must_use]
    pub fn today(&self) -> Tally {
        self.days.get(&self.treasury.day).cloned().unwrap_or_default()
    }

    /// What is gone of a cap today, over all shards: it is by this that requests are refused.
    #[must_use]
    pub fn gone(&self, pool: &str) -> Gone {
        let funds = self.shards.iter().filter_map(|shard| shard.funds.get(pool));
        funds.filter(|fund| fund.day == self.treasury.day).fold(Gone::default(), |gone, fund| Gone {
            spent: gone.spent.saturating_add(fund.spent),
            reserved: gone.reserved.saturating_add(fund.used.saturating_sub(fund.spent)),
        })
    }

    /// What was asked of the platform in this UTC day, with the free plan's allowance: name, used, of.
    #[must_use]
    pub fn allowances(&self) -> [(&'static str, u64, u64); 7] {
        let Asked { worker, requests, rows_read, rows_written, kv_reads, kv_writes, kv_lists, .. } =
            self.asked;
        let used = [worker, requests, rows_read, rows_written, kv_reads, kv_writes, kv_lists];
        let mut used = used.into_iter();
        ALLOWANCES.map(|(name, of)| (name, used.next().unwrap_or_default(), of))
    }

    /// Whether the model may be asked.
    #[must_use]
    pub const fn is_model_on(&self) -> bool {
        self.treasury.switched_off.is_none()
    }
}
