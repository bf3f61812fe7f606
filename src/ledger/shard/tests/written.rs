//! When the main row is written, and what it says.

use super::*;
use crate::ledger::replay;
use crate::ledger::wire::ended::Reason;
use crate::ledger::wire::treasury::PoolLease;
use crate::ledger::wire::{Admission, Credential, Nonce};

type Change = fn(&mut Shard);

fn record(shard: &mut Shard) {
    shard.logbook.add("m".to_owned(), "{}".to_owned(), NOON);
}

/// So many admissions that no row holds.
fn admissions(shard: &mut Shard, count: u64) {
    (0..count).for_each(|number| shard.journal.note(&number.to_string(), &reservation(after(1))));
}

#[test]
fn what_waits_for_the_alarm_or_has_changed_is_written() {
    let cases: [(&str, u64, Change, [bool; 2]); 12] = [
        ("nothing", 0, |_| (), [false, false]),
        ("the alarm", 0, |shard| open(shard, "r", after(1)), [true, true]),
        (
            "an alarm to come",
            0,
            |shard| {
                open(shard, "r", after(1));
                shard.alarm = after(1);
            },
            [false, false],
        ),
        ("a full journal", 0, |shard| admissions(shard, 1_024), [true, true]),
        ("a journal with room", 0, |shard| admissions(shard, 1_023), [false, false]),
        ("a change", 0, |shard| shard.is_dirty = true, [false, true]),
        ("a record", 0, record, [false, true]),
        ("a refusal", 29_999, |shard| shard.tallies.refuse(Reason::Revoked), [false, false]),
        ("a refusal of half a minute", 30_000, |shard| shard.tallies.refuse(Reason::Revoked), [true, true]),
        (
            "a change in dense traffic",
            1_999,
            |shard| {
                *shard = Shard { is_dirty: true, written_at: shard.written_at, ..dense() };
            },
            [false, false],
        ),
        (
            "a change of two seconds in dense traffic",
            2_000,
            |shard| {
                *shard = Shard { is_dirty: true, written_at: shard.written_at, ..dense() };
            },
            [true, true],
        ),
        (
            "dense traffic without a change",
            2_000,
            |shard| *shard = Shard { written_at: shard.written_at, ..dense() },
            [false, false],
        ),
    ];
    for (what, written_ms, change, is_due) in cases {
        let mut shard = Shard { written_at: before(written_ms), ..shard(1) };
        change(&mut shard);
        assert_eq!([false, true].map(|has_news| shard.is_write_due(has_news, NOON)), is_due, "{what}");
    }
}

#[test]
fn while_the_ledgers_clock_waits_for_the_platforms_rows_are_written_as_often() {
    let mut shard = dense();
    // It ran ahead by two minutes.
    (shard.clock, shard.is_dirty) = (after(120_000), true);
    (0..8).for_each(|_| shard.pace.note(after(120_000)));
    for (platform, is_due) in [(after(1_999), false), (after(2_000), true), (before(1), true)] {
        let now = shard.tell_time(platform);
        assert_eq!((now, shard.is_write_due(false, now)), (after(120_000), is_due), "{platform:?}");
    }
}

#[test]
fn the_journal_is_full_before_a_row_of_it_is_written_over() {
    let mut shard = shard(1);
    for number in 1..=1_023 {
        admissions(&mut shard, 1);
        assert!(shard.flush().unwrap().is_some() && shard.flush().unwrap().is_none());
        assert_eq!(shard.journal.is_full(), number == 1_023, "{number}");
    }
    let _ = shard.journal.cover();
    assert!(!shard.journal.is_full());
}

fn is_written(step: &Step) -> bool {
    keys(&step.rows).last() == Some(&rows::SHARD)
}

#[test]
fn a_question_alone_writes_nothing_and_what_happens_beside_it_does() {
    let cases: [(&str, Change, bool); 5] = [
        ("a change", |shard| shard.is_dirty = true, false),
        (
            "a batch",
            |shard| {
                record(shard);
                let _ = shard.logbook.store();
            },
            true,
        ),
        ("the alarm", |shard| open(shard, "r", after(1)), true),
        (
            "a question to the treasury",
            |shard| {
                let mut fund = Fund::default();
                fund.roll(TODAY);
                let pool = SERVICE.to_owned();
                fund.grant(&PoolLease { pool, granted: nano(60), cap: nano(10_000), dry: false }, true, NOON);
                fund.account.reserve(nano(31));
                shard.funds.insert(SERVICE.to_owned(), fund);
            },
            true,
        ),
        (
            "machines that leave memory",
            |shard| {
                let account = Account::restored(TODAY, nano(1));
                let machine = Machine { seen: NOON.millis(), account, ..Machine::default() };
                shard.machines.extend((0..513).map(|number| (number.to_string(), machine.clone())));
            },
            true,
        ),
    ];
    for (what, change, writes) in cases {
        let mut shard = shard(1);
        change(&mut shard);
        let step = step(&mut shard, Command::State);
        assert_eq!(is_written(&step), writes, "{what}");
        let alarms = u64::from(step.alarm.is_some());
        assert_eq!(shard.tallies.asked.rows_written, step.rows.len() as u64 + alarms, "{what}");
    }
}

