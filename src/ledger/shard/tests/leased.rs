//! What a shard asks of the treasury.

use super::*;
use crate::ledger::fund::Room;
use crate::ledger::wire::treasury::{Answer, Lease, PoolLease, Want};

fn wants(request: &LeaseRequest) -> Vec<(&str, u64, Want)> {
    request.pools.iter().map(|pool| (pool.pool.as_str(), pool.held.nanos(), pool.want)).collect()
}

/// A fund that was leased 60 of 10,000 and has used so much of it.
fn leased(day: Day, used: u64) -> Fund {
    let mut fund = Fund::default();
    fund.roll(day);
    let lease = PoolLease { pool: SERVICE.to_owned(), granted: nano(60), cap: nano(10_000), dry: false };
    fund.grant(&lease, false, NOON);
    fund.account.reserve(nano(used));
    fund
}

fn with_fund(shards: u32, fund: Fund) -> Shard {
    let mut shard = Shard { sent: 1, usual: nano(5), ..shard(shards) };
    shard.funds.insert(SERVICE.to_owned(), fund);
    shard
}

#[test]
fn a_share_is_asked_for_where_a_fund_runs_low() {
    let ask = |fund: Fund| with_fund(1, fund).ask_ahead(&limits(1), NOON);
    let request = ask(leased(TODAY, 31)).unwrap();
    assert_eq!(wants(&request), [(SERVICE, 60, Want::Share(nano(5))), ("plan/pool", 0, Want::Nothing)]);
    assert_eq!(ask(leased(TODAY, 30)), None);
    assert_eq!(ask(leased(YESTERDAY, 31)), None, "another day's");
}

#[test]
fn a_lease_is_given_back_where_another_shard_may_have_need_of_it() {
    let give_back = |shards, fund| with_fund(shards, fund).give_back(&limits(shards), NOON);
    let request = give_back(2, leased(TODAY, 59)).unwrap();
    assert_eq!((request.holds_only, wants(&request)[0]), (true, (SERVICE, 59, Want::Nothing)));
    assert_eq!(give_back(1, leased(TODAY, 59)), None, "there is no other");
    assert_eq!(give_back(2, leased(TODAY, 60)), None, "nothing is left of it");
    assert_eq!(give_back(2, leased(YESTERDAY, 59)), None, "another day's");
}

#[test]
fn what_was_leased_under_a_higher_cap_is_asked_for_anew() {
    for (cap, lease, holds_only, held) in
        [(9_999, 60, true, 7), (10_000, 60, false, 60), (10_001, 60, false, 60), (9_999, 0, false, 0)]
    {
        let mut shard = with_fund(1, fund(TODAY, 7, lease));
        let limits = Limits { service_daily: nano(cap), ..limits(1) };
        let request = shard.need_request(&limits, nano(1), &[SERVICE], NOON);
        assert_eq!((request.holds_only, wants(&request)[0].1), (holds_only, held), "{cap} {lease}");
    }
    let mut woken = Shard { sent: 0, ..with_fund(1, leased(TODAY, 1)) };
    assert!(woken.need_request(&limits(1), nano(1), &[], NOON).holds_only, "the first since it woke up");
}

#[test]
fn the_treasury_is_asked_for_a_day_that_has_begun() {
    for (now, is_asked) in [(NOON, false), (after(86_400_000), true), (before(86_400_000), false)] {
        assert_eq!(shard(1).term_request(&limits(1), now).is_some(), is_asked);
    }
    assert!(Shard { term: None, ..shard(1) }.term_request(&limits(1), NOON).is_some());
}

#[test]
fn what_the_treasury_says_a_second_time_is_final() {
    let room = |asked| with_fund(1, leased(TODAY, 60)).room(SERVICE, nano(1), nano(10_000), asked, NOON);
    assert_eq!([0, 1, 2, 3].map(room), [Room::Ask, Room::Ask, Room::Dry, Room::Dry]);
}

