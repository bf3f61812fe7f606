//! What a shard asks of the treasury, and what it makes of the answer.

use super::{Shard, Term};
use crate::ledger::fund::{Fund, Room, SERVICE};
use crate::ledger::replay;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::wire::Revocation;
use crate::ledger::wire::treasury::{Answer, Lease, LeaseRequest, Number, PoolRequest, Want};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::{NanoUsd, UnixMillis};

/// The pool of a plan's cap.
#[must_use]
pub(crate) fn plan_pool(plan: &str) -> String {
    format!("plan/{plan}")
}

impl Shard {
    /// A request for the spending day that the clock says, where the treasury has not named it yet.
    pub(super) fn term_request(&mut self, limits: &Limits, now: UnixMillis) -> Option<LeaseRequest> {
        let today = limits.day.day_of(now);
        let over = self.term.is_none_or(|term| today > term.day);
        over.then(|| self.request(limits, today, |_| Want::Share(NanoUsd::ZERO), now))
    }

    /// A request for what a waiting request lacks.
    pub(super) fn need_request(
        &mut self,
        limits: &Limits,
        amount: NanoUsd,
        pools: &[&str],
        now: UnixMillis,
    ) -> LeaseRequest {
        let day = self.spending_day();
        let wants = |pool: &str| if pools.contains(&pool) { Want::Need(amount) } else { Want::Nothing };
        self.request(limits, day, wants, now)
    }

    /// A request ahead of need, where a fund runs low.
    pub(super) fn ask_ahead(&mut self, limits: &Limits, now: UnixMillis) -> Option<LeaseRequest> {
        let day = self.term?.day;
        let low = |pool: &str, fund: &Fund| {
            cap_of(limits, pool).is_some_and(|cap| fund.account.day() == day && fund.runs_low(cap, now))
        };
        let pools: Vec<String> =
            self.funds.iter().filter(|(pool, fund)| low(pool, fund)).map(|(pool, _)| pool.clone()).collect();
        if pools.is_empty() {
            return None;
        }
        // A share that does not pay for a request is not worth a question.
        let least = self.usual;
        let wants =
            |pool: &str| if pools.iter().any(|low| low == pool) { Want::Share(least) } else { Want::Nothing };
        Some(self.request(limits, day, wants, now))
    }

    /// Gives back what an idle shard holds, where another may need it.
    pub(super) fn give_back(&mut self, limits: &Limits, now: UnixMillis) -> Option<LeaseRequest> {
        let term = self.term.filter(|term| term.route.shards > 1)?;
        let holds = |fund: &Fund| fund.account.day() == term.day && fund.lease() > fund.account.used();
        if !self.funds.values().any(holds) {
            return None;
        }
        self.funds.values_mut().for_each(Fund::give_back);
        Some(self.numbered(limits, term.day, true, |_| Want::Nothing, now))
    }

    fn request(
        &mut self,
        limits: &Limits,
        day: Day,
        want: impl Fn(&str) -> Want,
        now: UnixMillis,
    ) -> LeaseRequest {
        // The first in an epoch frees what was granted to the one before and lost with it. So does
        // one under another cap: what was leased under the old one is asked for anew.
        let mut holds_only = self.sent == 0;
        for (pool, fund) in &mut self.funds {
            if cap_of(limits, pool).is_some_and(|cap| cap < fund.cap() && fund.lease() > NanoUsd::ZERO) {
                fund.give_back();
                holds_only = true;
            }
        }
        self.numbered(limits, day, holds_only, want, now)
    }

    fn numbered(
        &mut self,
        limits: &Limits,
        day: Day,
        holds_only: bool,
        want: impl Fn(&str) -> Want,
        now: UnixMillis,
    ) -> LeaseRequest {
        self.sent = self.sent.saturating_add(1);
        let number = Number(self.epoch, self.sent);
        if holds_only {
            self.holds_since = number;
        }
        self.is_dirty = true;
        let pools = pools(limits)
            .map(|(pool, cap)| {
                let want = want(&pool);
                self.funds.entry(pool.clone()).or_default().request(pool, day, want, cap, now)
            })
            .collect::<Vec<PoolRequest>>();
        LeaseRequest { shard: self.index, number, day, holds_only, revision: self.revision, pools }
    }

    /// Takes in the treasury's answer. Rows that must be durable before the next reply are given.
    pub fn answered(
        &mut self,
        limits: &Limits,
        answer: Answer,
        now: UnixMillis,
    ) -> Result<Vec<Row>, Unreadable> {
        let now = self.tell_time(now);
        let Answer::Lease(lease) = answer else {
            return Ok(Vec::new());
        };
        let day_before = self.spending_day();
        if lease.number < self.holds_since || lease.day < day_before {
            return Ok(Vec::new());
        }
        if lease.day > day_before {
            // Signed requests of the day before may have been admitted by another shard.
            if lease.moved {
                let midnight = limits.day.end_of(Day::from_number(lease.day.number().saturating_sub(1)));
                self.horizon = self.horizon.max(replay::horizon_of_all(midnight));
            }
            self.term = Some(Term { day: lease.day, route: lease.route });
            self.funds.values_mut().for_each(|fund| fund.roll(lease.day));
        }
        let alone = lease.route.shards <= 1;
        for pool in &lease.pools {
            let fund = self.funds.entry(pool.pool.clone()).or_default();
            fund.roll(lease.day);
            fund.grant(pool, alone, now);
        }
        self.is_dirty = true;
        let rows = self.learn_revocations(lease)?;
        self.tallies.asked.write(rows.len(), None);
        Ok(rows)
    }

    /// Takes in all revocations, unless a change has been heard of that is not among them.
    fn learn_revocations(&mut self, lease: Lease) -> Result<Vec<Row>, Unreadable> {
        let Some(revocations) = lease.revocations.filter(|_| lease.revision >= self.heard) else {
            return Ok(Vec::new());
        };
        let mut rows = Vec::new();
        let is_in_force = |known: &Revocation| revocations.iter().any(|new| new.target == known.target);
        for gone in self.revocations.list().into_iter().filter(|known| !is_in_force(known)) {
            self.revocations.remove(&gone.target);
            rows.push(Row { key: rows::revocation_key(&gone.target), value: None });
        }
        for revocation in revocations {
            let row = rows::revocation_row(&revocation)?;
            rows.extend(self.revocations.add(revocation).then_some(row));
        }
        self.revision = lease.revision;
        self.heard = self.heard.max(lease.revision);
        Ok(rows)
    }

    /// Whether a fund has room for an amount. Asked once, its word is final.
    pub(super) fn room(
        &self,
        pool: &str,
        amount: NanoUsd,
        cap: NanoUsd,
        asked: u32,
        now: UnixMillis,
    ) -> Room {
        let fund = self.funds.get(pool).copied().unwrap_or_default();
        match fund.room(amount, cap, now) {
            Room::Ask if asked > 1 => Room::Dry,
            room => room,
        }
    }
}

/// Every cap that spans machines, with its pool.
pub(crate) fn pools(limits: &Limits) -> impl Iterator<Item = (String, NanoUsd)> {
    let plans = limits.plans.iter().filter_map(|(name, plan)| Some((plan_pool(name), plan.total_daily?)));
    std::iter::once((SERVICE.to_owned(), limits.service_daily)).chain(plans)
}

fn cap_of(limits: &Limits, pool: &str) -> Option<NanoUsd> {
    match pool.strip_prefix("plan/") {
        Some(plan) => limits.plan(plan)?.total_daily,
        None => Some(limits.service_daily),
    }
}
