//! One shard's transition: a message in, a reply and the rows to write out.
//!
//! The rows of a step are durable before its reply or its question to the treasury leaves the
//! object, and nothing is sent upstream before the reply has arrived; so whatever happens
//! afterwards, storage already says that the money may be gone.

mod admit;
mod housekeeping;
mod leases;
mod look;
pub mod rehearsal;
mod settle;
mod snapshot;

pub(crate) use leases::pools;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::ledger::fund::Fund;
use crate::ledger::logbook::{Batch, Logbook};
use crate::ledger::machine::Machine;
use crate::ledger::pace::Pace;
use crate::ledger::revocation::Revocations;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::wire::treasury::{LeaseRequest, Number};
use crate::ledger::wire::{Budget, Command, Message, Outcome, Revocation, Route, Target};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::{NanoUsd, UnixMillis};

/// Machines in memory and in the main row. Beyond it those at rest longest get rows of their own.
const MOST_MACHINES: usize = 512;
/// How many stay when there are too many: moving them one by one would cost a row each.
const MACHINES_AFTER_SPILL: usize = 384;
/// Machines that may have requests in flight at once: they cannot leave the main row, which the
/// platform bounds at 2 MB. More are refused until some are done.
const MOST_MACHINES_AT_ONCE: usize = 2_048;
/// In dense traffic, what has changed is written down at least this often.
const WRITE_WITHIN: Duration = Duration::from_secs(2);

/// All that one shard holds.
#[derive(Clone, Debug, Default)]
pub struct Shard {
    /// Which shard this is.
    index: u32,
    /// Counts how often the shard was restored from storage.
    epoch: u64,
    /// The latest moment seen. The platform's clock may step back, the ledger's does not: a bucket
    /// that was emptied at an earlier time of day would be full again too soon.
    clock: UnixMillis,
    /// The spending day and how subjects are spread on it, as the treasury said.
    term: Option<Term>,
    /// Requests to the treasury sent in this epoch.
    sent: u64,
    /// The last one by which the shard took back all before it.
    holds_since: Number,
    /// By their pools' names.
    funds: BTreeMap<String, Fund>,
    machines: HashMap<String, Machine>,
    revocations: Revocations,
    /// The last change of revocations that the shard has all of, and the last that it heard of.
    revision: u64,
    heard: u64,
    /// By target: its last change heard of since the shard woke up.
    told: BTreeMap<Target, u64>,
    open: HashMap<String, Reservation>,
    /// Open reservations in the order in which they expire.
    by_deadline: BTreeSet<(UnixMillis, String)>,
    /// Nonces up to here may have been admitted and forgotten.
    horizon: UnixMillis,
    /// The horizon that storage holds: what a crash would make of it.
    stored_horizon: UnixMillis,
    logbook: Logbook,
    pace: Pace,
    /// What the latest request can cost at most.
    usual: NanoUsd,
    /// When the last message came, as far as is known.
    active_at: UnixMillis,
    /// When the alarm is or was due, and how long it was set ahead.
    alarm: UnixMillis,
    alarm_after: Duration,
    /// When the main row was written last, whether anything changed since, and whether it says more
    /// than is gone.
    written_at: UnixMillis,
    is_dirty: bool,
    is_ahead: bool,
    /// Whether machines have rows of their own, and the day on which stale ones were taken away.
    has_spilled: bool,
    swept: Day,
}

/// A spending day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    day: Day,
    route: Route,
}

/// Money set aside for one request, or none where a cap was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reservation {
    subject: String,
    plan: String,
    /// Whether the plan has a cap on all of its machines together.
    pooled: bool,
    amount: NanoUsd,
    day: Day,
    deadline: UnixMillis,
    budget: Budget,
    record_at: UnixMillis,
    /// Whether storage knows of it: then a settlement that comes again after a crash gives money back.
    stored: bool,
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What to do next.
    pub turn: Turn,
    /// Rows that must be durable before anything leaves.
    pub rows: Vec<Row>,
    /// A request to the treasury that nobody waits for.
    pub ask: Option<LeaseRequest>,
    /// When the alarm is to be set for, where that changed.
    pub alarm: Option<UnixMillis>,
    /// A batch of the log for KV.
    pub batch: Option<Batch>,
    /// Whether storage now says more than is gone, so that [`Shard::tidy`] should be called later.
    pub is_ahead: bool,
}

/// The next thing to do about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// To answer it.
    Reply(Outcome),
    /// To ask the treasury, give its answer to [`Shard::answered`], and take this step again.
    Ask(LeaseRequest, Command),
}

impl Shard {
    /// Keys of stored rows that the message needs and that are not in memory. Each is to be given
    /// to [`Shard::load`] before the step.
    #[must_use]
    pub fn missing(&self, limits: &Limits, message: &Message) -> Vec<String> {
        let (subject, plan) = match &message.command {
            Some(Command::Admit(admission)) => (&admission.subject, &admission.plan),
            Some(Command::Look { subject, plan, .. }) => (subject, plan),
            _ => return Vec::new(),
        };
        // A plan that does not exist needs no machine to be refused.
        let needed = self.has_spilled && limits.plan(plan).is_some() && !self.machines.contains_key(subject);
        if needed { vec![rows::machine_key(subject)] } else { Vec::new() }
    }

