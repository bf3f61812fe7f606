//! A cap that spans machines, as one shard has it: what the treasury leased to it, and what of that
//! is spent.

use std::time::Duration;

use crate::ledger::account::Account;
use crate::ledger::wire::treasury::{PoolLease, PoolRequest, Want};
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// The pool of the whole service's cap.
pub const SERVICE: &str = "service";

/// How long a pool that has nothing more to give is not asked again: another shard may give back.
const DRY_FOR: Duration = Duration::from_secs(1);
/// The same where there is no other shard: only an operator can change it.
const DRY_ALONE_FOR: Duration = Duration::from_secs(30);
/// How long an answer is waited for before the question is asked anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Of what was granted last, the part (one in so many) that may be left when more is asked for.
const ASK_AT: u64 = 2;

/// A shard's part of one cap, on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fund {
    /// What is spent and set aside.
    pub account: Account,
    /// What may be, this day.
    lease: NanoUsd,
    /// The whole cap, by the settings that the treasury had when it leased.
    cap: NanoUsd,
    last_grant: NanoUsd,
    /// The least amount that was not to be had, and until when that is believed.
    dry: NanoUsd,
    dry_until: UnixMillis,
    asked_at: Option<UnixMillis>,
    /// The amount for which was asked last.
    asked: NanoUsd,
    /// What storage holds for gone, and on which day.
    pub stored: (Day, NanoUsd),
    /// How much of that was written ahead of need.
    pub ahead: NanoUsd,
    /// What was set aside since it was written, whether it came back or not.
    pub since: NanoUsd,
}

/// Whether a fund has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It has.
    Enough,
    /// Not without asking the treasury.
    Ask,
    /// It has not, and the treasury said that there is nothing more.
    Dry,
}

impl Fund {
    /// The fund as storage knows it.
    #[must_use]
    pub fn restored(account: Account, lease: NanoUsd, cap: NanoUsd) -> Self {
        let stored = (account.day(), account.used());
        Self { account, lease, cap, stored, ..Self::default() }
    }

    /// Whether storage already says that what is used is gone; and that what was set aside since is, in
    /// full: after a crash nobody knows what of it was settled, and the log charges all.
    #[must_use]
    pub fn is_covered(&self) -> bool {
        let used = self.account.used();
        used == NanoUsd::ZERO
            || (self.stored.0 == self.account.day() && used <= self.stored.1 && self.since <= self.ahead)
    }

    /// What may be spent this day, all in all.
    #[must_use]
    pub const fn lease(&self) -> NanoUsd {
        self.lease
    }

    /// The whole cap, as the treasury reckoned with it.
    #[must_use]
    pub const fn cap(&self) -> NanoUsd {
        self.cap
    }

    /// What is leased and not used.
    #[must_use]
    pub const fn unused(&self) -> NanoUsd {
        self.lease.saturating_sub(self.account.used())
    }

    /// The same under a cap that may have been lowered since.
    #[must_use]
    pub fn free(&self, cap: NanoUsd) -> NanoUsd {
        self.lease.min(cap).saturating_sub(self.account.used())
    }

    /// Whether `amount` may be set aside now.
    #[must_use]
    pub fn room(&self, amount: NanoUsd, cap: NanoUsd, now: UnixMillis) -> Room {
        // A lease on more than the cap is by now was given by another setting, as were the others'.
        let was_lowered = cap < self.cap && amount > NanoUsd::ZERO;
        if !was_lowered && self.account.has_room(amount, self.lease.min(cap)) {
            Room::Enough
        } else if amount > cap || (now < self.dry_until && amount >= self.dry && self.cap == cap) {
            Room::Dry
        } else {
            Room::Ask
        }
    }

    /// Whether so little is left that more should be asked for, ahead of need.
    #[must_use]
    pub fn runs_low(&self, cap: NanoUsd, now: UnixMillis) -> bool {
        let waits = self.asked_at.is_some_and(|at| now.since(at) < ANSWER_WITHIN);
        let low = self.free(cap) < NanoUsd::from_nanos(self.last_grant.nanos() / ASK_AT);
        low && !waits && self.lease < cap
    }

