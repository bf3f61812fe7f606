//! Settlements that wait in an isolate. Where many requests come, one call carries the next
//! admission and the settlements before it; where few do, each goes at once, since a request that
//! is over should not count as in flight.
//!
//! With them waits what the isolate has seen of requests that never came as far as the ledger.
//!
//! What an isolate loses is charged in full when it expires: waiting here risks no money of the
//! operator's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ledger::pace::Pace;
use crate::ledger::wire::Settlement;
use crate::ledger::wire::ended::{News, Reason};
use crate::units::UnixMillis;

/// How long a settlement waits for a message to ride with.
pub const WAIT: Duration = Duration::from_millis(200);
/// Bytes of records that wait for one shard; beyond it they leave at once.
const MOST_BYTES: usize = 262_144;
/// Somebody who promised to send, and has not after this long, is gone.
const PROMISE: Duration = Duration::from_secs(2);

/// The settlements of one isolate, by shard.
#[derive(Debug, Default)]
pub struct Outbox {
    shards: BTreeMap<u32, Waiting>,
    /// For whichever shard is sent a message next.
    news: News,
}

#[derive(Debug, Default)]
struct Waiting {
    settled: Vec<Settlement>,
    bytes: usize,
    pace: Pace,
    promised_at: Option<UnixMillis>,
}

/// What to do with a settlement that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Send all that wait, now.
    Send,
    /// Send what still waits after [`WAIT`].
    SendLater,
    /// Nothing: somebody else will.
    Nothing,
}

impl Outbox {
    /// Notes a request to the Worker.
    pub const fn note_request(&mut self) {
        self.news.requests = self.news.requests.saturating_add(1);
    }

    /// Notes reads of KV, by key.
    pub const fn note_kv_reads(&mut self, keys: u64) {
        self.news.kv_reads = self.news.kv_reads.saturating_add(keys);
    }

    /// Notes a write to KV.
    pub const fn note_kv_write(&mut self) {
        self.news.kv_writes = self.news.kv_writes.saturating_add(1);
    }

    /// Notes a list of KV's keys.
    pub const fn note_kv_list(&mut self) {
        self.news.kv_lists = self.news.kv_lists.saturating_add(1);
    }

    /// Notes a request that was refused without the ledger.
    pub fn note_refusal(&mut self, reason: Reason) {
        self.news.refuse(reason);
    }

    /// Takes what was noted, to go with a message.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Puts back what did not arrive. Where only the answer was lost, it is counted twice.
    pub fn put_news_back(&mut self, news: &News) {
        self.news.add(news);
    }

    /// Takes what waits, to go with an admission to the shard.
    pub fn ride(&mut self, shard: u32, now: UnixMillis) -> Vec<Settlement> {
        self.shards.entry(shard).or_default().pace.note(now);
        self.take(shard)
    }

    /// Takes what waits.
    pub fn take(&mut self, shard: u32) -> Vec<Settlement> {
        self.shards.get_mut(&shard).map_or_else(Vec::new, |waiting| {
            waiting.bytes = 0;
            std::mem::take(&mut waiting.settled)
        })
    }

    /// Puts back what did not arrive, or may not have: settling twice is settling once.
    pub fn put_back(&mut self, shard: u32, settled: Vec<Settlement>) {
        let waiting = self.shards.entry(shard).or_default();
        waiting.bytes = settled.iter().fold(waiting.bytes, |bytes, one| bytes.saturating_add(size(one)));
        waiting.settled.extend(settled);
    }

    /// Adds one.
    pub fn add(&mut self, settlement: Settlement, now: UnixMillis) -> Then {
        let waiting = self.shards.entry(settlement.shard).or_default();
        waiting.bytes = waiting.bytes.saturating_add(size(&settlement));
        waiting.settled.push(settlement);
        if !waiting.pace.is_dense(now) || waiting.bytes > MOST_BYTES {
            return Then::Send;
        }
        if waiting.promised_at.is_some_and(|at| now.since(at) < PROMISE) {
            return Then::Nothing;
        }
        waiting.promised_at = Some(now);
        Then::SendLater
    }

