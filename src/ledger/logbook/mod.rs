//! Log records on their way to KV. They are durable with the shard's rows before they are answered
//! for, and leave in batches: KV allows a thousand writes a day where requests are many more.

pub mod label;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::VecDeque;
use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use self::label::Label;
use crate::ledger::wire::waiting::Left;
use crate::units::UnixMillis;

/// KV writes that may follow each other at once.
const WRITES_AT_ONCE: u64 = 90;
/// Time in which one more becomes allowed: 900 a day, of the free plan's 1,000.
const WRITE_EVERY: Duration = Duration::from_secs(96);
/// Bytes of records that are kept. Beyond it the oldest are dropped, and counted.
const MOST_BYTES: usize = 4 * 1_048_576;
/// Bytes for which a write is made even if none is due.
const FULL_BYTES: usize = 3 * 1_048_576;
/// Bytes of records in the shard's main row; more are moved to a row of their own.
const MOST_BYTES_IN_ROW: usize = 48 * 1_024;
/// Bytes of records in a row of their own.
const MOST_BYTES_IN_CHUNK: usize = 512 * 1_024;
/// Where requests are many, records wait so long for company.
const COMPANY: Duration = Duration::from_secs(2);
/// After a refused write, the next waits this long, and twice as long each time.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const RETRY_AT_MOST: Duration = Duration::from_secs(300);

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts the shard's records.
    pub number: u64,
    /// The KV key: machine and time.
    pub key: String,
    /// JSON, one line.
    #[serde(with = "crate::ledger::wire::verbatim")]
    pub line: String,
}

/// Records in a row of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The row.
    pub slot: u64,
    /// The number of its last record.
    pub last: u64,
}

/// The part of the logbook that the shard's main row holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The number of the record to come.
    pub next: u64,
    /// Records dropped for want of room, ever.
    pub dropped: u64,
    /// The moment from which KV's allowance counts as used up to (see [`Logbook`]).
    pub allowance: UnixMillis,
    /// The number of the first record that waits. Rows of earlier records may hold some that left.
    pub first: u64,
    /// What earlier versions remembered of records that left.
    #[serde(default, skip_serializing)]
    pub left: IgnoredAny,
    /// Rows with earlier records.
    pub chunks: Vec<Chunk>,
    /// Records in the main row.
    pub entries: Vec<Entry>,
    /// The number of the last record of a batch that was sent to KV, where the answer is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sent: Option<u64>,
}

/// A batch for KV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The first record's.
    pub key: String,
    /// One record a line.
    pub value: String,
    /// The number of the last record.
    pub last: u64,
    /// Its metadata.
    pub label: Label,
}

/// The records of one shard.
#[derive(Clone, Debug, Default)]
pub struct Logbook {
    next: u64,
    dropped: u64,
    entries: VecDeque<Entry>,
    bytes: usize,
    oldest_at: UnixMillis,
    /// Records up to here are durable.
    durable: u64,
    /// Records before this one have left.
    first: u64,
    /// Batches of which KV may not tell yet. Only in memory.
    lately: VecDeque<(UnixMillis, Left)>,
    chunks: VecDeque<Chunk>,
    /// A bucket of KV writes like [`crate::ledger::bucket`], in milliseconds.
    allowance: UnixMillis,
    /// The last record of the batch that is under way.
    sent: Option<u64>,
    /// The last record of the one that KV refused or does not have: it may arrive there all the same, as late
    /// as it likes, and must find nothing else under its key.
    again: Option<u64>,
    /// When that was, by the platform's clock, and how long the next try waits from then on.
    refused_at: UnixMillis,
    retry_after: Duration,
}

impl Logbook {
    /// The logbook as the main row tells. The rows of its chunks have to follow.
    #[must_use]
    pub fn restored(stored: Stored) -> Self {
        let mut book = Self {
            next: stored.next,
            dropped: stored.dropped,
            chunks: stored.chunks.into(),
            allowance: stored.allowance,
            durable: stored.next,
            first: stored.first,
            sent: stored.sent,
            ..Self::default()
        };
        book.take_in(stored.entries);
        book
    }

