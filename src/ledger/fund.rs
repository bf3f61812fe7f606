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