    /// Carries out one message at `now`. `asked` is how often the treasury was asked for it. An
    /// error means that a row could not be written down; the caller then drops this state and loads
    /// it again from storage.
    pub fn step(
        &mut self,
        limits: &Limits,
        message: Message,
        asked: u32,
        now: UnixMillis,
    ) -> Result<Step, Unreadable> {
        let now = self.tell_time(now);
        self.active_at = now;
        let Message { to, of, settled, command } = message;
        self.index = to;
        let mut rows = Vec::new();
        self.expire(now);
        // A settlement is answered for by this message's reply, so it is written with it.
        let has_news = command.is_none() || !settled.is_empty();
        for settlement in settled {
            self.settle(settlement, now);
        }
        let (turn, write) = match command {
            None => (Turn::Reply(Outcome::Settled), false),
            Some(Command::Admit(admission)) => self.admit(limits, admission, of, asked, now),
            Some(Command::Look { subject, plan, credential, level }) => {
                self.look(limits, look::Look { subject, plan, credential, level }, of, asked, now)
            }
            Some(Command::Revoke { revocation, revision }) => {
                rows.extend(self.revoke(revocation, revision)?);
                (Turn::Reply(Outcome::Changed), false)
            }
            Some(Command::Restore { target, revision }) => {
                if self.is_latest(&target, revision) {
                    self.revocations.remove(&target);
                    rows.push(Row { key: rows::revocation_key(&target), value: None });
                }
                (Turn::Reply(Outcome::Changed), false)
            }
            Some(Command::State) => (Turn::Reply(Outcome::State(Box::new(self.state(now)))), false),
            Some(Command::Waiting(query)) => {
                (Turn::Reply(Outcome::Waiting(self.logbook.waiting(&query, now))), false)
            }
        };
        // Asked for together with a row that says so: numbers are not used twice.
        let ask = if matches!(turn, Turn::Reply(_)) { self.ask_ahead(limits, now) } else { None };
        let asks = ask.is_some() || matches!(turn, Turn::Ask(..));
        let batch = self.batch(now);
        let spilled = self.spill(now)?;
        let is_due =
            write || asks || batch.is_some() || !spilled.is_empty() || self.is_write_due(has_news, now);
        rows.extend(spilled);
        let alarm = if is_due { self.write(now, &mut rows)? } else { None };
        Ok(Step { turn, rows, ask, alarm, batch, is_ahead: is_due && self.is_ahead })
    }

    /// A batch of the log that should leave now. The main row is written in the same step.
    fn batch(&mut self, now: UnixMillis) -> Option<Batch> {
        if self.logbook.is_due(self.pace.is_dense(now), now) { self.logbook.take_batch(now) } else { None }
    }

    /// After the shard was restored: a batch of which KV may have taken notice or not.
    pub fn unsure_batch(&mut self) -> Option<Batch> {
        self.logbook.unsure()
    }

    /// What became of the batch up to record `last`: whether KV has it.
    pub fn batch_ended(&mut self, last: u64, written: bool, now: UnixMillis) {
        let now = self.clock.max(now);
        if written {
            self.logbook.written(last, now);
        } else {
            self.logbook.refused(last, now);
        }
        self.is_dirty = true;
    }

    fn tell_time(&mut self, now: UnixMillis) -> UnixMillis {
        self.clock = self.clock.max(now);
        self.clock
    }

    /// Whether something has to be written although the command itself does not need it.
    fn is_write_due(&self, has_news: bool, now: UnixMillis) -> bool {
        // Whatever is open has an alarm.
        if !self.open.is_empty() && now >= self.alarm {
            return true;
        }
        let dirty = self.is_dirty || self.logbook.is_dirty();
        if self.pace.is_dense(now) {
            return dirty && now.since(self.written_at) >= WRITE_WITHIN;
        }
        dirty && has_news
    }

    fn revoke(&mut self, revocation: Revocation, revision: u64) -> Result<Option<Row>, Unreadable> {
        if !self.is_latest(&revocation.target, revision) {
            return Ok(None);
        }
        let row = rows::revocation_row(&revocation)?;
        Ok(self.revocations.add(revocation).then_some(row))
    }

    /// Whether this is the latest change of a target that was heard of: changes may overtake each other.
    fn is_latest(&mut self, target: &Target, revision: u64) -> bool {
        self.heard = self.heard.max(revision);
        let told = self.told.entry(target.clone()).or_default();
        let is_latest = revision >= *told;
        *told = revision.max(*told);
        is_latest
    }

    /// Makes room in memory. Those that are as good as new are dropped, others get rows.
    fn spill(&mut self, now: UnixMillis) -> Result<Vec<Row>, Unreadable> {
        if self.machines.len() <= MOST_MACHINES {
            return Ok(Vec::new());
        }
        let today = self.term.map_or(Day::default(), |term| term.day);
        let count = self.machines.len();
        self.machines.retain(|_, machine| !machine.is_blank(today, now));
        let surplus = self.machines.len().saturating_sub(MACHINES_AFTER_SPILL);
        let mut idle: Vec<(u64, String)> = self
            .machines
            .iter()
            .filter(|(_, machine)| machine.in_flight == 0)
            .map(|(subject, machine)| (machine.seen, subject.clone()))
            .collect();
        if self.machines.len() > MOST_MACHINES {
            idle.sort_unstable();
            idle.truncate(surplus);
        } else {
            idle.clear();
        }
        let mut rows = Vec::new();
        for (_, subject) in idle {
            if let Some(machine) = self.machines.remove(&subject) {
                rows.push(rows::machine_row(&subject, &machine)?);
                self.has_spilled = true;
            }
        }
        self.is_dirty |= self.machines.len() != count;
        Ok(rows)
    }

    fn spending_day(&self) -> Day {
        self.term.map_or(Day::default(), |term| term.day)
    }
}
