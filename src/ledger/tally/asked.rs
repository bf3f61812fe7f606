//! What was asked of the platform in a UTC day, which is how the free plan's allowances go.

use serde::{Deserialize, Serialize};

use crate::policy::day::Day;
use crate::units::UnixMillis;

const MILLIS_A_DAY: u64 = 86_400_000;

/// Operations of one UTC day. Of those that come after an object's last write, a crash takes the count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Days since the epoch.
    pub day: Day,
    /// Requests to the Worker, as far as isolates have told.
    pub worker: u64,
    /// Messages to the object, and alarms that rang.
    pub requests: u64,
    /// Rows that its SQL read.
    pub rows_read: u64,
    /// Rows that its SQL wrote, and alarms set.
    pub rows_written: u64,
    /// KV reads, by key.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub kv_reads: u64,
    /// KV writes.
    pub kv_writes: u64,
    /// KV lists, of a thousand keys at most.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub kv_lists: u64,
}

fn is_nothing(count: &u64) -> bool {
    *count == 0
}

impl Asked {
    /// The UTC day of a moment.
    #[must_use]
    pub const fn day_of(now: UnixMillis) -> Day {
        Day::from_number(now.millis() / MILLIS_A_DAY)
    }

    /// Begins at zero if a later day has begun.
    pub fn roll(&mut self, now: UnixMillis) {
        let today = Self::day_of(now);
        if today > self.day {
            *self = Self { day: today, ..Self::default() };
        }
    }

    /// Counts rows that are about to be written, and the alarm that is about to be set.
    pub fn write(&mut self, rows: usize, alarm: Option<UnixMillis>) {
        let rows = rows.saturating_add(usize::from(alarm.is_some()));
        self.rows_written = self.rows_written.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
    }

    /// Counts rows that were read, and those written that no step asked for.
    pub fn note_rows(&mut self, (read, written): (u64, u64), now: UnixMillis) {
        self.roll(now);
        self.rows_read = self.rows_read.saturating_add(read);
        self.rows_written = self.rows_written.saturating_add(written);
    }

    /// Counts a message, or an alarm that rang.
    pub const fn answer(&mut self) {
        self.requests = self.requests.saturating_add(1);
    }

    /// Takes in what another object asked, if on the same day.
    pub const fn take_in(&mut self, other: &Self) {
        if other.day.number() != self.day.number() {
            return;
        }
        self.worker = self.worker.saturating_add(other.worker);
        self.requests = self.requests.saturating_add(other.requests);
        self.rows_read = self.rows_read.saturating_add(other.rows_read);
        self.rows_written = self.rows_written.saturating_add(other.rows_written);
        self.kv_reads = self.kv_reads.saturating_add(other.kv_reads);
        self.kv_writes = self.kv_writes.saturating_add(other.kv_writes);
        self.kv_lists = self.kv_lists.saturating_add(other.kv_lists);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_in_utc() {
        let last = UnixMillis::from_millis(1_795_478_399_999);
        let first = UnixMillis::from_millis(1_795_478_400_000);
        let mut asked = Asked::default();
        asked.roll(last);
        asked.requests = 7;
        asked.roll(last);
        assert_eq!((asked.day, asked.requests), (Day::from_number(20_780), 7));
        let yesterday = asked;
        asked.roll(first);
        assert_eq!((asked.day, asked.requests), (Day::from_number(20_781), 0));
        asked.roll(last);
        assert_eq!(asked.day, Day::from_number(20_781), "no day begins again");
        asked.take_in(&yesterday);
        assert_eq!(asked.requests, 0, "another day's are not today's");
        asked.take_in(&Asked { rows_written: 3, kv_reads: 4, kv_writes: 5, kv_lists: 6, ..asked });
        let of_kv = (asked.kv_reads, asked.kv_writes, asked.kv_lists);
        assert_eq!((asked.rows_written, of_kv), (3, (4, 5, 6)));
    }

    #[test]
    fn an_alarm_is_a_row_and_what_two_objects_asked_adds_up() {
        let now = UnixMillis::from_millis(MILLIS_A_DAY);
        let mut asked = Asked::default();
        asked.roll(now);
        asked.answer();
        asked.write(2, None);
        asked.write(3, Some(now));
        asked.note_rows((10, 100), now);
        let text = r#"{"day":1,"worker":0,"requests":1,"rows_read":10,"rows_written":106,"kv_writes":0}"#;
        assert_eq!(serde_json::to_string(&asked).unwrap(), text);
        asked.take_in(&Asked { worker: 1, kv_reads: 2, kv_writes: 3, kv_lists: 4, ..asked });
        let text = r#"{"day":1,"worker":1,"requests":2,"rows_read":20,"rows_written":212,"kv_reads":2,"kv_writes":3,"kv_lists":4}"#;
        assert_eq!(serde_json::to_string(&asked).unwrap(), text);
        assert_eq!(serde_json::from_str::<Asked>(text).unwrap(), asked);
        let tomorrow = UnixMillis::from_millis(2 * MILLIS_A_DAY);
        asked.note_rows((1, 0), tomorrow);
        assert_eq!((asked.day.number(), asked.rows_read, asked.rows_written), (2, 1, 0));
    }
}
