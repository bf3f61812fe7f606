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

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day::from_number(7);
    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn spent(nanos: u64) -> Machine {
        Machine { account: Account::restored(TODAY, NanoUsd::from_nanos(nanos)), ..Machine::default() }
    }

    #[test]
    fn requests_are_counted_by_the_day_and_no_day_begins_twice() {
        let mut machine = Machine { requests: 3, ..spent(5) };
        for day in [6, 7] {
            machine.roll(Day::from_number(day));
            assert_eq!((machine.requests, machine.account.used().nanos()), (3, 5), "{day}");
        }
        machine.roll(Day::from_number(8));
        assert_eq!((machine.requests, machine.account.used().nanos()), (0, 0));
    }

    #[test]
    fn the_plan_is_the_latest() {
        let mut machine = Machine::default();
        assert_eq!(machine.plan(), STANDARD);
        for plan in ["pro", "pro", STANDARD, "team"] {
            machine.note_plan(plan);
            assert_eq!(machine.plan(), plan);
        }
    }

    #[test]
    fn no_record_has_the_time_of_another() {
        let mut machine = Machine::default();
        assert_eq!([100, 100, 50, 102, 200].map(|now| machine.next_record(now)), [100, 101, 102, 103, 200]);
    }

    #[test]
    fn storage_covers_what_it_says_is_gone_on_that_day() {
        let stored = |day: u64, nanos: u64| (Day::from_number(day), NanoUsd::from_nanos(nanos));
        for (stored, covered) in
            [(stored(7, 5), true), (stored(7, 6), true), (stored(7, 4), false), (stored(6, 5), false)]
        {
            assert_eq!(Machine { stored, ..spent(5) }.is_covered(), covered, "{stored:?}");
        }
        assert!(spent(0).is_covered(), "nothing is gone");
    }

    #[test]
    fn a_machine_that_left_no_trace_is_as_good_as_new() {
        let seen = NOW.millis() - 660_000;
        let blank = Machine { seen, tat: NOW.nanos(), ..spent(0) };
        assert!(blank.is_blank(TODAY, NOW));
        let of_yesterday = Machine { account: spent(5).account, ..blank.clone() };
        assert!(of_yesterday.is_blank(Day::from_number(8), NOW), "what was spent on a day that is over");
        for (what, machine) in [
            ("spent today", of_yesterday),
            ("seen lately", Machine { seen: seen + 1, ..blank.clone() }),
            ("in flight", Machine { in_flight: 1, ..blank.clone() }),
            ("a bucket that is not full", Machine { tat: NOW.nanos() + 1, ..blank }),
        ] {
            assert!(!machine.is_blank(TODAY, NOW), "{what}");
        }
    }
}
