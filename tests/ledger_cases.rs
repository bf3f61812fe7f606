//! What the ledger answers, case by case, with its objects in memory and nothing lost on the way.
#![cfg(not(target_arch = "wasm32"))]

mod ledger_support;

use std::time::Duration;

use ledger_support::Objects;
use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Cap, Charge, Command, Credential, Message, Nonce, Outcome, Refusal, Revocation, Route,
    Settlement, Target,
};
use pip_aide_gateway::policy::day::{Day, DayStart};
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

const LIFETIME_MS: u64 = 35_000;
/// A minute before a spending day ends.
const START_MS: u64 = 1_795_478_400_000 - 60_000;

const fn nano(amount: u64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(START_MS + millis)
}

fn plan(burst: u32, machine_daily: u64, total_daily: Option<u64>) -> Plan {
    Plan {
        quota: parse_rate("30/minute", burst).unwrap(),
        concurrency: 3,
        machine_daily: nano(machine_daily),
        total_daily: total_daily.map(nano),
    }
}

fn limits() -> Limits {
    let plans = [("standard", plan(4, 1_000, None)), ("pool", plan(4, 400, Some(500)))];
    Limits {
        plans: plans.map(|(name, plan)| (name.to_owned(), plan)).into(),
        service_daily: nano(2_000),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards: 1,
    }
}

/// Without a limit that tests of money would meet.
fn unhurried(mut limits: Limits) -> Limits {
    for plan in limits.plans.values_mut() {
        plan.quota = parse_rate("1000/second", 1_000).unwrap();
        plan.concurrency = 10_000;
    }
    limits
}

fn objects() -> Objects {
    Objects::new(limits())
}

fn admission(id: &str, subject: &str, plan: &str, worst: u64) -> Admission {
    Admission {
        id: id.to_owned(),
        subject: subject.to_owned(),
        plan: plan.to_owned(),
        credential: Credential::default(),
        worst: nano(worst),
        lifetime_ms: LIFETIME_MS,
        level: None,
    }
}

fn admit(objects: &mut Objects, id: &str, subject: &str, worst: u64, now: UnixMillis) -> Outcome {
    objects.send(subject, Command::Admit(admission(id, subject, "standard", worst)), now)
}

fn is_reserved(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Admitted { budget: Budget::Reserved, .. })
}

fn settlement(id: &str, subject: &str, charge: Charge) -> Settlement {
    Settlement {
        id: id.to_owned(),
        subject: subject.to_owned(),
        charge,
        shard: 0,
        record: Some(format!("{{\"request_id\":\"{id}\"}}")),
        ended: Some(ledger_support::ENDED),
    }
}

fn settle(objects: &mut Objects, id: &str, subject: &str, charge: Charge, now: UnixMillis) {
    objects.settle(settlement(id, subject, charge), now);
}

fn look(subject: &str, credential: Credential) -> Command {
    Command::Look { subject: subject.to_owned(), plan: "standard".to_owned(), credential, level: None }
}

fn spent(objects: &mut Objects, subject: &str, now: UnixMillis) -> u64 {
    match objects.send(subject, look(subject, Credential::default()), now) {
        Outcome::Standing(standing) => standing.spent.nanos(),
        other => panic!("{other:?}"),
    }
}

/// The service's spend as storage holds it.
fn stored_gone(objects: &Objects) -> u64 {
    let row: serde_json::Value = serde_json::from_str(&objects.shards[&0].stored[rows::SHARD]).unwrap();
    row["funds"]["service"]["gone"].as_u64().unwrap()
}

#[test]
fn a_reservation_ends_in_exactly_one_way() {
    let mut objects = objects();
    for (id, charge, after) in [
        ("released", Charge::Nothing, 0),
        ("settled", Charge::Actual(nano(30)), 30),
        ("in full", Charge::Full, 130),
        ("more than reserved", Charge::Actual(nano(999)), 230),
    ] {
        assert!(is_reserved(&admit(&mut objects, id, "m", 100, at(0))));
        settle(&mut objects, id, "m", charge, at(0));
        assert_eq!(spent(&mut objects, "m", at(0)), after, "{id}");
        // Again, and with another charge: nothing changes.
        settle(&mut objects, id, "m", Charge::Nothing, at(0));
        settle(&mut objects, id, "m", Charge::Full, at(0));
        assert_eq!(spent(&mut objects, "m", at(0)), after, "{id}, twice");
    }
    let records: usize = objects.shard(0).batches.iter().map(|batch| batch.value.lines().count()).sum();
    assert_eq!(records, 1, "the others wait for the write that is under way");
}

