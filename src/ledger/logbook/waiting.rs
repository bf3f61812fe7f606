//! What operators see of the records before they are in KV.

use std::time::Duration;

use super::Logbook;
use super::label::{Label, parts};
use crate::ledger::wire::waiting::{Left, Position, Query, Record, Waiting};
use crate::units::UnixMillis;

/// Bytes of records in one answer at most, but for a first one that is larger: operators ask up to 48
/// shards at a time.
const MOST_BYTES: usize = 512 * 1_024;
/// How long KV may keep a key from its listings (developers.cloudflare.com/kv, how KV works: 60 seconds or
/// more).
const UNLISTED: Duration = Duration::from_secs(180);
/// Batches that are remembered for so long.
const MOST_LATELY: usize = 96;

impl Logbook {
    /// The newest records that wait and are asked for, newest first, and the batches that left lately.
    #[must_use]
    pub fn waiting(&self, query: &Query, now: UnixMillis) -> Waiting {
        let before = |position: Position| query.before.is_none_or(|before| position < before);
        let mut wanted: Vec<(Position, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| {
                query.machine.as_deref().is_none_or(|machine| parts(&entry.key).0 == machine)
            })
            .filter_map(|(place, entry)| Some((Position::of(&entry.key)?, place)))
            .filter(|(position, _)| position.0 >= query.from && before(*position))
            .collect();
        wanted.sort_unstable_by(|one, other| other.cmp(one));
        let count = wanted.len();
        let mut records = Vec::new();
        let mut bytes = 0_usize;
        for entry in wanted.iter().filter_map(|(_, place)| self.entries.get(*place)) {
            bytes = bytes.saturating_add(entry.line.len());
            let is_full = u32::try_from(records.len()).is_ok_and(|records| records >= query.most);
            if is_full || (bytes > MOST_BYTES && !records.is_empty()) {
                break;
            }
            records.push(Record { key: entry.key.clone(), line: entry.line.clone() });
        }
        let lately = self.lately.iter().filter(|(at, _)| now.since(*at) < UNLISTED);
        let left = lately.map(|(_, left)| left.clone()).collect();
        Waiting { is_cut: records.len() < count, records, left }
    }

    /// The first `count` records are in KV, as one batch.
    pub(super) fn note_left(&mut self, count: usize, now: UnixMillis) {
        let Some(first) = self.entries.front().filter(|_| count > 0) else { return };
        let label = Label::of(self.entries.range(..count).map(|entry| entry.key.as_str()));
        self.lately.push_back((now, Left { key: first.key.clone(), label }));
        while self.lately.len() > MOST_LATELY
            || self.lately.front().is_some_and(|(at, _)| now.since(*at) >= UNLISTED)
        {
            self.lately.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_seconds(1_795_401_600 + seconds)
    }

    fn book(records: &[(&str, u64, usize)]) -> Logbook {
        let mut book = Logbook::default();
        for (machine, second, bytes) in records {
            let line = format!("\"{}\"", "x".repeat(*bytes));
            book.add(format!("{machine}:{}", at(*second).rfc3339()), line, at(*second));
        }
        book
    }

    fn all() -> Query {
        Query { machine: None, from: UnixMillis::default(), before: None, most: 10 }
    }

    fn keys(waiting: &Waiting) -> Vec<(&str, UnixMillis)> {
        waiting
            .records
            .iter()
            .map(|record| parts(&record.key))
            .map(|(name, at)| (name, at.unwrap()))
            .collect()
    }

    #[test]
    fn the_newest_come_first_whatever_their_order_was() {
        let book = book(&[("a", 5, 1), ("b", 9, 1), ("a", 7, 1), ("ab", 8, 1)]);
        let waiting = book.waiting(&all(), at(10));
        assert_eq!(keys(&waiting), [("b", at(9)), ("ab", at(8)), ("a", at(7)), ("a", at(5))]);
        assert!(!waiting.is_cut);
        let of_a = Query { machine: Some("a".to_owned()), ..all() };
        assert_eq!(keys(&book.waiting(&of_a, at(10))), [("a", at(7)), ("a", at(5))]);
        let between = Query { from: at(7), before: Some(Position::start_of(at(9))), ..all() };
        assert_eq!(keys(&book.waiting(&between, at(10))), [("ab", at(8)), ("a", at(7))]);
    }

    #[test]
    fn what_has_no_room_is_got_by_asking_on() {
        let records: Vec<(&str, u64, usize)> =
            (0..9).map(|second| ("m", second, if second == 4 { 600_000 } else { 200_000 })).collect();
        let book = book(&records);
        let mut query = Query { most: 2, ..all() };
        let mut seen = Vec::new();
        loop {
            let waiting = book.waiting(&query, at(10));
            assert!(!waiting.records.is_empty() && waiting.records.len() <= 2, "{}", waiting.records.len());
            seen.extend(keys(&waiting).iter().map(|(_, at)| *at));
            query.before = waiting.records.last().and_then(|record| Position::of(&record.key));
            if !waiting.is_cut {
                break;
            }
        }
        assert_eq!(seen, (0..9).rev().map(at).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_has_half_a_megabyte_or_one_record() {
        // With the quotes of their text.
        let book = book(&[("m", 1, 131_070); 5]);
        let waiting = book.waiting(&all(), at(10));
        assert_eq!((waiting.records.len(), waiting.is_cut), (4, true));
        let before = Some(Position::start_of(at(2)));
        assert_eq!(book.waiting(&Query { before, ..all() }, at(10)).records.len(), 4);
        assert!(
            book.waiting(&Query { before: Some(Position::start_of(at(1))), ..all() }, at(10))
                .records
                .is_empty()
        );
    }

    #[test]
    fn the_last_96_batches_are_told_and_none_without_a_record() {
        let mut book = book(&[]);
        let mut keys = Vec::new();
        for second in 0..97 {
            book.add(format!("m:{}", at(second).rfc3339()), "{}".to_owned(), at(0));
            let batch = book.take_batch(at(0)).unwrap();
            book.written(batch.last, at(0));
            keys.push(batch.key);
        }
        let left = book.waiting(&all(), at(1)).left;
        assert!(left.iter().map(|left| &left.key).eq(&keys[1..]));
        // Dropped for want of room while it was under way.
        book.add("m".to_owned(), "{}".to_owned(), at(0));
        let batch = book.take_batch(at(0)).unwrap();
        (0..5).for_each(|_| book.add("m".to_owned(), "x".repeat(1_000_000), at(0)));
        book.written(batch.last, at(0));
        assert_eq!(book.waiting(&all(), at(1)).left, left);
    }

    #[test]
    fn batches_that_left_are_told_for_three_minutes() {
        let mut book = book(&[("a", 1, 1), ("b", 2, 1)]);
        let batch = book.take_batch(at(3)).unwrap();
        assert!(book.waiting(&all(), at(3)).left.is_empty());
        book.written(batch.last, at(4));
        let waiting = book.waiting(&all(), at(5));
        assert!(waiting.records.is_empty());
        assert_eq!(waiting.left, [Left { key: batch.key, label: batch.label }]);
        assert!(book.waiting(&all(), at(4 + 180)).left.is_empty());
    }
}
