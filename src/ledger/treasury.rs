//! What spans shards: the caps of the service and of plans, who is revoked, who enrolled. One
//! object, asked seldom: each shard spends what was leased to it without asking.
//!
//! For every cap, what is leased to all shards together is never more than the cap. A shard that
//! never comes back therefore costs at most its lease, and only until the day ends.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ledger::enrolment::Enrolments;
use crate::ledger::revocation::Revocations;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::shard::pools;
use crate::ledger::tally::asked::Asked;
use crate::ledger::wire::treasury::{
    Answer, EnrolmentVerdict, Errand, Lease, LeaseRequest, Number, PoolLease, PoolRequest, Want,
};
use crate::ledger::wire::{Route, Target, state};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::{NanoUsd, UnixMillis};

/// Of what a cap has left, the part (one in so many, for each shard) that a shard gets at once. It
/// makes leases shrink as the cap nears, so that little lies idle with one shard while another is
/// refused.
const SHARE: u64 = 4;

const VERSION: u32 = 1;

/// The treasury's state.
#[derive(Clone, Debug, Default)]
pub struct Treasury {
    books: Books,
    revocations: Revocations,
    enrolments: Enrolments,
}

/// The treasury's main row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Books {
    v: u32,
    /// The spending day: never an earlier one than before.
    day: Day,
    route: Route,
    /// Whether subjects were spread otherwise the day before.
    moved: bool,
    /// By pool and shard: what the shard may spend of the day's cap, all in all.
    granted: BTreeMap<String, BTreeMap<u32, NanoUsd>>,
    /// By shard: its last request with `holds_only`. What it sent before does not count any more.
    holds_since: BTreeMap<u32, Number>,
    /// By shard: its latest request heard of. One with `holds_only` that comes after a later one is not
    /// believed any more: what it says was held may have grown since.
    latest: BTreeMap<u32, Number>,
    /// Counts the changes of revocations.
    revision: u64,
    /// What the treasury itself asked of the platform. It is written along with the rest only.
    #[serde(default)]
    asked: Asked,
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The answer.
    pub answer: Answer,
    /// Rows that must be durable before it leaves.
    pub rows: Vec<Row>,
}

impl Treasury {
    /// Takes in a stored row.
    pub fn load(&mut self, key: &str, value: &str) -> Result<(), Unreadable> {
        if key == rows::TREASURY {
            self.books = serde_json::from_str(value).map_err(|_| Unreadable)?;
            if self.books.v != VERSION {
                return Err(Unreadable);
            }
        } else if key == rows::ENROLMENTS {
            self.enrolments = rows::read_enrolments(value)?;
        } else if key.starts_with(rows::REVOKED) {
            self.revocations.add(rows::read_revocation(value)?);
        }
        Ok(())
    }

    /// Carries out one errand at `now`. `random` becomes the salt of the routes, the first time. An
    /// error means that a row could not be written down; the caller then drops this state.
    pub fn step(
        &mut self,
        limits: &Limits,
        errand: Errand,
        random: u64,
        now: UnixMillis,
    ) -> Result<Step, Unreadable> {
        let mut rows = Vec::new();
        self.books.asked.roll(now);
        self.books.asked.answer();
        let before = self.books.clone();
        self.begin_day(limits, limits.day.day_of(now), random);
        let answer = match errand {
            Errand::Lease(request) => self.lease(limits, request, random),
            Errand::Route => Answer::Route(self.books.route),
            Errand::Enrol(enrolment) => {
                let (day, ends) = (self.books.day, limits.day.end_of(self.books.day));
                let enrolled =
                    self.enrolments.decide(&enrolment, limits.enrolment_difficulty, day, ends, now);
                if enrolled.verdict == EnrolmentVerdict::Accepted {
                    rows.push(rows::enrolments_row(&self.enrolments)?);
                }
                Answer::Enrolled(enrolled)
            }
            Errand::Revoke(revocation) => {
                let row = rows::revocation_row(&revocation)?;
                let added = self.revocations.add(revocation);
                rows.extend(added.then_some(row));
                self.changed(added)
            }
            Errand::Restore { target } => {
                let removed = self.revocations.remove(&target);
                rows.push(Row { key: rows::revocation_key(&target), value: None });
                self.changed(removed)
            }
            Errand::Revocations => Answer::Revocations { revocations: self.revocations.list() },
            Errand::State => Answer::State(state::TreasuryState {
                day: self.books.day,
                shards: self.books.route.shards,
                granted: self.books.granted.clone(),
                revision: self.books.revision,
                operations: state::Operations::default(),
                switched_off: self.revocations.get(&Target::Model).cloned(),
                known: self.known_shards(),
                asked: self.books.asked,
            }),
        };
        let is_changed = self.books != before;
        self.books.asked.write(rows.len().saturating_add(usize::from(is_changed)), None);
        if is_changed {
            rows.push(rows::row(rows::TREASURY.to_owned(), &self.books)?);
        }
        Ok(Step { answer, rows })
    }

