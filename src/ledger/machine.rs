//! One machine as the ledger knows it.

use std::time::Duration;

use crate::ledger::account::Account;
use crate::ledger::replay::Nonces;
use crate::policy::day::Day;
use crate::policy::plans::STANDARD;
use crate::units::{NanoUsd, UnixMillis};

/// A machine's bucket, spend and requests in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Theoretical arrival time of the token bucket, nanoseconds since the Unix epoch.
    pub tat: u64,
    /// Spend of the day.
    pub account: Account,
    /// Requests admitted and not yet settled.
    pub in_flight: u32,
    /// The ledger's clock when the machine was admitted last, milliseconds since the epoch. Stored,
    /// so that the clock does not go back over a restart either.
    pub seen: u64,
    /// Milliseconds since the epoch of the machine's latest log record.
    pub last_record: u64,
    /// Nonces of signed requests that could still be fresh.
    pub nonces: Nonces,
    /// The plan by which it was admitted last, unless that is [`STANDARD`]: see [`Machine::plan`].
    pub other_plan: String,
    /// Requests of the account's day that are over.
    pub requests: u64,
    /// What may be written down ahead of need: what a crash may cost the machine.
    pub margin: NanoUsd,
    /// What storage holds for gone, and on which day.
    pub stored: (Day, NanoUsd),
}

/// What was admitted this long ago has left no nonce behind that is still remembered.
pub const AT_REST_AFTER: Duration = Duration::from_secs(11 * 60);

impl Machine {
    /// Begins `today`, if it is a later day than the account's.
    pub fn roll(&mut self, today: Day) {
        if today > self.account.day() {
            self.account.roll(today);
            self.requests = 0;
        }
    }

    /// Notes by which plan it was admitted.
    pub fn note_plan(&mut self, plan: &str) {
        let plan = if plan == STANDARD { "" } else { plan };
        if self.other_plan != plan {
            plan.clone_into(&mut self.other_plan);
        }
    }

    /// The plan by which it was admitted last.
    #[must_use]
    pub fn plan(&self) -> &str {
        if self.other_plan.is_empty() { STANDARD } else { &self.other_plan }
    }

    /// A time for the machine's next log record: now, or just after the one before, so that no
    /// record takes the key of another.
    pub fn next_record(&mut self, now_ms: u64) -> u64 {
        self.last_record = now_ms.max(self.last_record.saturating_add(1));
        self.last_record
    }

    /// Whether storage already says that what is used is gone.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        self.account.used() == NanoUsd::ZERO
            || (self.stored.0 == self.account.day() && self.account.used() <= self.stored.1)
    }

    /// Whether it is idle.
    #[must_use]
    pub fn rests(&self, now: UnixMillis) -> bool {
        self.in_flight == 0 && now.since(UnixMillis::from_millis(self.seen)) >= AT_REST_AFTER
    }

    /// Whether it is as if it had never been seen: a full bucket, nothing spent today, no nonce.
    #[must_use]
    pub fn is_blank(&self, today: Day, now: UnixMillis) -> bool {
        let nothing_spent = self.account.day() < today || self.account.used() == NanoUsd::ZERO;
        self.rests(now) && nothing_spent && self.tat <= now.nanos()
    }
}
