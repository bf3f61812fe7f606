//! What the ledger stores: rows of a key and a JSON value. A change of form needs a new `v` and a
//! reader for the old one; the tests pin the present one.

use serde::{Deserialize, Serialize};

use crate::ledger::account::Account;
use crate::ledger::enrolment::Enrolments;
use crate::ledger::machine::Machine;
use crate::ledger::replay::Nonces;
use crate::ledger::wire::{Revocation, Target};
use crate::policy::day::Day;
use crate::units::NanoUsd;

/// The key of the service's account.
pub const SERVICE: &str = "service";

/// The key of what is remembered of enrolments.
pub const ENROLMENTS: &str = "enrolments";

/// What the keys of revocations begin with.
pub const REVOKED: &str = "revoked/";

/// The key of a revocation.
#[must_use]
pub fn revocation_key(target: &Target) -> String {
    match target {
        Target::Machine(machine) => format!("{REVOKED}machine/{machine}"),
        Target::Jti(jti) => format!("{REVOKED}jti/{jti}"),
        Target::IssuedBefore(moment) => format!("{REVOKED}before/{}", moment.millis()),
    }
}

/// The key of a plan's account.
#[must_use]
pub fn plan_key(plan: &str) -> String {
    format!("plan/{plan}")
}

/// The key of a machine.
#[must_use]
pub fn machine_key(subject: &str) -> String {
    format!("machine/{subject}")
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAccount {
    v: u32,
    day: Day,
    /// Nano-dollars posted or reserved.
    gone: NanoUsd,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMachine {
    v: u32,
    day: Day,
    gone: NanoUsd,
    /// Nanoseconds since the epoch.
    tat: u64,
    /// Milliseconds since the epoch.
    seen: u64,
    /// Milliseconds since the epoch.
    record: u64,
    #[serde(default, skip_serializing_if = "Nonces::is_empty")]
    nonces: Nonces,
}

const VERSION: u32 = 1;

/// The row of an account.
pub fn account_row(key: String, account: &Account) -> Result<Row, Unreadable> {
    let stored = StoredAccount { v: VERSION, day: account.day(), gone: account.used() };
    row(key, &stored)
}

/// The row of a machine.
pub fn machine_row(subject: &str, machine: &Machine) -> Result<Row, Unreadable> {
    let stored = StoredMachine {
        v: VERSION,
        day: machine.account.day(),
        gone: machine.account.used(),
        tat: machine.tat,
        seen: machine.seen,
        record: machine.last_record,
        nonces: machine.nonces.clone(),
    };
    row(machine_key(subject), &stored)
}

/// The row of a revocation.
pub fn revocation_row(revocation: &Revocation) -> Result<Row, Unreadable> {
    row(revocation_key(&revocation.target), revocation)
}

/// The row of what is remembered of enrolments.
pub fn enrolments_row(enrolments: &Enrolments) -> Result<Row, Unreadable> {
    row(ENROLMENTS.to_owned(), enrolments)
}

fn row<T: Serialize>(key: String, stored: &T) -> Result<Row, Unreadable> {
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

/// Reads an account back.
pub fn read_account(value: &str) -> Result<Account, Unreadable> {
    let stored: StoredAccount = serde_json::from_str(value).map_err(|_| Unreadable)?;
    if stored.v != VERSION {
        return Err(Unreadable);
    }
    Ok(Account::restored(stored.day, stored.gone))
}

/// Reads a machine back.
pub fn read_machine(value: &str) -> Result<Machine, Unreadable> {
    let stored: StoredMachine = serde_json::from_str(value).map_err(|_| Unreadable)?;
    if stored.v != VERSION {
        return Err(Unreadable);
    }
    Ok(Machine {
        tat: stored.tat,
        account: Account::restored(stored.day, stored.gone),
        in_flight: 0,
        seen: stored.seen,
        last_record: stored.record,
        nonces: stored.nonces,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMillis;

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
        let row = account_row(plan_key("trusted"), &machine.account).unwrap();
        assert_eq!(row.key, "plan/trusted");
        assert_eq!(row.value.unwrap(), r#"{"v":1,"day":20780,"gone":42}"#);
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
        machine.account.reserve(NanoUsd::from_nanos(42));
        let row = machine_row("laptop", &machine).unwrap();
        let read = read_machine(&row.value.unwrap()).unwrap();
        assert_eq!((read.tat, read.in_flight, read.seen, read.last_record), (7, 0, 8, 9));
        assert_eq!(read.account.posted(), NanoUsd::from_nanos(42));
    }

    #[test]
    fn an_unknown_form_is_refused() {
        for value in [
            "",
            "{}",
            r#"{"v":2,"day":1,"gone":0}"#,
            r#"{"v":1,"day":1,"gone":-1}"#,
            r#"{"v":1,"day":1,"gone":0,"x":1}"#,
        ] {
            assert_eq!(read_account(value), Err(Unreadable), "{value}");
        }
    }
}