#[test]
fn a_row_besides_the_main_one_is_counted_too() {
    let mut shard = shard(1);
    let (by, reason) = ("ann".to_owned(), "lost".to_owned());
    let revocation = Revocation { target: Target::Model, at: NOON, by, reason };
    let step = step(&mut shard, Command::Revoke { revocation, revision: 1 });
    assert_eq!((keys(&step.rows), shard.tallies.asked.rows_written), (vec!["revoked/model"], 1));
}

#[test]
fn a_settlement_and_news_are_written_with_their_reply_a_question_is_not() {
    for (command, writes) in [(None, true), (Some(Command::State), false)] {
        let mut shard = Shard { is_dirty: true, ..shard(1) };
        let message = Message { to: 0, of: 1, command, ..Message::default() };
        let step = shard.step(&limits(1), message, 0, NOON).unwrap();
        assert_eq!(is_written(&step), writes);
    }
}

fn admit(shard: &mut Shard, worst: u64) -> Step {
    shard.funds.entry(SERVICE.to_owned()).or_insert_with(|| fund(TODAY, 0, 1_000));
    let admission = Admission {
        id: "r".to_owned(),
        subject: "m".to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: nano(worst),
        lifetime_ms: 35_000,
        level: None,
    };
    step(shard, Command::Admit(admission))
}

#[test]
fn a_reply_is_held_where_only_the_journal_is_to_tell_of_it() {
    // Its alarm is set, and without money nothing else asks for a row.
    let waiting = || Shard { alarm: after(1), ..shard(1) };
    let free = admit(&mut waiting(), 0);
    assert!(free.is_held && !is_written(&free));
    let paid = admit(&mut waiting(), 1);
    assert!(!paid.is_held && is_written(&paid));
    let mut shard = waiting();
    admit(&mut shard, 0);
    assert!(!step(&mut shard, Command::State).is_held, "another's reply");
}

#[test]
fn it_is_told_when_storage_is_to_be_tidied() {
    assert!(!admit(&mut shard(1), 1).is_ahead, "it says what is gone");
    let mut dense = dense();
    dense.written_at = before(2_000);
    assert!(admit(&mut dense, 1).is_ahead);
    let mut told = Shard { is_ahead: true, alarm: after(1), ..shard(1) };
    assert!(!step(&mut told, Command::State).is_ahead, "that was told when it was written");
    told.tallies.refuse(Reason::Revoked);
    assert!(step(&mut told, Command::State).is_ahead, "a refusal is in no row");
}

fn write(shard: &mut Shard) -> serde_json::Value {
    let mut rows = Vec::new();
    shard.write(NOON, &mut rows).unwrap();
    serde_json::from_str(rows.last().unwrap().value.as_deref().unwrap()).unwrap()
}

/// What the row says is gone of a machine that has spent 5 and was seen so long ago, and of the service.
fn gone(mut shard: Shard, seen_ms: u64, used: u64) -> [u64; 2] {
    let account = Account::restored(TODAY, nano(5));
    let machine = Machine { seen: before(seen_ms).millis(), account, margin: nano(30), ..Machine::default() };
    shard.machines.insert("m".to_owned(), machine.clone());
    // Another that has none, whichever of them comes first.
    shard.machines.insert("n".to_owned(), Machine { margin: nano(0), ..machine });
    shard.usual = nano(10);
    shard.funds.insert(SERVICE.to_owned(), fund(TODAY, used, used + 800));
    let row = write(&mut shard);
    [&row["machines"]["m"]["gone"], &row["funds"]["service"]["gone"]].map(|gone| gone.as_u64().unwrap())
}

#[test]
fn dense_traffic_is_written_ahead_of_those_who_make_it() {
    assert_eq!(gone(shard(1), 0, 5), [5, 5], "thin traffic");
    // Of the service an eighth of what is left.
    assert_eq!(gone(dense(), 60_000, 5), [35, 105]);
    assert_eq!(gone(dense(), 60_001, 5), [5, 5], "the machine is at rest");
    assert_eq!(gone(dense(), 0, 0), [35, 0], "nobody spends from it");
}

