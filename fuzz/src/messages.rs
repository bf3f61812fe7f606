//! What ledger objects are sent and what they store: read or refused; what is read is written the same
//! again, and an object that gets it keeps its caps.

use std::collections::BTreeMap;
use std::fmt::Debug;

use pip_aide_gateway::ledger::logbook::Entry;
use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::shard::{Shard, Turn};
use pip_aide_gateway::ledger::treasury::Treasury;
use pip_aide_gateway::ledger::wire::state::{FundState, TreasuryState};
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::{Call, Command, Message, Outcome};
use pip_aide_gateway::policy::day::Day;
use pip_aide_gateway::policy::limits::Limits;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::choice;
use super::objects::support::{Objects, ShardObject};
use super::objects::{check_objects, limits};

const NOW: UnixMillis = UnixMillis::from_millis(1_795_401_600_000);

/// 0 is a call, 1 a shard's answer, 2 the treasury's, 3 the row of a machine, 4 of a revocation, 5 of
/// enrolments, 6 a shard's main row, 7 the treasury's, 8 a row of the log, 9 of the journal, 10 of counters.
pub fn messages(data: &[u8]) {
    let Some((which, text)) = choice(data, 11) else {
        return;
    };
    let text = &String::from_utf8_lossy(text);
    match which {
        0 => drop(same::<Call>(text).map(carry_out)),
        1 => drop(same::<Outcome>(text)),
        2 => drop(same::<Answer>(text).map(take_in)),
        3 => machine_row(text),
        4 => {
            if let Ok(read) = rows::read_revocation(text) {
                let row = rows::revocation_row(&read).expect("a row");
                assert_eq!(rows::read_revocation(&row.value.expect("a value")), Ok(read));
            }
        }
        5 => {
            if let Ok(read) = rows::read_enrolments(text) {
                let row = rows::enrolments_row(&read).expect("a row").value.expect("a value");
                let again = rows::read_enrolments(&row).expect("what was written");
                assert_eq!(rows::enrolments_row(&again).expect("a row").value, Some(row));
            }
        }
        6 => shard_row(text),
        7 => treasury_row(text),
        8 => drop(same::<Vec<Entry>>(text)),
        9 => {
            let mut shard = Shard::restore(None).expect("an empty shard");
            let _ = shard.replay(Some(text));
            let _ = shard.step(&limits(1), message(Command::State), 0, NOW).expect("a step");
        }
        _ => {
            let mut shard = Shard::restore(None).expect("an empty shard");
            let _ = shard.load(&rows::tally_key(Day::from_number(1)), Some(text));
            let since = Day::from_number(0);
            let _ = shard.step(&limits(1), message(Command::Usage { since }), 0, NOW).expect("a step");
        }
    }
}

/// Reads a text; what comes of it is written, and read for the same again.
fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(text: &str) -> Option<T> {
    let read: T = serde_json::from_str(text).ok()?;
    let written = serde_json::to_string(&read).expect("what was read can be written");
    assert_eq!(serde_json::from_str::<T>(&written).expect("what was written can be read"), read, "{written}");
    Some(read)
}

fn message(command: Command) -> Message {
    Message { of: 1, command: Some(command), ..Message::default() }
}

/// Twice: a message may be doubled on its way.
fn carry_out(call: Call) {
    let mut objects = Objects::new(limits(1));
    for _ in 0..2 {
        match call.clone() {
            Call::Shard(message) => drop(objects.exchange(message, NOW)),
            Call::Treasury(errand) => drop(objects.treasury(errand, NOW)),
        }
    }
    objects.crash();
    check_objects(&mut objects, NOW);
}

/// The treasury is believed, but nothing that it says makes a shard fail.
fn take_in(answer: Answer) {
    let mut objects = Objects::new(limits(1));
    let limits = limits(1);
    objects.exchange(message(Command::State), NOW);
    objects.shard(0).answered(&limits, answer, NOW);
    objects.exchange(message(Command::State), NOW);
    objects.shard(0).crash();
    objects.exchange(message(Command::State), NOW);
}

