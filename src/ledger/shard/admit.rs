//! May this request go on, and may it spend?

use std::time::Duration;

use super::leases::plan_pool;
use super::snapshot::AHEAD;
use super::{MOST_MACHINES_AT_ONCE, MOST_OPEN, Reservation, Shard, Turn};
use crate::ledger::bucket::Level;
use crate::ledger::fund::{Fund, Room, SERVICE};
use crate::ledger::machine::Machine;
use crate::ledger::replay::{self, Verdict};
use crate::ledger::wire::{Admission, Budget, Cap, Command, Outcome, Refusal, Route, Standing};
use crate::policy::limits::Limits;
use crate::policy::plans::Plan;
use crate::units::{NanoUsd, UnixMillis};

/// The part of a machine's cap (one in so many) that may be written down ahead of need, beside the
/// most that one request can cost.
const MARGIN: u64 = 20;

impl Shard {
    /// 1. the plan exists; 2. this shard is the subject's today; 3. not revoked; 4. not twice;
    /// 5. the nonce is new; 6. few enough in flight; 7. a token in the bucket; 8. room under each
    ///    cap. Only then is anything changed. Also tells whether storage has to know of it before the
    ///    reply leaves.
    pub(super) fn admit(
        &mut self,
        limits: &Limits,
        admission: Admission,
        of: u32,
        asked: u32,
        now: UnixMillis,
    ) -> (Turn, bool) {
        // 1.
        let Some(plan) = limits.plan(&admission.plan) else {
            return reply(Outcome::UnknownPlan);
        };
        // 2.
        if let Some(request) = self.term_request(limits, now) {
            return ask_first(request, Command::Admit(admission), asked);
        }
        if let Some(route) = self.moved(of) {
            return reply(Outcome::Moved(route));
        }
        // 3.
        if self.revocations.cover(&admission.subject, &admission.credential) {
            return reply(Outcome::Revoked);
        }
        if self.machines.len() >= MOST_MACHINES_AT_ONCE && !self.machines.contains_key(&admission.subject)
            || self.open.len() >= MOST_OPEN
        {
            return reply(Outcome::Unavailable);
        }
        let today = self.spending_day();
        let horizon = self.horizon;
        let machine = self.machines.entry(admission.subject.clone()).or_default();
        machine.roll(today);
        let stands =
            |machine: &Machine| standing(machine, &admission.plan, plan, limits, admission.level, now);
        // 4. A command that arrives twice is answered as it was the first time.
        if let Some(earlier) = self.open.get(&admission.id) {
            if earlier.subject != admission.subject {
                return reply(refused(Refusal::Concurrency, stands(machine)));
            }
            let (budget, record_at) = (earlier.budget, earlier.record_at);
            let standing = stands(machine);
            return reply(Outcome::Admitted { budget, record_at, shard: self.index, standing });
        }
        // Nor is one that a crash took set aside a second time.
        if self.orphans.contains_key(&admission.id) {
            return reply(Outcome::Unavailable);
        }
        // 5.
        let fresh =
            admission.credential.nonce.as_ref().map(|nonce| machine.nonces.check(nonce, horizon, now));
        match fresh {
            Some(Verdict::Replayed) => return reply(Outcome::Replayed),
            Some(Verdict::Unsure) => return reply(Outcome::Unavailable),
            Some(Verdict::Full(until)) => {
                return reply(refused(Refusal::Rate(nanos_until(until, now)), stands(machine)));
            }
            Some(Verdict::New) | None => {}
        }
        // 6.
        if machine.in_flight >= plan.concurrency {
            return reply(refused(Refusal::Concurrency, stands(machine)));
        }
        // 7.
        let tat = match admission.level {
            Some(_) => machine.tat,
            None => match plan.quota.take(machine.tat, now.nanos()) {
                Ok(tat) => tat,
                Err(wait) => return reply(refused(Refusal::Rate(wait), stands(machine))),
            },
        };
        // 8.
        let worst = admission.worst;
        let machine_has_room = machine.account.has_room(worst, plan.machine_daily);
        let pool = plan_pool(&admission.plan);
        let of_plan = plan.total_daily.map_or(Room::Enough, |cap| self.room(&pool, worst, cap, asked, now));
        let of_service = self.room(SERVICE, worst, limits.service_daily, asked, now);
        let budget = match (machine_has_room, of_plan, of_service) {
            // Before any question to the treasury: nothing is going to be spent.
            _ if self.revocations.is_model_off() => Budget::SwitchedOff,
            (false, ..) => Budget::Reached(Cap::Machine),
            (true, Room::Dry, _) => Budget::Reached(Cap::Plan),
            (true, _, Room::Dry) => Budget::Reached(Cap::Service),
            (true, Room::Enough, Room::Enough) => Budget::Reserved,
            (true, of_plan, of_service) => {
                let lacking = [(of_plan, pool.as_str()), (of_service, SERVICE)];
                let lacking = lacking.iter().filter(|(room, _)| *room == Room::Ask).map(|(_, pool)| *pool);
                let pools: Vec<&str> = lacking.collect();
                let request = self.need_request(limits, worst, &pools, now);
                return ask_first(request, Command::Admit(admission), asked);
            }
        };
        let amount = if budget == Budget::Reserved { worst } else { NanoUsd::ZERO };
        let pooled = plan.total_daily.is_some();
        self.set_aside(pooled.then_some(pool.as_str()), amount);

        let Some(machine) = self.machines.get_mut(&admission.subject) else {
            return reply(Outcome::Unavailable);
        };
        machine.account.reserve(amount);
        machine.note_plan(&admission.plan);
        // Never past the machine's cap: after a crash it counts as spent.
        let rest = plan.machine_daily.saturating_sub(machine.account.used());
        let part = NanoUsd::from_nanos(plan.machine_daily.nanos() / MARGIN);
        let ahead = worst.saturating_mul(AHEAD).min(part);
        machine.margin = worst.saturating_add(ahead).min(rest);
        machine.tat = tat;
        machine.in_flight = machine.in_flight.saturating_add(1);
        machine.seen = now.millis();
        let mut is_covered = machine.is_covered();
        if let Some(nonce) = &admission.credential.nonce {
            machine.nonces.remember(nonce);
            is_covered &= replay::remembered_until(nonce) <= self.stored_horizon;
        }
        let record_at = UnixMillis::from_millis(machine.next_record(now.millis()));
        let standing = standing(machine, &admission.plan, plan, limits, admission.level, now);
        is_covered &= [pool.as_str(), SERVICE].iter().all(|pool| self.is_fund_covered(pool));

        let deadline = now.plus(Duration::from_millis(admission.lifetime_ms));
        self.by_deadline.insert((deadline, admission.id.clone()));
        let reservation = Reservation {
            subject: admission.subject,
            plan: admission.plan,
            pooled,
            amount,
            day: today,
            deadline,
            budget,
            record_at,
            stored: false,
        };
        self.journal.note(&admission.id, &reservation);
        self.open.insert(admission.id, reservation);
        self.pace.note(now);
        self.usual = worst;
        self.is_dirty = true;
        let outcome = Outcome::Admitted { budget, record_at, shard: self.index, standing };
        (Turn::Reply(outcome), !is_covered)
    }