#[test]
fn another_subject_settles_nothing() {
    let mut objects = objects();
    admit(&mut objects, "r", "m", 100, at(0));
    settle(&mut objects, "r", "thief", Charge::Nothing, at(0));
    assert_eq!(spent(&mut objects, "m", at(0)), 100);
}

#[test]
fn what_is_not_settled_in_time_is_charged_in_full_and_frees_its_place() {
    let mut objects = objects();
    for id in ["a", "b", "c"] {
        assert!(matches!(admit(&mut objects, id, "m", 100, at(0)), Outcome::Admitted { .. }));
    }
    let refused = admit(&mut objects, "d", "m", 100, at(0));
    assert!(matches!(refused, Outcome::Refused { reason: Refusal::Concurrency, .. }), "{refused:?}");
    assert!(matches!(admit(&mut objects, "e", "m", 100, at(LIFETIME_MS)), Outcome::Admitted { .. }));
    settle(&mut objects, "a", "m", Charge::Nothing, at(LIFETIME_MS));
    assert_eq!(spent(&mut objects, "m", at(LIFETIME_MS)), 400, "a late settlement gives nothing back");
}

#[test]
fn the_alarm_closes_what_nobody_settles_and_writes_its_record() {
    let mut objects = objects();
    admit(&mut objects, "r", "m", 100, at(0));
    let alarm = objects.shard(0).alarm.expect("an alarm is set");
    assert_eq!(alarm, at(60_000));
    let limits = objects.limits.clone();
    let shard = objects.shard(0);
    shard.crash();
    shard.tick(&limits, alarm);
    let batch = shard.batches.pop().expect("a record leaves");
    let record: serde_json::Value = serde_json::from_str(&batch.value).unwrap();
    assert_eq!((&record["outcome"], &record["request_id"]), (&"unsettled".into(), &"r".into()));
    assert_eq!((&record["reserved_usd"], &record["cost_usd"]), (&"0.0000001".into(), &"0.0000001".into()));
    assert_eq!(batch.key, format!("m:{}", at(0).rfc3339()));
    // It rings again until the record is written.
    assert!(shard.alarm.is_some());
    shard.batch_ended(batch.last, true, alarm);
    let next = shard.alarm.unwrap();
    shard.tick(&limits, next);
    assert_eq!((shard.alarm, shard.batches.len()), (None, 0));
    // Traffic that needs no alarm makes it rarer.
    let mut alarms = 0;
    for minute in 0..600 {
        let now = next.plus(Duration::from_secs(60 * minute));
        let shard = objects.shard(0);
        if shard.alarm.is_some_and(|alarm| alarm <= now) {
            shard.tick(&limits, now);
            alarms += 1;
        }
        let id = format!("r{minute}");
        let outcome = admit(&mut objects, &id, "m", 0, now);
        assert!(matches!(outcome, Outcome::Admitted { .. }), "{outcome:?}");
        objects.settle(settlement(&id, "m", Charge::Nothing), now);
        let shard = objects.shard(0);
        if let Some(batch) = shard.batches.pop() {
            shard.batch_ended(batch.last, true, now);
        }
    }
    assert!((3..=12).contains(&alarms), "{alarms}");
}

#[test]
fn records_that_came_while_a_batch_was_under_way_follow_it() {
    let mut objects = objects();
    for id in ["a", "b", "c"] {
        admit(&mut objects, id, "m", 100, at(0));
    }
    for id in ["a", "b", "c"] {
        objects.settle(settlement(id, "m", Charge::Nothing), at(10));
    }
    let shard = objects.shard(0);
    let first = shard.batches.pop().expect("the first leaves at once");
    assert!(shard.batches.is_empty() && first.value.lines().count() == 1, "{first:?}");
    shard.batch_ended(first.last, true, at(20)).expect("a step");
    let rest = shard.batches.pop().expect("the others leave when it is there");
    assert_eq!(rest.value.lines().count(), 2, "{rest:?}");
    assert!(shard.batch_ended(rest.last, true, at(30)).is_none() && shard.batches.is_empty());
}

