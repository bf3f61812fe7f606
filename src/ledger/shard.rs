//! The transition: one command in, one outcome and the rows to write out.
//!
//! The rows of a step are durable before its outcome leaves the object, and nothing is sent
//! upstream before the outcome has arrived; so whatever happens afterwards, storage already says
//! that the money may be gone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ledger::account::Account;
use crate::ledger::enrolment::Enrolments;
use crate::ledger::machine::Machine;
use crate::ledger::replay::Verdict;
use crate::ledger::revocation::Revocations;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::wire::{
    Admission, Budget, Cap, Charge, Command, Credential, EnrolmentVerdict, Outcome, Refusal, Settlement,
    Standing,
};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::policy::plans::Plan;
use crate::units::{NanoUsd, UnixMillis};

/// Machines kept in memory. Those at rest are dropped beyond it: their rows know everything.
const MOST_MACHINES_IN_MEMORY: usize = 4_096;

/// All that one ledger object holds.
#[derive(Clone, Debug, Default)]
pub struct Shard {
    /// The latest moment seen. The platform's clock may step back, the ledger's does not: a bucket
    /// that was emptied at an earlier time of day would be full again too soon.
    clock: UnixMillis,
    service: Account,
    plans: BTreeMap<String, Account>,
    machines: HashMap<String, Machine>,
    revocations: Revocations,
    enrolments: Enrolments,
    open: HashMap<String, Reservation>,
    /// Open reservations in the order in which they expire.
    by_deadline: BTreeSet<(UnixMillis, String)>,
}

/// Money set aside for one request, or none where a cap was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reservation {
    subject: String,
    /// The plan, where it has a cap on all of its machines together.
    capped_plan: Option<String>,
    amount: NanoUsd,
    day: Day,
    deadline: UnixMillis,
    budget: Budget,
    record_at: UnixMillis,
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The answer to the command.
    pub outcome: Outcome,
    /// Rows that must be durable before the answer leaves.
    pub rows: Vec<Row>,
}

impl Shard {
    /// The keys of stored rows that this command needs and that are not in memory yet. Each is to
    /// be given to [`Shard::load`] before the step.
    #[must_use]
    pub fn missing(&self, limits: &Limits, command: &Command) -> Vec<String> {
        let (subject, plan) = match command {
            Command::Admit(admission) => (&admission.subject, Some(&admission.plan)),
            Command::Look { subject, plan, .. } => (subject, Some(plan)),
            Command::Settle(settlement) => (&settlement.subject, None),
            Command::Enrol(_) | Command::Revoke(_) | Command::Restore(_) | Command::Revocations => {
                return Vec::new();
            }
        };
        // A plan that does not exist has no rows, and its machines need none to be refused.
        if plan.is_some_and(|plan| limits.plan(plan).is_none()) {
            return Vec::new();
        }
        let machine = (!self.machines.contains_key(subject)).then(|| rows::machine_key(subject));
        let plan = plan.filter(|plan| !self.plans.contains_key(*plan)).map(|plan| rows::plan_key(plan));
        machine.into_iter().chain(plan).collect()
    }

    /// Takes in a stored row, or the news that there is none.
    pub fn load(&mut self, key: &str, value: Option<&str>) -> Result<(), Unreadable> {
        if key == rows::SERVICE {
            self.service = value.map(rows::read_account).transpose()?.unwrap_or_default();
        } else if key == rows::ENROLMENTS {
            self.enrolments = value.map(rows::read_enrolments).transpose()?.unwrap_or_default();
        } else if key.starts_with(rows::REVOKED) {
            if let Some(revocation) = value.map(rows::read_revocation).transpose()? {
                self.revocations.add(revocation);
            }
        } else if let Some(plan) = key.strip_prefix("plan/") {
            let account = value.map(rows::read_account).transpose()?.unwrap_or_default();
            self.plans.insert(plan.to_owned(), account);
        } else if let Some(subject) = key.strip_prefix("machine/") {
            let machine = value.map(rows::read_machine).transpose()?.unwrap_or_default();
            self.clock = self.clock.max(UnixMillis::from_millis(machine.seen));
            self.machines.insert(subject.to_owned(), machine);
        }
        Ok(())
    }

    /// Carries out one command at `now`. An error means that a row could not be written down; the
    /// caller then drops this state and loads it again from storage.
    pub fn step(&mut self, limits: &Limits, command: Command, now: UnixMillis) -> Result<Step, Unreadable> {
        self.clock = self.clock.max(now);
        let now = self.clock;
        let mut rows = self.expire(now)?;
        let outcome = match command {
            Command::Admit(admission) => self.admit(limits, admission, now, &mut rows)?,
            Command::Settle(settlement) => self.settle(&settlement, &mut rows)?,
            Command::Look { subject, plan, credential } => {
                self.look(limits, subject, &plan, &credential, now, &mut rows)?
            }
            Command::Enrol(enrolment) => {
                let today = limits.day.day_of(now);
                let ends = limits.day.end_of(today);
                let enrolled =
                    self.enrolments.decide(&enrolment, limits.enrolment_difficulty, today, ends, now);
                if enrolled.verdict == EnrolmentVerdict::Accepted {
                    rows.push(rows::enrolments_row(&self.enrolments)?);
                }
                Outcome::Enrolled(enrolled)
            }
            Command::Revoke(revocation) => {
                let row = rows::revocation_row(&revocation)?;
                let added = self.revocations.add(revocation);
                rows.extend(added.then_some(row));
                Outcome::Changed { changed: added }
            }
            Command::Restore(target) => {
                rows.push(Row { key: rows::revocation_key(&target), value: None });
                Outcome::Changed { changed: self.revocations.remove(&target) }
            }
            Command::Revocations => Outcome::Revocations { revocations: self.revocations.list() },
        };
        self.forget_machines_at_rest();
        Ok(Step { outcome, rows })
    }

