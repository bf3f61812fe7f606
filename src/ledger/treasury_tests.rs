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
