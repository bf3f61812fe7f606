//! What the ledger stores: rows of a key and a JSON value. A change of form needs a new `v` and a
//! reader for the old one; the tests pin the present one.

use serde::{Deserialize, Serialize};

use crate::ledger::account::Account;
use crate::ledger::enrolment::Enrolments;
use crate::ledger::machine::Machine;
use crate::ledger::replay::Nonces;
use crate::ledger::wire::{Revocation, Target};
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// The key of a shard's main row (`shard::snapshot`).
pub const SHARD: &str = "shard";

/// The key of the treasury's main row (`treasury`).
pub const TREASURY: &str = "treasury";

/// The key of what is remembered of enrolments.
pub const ENROLMENTS: &str = "enrolments";

/// What the keys of revocations begin with.
pub const REVOKED: &str = "revoked/";

/// What the keys of log records beyond the main row begin with.
pub const LOG: &str = "log/";

/// What the keys of a shard's journal begin with (`shard::journal`).
pub const JOURNAL: &str = "journal/";

/// What the keys of machines beyond the main row begin with.
pub const MACHINE: &str = "machine/";

/// What the keys of past days' counters begin with.
pub const TALLY: &str = "tally/";

/// The key of the counters of a day that is over.
#[must_use]
pub fn tally_key(day: Day) -> String {
    format!("{TALLY}{}", day.number())
}

/// The key of a revocation.
#[must_use]
pub fn revocation_key(target: &Target) -> String {
    match target {
        Target::Machine(machine) => format!("{REVOKED}machine/{machine}"),
        Target::Jti(jti) => format!("{REVOKED}jti/{jti}"),
        Target::IssuedBefore(moment) => format!("{REVOKED}before/{}", moment.millis()),
        Target::Model => format!("{REVOKED}model"),
    }
}

/// The key of a row of log records.
#[must_use]
pub fn log_key(slot: u64) -> String {
    format!("{LOG}{slot}")
}

/// The key of a row of the journal.
#[must_use]
pub fn journal_key(slot: u64) -> String {
    format!("{JOURNAL}{slot}")
}

/// The key of a machine.
#[must_use]
pub fn machine_key(subject: &str) -> String {
    format!("{MACHINE}{subject}")
}

/// One row to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Primary key.
    pub key: String,
    /// JSON; `None` takes the row away.
    pub value: Option<String>,
}

/// A stored row that cannot be read. The ledger then answers nothing rather than forget a day's
/// spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// A machine as it is stored, in a row of its own or in the shard's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredMachine {
    v: u32,
    /// The spending day of `gone`.
    day: Day,
    /// Nano-dollars spent, set aside or written down ahead.
    gone: NanoUsd,
    /// Nanoseconds since the epoch.
    tat: u64,
    /// Milliseconds since the epoch.
    seen: u64,
    /// Milliseconds since the epoch.
    record: u64,
    #[serde(default, skip_serializing_if = "Nonces::is_empty")]
    nonces: Nonces,
    /// Its plan, unless that is the standard one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    plan: String,
    /// Requests of the day that are over.
    #[serde(default, skip_serializing_if = "is_zero")]
    requests: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

const VERSION: u32 = 1;

impl StoredMachine {
    /// The stored form, with what is to count as gone and the nonces to list.
    #[must_use]
    pub fn of(machine: &Machine, gone: NanoUsd, nonces: Nonces) -> Self {
        Self {
            v: VERSION,
            day: machine.account.day(),
            gone,
            tat: machine.tat,
            seen: machine.seen,
            record: machine.last_record,
            nonces,
            plan: machine.other_plan.clone(),
            requests: machine.requests,
        }
    }

    /// The machine as storage knows it, with nothing in flight.
    #[must_use]
    pub fn restored(self) -> Machine {
        Machine {
            tat: self.tat,
            account: Account::restored(self.day, self.gone),
            seen: self.seen,
            last_record: self.record,
            nonces: self.nonces,
            other_plan: self.plan,
            requests: self.requests,
            stored: (self.day, self.gone),
            ..Machine::default()
        }
    }
}

/// The row of a machine that leaves memory.
pub fn machine_row(subject: &str, machine: &Machine) -> Result<Row, Unreadable> {
    let nonces = machine.nonces.after(UnixMillis::default());
    row(machine_key(subject), &StoredMachine::of(machine, machine.account.used(), nonces))
}

/// The row of a revocation.
pub fn revocation_row(revocation: &Revocation) -> Result<Row, Unreadable> {
    row(revocation_key(&revocation.target), revocation)
}

/// The row of what is remembered of enrolments.
pub fn enrolments_row(enrolments: &Enrolments) -> Result<Row, Unreadable> {
    row(ENROLMENTS.to_owned(), enrolments)
}

/// The row of anything.
pub fn row<T: Serialize>(key: String, stored: &T) -> Result<Row, Unreadable> {
    Ok(Row { key, value: Some(serde_json::to_string(stored).map_err(|_| Unreadable)?) })
}

