//! One shard's counters: of the day that goes on in its main row, of each day before in a row that is
//! written once.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::{Tally, VERSION};
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::wire::ended::{Ended, News, Reason};
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// Days before today of which the counters are kept.
pub const KEPT_DAYS: u64 = 31;

/// The part that the shard's main row holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Of today, and of a day before that had requests in flight when it ended.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    open: Vec<Tally>,
    /// Days with a row of their own.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    kept: BTreeSet<Day>,
    /// What was asked of the platform.
    #[serde(default)]
    asked: Asked,
}

/// The counters of a shard.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    today: Day,
    open: BTreeMap<Day, Tally>,
    kept: BTreeSet<Day>,
    /// Of days with a row of their own, as far as somebody asked for them.
    past: BTreeMap<Day, Tally>,
    /// What was asked of the platform.
    pub asked: Asked,
    /// Whether refusals were counted that no row holds.
    is_behind: bool,
}

impl Tallies {
    /// As the main row tells.
    ///
    /// # Errors
    /// They are of another form.
    pub fn restored(stored: Stored) -> Result<Self, Unreadable> {
        let Stored { open, kept, asked } = stored;
        if open.iter().any(|tally| tally.v != VERSION) {
            return Err(Unreadable);
        }
        let open: BTreeMap<Day, Tally> = open.into_iter().map(|tally| (tally.day, tally)).collect();
        let today = open.keys().next_back().copied().unwrap_or_default();
        Ok(Self { today, open, kept, asked, ..Self::default() })
    }

    /// Time goes on.
    pub fn begin(&mut self, today: Day, now: UnixMillis) {
        self.today = self.today.max(today);
        self.asked.roll(now);
    }

    /// Counts a request that is over. One of a day whose counters are closed is counted today.
    pub fn end(&mut self, day: Option<Day>, plan: &str, ended: Option<&Ended>, charged: NanoUsd) {
        let day = day.filter(|day| !self.kept.contains(day)).unwrap_or(self.today);
        self.of(day).end(plan, ended, charged);
    }

    /// Counts a refusal. No row is written for it: see [`Tallies::is_behind`].
    pub fn refuse(&mut self, reason: Reason) {
        self.of(self.today).refuse(reason, 1);
        self.is_behind = true;
    }

    /// Counts what an isolate has seen.
    pub fn hear(&mut self, news: &News) {
        self.asked.worker = self.asked.worker.saturating_add(news.requests);
        self.asked.kv_reads = self.asked.kv_reads.saturating_add(news.kv_reads);
        self.asked.kv_writes = self.asked.kv_writes.saturating_add(news.kv_writes);
        self.asked.kv_lists = self.asked.kv_lists.saturating_add(news.kv_lists);
        if !news.refused.is_empty() {
            self.of(self.today).refused.take_in(&news.refused);
            self.is_behind = true;
        }
    }

    fn of(&mut self, day: Day) -> &mut Tally {
        self.open.entry(day).or_insert_with(|| Tally::of(day))
    }

    /// Whether refusals were counted that no row holds. Nothing else does so: all else that is counted
    /// changes what the main row says anyway.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Gives the days that are over rows of their own, where none of their requests is open any more, and
    /// takes away the rows of those that are too long over.
    ///
    /// # Errors
    /// A row cannot be written down.
    pub fn close(&mut self, has_open: impl Fn(Day) -> bool) -> Result<Vec<Row>, Unreadable> {
        let over: Vec<Day> = self.open.range(..self.today).map(|(day, _)| *day).collect();
        let mut rows = Vec::new();
        for day in over.into_iter().filter(|day| !has_open(*day)) {
            if let Some(tally) = self.open.remove(&day) {
                rows.push(rows::row(rows::tally_key(day), &tally)?);
                self.kept.insert(day);
                self.past.insert(day, tally);
            }
        }
        let first = Day::from_number(self.today.number().saturating_sub(KEPT_DAYS));
        while let Some(day) = self.kept.first().copied().filter(|day| *day < first) {
            self.kept.remove(&day);
            self.past.remove(&day);
            rows.retain(|row| row.key != rows::tally_key(day));
            rows.push(Row { key: rows::tally_key(day), value: None });
        }
        Ok(rows)
    }

    /// What the main row is to hold. The caller writes it.
    #[must_use]
    pub fn store(&mut self) -> Stored {
        self.is_behind = false;
        let open = self.open.values().cloned().collect();
        Stored { open, kept: self.kept.clone(), asked: self.asked }
    }

    /// Days since `since` whose rows were not read yet.
    #[must_use]
    pub fn missing(&self, since: Day) -> Vec<Day> {
        self.kept.range(since..).filter(|day| !self.past.contains_key(day)).copied().collect()
    }

    /// Takes in the row of a day that is over.
    ///
    /// # Errors
    /// It is of another form.
    pub fn load(&mut self, value: &str) -> Result<(), Unreadable> {
        let tally: Tally = serde_json::from_str(value).map_err(|_| Unreadable)?;
        if tally.v != VERSION {
            return Err(Unreadable);
        }
        self.past.insert(tally.day, tally);
        Ok(())
    }