    /// The spending day: never an earlier one than an account concerned already belongs to, so that
    /// a clock that steps back over midnight does not give a day's money out twice.
    fn today(&self, limits: &Limits, now: UnixMillis, machine_day: Day, plan: &str) -> Day {
        let plan_day = self.plans.get(plan).map_or(Day::default(), Account::day);
        limits.day.day_of(now).max(self.service.day()).max(machine_day).max(plan_day)
    }

    /// How a machine stands. A signed question counts as admitted once like any other.
    fn look(
        &mut self,
        limits: &Limits,
        subject: String,
        plan: &str,
        credential: &Credential,
        now: UnixMillis,
        rows: &mut Vec<Row>,
    ) -> Result<Outcome, Unreadable> {
        let Some(plan_limits) = limits.plan(plan) else {
            return Ok(Outcome::UnknownPlan);
        };
        if self.revocations.cover(&subject, credential) {
            return Ok(Outcome::Revoked);
        }
        let mut machine = self.machines.get(&subject).cloned().unwrap_or_default();
        if let Some(nonce) = &credential.nonce {
            match machine.nonces.check(nonce, now) {
                Verdict::Replayed => return Ok(Outcome::Replayed),
                Verdict::New => machine.nonces.remember(nonce),
                Verdict::Full(until) => {
                    let reason = Refusal::Rate(wait_until(until, now));
                    let standing = standing(&machine, plan, plan_limits, limits, now);
                    return Ok(Outcome::Refused { reason, standing });
                }
            }
            machine.seen = now.millis();
            rows.push(rows::machine_row(&subject, &machine)?);
            self.machines.insert(subject, machine.clone());
        }
        machine.account.roll(self.today(limits, now, machine.account.day(), plan));
        Ok(Outcome::Standing(standing(&machine, plan, plan_limits, limits, now)))
    }

    fn admit(
        &mut self,
        limits: &Limits,
        asked: Admission,
        now: UnixMillis,
        rows: &mut Vec<Row>,
    ) -> Result<Outcome, Unreadable> {
        let Some(plan) = limits.plan(&asked.plan) else {
            return Ok(Outcome::UnknownPlan);
        };
        if self.revocations.cover(&asked.subject, &asked.credential) {
            return Ok(Outcome::Revoked);
        }
        let machine_day =
            self.machines.get(&asked.subject).map_or(Day::default(), |known| known.account.day());
        let today = self.today(limits, now, machine_day, &asked.plan);
        let machine = self.machines.entry(asked.subject.clone()).or_default();
        machine.account.roll(today);

        // A command that arrives twice is answered as it was the first time.
        if let Some(earlier) = self.open.get(&asked.id).filter(|earlier| earlier.subject == asked.subject) {
            let standing = standing(machine, &asked.plan, plan, limits, now);
            return Ok(Outcome::Admitted { budget: earlier.budget, record_at: earlier.record_at, standing });
        }
        let fresh = asked.credential.nonce.as_ref().map(|nonce| machine.nonces.check(nonce, now));
        match fresh {
            Some(Verdict::Replayed) => return Ok(Outcome::Replayed),
            Some(Verdict::Full(until)) => {
                let reason = Refusal::Rate(wait_until(until, now));
                let standing = standing(machine, &asked.plan, plan, limits, now);
                return Ok(Outcome::Refused { reason, standing });
            }
            Some(Verdict::New) | None => {}
        }
        if machine.in_flight >= plan.concurrency || self.open.contains_key(&asked.id) {
            let standing = standing(machine, &asked.plan, plan, limits, now);
            return Ok(Outcome::Refused { reason: Refusal::Concurrency, standing });
        }
        machine.tat = match plan.quota.take(machine.tat, now.nanos()) {
            Ok(tat) => tat,
            Err(wait) => {
                let standing = standing(machine, &asked.plan, plan, limits, now);
                return Ok(Outcome::Refused { reason: Refusal::Rate(wait), standing });
            }
        };

        let plan_account = self.plans.entry(asked.plan.clone()).or_default();
        plan_account.roll(today);
        self.service.roll(today);
        let budget = if !machine.account.has_room(asked.worst, plan.machine_daily) {
            Budget::Reached(Cap::Machine)
        } else if plan.total_daily.is_some_and(|cap| !plan_account.has_room(asked.worst, cap)) {
            Budget::Reached(Cap::Plan)
        } else if !self.service.has_room(asked.worst, limits.service_daily) {
            Budget::Reached(Cap::Service)
        } else {
            Budget::Reserved
        };
        let amount = if budget == Budget::Reserved { asked.worst } else { NanoUsd::ZERO };
        if amount > NanoUsd::ZERO {
            machine.account.reserve(amount);
            self.service.reserve(amount);
            rows.push(rows::account_row(rows::SERVICE.to_owned(), &self.service)?);
            if plan.total_daily.is_some() {
                plan_account.reserve(amount);
                rows.push(rows::account_row(rows::plan_key(&asked.plan), plan_account)?);
            }
        }
        machine.in_flight = machine.in_flight.saturating_add(1);
        machine.seen = now.millis();
        if let Some(nonce) = &asked.credential.nonce {
            machine.nonces.remember(nonce);
        }
        let record_at = UnixMillis::from_millis(machine.next_record(now.millis()));
        rows.push(rows::machine_row(&asked.subject, machine)?);

        let standing = standing(machine, &asked.plan, plan, limits, now);
        let deadline = now.plus(std::time::Duration::from_millis(asked.lifetime_ms));
        self.by_deadline.insert((deadline, asked.id.clone()));
        let reservation = Reservation {
            subject: asked.subject,
            capped_plan: plan.total_daily.map(|_| asked.plan),
            amount,
            day: today,
            deadline,
            budget,
            record_at,
        };
        self.open.insert(asked.id, reservation);
        Ok(Outcome::Admitted { budget, record_at, standing })
    }

