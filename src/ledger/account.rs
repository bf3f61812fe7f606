//! Spend against one cap on one day: posted is gone, reserved may go.

use crate::policy::day::Day;
use crate::units::NanoUsd;

/// The account of a machine, a plan or the service. Its amounts belong to one spending day; when
/// the next begins, they begin at zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    day: Day,
    posted: NanoUsd,
    reserved: NanoUsd,
}

impl Account {
    /// The account as storage knows it: what is gone counts as spent, because nobody can tell any
    /// more what became of it, unless a reservation that is still open says so (see
    /// [`Account::reopen`]).
    #[must_use]
    pub const fn restored(day: Day, gone: NanoUsd) -> Self {
        Self { day, posted: gone, reserved: NanoUsd::ZERO }
    }

    /// The day to which the amounts belong.
    #[must_use]
    pub const fn day(&self) -> Day {
        self.day
    }

    /// Posted and reserved together: what storage has to know before anything is sent.
    #[must_use]
    pub const fn used(&self) -> NanoUsd {
        self.posted.saturating_add(self.reserved)
    }

    /// What was spent for certain.
    #[must_use]
    pub const fn posted(&self) -> NanoUsd {
        self.posted
    }

    /// Begins `today` at zero if it is a later day than the account's.
    pub fn roll(&mut self, today: Day) {
        if today > self.day {
            *self = Self { day: today, ..Self::default() };
        }
    }

    /// Whether `amount` still fits under `cap`.
    #[must_use]
    pub fn has_room(&self, amount: NanoUsd, cap: NanoUsd) -> bool {
        self.used().checked_add(amount).is_some_and(|total| total <= cap)
    }

    /// Sets `amount` aside. The caller has asked [`Account::has_room`] of every cap concerned
    /// before it reserves against the first.
    pub fn reserve(&mut self, amount: NanoUsd) {
        self.reserved = self.reserved.saturating_add(amount);
    }

    /// Takes `amount` of `day` as set aside that was counted as spent.
    pub fn reopen(&mut self, day: Day, amount: NanoUsd) {
        if day == self.day {
            let amount = amount.min(self.posted);
            self.posted = self.posted.saturating_sub(amount);
            self.reserved = self.reserved.saturating_add(amount);
        }
    }

    /// Ends a reservation of `reserved` made on `day` with `charged` spent, never more than was
    /// reserved. A reservation of an earlier day is not in these amounts any more.
    pub fn settle(&mut self, day: Day, reserved: NanoUsd, charged: NanoUsd) {
        if day == self.day {
            self.reserved = self.reserved.saturating_sub(reserved);
            self.posted = self.posted.saturating_add(charged.min(reserved));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_that_is_over_does_not_begin_again() {
        let mut account = Account::restored(Day::from_number(2), NanoUsd::from_nanos(7));
        for day in [1, 2] {
            account.roll(Day::from_number(day));
            assert_eq!((account.day(), account.used()), (Day::from_number(2), NanoUsd::from_nanos(7)));
        }
        account.roll(Day::from_number(3));
        assert_eq!((account.day(), account.used()), (Day::from_number(3), NanoUsd::ZERO));
    }

    #[test]
    fn what_is_set_aside_is_charged_once_on_its_day_and_never_more() {
        let (today, other) = (Day::from_number(2), Day::from_number(1));
        let nano = NanoUsd::from_nanos;
        let mut account = Account::restored(today, nano(7));
        account.reserve(nano(5));
        assert_eq!((account.posted(), account.used()), (nano(7), nano(12)));
        assert!(account.has_room(nano(3), nano(15)) && !account.has_room(nano(4), nano(15)));
        assert!(!account.has_room(NanoUsd::from_nanos(u64::MAX), NanoUsd::from_nanos(u64::MAX)));
        account.settle(other, nano(5), nano(5));
        assert_eq!((account.posted(), account.used()), (nano(7), nano(12)), "another day's");
        account.settle(today, nano(5), nano(9));
        assert_eq!((account.posted(), account.used()), (nano(12), nano(12)), "no more than was set aside");
        account.reopen(other, nano(3));
        assert_eq!(account.posted(), nano(12), "another day's");
        account.reopen(today, nano(20));
        assert_eq!((account.posted(), account.used()), (nano(0), nano(12)), "no more than is gone");
    }
}