    /// Where subjects are, if not where this message was sent to.
    pub(super) fn moved(&self, of: u32) -> Option<Route> {
        let route = self.term?.route;
        (route.shards != of.max(1) || self.index >= route.shards.max(1)).then_some(route)
    }

    fn set_aside(&mut self, plan: Option<&str>, amount: NanoUsd) {
        for pool in plan.into_iter().chain([SERVICE]) {
            if let Some(fund) = self.funds.get_mut(pool) {
                fund.account.reserve(amount);
                fund.since = fund.since.saturating_add(amount);
            }
        }
    }

    fn is_fund_covered(&self, pool: &str) -> bool {
        self.funds.get(pool).is_none_or(Fund::is_covered)
    }
}

/// A reply for which nothing has to be written.
pub(super) const fn reply(outcome: Outcome) -> (Turn, bool) {
    (Turn::Reply(outcome), false)
}

/// Asks the treasury, unless that was tried: then it does not know today, or its clock differs.
pub(super) fn ask_first(
    request: crate::ledger::wire::treasury::LeaseRequest,
    command: Command,
    asked: u32,
) -> (Turn, bool) {
    if asked > 1 { reply(Outcome::Unavailable) } else { (Turn::Ask(request, command), false) }
}

pub(super) const fn refused(reason: Refusal, standing: Standing) -> Outcome {
    Outcome::Refused { reason, standing }
}

/// Nanoseconds until a nonce is forgotten.
pub(super) fn nanos_until(until: UnixMillis, now: UnixMillis) -> u64 {
    u64::try_from(until.since(now).as_nanos()).unwrap_or(u64::MAX).max(1)
}

pub(super) fn standing(
    machine: &Machine,
    plan: &str,
    limits: &Plan,
    all: &Limits,
    level: Option<Level>,
    now: UnixMillis,
) -> Standing {
    Standing {
        plan: plan.to_owned(),
        rate_count: limits.quota.count(),
        rate_window: limits.quota.window_seconds(),
        burst: limits.quota.burst(),
        level: level.unwrap_or_else(|| limits.quota.level(machine.tat, now.nanos())),
        in_flight: machine.in_flight,
        concurrency: limits.concurrency,
        spent: machine.account.used(),
        cap: limits.machine_daily,
        now,
        resets_at: all.day.end_of(machine.account.day()),
    }
}
