//! What the treasury keeps, and how it divides a cap.

use std::time::Duration;

use super::*;
use crate::ledger::fund::SERVICE;
use crate::ledger::wire::Revocation;
use crate::ledger::wire::treasury::Enrolment;
use crate::policy::day::DayStart;

const NOON: UnixMillis = UnixMillis::from_seconds(1_800_014_400);

fn limits(shards: u32) -> Limits {
    Limits {
        plans: [].into(),
        service_daily: NanoUsd::from_nanos(800),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards,
    }
}

fn days_later(days: u64) -> UnixMillis {
    NOON.plus(Duration::from_secs(days * 86_400))
}

fn step(treasury: &mut Treasury, limits: &Limits, errand: Errand, random: u64, now: UnixMillis) -> Step {
    treasury.step(limits, errand, random, now).unwrap()
}

fn route(treasury: &mut Treasury, random: u64, now: UnixMillis) -> Route {
    match step(treasury, &limits(2), Errand::Route, random, now).answer {
        Answer::Route(route) => route,
        other => panic!("{other:?}"),
    }
}

fn state(treasury: &mut Treasury, now: UnixMillis) -> state::TreasuryState {
    match step(treasury, &limits(2), Errand::State, 7, now).answer {
        Answer::State(state) => state,
        other => panic!("{other:?}"),
    }
}

fn lease(treasury: &mut Treasury, shard: u32, day: Day, want: Want) -> Answer {
    let pools = vec![PoolRequest { pool: SERVICE.to_owned(), held: NanoUsd::ZERO, want }];
    let request = LeaseRequest { shard, number: Number(1, 1), day, holds_only: true, revision: 0, pools };
    step(treasury, &limits(2), Errand::Lease(request), 7, NOON).answer
}

/// The treasury that reads these rows.
fn restored(rows: &[Row]) -> Treasury {
    let mut treasury = Treasury::default();
    for row in rows {
        treasury.load(&row.key, row.value.as_deref().unwrap()).unwrap();
    }
    treasury
}

#[test]
fn subjects_are_spread_by_the_first_salt_for_ever() {
    let mut treasury = Treasury::default();
    assert_eq!(route(&mut treasury, 7, NOON), Route { shards: 2, salt: 7 });
    assert_eq!(route(&mut treasury, 9, NOON), Route { shards: 2, salt: 7 });
    assert_eq!(route(&mut treasury, 9, days_later(1)), Route { shards: 2, salt: 7 });
    assert_eq!(route(&mut Treasury::default(), 0, NOON).salt, 1, "none is no salt");
}

#[test]
fn what_was_used_and_who_is_revoked_outlives_a_crash() {
    let mut treasury = Treasury::default();
    let enrolment = Enrolment {
        challenge: "c".to_owned(),
        network: "n".to_owned(),
        difficulty: 18,
        expires_at: NOON.plus(Duration::from_secs(300)),
    };
    let revocation =
        Revocation { target: Target::Model, at: NOON, by: "operator".to_owned(), reason: "test".to_owned() };
    let mut rows = step(&mut treasury, &limits(2), Errand::Enrol(enrolment.clone()), 7, NOON).rows;
    rows.extend(step(&mut treasury, &limits(2), Errand::Revoke(revocation.clone()), 7, NOON).rows);
    let mut treasury = restored(&rows);
    assert_eq!(state(&mut treasury, NOON).switched_off, Some(revocation));
    let again = step(&mut treasury, &limits(2), Errand::Enrol(enrolment), 7, NOON);
    let Answer::Enrolled(enrolled) = again.answer else { panic!("{again:?}") };
    assert_eq!(enrolled.verdict, EnrolmentVerdict::Used);
    assert!(again.rows.iter().all(|row| row.key != rows::ENROLMENTS), "a refusal changes nothing");
    assert_eq!(Treasury::default().load(rows::TREASURY, "{}"), Err(Unreadable));
    assert_eq!(rows.last().map(|row| row.key.as_str()), Some(rows::TREASURY));
    let other = rows.last().and_then(|row| row.value.as_ref()).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    assert_eq!(Treasury::default().load(rows::TREASURY, &other), Err(Unreadable), "{other}");
}

#[test]
fn a_share_is_a_part_of_what_is_left_and_pays_for_a_request_or_is_none() {
    let today = limits(2).day.day_of(NOON);
    // A quarter of 800 for each of two shards.
    for (least, granted) in [(0, 100), (100, 100), (101, 0)] {
        let answer = lease(&mut Treasury::default(), 0, today, Want::Share(NanoUsd::from_nanos(least)));
        let Answer::Lease(lease) = answer else { panic!("{answer:?}") };
        assert_eq!(lease.pools.first().map(|pool| pool.granted.nanos()), Some(granted), "{least}");
    }
    for (amount, granted, dry) in [(50, 100, false), (101, 101, false), (800, 800, false), (801, 0, true)] {
        let answer = lease(&mut Treasury::default(), 0, today, Want::Need(NanoUsd::from_nanos(amount)));
        let Answer::Lease(lease) = answer else { panic!("{answer:?}") };
        let pool = lease.pools.first().map(|pool| (pool.granted.nanos(), pool.dry));
        assert_eq!(pool, Some((granted, dry)), "{amount}");
    }
}