    /// Begins a day with nothing leased. `SHARDS` counts from here on: within a day a machine stays
    /// where its spend is known.
    fn begin_day(&mut self, limits: &Limits, day: Day, random: u64) {
        if day <= self.books.day {
            return;
        }
        let Books { route, .. } = self.books;
        let salt = if route.salt == 0 { random.max(1) } else { route.salt };
        self.books.moved = route.shards != 0 && route.shards != limits.shards;
        self.books.route = Route { shards: limits.shards, salt };
        self.books.day = day;
        self.books.v = VERSION;
        self.books.granted.clear();
    }

    fn lease(&mut self, limits: &Limits, request: LeaseRequest, random: u64) -> Answer {
        let LeaseRequest { shard, number, day, holds_only, revision, pools: wanted } = request;
        let holds_since = self.books.holds_since.get(&shard).copied().unwrap_or_default();
        let latest = self.books.latest.get(&shard).copied().unwrap_or_default();
        if number < holds_since || (holds_only && number <= latest) {
            return Answer::Stale;
        }
        self.books.latest.insert(shard, latest.max(number));
        // A clock that is a little ahead of ours begins the day; one that is far ahead does not.
        if day.number() == self.books.day.number().saturating_add(1) {
            self.begin_day(limits, day, random);
        }
        if holds_only {
            self.books.holds_since.insert(shard, number);
        }
        let is_today = day == self.books.day;
        let mut leases = Vec::new();
        for (pool, cap) in pools(limits) {
            let Some(PoolRequest { held, want, .. }) = wanted.iter().find(|wanted| wanted.pool == pool)
            else {
                continue;
            };
            // What was held of another day is nothing today.
            let held = if is_today { *held } else { NanoUsd::ZERO };
            let granted = self.books.granted.entry(pool.clone()).or_default();
            let mine = granted.entry(shard).or_default();
            if holds_only && is_today {
                *mine = held.min(*mine);
            }
            // Granted before, and the answer is on its way or was lost: not granted twice.
            let has_more = *mine > held;
            let mine = *mine;
            let leased = granted.values().fold(NanoUsd::ZERO, |sum, lease| sum.saturating_add(*lease));
            let left = cap.saturating_sub(leased);
            let parts = SHARE.saturating_mul(u64::from(self.books.route.shards)).max(1);
            let share = NanoUsd::from_nanos(left.nanos().checked_div(parts).unwrap_or(0));
            let (more, dry) = match want {
                Want::Nothing => (NanoUsd::ZERO, false),
                Want::Share(_) | Want::Need(_) if has_more && covers(*want, mine, held) => {
                    (NanoUsd::ZERO, false)
                }
                Want::Share(least) => (if share >= *least { share } else { NanoUsd::ZERO }, false),
                // Of what it needs, a part may have been granted before.
                Want::Need(amount) => match amount.saturating_sub(mine.saturating_sub(held)) {
                    lacking if lacking <= left => (share.max(lacking), false),
                    _ => (NanoUsd::ZERO, true),
                },
            };
            let now_granted = mine.saturating_add(more.min(left));
            granted.insert(shard, now_granted);
            leases.push(PoolLease { pool, granted: now_granted, cap, dry });
        }
        let Books { day, route, moved, revision: latest, .. } = self.books;
        let revocations = (latest != revision).then(|| self.revocations.list());
        Answer::Lease(Lease { number, day, route, moved, pools: leases, revision: latest, revocations })
    }

    fn changed(&mut self, changed: bool) -> Answer {
        if changed {
            self.books.revision = self.books.revision.saturating_add(1);
        }
        Answer::Changed { changed, revision: self.books.revision, shards: self.known_shards() }
    }

    /// Every shard that ever asked, and those of today.
    fn known_shards(&self) -> Vec<u32> {
        let today = 0..self.books.route.shards;
        let shards: BTreeSet<u32> = self.books.holds_since.keys().copied().chain(today).collect();
        shards.into_iter().collect()
    }

    /// What the platform counts and no step can tell: rows that were read, and written unasked.
    pub fn note_rows(&mut self, rows: (u64, u64), now: UnixMillis) {
        self.books.asked.note_rows(rows, now);
    }
}

/// Whether what was granted beyond what the shard knew of is what it wants now.
fn covers(want: Want, granted: NanoUsd, held: NanoUsd) -> bool {
    match want {
        Want::Need(amount) => granted.saturating_sub(held) >= amount,
        Want::Share(_) | Want::Nothing => true,
    }
}

#[cfg(test)]
#[path = "treasury_tests.rs"]
mod tests;