#[test]
fn a_crash_gives_nothing_back() {
    let mut objects = objects();
    for number in 0..4 {
        let id = number.to_string();
        assert!(matches!(admit(&mut objects, &id, "m", 100, at(0)), Outcome::Admitted { .. }));
        settle(&mut objects, &id, "m", Charge::Actual(nano(10)), at(0));
    }
    objects.crash();
    assert_eq!(spent(&mut objects, "m", at(0)), 40);
    let refused = admit(&mut objects, "5", "m", 100, at(0));
    assert!(
        matches!(refused, Outcome::Refused { reason: Refusal::Rate(_), .. }),
        "the bucket came back: {refused:?}"
    );
}

#[test]
fn a_crash_takes_nothing_of_a_cap_that_nobody_spends_from() {
    let mut objects = Objects::new(unhurried(limits()));
    for number in 0..40 {
        let (id, now) = (number.to_string(), at(number * 10));
        assert!(is_reserved(&admit(&mut objects, &id, "m", 10, now)));
        settle(&mut objects, &id, "m", Charge::Actual(nano(1)), now);
    }
    assert!(stored_gone(&objects) > 40, "nothing is written down ahead");
    objects.crash();
    for (subject, worst) in [("a", 400), ("b", 100)] {
        let admitted =
            objects.send(subject, Command::Admit(admission(subject, subject, "pool", worst)), at(500));
        assert!(is_reserved(&admitted), "{admitted:?}");
    }
}

#[test]
fn what_is_open_when_the_object_is_restarted_is_settled_as_if_it_had_not_been() {
    let mut objects = objects();
    admit(&mut objects, "r", "m", 100, at(0));
    objects.crash();
    assert_eq!(spent(&mut objects, "m", at(1)), 100);
    settle(&mut objects, "r", "m", Charge::Actual(nano(7)), at(2));
    assert_eq!(spent(&mut objects, "m", at(3)), 7);
    assert_eq!(stored_gone(&objects), 7);
}

#[test]
fn a_settlement_belongs_to_the_day_of_its_reservation() {
    let (before, after) = (at(59_000), at(61_000));
    let mut objects = objects();
    admit(&mut objects, "r", "m", 100, before);
    assert_eq!(spent(&mut objects, "m", after), 0, "a new day begins at zero");
    admit(&mut objects, "s", "m", 70, after);
    settle(&mut objects, "r", "m", Charge::Nothing, after);
    assert_eq!(spent(&mut objects, "m", after), 70, "yesterday's release is not today's money");
    // A clock that steps back over midnight does not open yesterday's account again.
    assert_eq!(spent(&mut objects, "m", before), 70);
    objects.crash();
    assert_eq!(spent(&mut objects, "m", before), 70, "nor after a restart");
}

#[test]
fn a_clock_that_steps_back_over_midnight_gives_no_money_twice() {
    let (before, after) = (at(59_000), at(61_000));
    let mut objects = objects();
    admit(&mut objects, "free", "m", 0, after);
    objects.crash();
    for number in 0..2 {
        admit(&mut objects, &number.to_string(), "m", 300, before);
    }
    // What was reserved after the clock stepped back still counts in the day that had begun.
    assert_eq!(spent(&mut objects, "m", after), 600);
    settle(&mut objects, "0", "m", Charge::Nothing, after);
    assert_eq!(spent(&mut objects, "m", after), 300);
    // The service's account goes by the same day.
    assert_eq!(stored_gone(&objects), 300);
}

#[test]
fn a_reservation_is_not_shared_by_its_id() {
    let mut objects = objects();
    assert!(matches!(admit(&mut objects, "r", "m", 100, at(0)), Outcome::Admitted { .. }));
    assert!(matches!(admit(&mut objects, "r", "other", 100, at(0)), Outcome::Refused { .. }));
}

/// A request with a nonce, on either way that a signed request takes to the ledger.
fn signed(id: &str, nonce: u64, now: UnixMillis, looks: bool) -> Command {
    let nonce = Nonce { hash: nonce, fresh_until: now.plus(Duration::from_secs(300)) };
    let credential = Credential { nonce: Some(nonce), ..Credential::default() };
    if looks {
        return look("m", credential);
    }
    Command::Admit(Admission { credential, ..admission(id, "m", "standard", 10) })
}