    /// Slots of the rows that hold earlier records.
    #[must_use]
    pub fn slots(&self) -> Vec<u64> {
        self.chunks.iter().map(|chunk| chunk.slot).collect()
    }

    /// Takes in a row of earlier records.
    pub fn take_in(&mut self, mut entries: Vec<Entry>) {
        entries.retain(|entry| entry.number >= self.first);
        self.bytes = entries.iter().fold(self.bytes, |bytes, entry| bytes.saturating_add(entry.line.len()));
        self.entries.extend(entries);
        self.entries.make_contiguous().sort_by_key(|entry| entry.number);
    }

    /// Adds a record.
    pub fn add(&mut self, key: String, line: String, now: UnixMillis) {
        if self.entries.is_empty() {
            self.oldest_at = now;
        }
        self.bytes = self.bytes.saturating_add(line.len());
        self.entries.push_back(Entry { number: self.next, key, line });
        self.next = self.next.saturating_add(1);
        while self.bytes > MOST_BYTES
            && let Some(dropped) = self.entries.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(dropped.line.len());
            self.dropped = self.dropped.saturating_add(1);
            self.forget_chunks();
        }
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Records that wait, and those dropped, ever.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (u64::try_from(self.entries.len()).unwrap_or(u64::MAX), self.dropped)
    }

    /// Whether there are records that no row holds.
    #[must_use]
    pub const fn is_dirty(&self) -> bool {
        self.durable < self.next
    }

    /// What the main row is to hold, and rows of their own for what is too much for it.
    #[must_use]
    pub fn store(&mut self) -> (Stored, Vec<(u64, Vec<Entry>)>) {
        let in_chunks = self.chunks.back().map(|chunk| chunk.last);
        let first = self.entries.partition_point(|entry| in_chunks.is_some_and(|last| entry.number <= last));
        let loose: Vec<Entry> = self.entries.iter().skip(first).cloned().collect();
        let bytes = loose.iter().fold(0_usize, |bytes, entry| bytes.saturating_add(entry.line.len()));
        self.durable = self.next;
        let (entries, own) =
            if bytes > MOST_BYTES_IN_ROW { (Vec::new(), self.chunk(loose)) } else { (loose, Vec::new()) };
        let chunks = self.chunks.iter().copied().collect();
        let first = self.entries.front().map_or(self.next, |entry| entry.number);
        let left = IgnoredAny;
        let Self { next, dropped, allowance, .. } = *self;
        let sent = self.sent.or(self.again);
        let stored = Stored { next, dropped, allowance, first, left, chunks, entries, sent };
        (stored, own)
    }

    /// Spreads records over rows that stay below what the platform takes (2 MB,
    /// developers.cloudflare.com/durable-objects, limits).
    fn chunk(&mut self, loose: Vec<Entry>) -> Vec<(u64, Vec<Entry>)> {
        let mut rows: Vec<(u64, Vec<Entry>)> = Vec::new();
        let mut bytes = MOST_BYTES_IN_CHUNK;
        for entry in loose {
            bytes = bytes.saturating_add(entry.line.len());
            if bytes > MOST_BYTES_IN_CHUNK {
                bytes = entry.line.len();
                let slot = self.free_slot();
                self.chunks.push_back(Chunk { slot, last: entry.number });
                rows.push((slot, Vec::new()));
            }
            if let (Some(chunk), Some((_, row))) = (self.chunks.back_mut(), rows.last_mut()) {
                chunk.last = entry.number;
                row.push(entry);
            }
        }
        rows
    }

    /// The smallest slot that no chunk has: rows are used again, as taking one away costs a write.
    fn free_slot(&self) -> u64 {
        (0..).find(|slot| self.chunks.iter().all(|chunk| chunk.slot != *slot)).unwrap_or(0)
    }

    /// Whether a batch should leave now. `dense` traffic waits a little for company. For how long KV is left alone after
    /// a refusal goes by the platform's clock: the ledger's may stand still for as long as it ran ahead, and there is not
    /// room for what comes meanwhile.
    #[must_use]
    pub fn is_due(&self, dense: bool, now: UnixMillis, platform: UnixMillis) -> bool {
        let is_left_alone = platform >= self.refused_at && platform.since(self.refused_at) < self.retry_after;
        if is_left_alone || self.sent.is_some() || self.entries.is_empty() {
            return false;
        }
        let waited = !dense || now.since(self.oldest_at) >= COMPANY;
        self.bytes >= FULL_BYTES || (waited && now >= self.next_allowed())
    }

    /// When the allowance lets the next batch go, at the earliest.
    #[must_use]
    pub fn next_allowed(&self) -> UnixMillis {
        let depth = WRITE_EVERY.saturating_mul(u32::try_from(WRITES_AT_ONCE.saturating_sub(1)).unwrap_or(0));
        let earliest = self.allowance.millis().saturating_sub(u64::try_from(depth.as_millis()).unwrap_or(0));
        UnixMillis::from_millis(earliest)
    }

    /// All that waits, for KV, or the batch that was refused, as it was. The caller makes it durable, and that
    /// it is under way, before it leaves.
    pub fn take_batch(&mut self, now: UnixMillis) -> Option<Batch> {
        let (first, all) = (self.entries.front()?.number, self.entries.back()?.number);
        // What was refused may have been dropped meanwhile.
        let last = self.again.take().filter(|last| *last >= first).unwrap_or(all);
        self.sent = Some(last);
        self.allowance = self.allowance.max(now).plus(WRITE_EVERY);
        self.batch_to(last)
    }

    /// The batch that was under way when the object went to sleep or crashed: whoever restored it
    /// looks whether KV has it. If not, it is sent again as it was, so that each record is in KV once.
    pub fn unsure(&mut self) -> Option<Batch> {
        let batch = self.batch_to(self.sent?);
        // All of it was dropped meanwhile: nobody waits for it.
        if batch.is_none() {
            self.sent = None;
        }
        batch
    }

    fn batch_to(&self, last: u64) -> Option<Batch> {
        let batch = || self.entries.iter().take_while(|entry| entry.number <= last);
        let key = batch().next()?.key.clone();
        let last = batch().last()?.number;
        let value = batch().fold(String::with_capacity(self.bytes), |mut value, entry| {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(&entry.line);
            value
        });
        let label = Label::of(batch().map(|entry| entry.key.as_str()));
        Some(Batch { key, value, last, label })
    }

    /// The batch up to `last` is in KV.
    pub fn written(&mut self, last: u64, now: UnixMillis) {
        // Only the batch that is under way: word of an earlier one may come late.
        if self.sent != Some(last) {
            return;
        }
        self.sent = None;
        self.retry_after = Duration::ZERO;
        let count = self.entries.partition_point(|entry| entry.number <= last);
        for entry in self.entries.range(..count) {
            self.bytes = self.bytes.saturating_sub(entry.line.len());
        }
        self.note_left(count, now);
        self.entries.drain(..count);
        self.oldest_at = now;
        self.forget_chunks();
    }

    /// KV does not have the batch up to `last`, at a moment of the platform's clock.
    pub fn refused(&mut self, last: u64, platform: UnixMillis) {
        if self.sent != Some(last) {
            return;
        }
        self.sent = None;
        self.again = Some(last);
        self.retry_after = self.retry_after.saturating_mul(2).clamp(RETRY_AFTER, RETRY_AT_MOST);
        self.refused_at = platform;
    }

    fn forget_chunks(&mut self) {
        let first = self.entries.front().map_or(self.next, |entry| entry.number);
        while self.chunks.front().is_some_and(|chunk| chunk.last < first) {
            self.chunks.pop_front();
        }
    }
}
