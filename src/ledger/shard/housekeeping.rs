//! What a shard does when no message asks for it: by its alarm, after dense traffic, after a batch of the
//! log has left.

use std::time::Duration;

use super::{Shard, Step, Turn};
use crate::ledger::machine::AT_REST_AFTER;
use crate::ledger::rows::Unreadable;
use crate::ledger::wire::Outcome;
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::UnixMillis;

/// The alarm rings this long after it was needed first, and twice as long each time that it rang for
/// nothing: setting it costs a row.
const ALARM_AFTER: Duration = Duration::from_secs(60);
/// With several shards, idle ones give their leases back when it rings.
const ALARM_AFTER_AT_MOST: [Duration; 2] = [Duration::from_secs(6 * 3_600), Duration::from_secs(900)];
/// Where nothing else is written, refusals are counted in the main row as late as this: a row for each
/// would be at the cost of whoever is refused. A crash takes the counts of so long.
const REFUSALS_WITHIN: Duration = Duration::from_secs(30);
/// A shard without a message for so long is idle.
const IDLE_AFTER: Duration = Duration::from_secs(75);

/// Rows of machines that are as good as none: all three have to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Their spending day is an earlier one.
    pub before: Day,
    /// Nobody was admitted or looked since: no nonce in them could still be fresh.
    pub at_rest_since: UnixMillis,
    /// Their bucket is full by then.
    pub now: UnixMillis,
}

impl Shard {
    /// The alarm: closes what has expired, brings storage up to date, gives back what an idle shard
    /// need not hold.
    pub fn tick(&mut self, limits: &Limits, now: UnixMillis) -> Result<Step, Unreadable> {
        let now = self.tell_time(now);
        self.tallies.begin(self.spending_day().max(limits.day.day_of(now)), now);
        self.tallies.asked.answer();
        let records = self.logbook.counts().0;
        self.expire(now);
        let expired = self.logbook.counts().0 > records;
        let idle = now.since(self.active_at) >= IDLE_AFTER && self.by_deadline.is_empty();
        let ask = if idle { self.give_back(limits, now) } else { None };
        // Where requests come, records leave with them.
        let batch = if idle || expired { self.batch(now) } else { None };
        let was_needed = expired || ask.is_some() || batch.is_some() || (idle && self.is_ahead);
        let mut rows = Vec::new();
        if was_needed {
            self.alarm = UnixMillis::default();
            self.alarm_after = ALARM_AFTER;
        } else {
            // It rang: the next one is set for later (see `arm`).
            self.alarm = self.alarm.min(now);
        }
        let alarm = if was_needed {
            self.write(now, &mut rows)?
        } else {
            let alarm = self.arm(now);
            self.tallies.asked.write(0, alarm);
            alarm
        };
        Ok(Step {
            turn: Turn::Reply(Outcome::Settled),
            rows,
            ask,
            alarm,
            batch,
            is_ahead: self.is_ahead,
            is_held: false,
        })
    }

    /// Some seconds after dense traffic was written down ahead: writes what is gone, no more, so that
    /// an object that is put away strands nothing. `None` while traffic is still dense.
    pub fn tidy(&mut self, now: UnixMillis) -> Result<Option<Step>, Unreadable> {
        let now = self.tell_time(now);
        if self.pace.is_dense(now) {
            return Ok(None);
        }
        let mut rows = Vec::new();
        self.expire(now);
        let batch = self.batch(now);
        let is_due = self.is_ahead || self.is_dirty || batch.is_some();
        // Refusals alone wait for each other: whoever is refused again and again costs no more rows.
        if !is_due && self.tallies.is_behind() && !self.are_refusals_due() {
            return Ok(None);
        }
        let is_due = is_due || self.tallies.is_behind();
        let alarm = if is_due { self.write(now, &mut rows)? } else { None };
        Ok(Some(Step {
            turn: Turn::Reply(Outcome::Settled),
            rows,
            ask: None,
            alarm,
            batch,
            is_ahead: false,
            is_held: false,
        }))
    }

    /// Whether refusals that no row holds are to be written down now.
    pub(super) fn are_refusals_due(&self) -> bool {
        self.tallies.is_behind() && self.unwritten_for() >= REFUSALS_WITHIN
    }

    /// Counts a call of one or several messages.
    pub fn note_call(&mut self, now: UnixMillis) {
        self.tallies.asked.roll(self.clock.max(now));
        self.tallies.asked.answer();
    }

    /// What the platform counts and no step can tell: rows that were read, and written unasked.
    pub fn note_rows(&mut self, rows: (u64, u64), now: UnixMillis) {
        self.tallies.asked.note_rows(rows, now);
    }

    /// After a batch has left: the records that came while it was under way, where no other traffic
    /// will take them along soon.
    pub fn next_batch(&mut self, platform: UnixMillis) -> Result<Option<Step>, Unreadable> {
        let now = self.clock.max(platform);
        let is_due = self.logbook.is_due(self.pace.is_dense(now), now, platform);
        if is_due { self.tidy(platform) } else { Ok(None) }
    }

    /// Which rows of machines are stale, where there may be any.
    #[must_use]
    pub fn stale(&self) -> Option<Stale> {
        let before = self.term?.day;
        let rested = u64::try_from(AT_REST_AFTER.as_millis()).unwrap_or(u64::MAX);
        let at_rest_since = UnixMillis::from_millis(self.clock.millis().saturating_sub(rested));
        (self.has_spilled && self.swept < before).then_some(Stale { before, at_rest_since, now: self.clock })
    }

    /// No stale row is left. What was not at rest yet is looked at again on the next day.
    pub fn has_swept(&mut self, before: Day) {
        self.swept = before;
        self.is_dirty = true;
    }

    /// Sets the alarm, where something waits for it and it is not set.
    pub(super) fn arm(&mut self, now: UnixMillis) -> Option<UnixMillis> {
        let shared = self.term.is_some_and(|term| term.route.shards > 1);
        let leases = shared && self.funds.values().any(|fund| fund.lease() > fund.account.used());
        let needed = !self.by_deadline.is_empty()
            || !self.logbook.is_empty()
            || self.is_ahead
            || leases
            || self.stale().is_some();
        if !needed || now < self.alarm {
            return None;
        }
        // The last one rang for nothing, or storage would not know of it any more.
        if self.alarm > UnixMillis::default() {
            self.alarm_after = self.alarm_after.saturating_mul(2);
        }
        let [alone, among_others] = ALARM_AFTER_AT_MOST;
        self.alarm_after = self.alarm_after.clamp(ALARM_AFTER, if shared { among_others } else { alone });
        self.alarm = now.plus(self.alarm_after);
        Some(self.alarm)
    }
}