#[test]
fn a_nonce_is_admitted_once_also_after_a_crash() {
    for (first_looks, second_looks) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut objects = objects();
        let first = objects.send("m", signed("a", 7, at(0), first_looks), at(0));
        assert!(matches!(first, Outcome::Admitted { .. } | Outcome::Standing(_)), "{first:?}");
        assert_eq!(objects.send("m", signed("b", 7, at(0), second_looks), at(0)), Outcome::Replayed);
        objects.crash();
        let again = objects.send("m", signed("c", 7, at(0), second_looks), at(0));
        assert_eq!(again, Outcome::Replayed, "after a crash");
        let other = objects.send("m", signed("d", 8, at(0), second_looks), at(0));
        assert!(matches!(other, Outcome::Admitted { .. } | Outcome::Standing(_)), "{other:?}");
    }
}

#[test]
fn a_clock_that_jumped_ahead_and_back_admits_no_nonce_twice() {
    for (ahead, crashes) in [(400, false), (400, true), (600, false), (600, true), (86_400, false)] {
        let mut objects = Objects::new(unhurried(limits()));
        let early = objects.send("m", signed("a", 7, at(0), false), at(0));
        assert!(matches!(early, Outcome::Admitted { .. }), "{early:?}");
        // The object's clock is ahead for one request, and the machine is as good as new by it.
        admit(&mut objects, "o", "other", 10, at(ahead * 1_000));
        if crashes {
            objects.crash();
        }
        let admitted = (0..4_u64).filter(|number| {
            let (id, now) = (format!("r{number}"), at(1_000 * (1 + number)));
            let outcome = objects.send("m", signed(&id, 7 + number / 2, at(0), false), now);
            matches!(outcome, Outcome::Admitted { .. })
        });
        assert_eq!(admitted.count(), 0, "{ahead} seconds: what cannot be remembered is not admitted");
        let later = at(ahead * 1_000 + 1_000);
        let again = objects.send("m", signed("z", 9, later, false), later);
        assert!(matches!(again, Outcome::Admitted { .. }), "{again:?}");
    }
}

#[test]
fn a_row_that_is_swept_after_midnight_takes_no_nonce_and_no_empty_bucket_with_it() {
    let mut limits = unhurried(limits());
    limits.service_daily = nano(1_000_000);
    limits.plans.get_mut("standard").unwrap().quota = parse_rate("2/day", 2).unwrap();
    let mut objects = Objects::new(limits.clone());
    for (id, nonce) in [("a", 7), ("b", 8)] {
        let first = objects.send("m", signed(id, nonce, at(30_000), false), at(30_000));
        assert!(matches!(first, Outcome::Admitted { .. }), "{first:?}");
        settle(&mut objects, id, "m", Charge::Actual(nano(1)), at(30_100));
    }
    // So many others that it gets a row of its own.
    for number in 0..600_u64 {
        let (id, who, now) = (format!("o{number}"), format!("other{number}"), at(32_000 + number * 40));
        admit(&mut objects, &id, &who, 10, now);
        settle(&mut objects, &id, &who, Charge::Actual(nano(1)), now);
    }
    assert!(objects.shard(0).stored.contains_key("machine/m"));
    let asked = |objects: &mut Objects, nonce: u64, now: UnixMillis| {
        objects.send("m", signed(&format!("n{nonce}"), nonce, at(30_000), false), now)
    };
    // Midnight is at 60 seconds.
    admit(&mut objects, "f", "fresh", 10, at(61_000));
    let rings = objects.shard(0).alarm.expect("rows of yesterday are swept").max(at(61_001));
    objects.shard(0).tick(&limits, rings);
    let now = rings.plus(Duration::from_millis(500));
    assert_eq!(asked(&mut objects, 7, now), Outcome::Replayed);
    let refused = asked(&mut objects, 9, now);
    assert!(matches!(refused, Outcome::Refused { reason: Refusal::Rate(_), .. }), "{refused:?}");
}

#[test]
fn in_dense_traffic_a_crash_admits_no_nonce_twice_and_is_over_in_seconds() {
    let mut objects = Objects::new(unhurried(limits()));
    for nonce in 0..1_000 {
        let now = at(nonce * 10);
        let outcome = objects.send("m", signed(&nonce.to_string(), nonce, now, false), now);
        if nonce >= 512 {
            // A machine's memory of nonces is bounded.
            assert!(matches!(outcome, Outcome::Refused { .. }), "{nonce}: {outcome:?}");
        }
    }
    let rows = objects.shard(0).rows_written;
    assert!(rows < 60, "{rows} rows for 512 requests");
    objects.crash();
    let now = at(10_000);
    for nonce in 0..512 {
        let fresh_until = at(nonce * 10).plus(Duration::from_secs(300));
        let credential =
            Credential { nonce: Some(Nonce { hash: nonce, fresh_until }), ..Credential::default() };
        let outcome = objects.send("m", look("m", credential), now);
        assert!(matches!(outcome, Outcome::Replayed | Outcome::Unavailable), "{nonce}: {outcome:?}");
    }
    let later = at(20_000);
    assert!(matches!(
        objects.send("other", look("other", Credential::default()), later),
        Outcome::Standing(_)
    ));
    let fresh_until = later.plus(Duration::from_secs(300));
    let credential = Credential { nonce: Some(Nonce { hash: 1, fresh_until }), ..Credential::default() };
    assert!(matches!(objects.send("other", look("other", credential), later), Outcome::Standing(_)));
}