    /// Puts the fund's part of a request together.
    pub fn request(
        &mut self,
        pool: String,
        day: Day,
        want: Want,
        cap: NanoUsd,
        now: UnixMillis,
    ) -> PoolRequest {
        let held = if day > self.account.day() { NanoUsd::ZERO } else { self.lease };
        if want != Want::Nothing {
            self.asked_at = Some(now);
        }
        // Of what a request needs, the part that is not leased yet.
        let want = match want {
            Want::Need(amount) => {
                self.asked = amount;
                Want::Need(amount.saturating_sub(self.free(cap)))
            }
            other => other,
        };
        PoolRequest { pool, held, want }
    }

    /// Gives back what is not used. The caller makes it durable before it tells the treasury.
    pub fn give_back(&mut self) {
        self.lease = self.lease.min(self.account.used());
        self.last_grant = NanoUsd::ZERO;
    }

    /// Begins `day` with nothing leased and nothing used, if it is a later day.
    pub fn roll(&mut self, day: Day) {
        if day > self.account.day() {
            self.account.roll(day);
            *self = Self { account: self.account, cap: self.cap, ..Self::default() };
        }
    }

    /// Takes in what the treasury granted for this day. Answers may come in any order: a lease only
    /// grows until it is given back.
    pub fn grant(&mut self, lease: &PoolLease, alone: bool, now: UnixMillis) {
        self.asked_at = None;
        // Nothing granted: no more is asked for until it is needed.
        self.last_grant = lease.granted.saturating_sub(self.lease);
        self.lease = self.lease.max(lease.granted);
        self.cap = lease.cap;
        if lease.dry {
            self.dry = if now < self.dry_until { self.dry.min(self.asked) } else { self.asked };
            self.dry_until = now.plus(if alone { DRY_ALONE_FOR } else { DRY_FOR });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Day = Day::from_number(7);
    const NOW: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    const fn nano(amount: u64) -> NanoUsd {
        NanoUsd::from_nanos(amount)
    }

    fn after(millis: u64) -> UnixMillis {
        NOW.plus(Duration::from_millis(millis))
    }

    fn fund(used: u64) -> Fund {
        Fund { account: Account::restored(TODAY, nano(used)), ..Fund::default() }
    }

    fn grant(fund: &mut Fund, granted: u64, dry: bool, alone: bool, now: UnixMillis) {
        let lease = PoolLease { pool: SERVICE.to_owned(), granted: nano(granted), cap: nano(100), dry };
        fund.grant(&lease, alone, now);
    }

    fn need(fund: &mut Fund, amount: u64, now: UnixMillis) -> PoolRequest {
        fund.request(SERVICE.to_owned(), TODAY, Want::Need(nano(amount)), nano(100), now)
    }

    #[test]
    fn what_storage_knows_is_all_of_it() {
        let fund = Fund::restored(Account::restored(TODAY, nano(7)), nano(50), nano(100));
        assert_eq!((fund.lease(), fund.cap(), fund.unused()), (nano(50), nano(100), nano(43)));
        assert_eq!((fund.account.used(), fund.stored), (nano(7), (TODAY, nano(7))));
        assert_eq!((fund.free(nano(100)), fund.free(nano(20))), (nano(43), nano(13)));
    }

    #[test]
    fn there_is_room_up_to_the_lease_and_never_over_the_cap() {
        let mut fund = fund(10);
        grant(&mut fund, 50, false, false, NOW);
        for (amount, cap, room) in [
            (40, 100, Room::Enough),
            (41, 100, Room::Ask),
            (100, 100, Room::Ask),
            (101, 100, Room::Dry),
            // Of a lease under a higher cap nobody knows whether all shards' leases still fit.
            (1, 99, Room::Ask),
            (0, 99, Room::Enough),
            (40, 101, Room::Enough),
        ] {
            assert_eq!(fund.room(nano(amount), nano(cap), NOW), room, "{amount} of {cap}");
        }
    }

    #[test]
    fn what_was_not_to_be_had_is_not_asked_for_again_for_a_while() {
        for (alone, millis) in [(false, 1_000), (true, 30_000)] {
            let mut fund = fund(0);
            need(&mut fund, 10, NOW);
            grant(&mut fund, 0, true, alone, NOW);
            let room = |amount: u64, cap: u64, millis: u64| fund.room(nano(amount), nano(cap), after(millis));
            assert_eq!((room(10, 100, 0), room(11, 100, 0)), (Room::Dry, Room::Dry));
            assert_eq!(room(9, 100, 0), Room::Ask, "less may be left");
            assert_eq!((room(10, 101, 0), room(10, 99, 0)), (Room::Ask, Room::Ask), "another cap");
            assert_eq!((room(10, 100, millis - 1), room(10, 100, millis)), (Room::Dry, Room::Ask));
        }
    }

    #[test]
    fn the_least_that_was_not_to_be_had_counts_while_it_is_believed() {
        for (millis, room) in [(999, Room::Dry), (1_000, Room::Ask)] {
            let mut fund = fund(0);
            need(&mut fund, 10, NOW);
            grant(&mut fund, 0, true, false, NOW);
            need(&mut fund, 20, after(millis));
            grant(&mut fund, 0, true, false, after(millis));
            assert_eq!(fund.room(nano(10), nano(100), after(millis)), room, "{millis}");
            assert_eq!(fund.room(nano(20), nano(100), after(millis)), Room::Dry, "{millis}");
        }
    }

    #[test]
    fn more_is_asked_for_when_half_of_the_last_grant_is_gone() {
        let low = |used: u64, cap: u64| {
            let mut fund = fund(0);
            grant(&mut fund, 60, false, false, NOW);
            fund.account.reserve(nano(used));
            fund.runs_low(nano(cap), NOW)
        };
        assert!(!low(30, 100) && low(31, 100));
        assert!(!low(31, 60), "all of the cap is leased already");
        let mut waiting = fund(0);
        grant(&mut waiting, 60, false, false, NOW);
        waiting.account.reserve(nano(31));
        waiting.request(SERVICE.to_owned(), TODAY, Want::Nothing, nano(100), NOW);
        assert!(waiting.runs_low(nano(100), NOW), "nothing was asked for");
        waiting.request(SERVICE.to_owned(), TODAY, Want::Share(nano(1)), nano(100), NOW);
        assert!(!waiting.runs_low(nano(100), after(4_999)) && waiting.runs_low(nano(100), after(5_000)));
        waiting.give_back();
        assert_eq!((waiting.lease(), waiting.unused()), (nano(31), nano(0)));
        assert!(!waiting.runs_low(nano(100), after(5_000)), "nothing was granted since");
    }

    #[test]
    fn a_request_tells_what_is_held_and_asks_for_what_lacks() {
        let mut fund = fund(10);
        grant(&mut fund, 50, false, false, NOW);
        let request = need(&mut fund, 70, NOW);
        assert_eq!((request.held, request.want), (nano(50), Want::Need(nano(30))));
        let mut ask = |day: u64| {
            fund.request(SERVICE.to_owned(), Day::from_number(day), Want::Nothing, nano(100), NOW).held
        };
        assert_eq!((ask(6), ask(7), ask(8)), (nano(50), nano(50), nano(0)), "nothing yet of a day to come");
    }

    #[test]
    fn a_lease_ends_with_its_day_and_no_day_begins_twice() {
        let mut fund = fund(10);
        grant(&mut fund, 50, false, false, NOW);
        for day in [6, 7] {
            fund.roll(Day::from_number(day));
            assert_eq!((fund.account.day(), fund.lease()), (TODAY, nano(50)), "{day}");
        }
        fund.roll(Day::from_number(8));
        assert_eq!((fund.account.day(), fund.account.used()), (Day::from_number(8), nano(0)));
        assert_eq!((fund.lease(), fund.cap()), (nano(0), nano(100)));
    }
}