/// Reads a revocation back.
pub fn read_revocation(value: &str) -> Result<Revocation, Unreadable> {
    serde_json::from_str(value).map_err(|_| Unreadable)
}

/// Reads back what is remembered of enrolments.
pub fn read_enrolments(value: &str) -> Result<Enrolments, Unreadable> {
    let enrolments: Enrolments = serde_json::from_str(value).map_err(|_| Unreadable)?;
    if enrolments.is_readable() { Ok(enrolments) } else { Err(Unreadable) }
}

/// Reads a machine back.
pub fn read_machine(value: &str) -> Result<Machine, Unreadable> {
    let stored: StoredMachine = serde_json::from_str(value).map_err(|_| Unreadable)?;
    if stored.v == VERSION { Ok(stored.restored()) } else { Err(Unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::wire::Nonce;

    #[test]
    fn the_keys_do_not_change_unnoticed() {
        assert_eq!([SHARD, TREASURY, ENROLMENTS], ["shard", "treasury", "enrolments"]);
        assert_eq!([log_key(7), journal_key(7)], ["log/7", "journal/7"]);
        assert_eq!([tally_key(Day::from_number(7)), machine_key("m")], ["tally/7", "machine/m"]);
        for (target, key) in [
            (Target::Machine("m".to_owned()), "revoked/machine/m"),
            (Target::Jti("t".to_owned()), "revoked/jti/t"),
            (Target::IssuedBefore(UnixMillis::from_millis(7)), "revoked/before/7"),
            (Target::Model, "revoked/model"),
        ] {
            assert_eq!(revocation_key(&target), key);
        }
    }

    #[test]
    fn the_stored_forms_do_not_change_unnoticed() {
        let mut machine = Machine {
            tat: u64::MAX - 1,
            seen: 1_795_401_599_000,
            last_record: 1_795_401_599_123,
            ..Machine::default()
        };
        machine.account.roll(Day::from_number(20_780));
        machine.account.reserve(NanoUsd::from_nanos(42));
        let row = machine_row("laptop", &machine).unwrap();
        assert_eq!(row.key, "machine/laptop");
        assert_eq!(
            row.value.unwrap(),
            r#"{"v":1,"day":20780,"gone":42,"tat":18446744073709551614,"seen":1795401599000,"record":1795401599123}"#
        );
        machine.note_plan("trusted");
        machine.requests = 3;
        let row = machine_row("laptop", &machine).unwrap();
        let text = r#"{"v":1,"day":20780,"gone":42,"tat":18446744073709551614,"seen":1795401599000,"record":1795401599123,"plan":"trusted","requests":3}"#;
        assert_eq!(row.value.as_deref(), Some(text));
        let read = read_machine(text).unwrap();
        assert_eq!((read.plan(), read.requests), ("trusted", 3));
        let row = revocation_row(&Revocation {
            target: Target::IssuedBefore(UnixMillis::from_millis(7)),
            at: UnixMillis::from_millis(8),
            by: "ann".to_owned(),
            reason: "leak".to_owned(),
        })
        .unwrap();
        assert_eq!(row.key, "revoked/before/7");
        assert_eq!(row.value.unwrap(), r#"{"target":{"issued_before":7},"at":8,"by":"ann","reason":"leak"}"#);
    }

    #[test]
    fn what_was_reserved_comes_back_as_spent() {
        let mut machine = Machine { tat: 7, in_flight: 1, seen: 8, last_record: 9, ..Machine::default() };
        machine.account.roll(Day::from_number(3));
        machine.account.reserve(NanoUsd::from_nanos(42));
        machine.nonces.remember(&Nonce { hash: 5, fresh_until: UnixMillis::from_millis(6) });
        let row = machine_row("laptop", &machine).unwrap();
        let read = read_machine(&row.value.unwrap()).unwrap();
        assert_eq!((read.tat, read.in_flight, read.seen, read.last_record), (7, 0, 8, 9));
        assert_eq!(read.account.posted(), NanoUsd::from_nanos(42));
        assert_eq!(
            (&read.nonces, read.stored),
            (&machine.nonces, (Day::from_number(3), NanoUsd::from_nanos(42)))
        );
    }

    #[test]
    fn an_unknown_form_is_refused() {
        for value in [
            "",
            "{}",
            r#"{"v":2,"day":1,"gone":0,"tat":1,"seen":1,"record":1}"#,
            r#"{"v":1,"day":1,"gone":-1,"tat":1,"seen":1,"record":1}"#,
            r#"{"v":1,"day":1,"gone":0,"tat":1,"seen":1,"record":1,"x":1}"#,
            r#"{"v":1,"day":1,"gone":0}"#,
        ] {
            assert!(read_machine(value).is_err(), "{value}");
        }
        let enrolments = r#"{"v":1,"day":1,"total":0,"networks":{},"used":{},"recent":[]}"#;
        assert!(read_enrolments(enrolments).is_ok());
        assert!(read_enrolments(&enrolments.replace("\"v\":1", "\"v\":2")).is_err());
    }
}
