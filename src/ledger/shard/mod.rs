//! One shard's transition: a message in, a reply and the rows to write out.
//!
//! The rows of a step are durable before its reply or its question to the treasury leaves the
//! object, and nothing is sent upstream before the reply has arrived; so whatever happens
//! afterwards, storage already says that the money may be gone.

mod admit;
mod housekeeping;
mod journal;
mod leases;
mod look;
mod machines;
pub mod rehearsal;
mod settle;
mod snapshot;
#[cfg(test)]
mod tests;

pub use housekeeping::Stale;
use journal::{Journal, Orphan};
pub(crate) use leases::{plan_pool, pools};
pub use machines::MOST_LISTED;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::ledger::fund::Fund;
use crate::ledger::logbook::{Batch, Logbook};
use crate::ledger::machine::Machine;
use crate::ledger::pace::Pace;
use crate::ledger::revocation::Revocations;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::tally::days::Tallies;
use crate::ledger::wire::ended::Reason;
use crate::ledger::wire::treasury::{LeaseRequest, Number};
use crate::ledger::wire::{Budget, Command, Message, Outcome, Refusal, Revocation, Route, Target};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::{NanoUsd, UnixMillis};

/// Machines that may have requests in flight at once: they cannot leave the main row, which the
/// platform bounds at 2 MB. More are refused until some are done.
const MOST_MACHINES_AT_ONCE: usize = 2_048;
/// Requests that may be in flight at once, for the same reason.
const MOST_OPEN: usize = 4_096;
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
    /// What the platform's clock said last: how long something takes goes by it, also while `clock` waits for it.
    platform: UnixMillis,
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
    /// Requests whose reservations a crash took.
    orphans: HashMap<String, Orphan>,
    journal: Journal,
    /// Open reservations, and orphans, in the order in which they expire.
    by_deadline: BTreeSet<(UnixMillis, String)>,
    /// Nonces up to here may have been admitted and forgotten.
    horizon: UnixMillis,
    /// The horizon that storage holds: what a crash would make of it.
    stored_horizon: UnixMillis,
    logbook: Logbook,
    tallies: Tallies,
    /// For a list that is about to be made.
    listed: machines::Listed,
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
    /// Whether storage now says more than is gone, or lacks some refusals, so that [`Shard::tidy`] should be
    /// called later.
    pub is_ahead: bool,
    /// Whether the reply has to wait until what [`Shard::flush`] gives is written, for all that came in one
    /// call.
    pub is_held: bool,
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
        // A plan that does not exist needs no machine to be refused.
        let (subject, is_answered) = match &message.command {
            Some(Command::Admit(admission)) => (&admission.subject, limits.plan(&admission.plan).is_some()),
            Some(Command::Look { subject, plan, .. }) => (subject, limits.plan(plan).is_some()),
            Some(Command::Machine { subject }) => (subject, true),
            Some(Command::Usage { since }) => {
                return self.tallies.missing(*since).into_iter().map(rows::tally_key).collect();
            }
            _ => return Vec::new(),
        };
        let needed = self.has_spilled && is_answered && !self.machines.contains_key(subject);
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
        let Message { to, of, settled, news, command } = message;
        self.index = to;
        let mut rows = Vec::new();
        self.tallies.begin(self.spending_day().max(limits.day.day_of(now)), now);
        self.tallies.hear(&news);
        self.expire(now);
        // A settlement is answered for by this message's reply, so it is written with it.
        let has_news = command.is_none() || !settled.is_empty();
        for settlement in settled {
            self.settle(settlement, now);
        }
        let (turn, write) = match command {
            None => (Turn::Reply(Outcome::Settled), false),
            Some(Command::Admit(admission)) => {
                let (turn, write) = self.admit(limits, admission, of, asked, now);
                self.count_refusal(&turn);
                (turn, write)
            }
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
            Some(Command::Machine { subject }) => self.detail(limits, subject, of, asked, now),
            Some(Command::Machines { order, limit }) => {
                (Turn::Reply(self.list(limits, order, limit, now)), false)
            }
            Some(Command::Usage { since }) => (Turn::Reply(self.usage(since, now)), false),
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
        if !is_due {
            self.tallies.asked.write(rows.len(), None);
        }
        let is_held = !self.journal.is_empty() && matches!(turn, Turn::Reply(Outcome::Admitted { .. }));
        let is_ahead = (is_due && self.is_ahead) || self.tallies.is_behind();
        Ok(Step { turn, rows, ask, alarm, batch, is_ahead, is_held })
    }

    /// Counts a refusal of the ledger's own. Which plans there are and whether the ledger can be reached the
    /// Worker knows, and counts itself.
    fn count_refusal(&mut self, turn: &Turn) {
        let reason = match turn {
            Turn::Reply(Outcome::Refused { reason: Refusal::Rate(_), .. }) => Reason::RateLimited,
            Turn::Reply(Outcome::Refused { reason: Refusal::Concurrency, .. }) => Reason::Concurrency,
            Turn::Reply(Outcome::Revoked) => Reason::Revoked,
            Turn::Reply(Outcome::Replayed) => Reason::Replayed,
            _ => return,
        };
        self.tallies.refuse(reason);
    }

    /// A batch of the log that should leave now. The main row is written in the same step.
    fn batch(&mut self, now: UnixMillis) -> Option<Batch> {
        if !self.logbook.is_due(self.pace.is_dense(now), now, self.platform) {
            return None;
        }
        let batch = self.logbook.take_batch(now);
        let writes = &mut self.tallies.asked.kv_writes;
        *writes = writes.saturating_add(u64::from(batch.is_some()));
        batch
    }

    /// After the shard was restored: a batch of which KV may have taken notice or not.
    pub fn unsure_batch(&mut self) -> Option<Batch> {
        self.logbook.unsure()
    }

    /// Notes that KV was asked for it.
    pub const fn note_kv_read(&mut self) {
        let reads = &mut self.tallies.asked.kv_reads;
        *reads = reads.saturating_add(1);
    }

    /// What became of the batch up to record `last`: whether KV has it.
    pub fn batch_ended(&mut self, last: u64, written: bool, now: UnixMillis) {
        if written {
            self.logbook.written(last, self.clock.max(now));
        } else {
            self.logbook.refused(last, now);
        }
        self.is_dirty = true;
    }

    fn tell_time(&mut self, now: UnixMillis) -> UnixMillis {
        self.platform = now;
        self.clock = self.clock.max(now);
        self.clock
    }

    /// Whether something has to be written although the command itself does not need it.
    fn is_write_due(&self, has_news: bool, now: UnixMillis) -> bool {
        // Whatever is open has an alarm.
        if !self.by_deadline.is_empty() && now >= self.alarm || self.journal.is_full() {
            return true;
        }
        if self.are_refusals_due() {
            return true;
        }
        let dirty = self.is_dirty || self.logbook.is_dirty();
        if self.pace.is_dense(now) {
            return dirty && self.unwritten_for() >= WRITE_WITHIN;
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

    /// How long ago the main row was written. Where the platform's clock was set back, nobody knows: long ago.
    fn unwritten_for(&self) -> Duration {
        if self.platform < self.written_at { Duration::MAX } else { self.platform.since(self.written_at) }
    }

    fn spending_day(&self) -> Day {
        self.term.map_or(Day::default(), |term| term.day)
    }
}