    /// The counters of the days since `since`, as far as their rows were read.
    #[must_use]
    pub fn since(&self, since: Day) -> Vec<Tally> {
        self.past.range(since..).chain(self.open.range(since..)).map(|(_, tally)| tally.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::wire::ended::Ending;

    const ENDED: Ended = Ended { outcome: Ending::Uncertain, source: None, tokens: (0, 0), ms: 1 };

    fn at(day: u64) -> UnixMillis {
        UnixMillis::from_seconds(day * 86_400)
    }

    fn day(number: u64) -> Day {
        Day::from_number(number)
    }

    fn count(tallies: &mut Tallies, number: u64) {
        tallies.begin(day(number), at(number));
        tallies.end(Some(day(number)), "standard", Some(&ENDED), NanoUsd::from_nanos(number));
    }

    fn keys(rows: &[Row]) -> Vec<(&str, bool)> {
        rows.iter().map(|row| (row.key.as_str(), row.value.is_some())).collect()
    }

    #[test]
    fn a_day_that_is_over_gets_one_row_and_loses_it_after_a_month() {
        let mut tallies = Tallies::default();
        count(&mut tallies, 100);
        assert_eq!(tallies.close(|_| false), Ok(Vec::new()), "it goes on");
        count(&mut tallies, 101);
        assert_eq!(tallies.close(|of| of == day(100)), Ok(Vec::new()), "some of its requests are open");
        // One that was admitted the day before counts there.
        tallies.end(Some(day(100)), "standard", Some(&ENDED), NanoUsd::ZERO);
        let rows = tallies.close(|_| false).unwrap();
        assert_eq!(keys(&rows), [("tally/100", true)]);
        let tally: Tally = serde_json::from_str(rows[0].value.as_ref().unwrap()).unwrap();
        assert_eq!((tally.day, tally.requests()), (day(100), 2));
        // And one that comes too late for that counts today.
        tallies.end(Some(day(100)), "standard", Some(&ENDED), NanoUsd::ZERO);
        assert_eq!(tallies.since(day(101)).first().map(Tally::requests), Some(2));
        assert_eq!(tallies.close(|_| false), Ok(Vec::new()), "once");

        tallies.begin(day(131), at(131));
        assert_eq!(keys(&tallies.close(|_| false).unwrap()), [("tally/101", true)]);
        assert_eq!(tallies.since(day(0)).len(), 2);
        tallies.begin(day(132), at(132));
        assert_eq!(keys(&tallies.close(|_| false).unwrap()), [("tally/100", false)]);
        // Where nobody came for long, what is too old is not written first.
        count(&mut tallies, 132);
        tallies.begin(day(500), at(500));
        assert_eq!(keys(&tallies.close(|_| false).unwrap()), [("tally/101", false), ("tally/132", false)]);
        assert_eq!((tallies.since(day(0)), tallies.missing(day(0))), (Vec::new(), Vec::new()));
    }

    #[test]
    fn what_is_stored_comes_back() {
        let mut tallies = Tallies::default();
        count(&mut tallies, 100);
        count(&mut tallies, 101);
        tallies.refuse(Reason::RateLimited);
        let mut news = News { requests: 5, kv_reads: 3, kv_writes: 1, kv_lists: 2, ..News::default() };
        (0..3).for_each(|_| news.refuse(Reason::Unauthenticated));
        tallies.hear(&news);
        let closed = tallies.close(|_| false).unwrap();
        assert!(tallies.is_behind());
        let stored = serde_json::to_string(&tallies.store()).unwrap();
        assert!(!tallies.is_behind());
        assert_eq!(
            stored,
            r#"{"open":[{"v":1,"day":101,"outcomes":[0,1],"plans":{"standard":[1,101]},"refused":[3,0,0,0,0,1],"spent":101,"latency":{"counts":[1],"sum_ms":1}}],"kept":[100],"asked":{"day":101,"worker":5,"requests":0,"rows_read":0,"rows_written":0,"kv_reads":3,"kv_writes":1,"kv_lists":2}}"#
        );
        let mut restored = Tallies::restored(serde_json::from_str(&stored).unwrap()).unwrap();
        assert_eq!(restored.since(day(101)), tallies.since(day(101)));
        assert_eq!((restored.missing(day(100)), restored.missing(day(101))), (vec![day(100)], vec![]));
        assert_eq!(restored.asked, tallies.asked);
        restored.load(closed[0].value.as_ref().unwrap()).unwrap();
        assert_eq!(restored.missing(day(0)), vec![]);
        assert_eq!(restored.since(day(0)), tallies.since(day(0)));
        assert!(restored.load(r#"{"v":2,"day":100}"#).is_err());
        restored.refuse(Reason::Malformed);
        let refused = restored.since(day(101))[0].refused.get(Reason::Malformed.place());
        assert_eq!(refused, 1, "the day goes on");
        let other = stored.replace(r#""v":1"#, r#""v":2"#);
        assert!(Tallies::restored(serde_json::from_str(&other).unwrap()).is_err());
    }

    #[test]
    fn news_without_a_refusal_count_on_no_day() {
        let mut tallies = Tallies::default();
        tallies.hear(&News { requests: 1, ..News::default() });
        assert!(!tallies.is_behind() && tallies.since(day(0)).is_empty());
    }
}