    /// Takes what still waits after [`WAIT`], and ends the promise.
    pub fn keep_promise(&mut self, shard: u32) -> Vec<Settlement> {
        if let Some(waiting) = self.shards.get_mut(&shard) {
            waiting.promised_at = None;
        }
        self.take(shard)
    }
}

fn size(settlement: &Settlement) -> usize {
    settlement.record.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::wire::Charge;

    fn settlement(id: &str, shard: u32) -> Settlement {
        Settlement {
            id: id.to_owned(),
            subject: "m".to_owned(),
            charge: Charge::Full,
            shard,
            record: Some("{}".to_owned()),
            ended: None,
        }
    }

    fn ids(settled: &[Settlement]) -> Vec<&str> {
        settled.iter().map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn where_few_requests_come_each_settlement_goes_at_once() {
        let mut outbox = Outbox::default();
        for number in 0..20 {
            let now = UnixMillis::from_millis(1_000_000 + number * 1_000);
            assert!(outbox.ride(0, now).is_empty());
            assert_eq!(outbox.add(settlement("a", 0), now), Then::Send);
            assert_eq!(ids(&outbox.take(0)), ["a"]);
        }
    }

    #[test]
    fn where_many_come_they_ride_and_one_sends_what_is_left() {
        let mut outbox = Outbox::default();
        let now = UnixMillis::from_millis(1_000_000);
        for _ in 0..8 {
            assert!(outbox.ride(0, now).is_empty());
        }
        assert_eq!(outbox.add(settlement("a", 0), now), Then::SendLater);
        assert_eq!(outbox.add(settlement("b", 0), now), Then::Nothing);
        assert_eq!(outbox.add(settlement("elsewhere", 1), now), Then::Send);
        assert_eq!(ids(&outbox.ride(0, now)), ["a", "b"]);
        assert_eq!(outbox.add(settlement("c", 0), now), Then::Nothing);
        assert_eq!(ids(&outbox.keep_promise(0)), ["c"]);
        // The next one promises anew; so does one whose predecessor went away without a word.
        assert_eq!(outbox.add(settlement("d", 0), now), Then::SendLater);
        let later = now.plus(PROMISE);
        for _ in 0..8 {
            outbox.ride(0, later);
        }
        assert_eq!(outbox.add(settlement("e", 0), later), Then::SendLater);
        outbox.put_back(0, vec![settlement("lost", 0)]);
        assert_eq!(ids(&outbox.take(0)), ["e", "lost"]);
    }

    #[test]
    fn large_records_do_not_wait() {
        let mut outbox = Outbox::default();
        let now = UnixMillis::from_millis(1_000_000);
        (0..8).for_each(|_| drop(outbox.ride(0, now)));
        let large = |bytes| Settlement { record: Some("x".repeat(bytes)), ..settlement("a", 0) };
        assert_eq!(outbox.add(large(MOST_BYTES), now), Then::SendLater);
        assert_eq!(outbox.add(large(1), now), Then::Send);
        let waiting = outbox.take(0);
        assert_eq!(outbox.add(large(MOST_BYTES), now), Then::Nothing, "those before have left");
        outbox.take(0);
        outbox.put_back(0, waiting);
        assert_eq!(outbox.add(settlement("b", 0), now), Then::Send, "they are back");
    }

    #[test]
    fn news_go_once_and_again_where_they_did_not_arrive() {
        let mut outbox = Outbox::default();
        outbox.note_request();
        outbox.note_kv_reads(2);
        (0..3).for_each(|_| outbox.note_kv_write());
        (0..4).for_each(|_| outbox.note_kv_list());
        outbox.note_refusal(Reason::Unauthenticated);
        let news = outbox.take_news();
        assert_eq!((news.requests, news.kv_reads, news.kv_writes, news.kv_lists), (1, 2, 3, 4));
        assert_eq!(news.refused.get(Reason::Unauthenticated.place()), 1);
        assert!(outbox.take_news().is_empty());
        outbox.put_news_back(&news);
        outbox.note_request();
        assert_eq!(outbox.take_news(), News { requests: 2, ..news });
    }
}