#[test]
fn a_shards_clock_begins_the_next_day_and_no_later_one() {
    let today = limits(2).day.day_of(NOON);
    for (ahead, begins) in [(1, 1), (2, 0)] {
        let mut treasury = Treasury::default();
        route(&mut treasury, 7, NOON);
        lease(&mut treasury, 0, Day::from_number(today.number() + ahead), Want::Nothing);
        assert_eq!(state(&mut treasury, NOON).day.number(), today.number() + begins, "{ahead}");
    }
}

#[test]
fn every_shard_that_ever_asked_is_known_and_so_is_what_was_asked_of_the_platform() {
    let mut treasury = Treasury::default();
    assert_eq!(state(&mut treasury, NOON).known, [0, 1]);
    lease(&mut treasury, 5, limits(2).day.day_of(NOON), Want::Nothing);
    assert_eq!(state(&mut treasury, NOON).known, [0, 1, 5]);
    let before = state(&mut treasury, NOON).asked;
    treasury.note_rows((3, 2), NOON);
    let asked = state(&mut treasury, NOON).asked;
    assert_eq!(asked.rows_read, before.rows_read + 3);
    assert!(asked.rows_written >= before.rows_written + 2);
}

#[test]
fn shards_are_told_that_subjects_are_spread_otherwise_than_the_day_before() {
    for (shards, moved) in [(2, false), (3, true)] {
        let mut treasury = Treasury::default();
        let mut is_moved = |shards: u32, days: u64| {
            let now = days_later(days);
            let day = limits(shards).day.day_of(now);
            let number = Number(1, days + 1);
            let request =
                LeaseRequest { shard: 0, number, day, holds_only: true, revision: 0, pools: vec![] };
            match step(&mut treasury, &limits(shards), Errand::Lease(request), 7, now).answer {
                Answer::Lease(lease) => lease.moved,
                other => panic!("{other:?}"),
            }
        };
        assert!(!is_moved(2, 0), "there is no day before the first");
        assert_eq!(is_moved(shards, 1), moved, "{shards}");
        assert!(!is_moved(shards, 2), "{shards}");
    }
}

#[test]
fn what_came_before_all_was_given_back_is_stale_and_what_is_held_is_believed_once() {
    let mut treasury = Treasury::default();
    let day = limits(2).day.day_of(NOON);
    let mut ask = |number: u64, holds_only: bool, held: u64, want: Want| {
        let pools = vec![PoolRequest { pool: SERVICE.to_owned(), held: NanoUsd::from_nanos(held), want }];
        let request =
            LeaseRequest { shard: 0, number: Number(1, number), day, holds_only, revision: 0, pools };
        match step(&mut treasury, &limits(2), Errand::Lease(request), 7, NOON).answer {
            Answer::Lease(lease) => lease.pools.first().map(|pool| pool.granted.nanos()),
            Answer::Stale => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask(2, true, 0, Want::Need(NanoUsd::from_nanos(300))), Some(300));
    assert_eq!(ask(1, false, 0, Want::Nothing), None, "from before");
    assert_eq!(ask(2, true, 0, Want::Nothing), None, "a second time");
    assert_eq!(ask(2, false, 300, Want::Nothing), Some(300), "not from before");
    assert_eq!(ask(2, false, 0, Want::Nothing), Some(300), "nothing is given back");
    let wants = Want::Need(NanoUsd::from_nanos(300));
    assert_eq!(ask(2, false, 0, wants), Some(300), "granted before, whose answer is on its way");
    assert_eq!(ask(2, false, 300, Want::Share(NanoUsd::ZERO)), Some(362), "an eighth of the rest");
    let wants = Want::Need(NanoUsd::from_nanos(363));
    assert_eq!(ask(2, false, 0, wants), Some(416), "what is on its way does not pay for it");
    assert_eq!(ask(4, true, 50, Want::Nothing), Some(50), "the rest is given back");
    assert_eq!(ask(3, true, 0, Want::Nothing), None, "overtaken");
    assert_eq!(ask(5, true, 400, Want::Nothing), Some(50), "no more than was granted");
}

#[test]
fn a_shard_that_has_not_heard_of_the_last_revocation_is_told_all() {
    let mut treasury = Treasury::default();
    let mut told = |errand: Option<Errand>| {
        errand.map(|errand| step(&mut treasury, &limits(2), errand, 7, NOON));
        let pools = Vec::new();
        let (shard, day) = (0, limits(2).day.day_of(NOON));
        let request =
            LeaseRequest { shard, number: Number(1, 1), day, holds_only: false, revision: 0, pools };
        match step(&mut treasury, &limits(2), Errand::Lease(request), 7, NOON).answer {
            Answer::Lease(lease) => lease.revocations.map(|revocations| revocations.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(told(None), None);
    let (by, reason) = ("operator".to_owned(), "test".to_owned());
    let revocation = Revocation { target: Target::Model, at: NOON, by, reason };
    assert_eq!(told(Some(Errand::Revoke(revocation))), Some(1));
}