fn machine_row(text: &str) {
    if let Ok(read) = rows::read_machine(text) {
        let row = rows::machine_row("m", &read).expect("a row").value.expect("a value");
        let again = rows::read_machine(&row).expect("what was written");
        assert_eq!(rows::machine_row("m", &again).expect("a row").value, Some(row));
        assert_eq!((again.account, again.tat), (read.account, read.tat));
    }
}

/// A shard that comes back from a row writes one that says no less is gone, and from then on the same.
fn shard_row(text: &str) {
    let Ok(shard) = Shard::restore(Some(text)) else {
        return;
    };
    drop(shard);
    let limits = limits(1);
    let mut object = ShardObject::default();
    object.stored.insert(rows::SHARD.to_owned(), text.to_owned());
    let gone = funds(&mut object, &limits);
    let rewrite = |object: &mut ShardObject| {
        object.crash();
        object.awake();
        object.batch_ended(0, false, UnixMillis::default());
        object.tidy(UnixMillis::default());
        essence(&object.stored[rows::SHARD])
    };
    let first = rewrite(&mut object);
    let still_gone = funds(&mut object, &limits);
    for (pool, FundState { day, used, .. }) in &gone {
        let now = &still_gone[pool];
        assert!(now.day != *day || now.used >= *used, "{pool}: {used:?} was gone, now {now:?}");
    }
    assert_eq!(rewrite(&mut object), first);
}

fn funds(object: &mut ShardObject, limits: &Limits) -> BTreeMap<String, FundState> {
    let step = object.step(limits, message(Command::State), 1, UnixMillis::default(), false);
    match step.expect("a step").turn {
        Turn::Reply(Outcome::State(state)) => state.funds,
        other => panic!("{other:?}"),
    }
}

/// What a main row says of money, in one order.
fn essence(row: &str) -> Vec<Value> {
    let row: Value = serde_json::from_str(row).expect("JSON");
    let sorted = |list: &Value| {
        let mut list: Vec<Value> = list.as_array().cloned().unwrap_or_default();
        list.sort_by_key(Value::to_string);
        Value::Array(list)
    };
    vec![row["funds"].clone(), row["machines"].clone(), sorted(&row["open"]), sorted(&row["orphans"])]
}

/// A treasury that comes back from a row grants nothing beyond a cap, and writes what it read.
fn treasury_row(text: &str) {
    let mut treasury = Treasury::default();
    if treasury.load(rows::TREASURY, text).is_err() {
        return;
    }
    let limits = limits(1);
    let granted = |treasury: &mut Treasury| {
        let step = treasury.step(&limits, Errand::State, 7, UnixMillis::default()).expect("a step");
        match step.answer {
            Answer::State(TreasuryState { granted, .. }) => granted,
            other => panic!("{other:?}"),
        }
    };
    let before = granted(&mut treasury);
    let request = r#"{"lease":{"shard":0,"number":[18446744073709551615,1],"day":0,"holds_only":false,"revision":0,"pools":[{"pool":"service","held":0,"want":{"need":1}},{"pool":"plan/pool","held":0,"want":{"share":1}}]}}"#;
    let errand: Errand = serde_json::from_str(request).expect("an errand");
    let step = treasury.step(&limits, errand, 7, UnixMillis::default()).expect("a step");
    let after = granted(&mut treasury);
    for (pool, shards) in &after {
        let sum = |shards: &BTreeMap<u32, NanoUsd>| {
            shards.values().fold(NanoUsd::ZERO, |sum, one| sum.saturating_add(*one))
        };
        let cap = match pool.as_str() {
            "service" => limits.service_daily,
            _ => limits.plan("pool").and_then(|plan| plan.total_daily).unwrap_or_default(),
        };
        let was = before.get(pool).map(sum).unwrap_or_default();
        assert!(sum(shards) <= cap.max(was), "{pool}: {shards:?}");
    }
    let mut again = Treasury::default();
    for row in step.rows {
        again.load(&row.key, &row.value.expect("a value")).expect("what was written");
    }
    if !after.is_empty() {
        assert_eq!(granted(&mut again), after);
    }
}