#[test]
fn after_a_crash_of_a_ledger_whose_clock_was_ahead_what_is_signed_waits_until_that_has_caught_up() {
    let mut objects = Objects::new(unhurried(limits()));
    for nonce in 0..100 {
        let now = at(120_000 + nonce * 10);
        assert!(
            is_reserved(&objects.send("m", signed(&nonce.to_string(), nonce, now, false), now)),
            "{nonce}"
        );
    }
    let look_at = |objects: &mut Objects, millis| {
        let now = at(millis);
        let nonce = Some(Nonce { hash: 1_000 + millis, fresh_until: now.plus(Duration::from_secs(300)) });
        objects.send("other", look("other", Credential { nonce, ..Credential::default() }), now)
    };
    // The clock is put right, which by itself is no reason to wait.
    assert!(matches!(look_at(&mut objects, 2_000), Outcome::Standing(_)));
    objects.crash();
    for millis in [3_000, 60_000, 120_000] {
        let outcome = look_at(&mut objects, millis);
        assert!(matches!(outcome, Outcome::Unavailable), "{millis}: {outcome:?}");
        let unsigned = objects.send("other", look("other", Credential::default()), at(millis));
        assert!(matches!(unsigned, Outcome::Standing(_)), "{millis}: {unsigned:?}");
    }
    assert!(matches!(look_at(&mut objects, 128_000), Outcome::Standing(_)));
}