    fn settle(&mut self, settlement: &Settlement, rows: &mut Vec<Row>) -> Result<Outcome, Unreadable> {
        // Unknown here: settled before, expired, or lost in a restart. In each case it is already
        // charged, and stays so.
        if self.open.get(&settlement.id).is_some_and(|open| open.subject == settlement.subject)
            && let Some(reservation) = self.open.remove(&settlement.id)
        {
            let charged = match settlement.charge {
                Charge::Nothing => NanoUsd::ZERO,
                Charge::Actual(cost) => cost,
                Charge::Full => reservation.amount,
            };
            self.by_deadline.remove(&(reservation.deadline, settlement.id.clone()));
            self.close(&reservation, charged, rows)?;
        }
        Ok(Outcome::Settled)
    }

    /// Charges in full what was not settled in time.
    fn expire(&mut self, now: UnixMillis) -> Result<Vec<Row>, Unreadable> {
        let mut rows = Vec::new();
        while let Some(entry) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).cloned() {
            self.by_deadline.remove(&entry);
            if let Some(reservation) = self.open.remove(&entry.1) {
                self.close(&reservation, reservation.amount, &mut rows)?;
            }
        }
        Ok(rows)
    }

    /// Ends a reservation with `charged` spent. The rows are written again only where money comes
    /// back: until then they say too much, never too little.
    fn close(
        &mut self,
        reservation: &Reservation,
        charged: NanoUsd,
        rows: &mut Vec<Row>,
    ) -> Result<(), Unreadable> {
        let Reservation { subject, capped_plan, amount, day, .. } = reservation;
        let money_returns = charged < *amount;
        if let Some(machine) = self.machines.get_mut(subject) {
            machine.in_flight = machine.in_flight.saturating_sub(1);
            machine.account.settle(*day, *amount, charged);
            if money_returns {
                rows.push(rows::machine_row(subject, machine)?);
            }
        }
        if let Some((plan, account)) =
            capped_plan.as_ref().and_then(|plan| Some((plan, self.plans.get_mut(plan)?)))
        {
            account.settle(*day, *amount, charged);
            if money_returns {
                rows.push(rows::account_row(rows::plan_key(plan), account)?);
            }
        }
        self.service.settle(*day, *amount, charged);
        if money_returns {
            rows.push(rows::account_row(rows::SERVICE.to_owned(), &self.service)?);
        }
        Ok(())
    }

    fn forget_machines_at_rest(&mut self) {
        if self.machines.len() > MOST_MACHINES_IN_MEMORY {
            self.machines.retain(|_, machine| machine.in_flight > 0);
        }
    }
}

/// Nanoseconds until a nonce is forgotten.
fn wait_until(until: UnixMillis, now: UnixMillis) -> u64 {
    u64::try_from(until.since(now).as_nanos()).unwrap_or(u64::MAX).max(1)
}

fn standing(machine: &Machine, plan: &str, limits: &Plan, all: &Limits, now: UnixMillis) -> Standing {
    Standing {
        plan: plan.to_owned(),
        rate_count: limits.quota.count(),
        rate_window: limits.quota.window_seconds(),
        burst: limits.quota.burst(),
        level: limits.quota.level(machine.tat, now.nanos()),
        in_flight: machine.in_flight,
        concurrency: limits.concurrency,
        spent: machine.account.used(),
        cap: limits.machine_daily,
        now,
        resets_at: all.day.end_of(machine.account.day()),
    }
}