fn lease(number: u64, day: Day, shards: u32, moved: bool) -> Answer {
    let pool = PoolLease { pool: SERVICE.to_owned(), granted: nano(50), cap: nano(10_000), dry: true };
    Answer::Lease(Lease {
        number: Number(1, number),
        day,
        route: Route { shards, salt: 1 },
        moved,
        pools: vec![pool],
        revision: 0,
        revocations: None,
    })
}

#[test]
fn an_answer_counts_unless_it_is_overtaken_or_of_a_day_before() {
    for (number, day, granted) in [(4, TODAY, 0), (5, TODAY, 50), (6, TODAY, 50), (5, YESTERDAY, 0)] {
        let mut shard = Shard { holds_since: Number(1, 5), ..with_fund(1, fund(TODAY, 0, 0)) };
        shard.answered(&limits(1), lease(number, day, 1, false), NOON).unwrap();
        assert_eq!(shard.funds[SERVICE].lease().nanos(), granted, "{number} {day:?}");
    }
}

#[test]
fn only_a_day_that_begins_brings_machines_of_other_shards() {
    let horizon = |day| {
        let mut shard = shard(2);
        shard.answered(&limits(2), lease(1, day, 2, true), NOON).unwrap();
        shard.horizon
    };
    assert_eq!(horizon(TODAY), UnixMillis::default());
    assert!(horizon(Day::from_number(20_835)) > NOON);
}

#[test]
fn a_shard_without_others_asks_again_later() {
    for (shards, room) in [(1, Room::Dry), (2, Room::Ask)] {
        let mut shard = shard(shards);
        shard.answered(&limits(shards), lease(1, TODAY, shards, false), NOON).unwrap();
        assert_eq!(shard.room(SERVICE, nano(51), nano(10_000), 0, after(1_000)), room, "{shards}");
    }
}

fn revocation(machine: &str) -> Revocation {
    let target = Target::Machine(machine.to_owned());
    Revocation { target, at: NOON, by: "ann".to_owned(), reason: "lost".to_owned() }
}

#[test]
fn a_shard_that_missed_changes_of_revocations_takes_in_all_of_them() {
    let told = |lease_revision: u64, heard: u64| {
        let mut shard = Shard { revision: 1, heard, ..shard(1) };
        for machine in ["gone", "kept"] {
            shard.revocations.add(revocation(machine));
        }
        let Answer::Lease(lease) = lease(1, TODAY, 1, false) else { panic!() };
        let revocations = Some(["kept", "new", "other"].map(revocation).into());
        let lease = Answer::Lease(Lease { revision: lease_revision, revocations, ..lease });
        let rows = shard.answered(&limits(1), lease, NOON).unwrap();
        let rows: Vec<_> = rows.into_iter().map(|row| (row.key, row.value.is_some())).collect();
        (rows, shard.revocations.list().len(), shard.revision)
    };
    let row = |machine: &str, is_there: bool| (format!("revoked/machine/{machine}"), is_there);
    let all = vec![row("gone", false), row("new", true), row("other", true)];
    assert_eq!(told(5, 4), (all.clone(), 3, 5));
    assert_eq!(told(5, 5), (all, 3, 5));
    assert_eq!(told(5, 6), (Vec::new(), 2, 1), "a later change is not among them");
}

#[test]
fn changes_of_a_revocation_count_in_their_turn() {
    let restore = |revision| Command::Restore { target: revocation("m").target, revision };
    let revoke = |revision| Command::Revoke { revocation: revocation("m"), revision };
    for (first, second, is_revoked) in [
        (revoke(3), restore(2), true),
        (revoke(2), restore(3), false),
        (restore(3), revoke(2), false),
        (restore(2), revoke(3), true),
    ] {
        let mut shard = shard(1);
        let name = format!("{first:?}, {second:?}");
        [first, second].into_iter().for_each(|change| drop(step(&mut shard, change)));
        assert_eq!(shard.revocations.list().len(), usize::from(is_revoked), "{name}");
        assert_eq!(shard.heard, 3, "{name}");
    }
}