/// Reservations that are open, and requests of which a crash took them.
fn open(objects: &mut Objects, now: UnixMillis) -> u64 {
    match objects.exchange(Message { to: 0, of: 1, command: Some(Command::State), ..Message::default() }, now)
    {
        Outcome::State(state) => state.open,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_crash_took_ends_once_and_is_not_admitted_again() {
    let mut objects = Objects::new(unhurried(limits()));
    for number in 0..20_u64 {
        let outcome = admit(&mut objects, &number.to_string(), "m", 1, at(number * 10));
        assert!(is_reserved(&outcome), "{outcome:?}");
    }
    assert!(objects.shard(0).journal_rows > 5, "{} rows of the journal", objects.shard(0).journal_rows);
    objects.crash();
    assert_eq!(open(&mut objects, at(300)), 20, "all of them are known");
    let again = admit(&mut objects, "19", "m", 1, at(300));
    assert!(matches!(again, Outcome::Unavailable), "{again:?}");
    for _ in 0..2 {
        settle(&mut objects, "19", "m", Charge::Nothing, at(400));
    }
    assert_eq!(open(&mut objects, at(400)), 19);
    // The others expire; each has its record.
    objects.shard(0).tick(&unhurried(limits()), at(400).plus(Duration::from_millis(2 * LIFETIME_MS)));
    let (shard, end) = (objects.shard(0), at(400).plus(Duration::from_millis(3 * LIFETIME_MS)));
    let mut log = String::new();
    while let Some(batch) = shard.batches.pop() {
        log.push_str(&batch.value);
        shard.batch_ended(batch.last, true, end);
    }
    let of = |id: &str| log.matches(&format!("\"request_id\":\"{id}\"")).count();
    assert_eq!((0..20).map(|number| of(&number.to_string())).collect::<Vec<_>>(), [1; 20]);
}

#[test]
fn the_ring_of_the_journal_is_used_again() {
    let mut objects = Objects::new(unhurried(limits()));
    // More rows than it has places, each covered by a main row in time.
    for number in 0..1_300_u64 {
        let (id, now) = (number.to_string(), at(number * 10));
        assert!(matches!(admit(&mut objects, &id, "m", 1, now), Outcome::Admitted { .. }), "{number}");
        settle(&mut objects, &id, "m", Charge::Nothing, now);
    }
    assert!(objects.shard(0).journal_rows > 1_024, "{}", objects.shard(0).journal_rows);
    objects.shard(0).tidy(at(30_000));
    objects.crash();
    assert_eq!(open(&mut objects, at(30_000)), 0, "rows of the round before count for nothing");
}

#[test]
fn a_message_that_comes_twice_is_no_replay() {
    let mut objects = objects();
    let command = signed("a", 7, at(0), false);
    let first = objects.send("m", command.clone(), at(0));
    let again = objects.send("m", command, at(0));
    assert!(matches!((first, again), (Outcome::Admitted { .. }, Outcome::Admitted { .. })));
}

#[test]
fn a_refused_request_leaves_its_nonce_unused() {
    let mut objects = objects();
    for number in 0..3 {
        objects.send("m", signed(&number.to_string(), number, at(0), false), at(0));
    }
    let refused = objects.send("m", signed("x", 99, at(0), false), at(0));
    assert!(matches!(refused, Outcome::Refused { reason: Refusal::Concurrency, .. }), "{refused:?}");
    settle(&mut objects, "0", "m", Charge::Nothing, at(0));
    let taken = objects.send("m", signed("y", 99, at(0), false), at(0));
    assert!(matches!(taken, Outcome::Admitted { .. }), "{taken:?}");
}

/// Carries out a change of revocations as the operator's route does.
fn change(objects: &mut Objects, errand: Errand, tell: impl Fn(u64) -> Command, now: UnixMillis) -> bool {
    let Answer::Changed { changed, revision, shards } = objects.treasury(errand, now) else { panic!() };
    for shard in shards {
        let message = Message {
            to: shard,
            of: objects.limits.shards,
            command: Some(tell(revision)),
            ..Message::default()
        };
        assert_eq!(objects.exchange(message, now), Outcome::Changed);
    }
    changed
}

fn revoke(objects: &mut Objects, revocation: &Revocation, now: UnixMillis) -> bool {
    let tell = |revision| Command::Revoke { revocation: revocation.clone(), revision };
    change(objects, Errand::Revoke(revocation.clone()), tell, now)
}

fn revocation(target: Target) -> Revocation {
    Revocation { target, at: at(0), by: "ann".to_owned(), reason: "lost".to_owned() }
}

#[test]
fn a_revocation_holds_at_once_and_after_a_crash_until_it_is_taken_back() {
    for shards in [1, 4] {
        for target in
            [Target::Machine("m".to_owned()), Target::Jti("t".to_owned()), Target::IssuedBefore(at(0))]
        {
            let mut objects = Objects::new(Limits { shards, ..limits() });
            let ask = |id: &str| {
                let credential = Credential { jti: Some("t".to_owned()), ..Credential::default() };
                Command::Admit(Admission { credential, ..admission(id, "m", "standard", 10) })
            };
            assert!(matches!(objects.send("m", ask("a"), at(0)), Outcome::Admitted { .. }));
            let said = revocation(target.clone());
            assert!(revoke(&mut objects, &said, at(0)));
            assert!(!revoke(&mut objects, &said, at(0)), "said twice");
            assert_eq!(objects.send("m", ask("b"), at(0)), Outcome::Revoked, "{target:?}");
            objects.crash();
            assert_eq!(objects.send("m", ask("c"), at(0)), Outcome::Revoked, "{target:?} after a crash");
            let listed = objects.treasury(Errand::Revocations, at(0));
            assert_eq!(listed, Answer::Revocations { revocations: vec![said] });
            let restore = Errand::Restore { target: target.clone() };
            let tell = |revision| Command::Restore { target: target.clone(), revision };
            assert!(change(&mut objects, restore, tell, at(0)));
            objects.crash();
            assert!(matches!(objects.send("m", ask("d"), at(0)), Outcome::Admitted { .. }), "{target:?}");
        }
    }
}

#[test]
fn a_shard_that_is_new_knows_who_is_revoked_before_it_admits_anybody() {
    let mut objects = objects();
    assert!(revoke(&mut objects, &revocation(Target::Machine("m".to_owned())), at(0)));
    // The operator spreads the machines over more shards; it takes effect with the next day.
    objects.limits.shards = 8;
    let subjects: Vec<String> = (0..40).map(|number| format!("machine-{number}")).collect();
    for subject in subjects.iter().chain([&"m".to_owned()]) {
        let outcome = admit(&mut objects, subject, subject, 0, at(61_000));
        assert_eq!(outcome == Outcome::Revoked, subject == "m", "{subject}: {outcome:?}");
    }
    assert_eq!(objects.shards.len(), 8);
}

#[test]
fn a_cap_that_pays_for_ten_admits_ten() {
    let mut objects = Objects::new(unhurried(limits()));
    let reserved =
        (0..64).filter(|number| is_reserved(&admit(&mut objects, &number.to_string(), "m", 100, at(0))));
    assert_eq!(reserved.count(), 10);
}

#[test]
fn each_cap_is_named_when_it_is_reached() {
    let mut objects = Objects::new(unhurried(limits()));
    let mut reached = |subject: &str, plan: &str, id: &str, worst: u64| {
        let command = Command::Admit(admission(id, subject, plan, worst));
        match objects.send(subject, command, at(0)) {
            Outcome::Admitted { budget: Budget::Reached(cap), .. } => Some(cap),
            Outcome::Admitted { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reached("a", "pool", "1", 400), None);
    assert_eq!(reached("a", "pool", "2", 1), Some(Cap::Machine));
    assert_eq!(reached("b", "pool", "3", 101), Some(Cap::Plan));
    assert_eq!(reached("b", "pool", "4", 100), None);
    assert_eq!(reached("c", "standard", "5", 1_000), None);
    assert_eq!(reached("d", "standard", "6", 501), Some(Cap::Service));
    assert_eq!(reached("d", "standard", "7", 500), None);
}

#[test]
fn a_change_of_shards_waits_for_the_next_day_and_passes_no_cap() {
    let mut limits = unhurried(limits());
    limits.shards = 4;
    limits.service_daily = nano(100_000);
    let mut objects = Objects::new(limits);
    let reserve = |objects: &mut Objects, tag: &str, now| {
        let outcomes = (0..30).map(|number| admit(objects, &format!("{tag}-{number}"), "m", 100, now));
        outcomes.filter(is_reserved).count()
    };
    assert_eq!(reserve(&mut objects, "a", at(0)), 10);
    for shards in [1, 8, 2] {
        objects.limits.shards = shards;
        objects.crash();
        assert_eq!(reserve(&mut objects, &format!("b{shards}"), at(1)), 0, "the machine's cap holds");
        // A Worker that goes by its new settings is told where the machine is.
        let stale = Route { shards, salt: 0 };
        let outcome = objects.send_by(stale, "m", Command::Admit(admission("c", "m", "standard", 1)), at(1));
        assert!(matches!(outcome, Outcome::Moved(Route { shards: 4, .. })), "{outcome:?}");
    }
    // Signed requests of before midnight may have been admitted by another shard.
    assert_eq!(reserve(&mut objects, "d", at(61_000)), 10);
    let early = objects.send("m", signed("e", 7, at(0), true), at(62_000));
    assert_eq!(early, Outcome::Unavailable);
    let later = at(60_000 + 301_000);
    assert!(matches!(objects.send("m", signed("f", 8, later, true), later), Outcome::Standing(_)));
}

#[test]
fn a_lowered_cap_holds_as_soon_as_the_settings_do() {
    let mut limits = unhurried(limits());
    limits.shards = 2;
    limits.service_daily = nano(1_000);
    let mut objects = Objects::new(limits);
    let reserve = |objects: &mut Objects, tag: &str, from: u64| {
        let outcomes = (0..40).map(|number| {
            // A pool that is empty is not asked again within a second.
            let now = at(from + number * 300);
            admit(objects, &format!("{tag}-{number}"), &number.to_string(), 10, now)
        });
        outcomes.filter(is_reserved).count()
    };
    assert_eq!(reserve(&mut objects, "a", 0), 40);
    objects.limits.service_daily = nano(500);
    objects.crash();
    assert_eq!(reserve(&mut objects, "b", 13_000), 10, "400 of 500 were gone");
    objects.limits.service_daily = nano(600);
    assert_eq!(reserve(&mut objects, "c", 26_000), 10);
}

#[test]
fn an_idle_shard_gives_its_lease_back() {
    let mut limits = unhurried(limits());
    limits.shards = 2;
    let mut objects = Objects::new(limits.clone());
    let route = Route { shards: 2, salt: 0x5a17 };
    let of_shard =
        |shard| (0..).map(|number| format!("m{number}")).find(|name| route.shard_of(name) == shard).unwrap();
    let (zero, one) = (of_shard(0), of_shard(1));
    assert!(is_reserved(&admit(&mut objects, "a", &zero, 100, at(0))));
    objects.settle(settlement("a", &zero, Charge::Actual(nano(10))), at(0));
    let alarm = objects.shard(0).alarm.unwrap();
    let step = objects.shard(0).tick(&limits, alarm);
    assert_eq!(step.ask, None, "there has just been a request");
    let alarm = objects.shard(0).alarm.unwrap();
    assert_eq!(alarm, at(180_000));
    // The clock's day has begun anew by then, so the treasury is held to the first one.
    let ask = objects.shard(0).tick(&limits, alarm).ask.expect("the lease is given back");
    assert!(ask.holds_only);
    assert_eq!(ask.pools.iter().find(|pool| pool.pool == "service").unwrap().held, nano(10));
    objects.lease(ask, at(0));
    let granted = match objects.treasury(Errand::State, at(0)) {
        Answer::State(state) => state.granted["service"][&0],
        other => panic!("{other:?}"),
    };
    assert_eq!(granted, nano(10));
    let reserved =
        (0..30).filter(|number| is_reserved(&admit(&mut objects, &format!("b{number}"), &one, 100, at(0))));
    assert_eq!(reserved.count(), 10, "the machine's cap, as the service's leaves room");
}

#[test]
fn a_plans_cap_that_is_new_counts_from_then_on_and_the_services_holds() {
    let mut limits = unhurried(limits());
    let pool = limits.plans.get_mut("pool").unwrap();
    (pool.total_daily, pool.machine_daily) = (None, nano(5_000));
    limits.service_daily = nano(900);
    let mut objects = Objects::new(limits);
    let spend = |objects: &mut Objects, from: u64, count: u64| {
        let spent = (from..from + count).filter(|number| {
            let id = format!("p{number}");
            let outcome = objects.send("m", Command::Admit(admission(&id, "m", "pool", 100)), at(0));
            settle(objects, &id, "m", Charge::Full, at(0));
            is_reserved(&outcome)
        });
        spent.count()
    };
    assert_eq!(spend(&mut objects, 0, 4), 4);
    objects.limits.plans.get_mut("pool").unwrap().total_daily = Some(nano(300));
    assert_eq!(spend(&mut objects, 10, 20), 3, "from then on");
    objects.limits.plans.get_mut("pool").unwrap().total_daily = None;
    assert_eq!(spend(&mut objects, 40, 20), 2, "nine in all");
}

#[test]
fn after_a_jump_of_the_clock_and_a_crash_the_log_charges_no_more_than_is_gone() {
    // A hundred requests a second, and more than are written down ahead before the row's time comes.
    for gap_ms in [10, 1] {
        jump_and_crash(gap_ms);
    }
}

fn jump_and_crash(gap_ms: u64) {
    let mut limits = unhurried(limits());
    (limits.service_daily, limits.plans.get_mut("standard").unwrap().machine_daily) =
        (nano(1_000_000), nano(1_000_000));
    let mut objects = Objects::new(limits);
    let once = |objects: &mut Objects, number: u64, now: UnixMillis| {
        let (id, who) = (format!("r{number}"), format!("m{}", number % 8));
        let outcome = objects.send(&who, Command::Admit(admission(&id, &who, "standard", 100)), now);
        assert!(is_reserved(&outcome), "{outcome:?}");
        settle(objects, &id, &who, Charge::Actual(nano(10)), now);
    };
    // After midnight.
    let after = |millis: u64| at(61_000 + millis);
    (0..20).for_each(|number| once(&mut objects, number, after(number * 20)));
    // Two minutes ahead for one request, then right again for dense traffic.
    once(&mut objects, 20, after(120_000));
    (21..521).for_each(|number| once(&mut objects, number, after(400 + number * gap_ms)));
    objects.crash();
    let later = after(1_000_000);
    objects.send("m0", look("m0", Credential::default()), later);
    let Outcome::Usage(usage) = objects.send("m0", Command::Usage { since: Day::from_number(0) }, later)
    else {
        panic!("no usage")
    };
    let used = usage.state.funds["service"].used;
    let charged = usage.tallies.iter().map(|tally| tally.spent.nanos()).sum::<u64>();
    // What the model bills, what the log charges where nobody knows the end, and what is gone.
    assert!(521 * 10 <= charged && charged <= used.nanos(), "{charged} of {used:?} at {gap_ms} ms");
}
