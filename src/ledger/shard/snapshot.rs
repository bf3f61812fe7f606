//! The shard's main row: all that a shard has to know after a crash, in one row, since a row is
//! what a write costs. It says what is *gone*: spent and set aside together, and in dense traffic
//! some more, so that not every request has to write. After a crash that is what counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{Journal, Orphan};
use super::{Reservation, Shard, Term};
use crate::ledger::account::Account;
use crate::ledger::fund::Fund;
use crate::ledger::logbook::{self, Logbook};
use crate::ledger::machine::Machine;
use crate::ledger::replay;
use crate::ledger::rows::{self, Row, StoredMachine, Unreadable};
use crate::ledger::tally::days::{self, Tallies};
use crate::ledger::wire::{Budget, Route};
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// Requests of a machine that may be written down ahead in dense traffic.
pub(super) const AHEAD: u64 = 64;
/// Requests for which a fund may be: at most, and at least.
const AHEAD_AT_MOST: u64 = 128;
const AHEAD_AT_LEAST: u64 = 2;
/// Between the two, the part (one in so many) of what is left of its lease. So crash after crash takes
/// less and less.
const PART: u64 = 8;
/// A machine that was admitted this long ago is not written down ahead.
const LATELY: Duration = Duration::from_secs(60);
const VERSION: u32 = 2;

