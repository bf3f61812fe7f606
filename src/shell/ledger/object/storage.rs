//! The object's storage: a table of keys and texts, one of log records, and how often their rows were
//! read and written.

use worker::{SqlCursor, SqlStorageValue};

use super::Object;
use crate::ledger::rows::{self, Row};
use crate::ledger::shard::{MOST_LISTED, Shard, Stale};
use crate::ledger::treasury::Treasury;

/// Stale rows that one alarm takes away: a delete counts as a write.
const SWEPT_AT_ONCE: u32 = 500;

/// The statements of one table.
struct Table {
    create: &'static str,
    read: &'static str,
    write: &'static str,
    delete: &'static str,
}

const STATE: Table = Table {
    // Without a rowid a row is one row written; with one, the key's index would be a second.
    create: "CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    read: "SELECT key, value FROM state WHERE key = ?",
    write: "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    delete: "DELETE FROM state WHERE key = ?",
};

// There, SQLite reads whole rows to compare their keys. Half a megabyte of log records is spared that:
// a twentieth of the processor time of a request in dense traffic.
const LOG: Table = Table {
    create: "CREATE TABLE IF NOT EXISTS log (slot INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    read: "SELECT '' AS key, value FROM log WHERE slot = ?",
    write: "INSERT INTO log (slot, value) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET value = excluded.value",
    delete: "DELETE FROM log WHERE slot = ?",
};

const JOURNAL: Table = Table {
    create: "CREATE TABLE IF NOT EXISTS journal (slot INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    read: "SELECT '' AS key, value FROM journal WHERE slot = ?",
    write: "INSERT INTO journal (slot, value) VALUES (?, ?) ON CONFLICT (slot) DO UPDATE SET value = excluded.value",
    delete: "DELETE FROM journal WHERE slot = ?",
};

/// Where a row is: its table, and what it is found by there.
fn place(key: &str) -> (&'static Table, SqlStorageValue) {
    let slot = |prefix| key.strip_prefix(prefix).and_then(|slot| slot.parse::<i64>().ok());
    if let Some(slot) = slot(rows::LOG) {
        return (&LOG, slot.into());
    }
    slot(rows::JOURNAL).map_or((&STATE, key.into()), |slot| (&JOURNAL, slot.into()))
}

#[derive(serde::Deserialize)]
struct Stored {
    key: String,
    value: String,
}

impl Object {
    pub(super) fn restore_shard(&self) -> worker::Result<Shard> {
        self.create_tables()?;
        let unreadable = |_| worker::Error::from("a stored row cannot be read");
        let mut shard = Shard::restore(self.row(rows::SHARD)?.as_deref()).map_err(unreadable)?;
        for key in shard.also_needed() {
            let value = self.row(&key)?;
            shard.load(&key, value.as_deref()).map_err(unreadable)?;
        }
        while shard.replay(self.row(&shard.journal_key())?.as_deref()).map_err(unreadable)? {}
        for Stored { key, value } in self.revocations()? {
            shard.load(&key, Some(&value)).map_err(unreadable)?;
        }
        Ok(shard)
    }

    pub(super) fn restore_treasury(&self) -> worker::Result<Treasury> {
        self.create_tables()?;
        let unreadable = |_| worker::Error::from("a stored row cannot be read");
        let mut treasury = Treasury::default();
        for key in [rows::TREASURY, rows::ENROLMENTS] {
            if let Some(value) = self.row(key)? {
                treasury.load(key, &value).map_err(unreadable)?;
            }
        }
        for Stored { key, value } in self.revocations()? {
            treasury.load(&key, &value).map_err(unreadable)?;
        }
        Ok(treasury)
    }

    fn create_tables(&self) -> worker::Result<()> {
        for table in [STATE, LOG, JOURNAL] {
            self.note_unasked(&self.exec(table.create, Vec::new())?);
        }
        Ok(())
    }

    fn revocations(&self) -> worker::Result<Vec<Stored>> {
        // The next text after all that begin so: '0' follows '/'.
        let range = vec![rows::REVOKED.into(), "revoked0".into()];
        self.read("SELECT key, value FROM state WHERE key >= ? AND key < ?", range)
    }

    pub(super) fn row(&self, key: &str) -> worker::Result<Option<String>> {
        let (table, at) = place(key);
        let found = self.read(table.read, vec![at])?;
        Ok(found.into_iter().next().map(|stored| stored.value))
    }

    fn read(&self, query: &str, bindings: Vec<SqlStorageValue>) -> worker::Result<Vec<Stored>> {
        let cursor = self.sql.exec(query, bindings)?;
        let stored = cursor.to_array();
        self.count_rows(&cursor);
        stored
    }

    fn exec(&self, query: &str, bindings: Vec<SqlStorageValue>) -> worker::Result<SqlCursor> {
        let cursor = self.sql.exec(query, bindings)?;
        self.count_rows(&cursor);
        Ok(cursor)
    }

    fn count_rows(&self, cursor: &SqlCursor) {
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        let (read, written) = (count(cursor.rows_read()), count(cursor.rows_written()));
        self.count(|operations| {
            operations.rows_read = operations.rows_read.saturating_add(read);
            operations.rows_written = operations.rows_written.saturating_add(written);
        });
        let (unheard, unasked) = self.unheard.get();
        self.unheard.set((unheard.saturating_add(read), unasked));
    }

    /// Notes rows that were written and that no step asked for.
    fn note_unasked(&self, cursor: &SqlCursor) {
        let (read, unasked) = self.unheard.get();
        let written = u64::try_from(cursor.rows_written()).unwrap_or(u64::MAX);
        self.unheard.set((read, unasked.saturating_add(written)));
    }

    /// Rows of machines, for a list: as many as are looked at, and one more.
    pub(super) fn machines(&self) -> worker::Result<Vec<(String, String)>> {
        let limit = i64::try_from(MOST_LISTED).unwrap_or(i64::MAX).saturating_add(1);
        let query = "SELECT key, value FROM state WHERE key >= 'machine/' AND key < 'machine0' LIMIT ?";
        let rows = self.read(query, vec![limit.into()])?;
        Ok(rows.into_iter().map(|Stored { key, value }| (key, value)).collect())
    }

    pub(super) fn write_all(&self, rows: &[Row]) -> worker::Result<()> {
        rows.iter().try_for_each(|row| self.write(row))
    }

    pub(super) fn write(&self, row: &Row) -> worker::Result<()> {
        let (table, at) = place(&row.key);
        match row.value.as_deref() {
            Some(value) => self.exec(table.write, vec![at, value.into()]),
            None => self.exec(table.delete, vec![at]),
        }
        .map(drop)
    }

    /// Takes away rows of machines that say nothing about today, some at a time.
    pub(super) fn sweep(&self, shard: &mut Shard) -> worker::Result<()> {
        let Some(Stale { before, at_rest_since, now }) = shard.stale() else {
            return Ok(());
        };
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX).into();
        let swept = self.exec(
            "DELETE FROM state WHERE key IN (SELECT key FROM state WHERE key >= 'machine/' AND key < 'machine0' \
             AND json_extract(value, '$.day') < ? AND json_extract(value, '$.seen') <= ? \
             AND json_extract(value, '$.tat') / 1000000 < ? LIMIT ?)",
            vec![
                number(before.number()),
                number(at_rest_since.millis()),
                number(now.millis()),
                i64::from(SWEPT_AT_ONCE).into(),
            ],
        )?;
        self.note_unasked(&swept);
        if swept.rows_written() < usize::try_from(SWEPT_AT_ONCE).unwrap_or(0) {
            shard.has_swept(before);
        }
        Ok(())
    }
}
