//! Admissions between two writes of the main row. In dense traffic most of them write no main row, since
//! what they may cost was written ahead; but the log is to tell of every request that was answered, and of
//! one that a crash takes only storage can. So each is in a row of the journal before its reply leaves,
//! those that come in one call in one.
//!
//! The rows form a ring. The main row says where the journal begins that it does not cover; there is no
//! row to take away.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Reservation, Shard};
use crate::ledger::rows::{self, Row, Unreadable};
use crate::units::{NanoUsd, UnixMillis};

/// Rows in the ring. A main row is written before it is full.
const RING: u64 = 1_024;
/// Admissions that one row may have: they are some 100 bytes each.
const MOST_PENDING: usize = 1_024;

/// An admission of which memory knew when it was lost. What it may cost was written ahead and counts as
/// spent; what is left to do is to tell the log of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orphan {
    pub(super) id: String,
    pub(super) subject: String,
    pub(super) plan: String,
    pub(super) amount: NanoUsd,
    pub(super) deadline: UnixMillis,
    pub(super) record_at: UnixMillis,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRow<T> {
    /// Counts the rows ever written, so that one of the ring's last round is known.
    number: u64,
    admitted: T,
}

/// What storage does not know of yet, and where it is going to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// The first row that the main row does not cover, and the one to come.
    first: u64,
    next: u64,
    pending: Vec<Orphan>,
}

impl Journal {
    /// The journal as the main row tells: it begins at row `first`.
    pub(super) const fn restored(first: u64) -> Self {
        Self { first, next: first, pending: Vec::new() }
    }

    pub(super) fn note(&mut self, id: &str, reservation: &Reservation) {
        let Reservation { subject, plan, amount, deadline, record_at, .. } = reservation;
        self.pending.push(Orphan {
            id: id.to_owned(),
            subject: subject.clone(),
            plan: plan.clone(),
            amount: *amount,
            deadline: *deadline,
            record_at: *record_at,
        });
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the main row has to be written for want of room here.
    pub(super) const fn is_full(&self) -> bool {
        self.pending.len() >= MOST_PENDING || self.next.saturating_sub(self.first) >= RING - 1
    }

    /// The main row that is being written says all that is here. Gives where the journal goes on.
    pub(super) fn cover(&mut self) -> u64 {
        self.pending.clear();
        self.first = self.next;
        self.first
    }

    /// A row with what is pending.
    fn row(&mut self) -> Result<Row, Unreadable> {
        let stored = StoredRow { number: self.next, admitted: &self.pending };
        let row = rows::row(key(self.next), &stored)?;
        self.pending.clear();
        self.next = self.next.saturating_add(1);
        Ok(row)
    }
}

fn key(number: u64) -> String {
    rows::journal_key(number.checked_rem(RING).unwrap_or(0))
}

impl Shard {
    /// The row with admissions that are not durable yet, if there are any: those whose replies are held
    /// may leave once it is written.
    pub fn flush(&mut self) -> Result<Option<Row>, Unreadable> {
        if self.journal.is_empty() {
            return Ok(None);
        }
        self.tallies.asked.write(1, None);
        self.journal.row().map(Some)
    }

    /// The key of the journal's next row, to be given to [`Shard::replay`] when the shard was restored.
    #[must_use]
    pub fn journal_key(&self) -> String {
        key(self.journal.next)
    }

    /// Takes in the journal's next row. `false`: it ends before this one.
    pub fn replay(&mut self, value: Option<&str>) -> Result<bool, Unreadable> {
        let Some(value) = value else {
            return Ok(false);
        };
        let stored: StoredRow<Vec<Orphan>> = serde_json::from_str(value).map_err(|_| Unreadable)?;
        if stored.number != self.journal.next {
            return Ok(false);
        }
        self.journal.next = self.journal.next.saturating_add(1);
        for orphan in stored.admitted {
            self.adopt(orphan);
        }
        Ok(true)
    }

    pub(super) fn adopt(&mut self, orphan: Orphan) {
        // No other record of the machine may have the time of this one.
        self.clock = self.clock.max(orphan.record_at.plus(Duration::from_millis(1)));
        self.by_deadline.insert((orphan.deadline, orphan.id.clone()));
        self.orphans.insert(orphan.id.clone(), orphan);
    }
}