/// Its texts are borrowed when it is written, which dense traffic does many times a second.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot<T: Ord> {
    v: u32,
    shard: u32,
    epoch: u64,
    clock: UnixMillis,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    term: Option<StoredTerm>,
    revision: u64,
    horizon: UnixMillis,
    alarm: UnixMillis,
    alarm_after_ms: u64,
    spilled: bool,
    swept: Day,
    funds: BTreeMap<T, StoredFund>,
    machines: BTreeMap<T, StoredMachine>,
    open: Vec<StoredReservation<T>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    orphans: Vec<Orphan>,
    /// The first row of the journal that this one does not cover.
    #[serde(default)]
    journal: u64,
    log: logbook::Stored,
    #[serde(default)]
    tallies: days::Stored,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTerm {
    day: Day,
    shards: u32,
    salt: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFund {
    day: Day,
    gone: NanoUsd,
    lease: NanoUsd,
    cap: NanoUsd,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredReservation<T> {
    id: T,
    subject: T,
    plan: T,
    pooled: bool,
    amount: NanoUsd,
    day: Day,
    deadline: UnixMillis,
    budget: Budget,
    record_at: UnixMillis,
}

impl Shard {
    /// The shard as storage knows it: `main` is the row [`rows::SHARD`]. The rows that
    /// [`Shard::also_needed`] names have to be loaded next.
    pub fn restore(main: Option<&str>) -> Result<Self, Unreadable> {
        let Some(main) = main else {
            return Ok(Self { epoch: 1, ..Self::default() });
        };
        let stored: Snapshot<String> = serde_json::from_str(main).map_err(|_| Unreadable)?;
        if stored.v != VERSION {
            return Err(Unreadable);
        }
        let mut shard = Self {
            index: stored.shard,
            epoch: stored.epoch.saturating_add(1),
            clock: stored.clock,
            active_at: stored.clock,
            term: stored
                .term
                .map(|StoredTerm { day, shards, salt }| Term { day, route: Route { shards, salt } }),
            revision: stored.revision,
            heard: stored.revision,
            horizon: stored.horizon,
            stored_horizon: stored.horizon,
            alarm: stored.alarm,
            alarm_after: Duration::from_millis(stored.alarm_after_ms),
            has_spilled: stored.spilled,
            swept: stored.swept,
            written_at: stored.clock,
            tallies: Tallies::restored(stored.tallies)?,
            logbook: Logbook::restored(stored.log),
            journal: Journal::restored(stored.journal),
            ..Self::default()
        };
        shard.machines =
            stored.machines.into_iter().map(|(subject, machine)| (subject, machine.into())).collect();
        for (pool, StoredFund { day, gone, lease, cap }) in stored.funds {
            let account = Account::restored(day, gone);
            shard.funds.insert(pool, Fund::restored(account, lease, cap));
        }
        for open in stored.open {
            shard.reopen(open);
        }
        for orphan in stored.orphans {
            shard.adopt(orphan);
        }
        Ok(shard)
    }

    /// Keys of the rows that belong to the main row.
    #[must_use]
    pub fn also_needed(&self) -> Vec<String> {
        self.logbook.slots().into_iter().map(rows::log_key).collect()
    }

    /// Takes in another stored row, or the news that there is none.
    pub fn load(&mut self, key: &str, value: Option<&str>) -> Result<(), Unreadable> {
        let Some(value) = value else {
            return Ok(());
        };
        if key.starts_with(rows::REVOKED) {
            self.revocations.add(rows::read_revocation(value)?);
        } else if key.starts_with(rows::TALLY) {
            self.tallies.load(value)?;
        } else if key.starts_with(rows::LOG) {
            self.logbook.take_in(serde_json::from_str(value).map_err(|_| Unreadable)?);
        } else if let Some(subject) = key.strip_prefix(rows::MACHINE) {
            let machine = rows::read_machine(value)?;
            self.clock = self.clock.max(UnixMillis::from_millis(machine.seen));
            self.machines.insert(subject.to_owned(), machine);
        }
        Ok(())
    }

    /// A reservation that was open when the row was written: part of what is gone, but not lost.
    fn reopen(&mut self, open: StoredReservation<String>) {
        let StoredReservation { id, subject, plan, pooled, amount, day, deadline, budget, record_at } = open;
        let machine = self.machines.entry(subject.clone()).or_default();
        machine.in_flight = machine.in_flight.saturating_add(1);
        machine.account.reopen(day, amount);
        let plan_pool = pooled.then(|| super::leases::plan_pool(&plan));
        for pool in plan_pool.as_deref().into_iter().chain([crate::ledger::fund::SERVICE]) {
            if let Some(fund) = self.funds.get_mut(pool) {
                fund.account.reopen(day, amount);
            }
        }
        self.by_deadline.insert((deadline, id.clone()));
        let stored = true;
        let reservation =
            Reservation { subject, plan, pooled, amount, day, deadline, budget, record_at, stored };
        self.open.insert(id, reservation);
    }

    /// Writes the main row, in dense traffic with something ahead. Gives the moment to set the alarm
    /// for, where that changed.
    pub(super) fn write(
        &mut self,
        now: UnixMillis,
        rows: &mut Vec<Row>,
    ) -> Result<Option<UnixMillis>, Unreadable> {
        let ahead = self.pace.is_dense(now);
        self.is_ahead = ahead;
        let alarm = self.arm(now);
        let cutoff = self.cutoff();
        self.stored_horizon = self.horizon.max(cutoff);
        if ahead && self.machines.values().any(|machine| !machine.nonces.is_empty()) {
            self.stored_horizon = self.stored_horizon.max(replay::horizon_ahead(now));
        }
        let (log, chunks) = self.logbook.store();
        for (slot, entries) in chunks {
            rows.push(rows::row(rows::log_key(slot), &entries)?);
        }
        let open = &self.open;
        rows.extend(self.tallies.close(|day| open.values().any(|open| open.day == day))?);
        self.tallies.asked.write(rows.len().saturating_add(1), alarm);
        let tallies = self.tallies.store();
        let mut is_any_ahead = false;
        let mut machines = BTreeMap::new();
        for (subject, machine) in &mut self.machines {
            let recent = now.since(UnixMillis::from_millis(machine.seen)) <= LATELY;
            let margin = if ahead && recent { machine.margin } else { NanoUsd::ZERO };
            is_any_ahead |= margin > NanoUsd::ZERO;
            let gone = machine.account.used().saturating_add(margin);
            machine.stored = (machine.account.day(), gone);
            let listed = machine.nonces.after(cutoff);
            machines.insert(subject.as_str(), StoredMachine::of(machine, gone, listed));
        }
        let each = if is_any_ahead { self.usual } else { NanoUsd::ZERO };
        let (margin, least) = (each.saturating_mul(AHEAD_AT_MOST), each.saturating_mul(AHEAD_AT_LEAST));
        let funds = self.funds.iter_mut().map(|(pool, fund)| {
            // A plan that nobody asks for would lose its lease to a crash in the traffic of another.
            let is_used = fund.account.used() > NanoUsd::ZERO;
            let part = NanoUsd::from_nanos(fund.unused().nanos() / PART);
            let margin = margin.min(part).max(least).min(fund.unused());
            let margin = if is_used { margin } else { NanoUsd::ZERO };
            let gone = fund.account.used().saturating_add(margin);
            fund.stored = (fund.account.day(), gone);
            (fund.ahead, fund.since) = (margin, NanoUsd::ZERO);
            let stored = StoredFund { day: fund.account.day(), gone, lease: fund.lease(), cap: fund.cap() };
            (pool.as_str(), stored)
        });
        self.open.values_mut().for_each(|open| open.stored = true);
        let snapshot = Snapshot {
            v: VERSION,
            shard: self.index,
            epoch: self.epoch,
            clock: self.clock,
            term: self.term.map(|Term { day, route: Route { shards, salt } }| StoredTerm {
                day,
                shards,
                salt,
            }),
            revision: self.revision,
            horizon: self.stored_horizon,
            alarm: self.alarm,
            alarm_after_ms: u64::try_from(self.alarm_after.as_millis()).unwrap_or(0),
            spilled: self.has_spilled,
            swept: self.swept,
            funds: funds.collect(),
            machines,
            open: self.open.iter().map(|(id, open)| StoredReservation::of(id, open)).collect(),
            orphans: self.orphans.values().cloned().collect(),
            journal: self.journal.cover(),
            log,
            tallies,
        };
        rows.push(rows::row(rows::SHARD.to_owned(), &snapshot)?);
        self.written_at = self.platform;
        self.is_dirty = false;
        Ok(alarm)
    }

    /// The moment up to which nonces are not listed one by one: zero, unless there are too many.
    fn cutoff(&self) -> UnixMillis {
        let mut moments: Vec<UnixMillis> =
            self.machines.values().flat_map(|machine| machine.nonces.moments()).collect();
        let Some(surplus) = moments.len().checked_sub(replay::MOST_LISTED).filter(|surplus| *surplus > 0)
        else {
            return UnixMillis::default();
        };
        let (_, cutoff, _) = moments.select_nth_unstable(surplus.saturating_sub(1));
        *cutoff
    }
}

impl<'a> StoredReservation<&'a str> {
    fn of(id: &'a str, open: &'a Reservation) -> Self {
        let Reservation { subject, plan, pooled, amount, day, deadline, budget, record_at, .. } = open;
        Self {
            id,
            subject,
            plan,
            pooled: *pooled,
            amount: *amount,
            day: *day,
            deadline: *deadline,
            budget: *budget,
            record_at: *record_at,
        }
    }
}

impl From<StoredMachine> for Machine {
    fn from(stored: StoredMachine) -> Self {
        stored.restored()
    }
}
