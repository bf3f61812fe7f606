//! Machines in memory, in rows of their own, and in lists.

use super::*;
use crate::ledger::wire::usage::{MachineState, Order};

fn machine(spent: u64) -> Machine {
    Machine { seen: NOON.millis(), account: Account::restored(TODAY, nano(spent)), ..Machine::default() }
}

/// A shard with so many machines, the first of them at rest longest.
fn with_machines(count: u64) -> Shard {
    let mut shard = shard(1);
    for number in 0..count {
        let machine = Machine { seen: NOON.millis() - 10_000_000 + number, ..machine(1) };
        shard.machines.insert(format!("m{number:03}"), machine);
    }
    shard
}

#[test]
fn those_at_rest_longest_leave_memory_where_there_are_too_many() {
    let mut shard = with_machines(512);
    assert_eq!(shard.spill(NOON), Ok(Vec::new()));
    assert!(!shard.has_spilled && !shard.is_dirty);
    let mut shard = with_machines(513);
    shard.machines.get_mut("m000").unwrap().in_flight = 1;
    let rows = shard.spill(NOON).unwrap();
    assert_eq!(keys(&rows), (1..=129).map(|number| format!("machine/m{number:03}")).collect::<Vec<_>>());
    assert!(shard.machines.len() == 384 && shard.machines.contains_key("m000"));
    assert!(shard.has_spilled && shard.is_dirty);
}

#[test]
fn those_that_left_no_trace_are_dropped_first_and_those_in_flight_stay() {
    let mut shard = with_machines(512);
    shard.machines.insert("blank".to_owned(), Machine::default());
    assert_eq!(shard.spill(NOON), Ok(Vec::new()));
    assert!(shard.machines.len() == 512 && !shard.machines.contains_key("blank"));
    assert!(!shard.has_spilled && shard.is_dirty);
    let mut shard = with_machines(513);
    shard.machines.values_mut().for_each(|machine| machine.in_flight = 1);
    assert_eq!(shard.spill(NOON), Ok(Vec::new()));
    assert!(shard.machines.len() == 513 && !shard.is_dirty);
}

#[test]
fn rows_are_read_for_a_list_where_there_are_some() {
    let list = Command::Machines { order: Order::Spent, limit: 1 };
    for (has_spilled, command, reads) in [
        (true, list.clone(), true),
        (false, list, false),
        (true, Command::State, false),
        (false, Command::State, false),
    ] {
        let shard = Shard { has_spilled, ..shard(1) };
        let message = Message { command: Some(command), ..Message::default() };
        assert_eq!(shard.lists_machines(&message), reads, "{has_spilled} {message:?}");
    }
}

fn list(shard: &mut Shard) -> (Vec<MachineState>, bool) {
    match shard.list(&limits(1), Order::Spent, 3_000, NOON) {
        Outcome::Machines(list) => (list.machines, list.complete),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_says_when_there_are_more_than_two_thousand_rows() {
    for (count, complete) in [(2_000, true), (2_001, false)] {
        let rows = (0..count).map(|number| rows::machine_row(&format!("m{number}"), &machine(1)).unwrap());
        let mut shard = shard(1);
        shard.load_listed(rows.map(|row| (row.key, row.value.unwrap())).collect()).unwrap();
        let (machines, is_complete) = list(&mut shard);
        assert_eq!((machines.len(), is_complete), (2_000, complete));
    }
}

#[test]
fn a_list_has_whoever_did_something_today_once() {
    let mut shard = shard(1);
    for (name, machine) in [
        ("looks", machine(0)),
        ("asked", Machine { requests: 1, ..machine(0) }),
        ("asks", Machine { in_flight: 1, ..machine(0) }),
        ("spent", machine(9)),
        ("yesterday", Machine { requests: 1, account: Account::restored(YESTERDAY, nano(1)), ..machine(0) }),
    ] {
        shard.machines.insert(name.to_owned(), machine);
    }
    let stored = ["spent", "away"].map(|name| rows::machine_row(name, &machine(8)).unwrap());
    shard.load_listed(stored.map(|row| (row.key, row.value.unwrap())).into()).unwrap();
    let (machines, _) = list(&mut shard);
    let machines: Vec<_> = machines.iter().map(|one| (one.subject.as_str(), one.spent.nanos())).collect();
    assert_eq!(machines, [("spent", 9), ("away", 8), ("asked", 0), ("asks", 0)]);
}

#[test]
fn of_a_machine_that_was_never_admitted_nothing_is_told() {
    let mut shard = shard(1);
    shard.machines.insert("refused".to_owned(), Machine::default());
    shard.machines.insert("admitted".to_owned(), Machine { seen: 1, ..Machine::default() });
    for (name, is_told) in [("refused", false), ("admitted", true), ("nobody", false)] {
        let command = Command::Machine { subject: name.to_owned() };
        let Turn::Reply(Outcome::Machine(detail)) = step(&mut shard, command).turn else { panic!("{name}") };
        assert_eq!(detail.machine.is_some(), is_told, "{name}");
    }
}

#[test]
fn a_row_is_read_for_a_machine_that_may_have_one() {
    let look = |plan: &str| Command::Look {
        subject: "m".to_owned(),
        plan: plan.to_owned(),
        credential: crate::ledger::wire::Credential::default(),
        level: None,
    };
    let detail = || Command::Machine { subject: "m".to_owned() };
    for (has_spilled, is_here, command, is_read) in [
        (true, false, look("standard"), true),
        (true, false, detail(), true),
        (false, false, look("standard"), false),
        (true, true, look("standard"), false),
        (true, false, look("nowhere"), false),
        (true, false, Command::State, false),
    ] {
        let mut shard = Shard { has_spilled, ..shard(1) };
        if is_here {
            shard.machines.insert("m".to_owned(), machine(1));
        }
        let message = Message { command: Some(command), ..Message::default() };
        let expected: &[&str] = if is_read { &["machine/m"] } else { &[] };
        assert_eq!(shard.missing(&limits(1), &message), expected, "{message:?}");
    }
}