#[test]
fn of_nonces_in_dense_traffic_a_moment_is_written_ahead() {
    let horizon = |mut shard: Shard, signs: bool| {
        let mut machine = Machine::default();
        if signs {
            machine.nonces.remember(&Nonce { hash: 1, fresh_until: NOON });
        }
        shard.machines.insert("m".to_owned(), machine);
        write(&mut shard);
        shard.stored_horizon
    };
    let none = UnixMillis::default();
    assert_eq!([horizon(shard(1), true), horizon(dense(), false)], [none, none]);
    assert_eq!(horizon(dense(), true), replay::horizon_ahead(NOON));
}

#[test]
fn the_nonces_that_are_remembered_longest_are_listed_one_by_one() {
    for (count, cutoff) in [(512, UnixMillis::default()), (513, after(60_000)), (514, after(60_001))] {
        let mut shard = shard(1);
        let mut machine = Machine::default();
        for number in 0..count {
            machine.nonces.remember(&Nonce { hash: number, fresh_until: after(number) });
        }
        shard.machines.insert("m".to_owned(), machine);
        let row = write(&mut shard);
        assert_eq!(shard.stored_horizon, cutoff, "{count}");
        assert_eq!(row["machines"]["m"]["nonces"].as_array().map(Vec::len), Some(512), "{count}");
    }
}

#[test]
fn what_is_stored_comes_back() {
    let mut shard = shard(2);
    shard.index = 1;
    (shard.revision, shard.horizon) = (3, after(4));
    (shard.alarm, shard.alarm_after) = (after(5), Duration::from_secs(120));
    (shard.has_spilled, shard.swept) = (true, YESTERDAY);
    record(&mut shard);
    shard.tallies.refuse(Reason::Revoked);
    admissions(&mut shard, 1);
    shard.flush().unwrap();
    open(&mut shard, "r", after(1));
    shard.funds.insert(SERVICE.to_owned(), fund(TODAY, 10, 20));
    let row = write(&mut shard).to_string();
    let again = Shard::restore(Some(&row)).unwrap();
    assert_eq!((again.index, again.epoch), (1, 2));
    assert_eq!([again.clock, again.active_at, again.written_at], [NOON; 3]);
    assert_eq!((again.term, again.revision, again.heard), (shard.term, 3, 3));
    assert_eq!([again.horizon, again.stored_horizon], [after(4); 2]);
    assert_eq!((again.alarm, again.alarm_after), (after(5), Duration::from_secs(120)));
    assert_eq!((again.has_spilled, again.swept), (true, YESTERDAY));
    assert_eq!((again.logbook.counts(), again.journal_key()), ((1, 0), "journal/1".to_owned()));
    assert_eq!(again.tallies.since(TODAY), shard.tallies.since(TODAY));
    let open = Reservation { stored: true, ..reservation(after(1)) };
    assert_eq!((&again.open["r"], again.by_deadline.len(), again.machines["m"].in_flight), (&open, 1, 1));
    let fund = again.funds[SERVICE];
    assert_eq!((fund.account.posted(), fund.account.used(), fund.lease()), (nano(0), nano(10), nano(20)));
    assert_eq!(Shard::restore(Some(&row.replace(r#""v":2"#, r#""v":3"#))).err(), Some(Unreadable));
}

#[test]
fn a_batch_that_was_under_way_is_looked_for() {
    let mut shard = shard(1);
    record(&mut shard);
    let step = step(&mut shard, Command::State);
    assert!(step.batch.is_some() && is_written(&step));
    let row = step.rows.last().and_then(|row| row.value.as_deref());
    assert_eq!(Shard::restore(row).unwrap().unsure_batch(), step.batch);
}

#[test]
fn records_with_a_row_of_their_own_are_asked_for_and_taken_in() {
    let mut shard = shard(1);
    shard.logbook.add("m".to_owned(), format!("\"{}\"", "x".repeat(100_000)), NOON);
    let mut rows = Vec::new();
    shard.write(NOON, &mut rows).unwrap();
    assert_eq!(keys(&rows), ["log/0", "shard"]);
    let mut again = Shard::restore(rows[1].value.as_deref()).unwrap();
    assert_eq!((again.also_needed(), again.logbook.counts()), (vec!["log/0".to_owned()], (0, 0)));
    again.load("log/0", None).unwrap();
    again.load("log/0", rows[0].value.as_deref()).unwrap();
    assert_eq!(again.logbook.counts(), (1, 0));
}

#[test]
fn a_day_that_is_over_keeps_its_counters_open_for_its_requests_in_flight() {
    for (day, is_closed) in [(YESTERDAY, false), (TODAY, true)] {
        let mut shard = shard(1);
        shard.tallies.end(Some(YESTERDAY), "standard", None, nano(1));
        shard.open.insert("r".to_owned(), Reservation { day, ..reservation(after(1)) });
        let mut rows = Vec::new();
        shard.write(NOON, &mut rows).unwrap();
        assert_eq!(keys(&rows).contains(&"tally/20833"), is_closed, "{day:?}");
    }
}
