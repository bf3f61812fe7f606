//! What operators are told of the ledger: its counters, its machines, and their switch for the model.
#![cfg(not(target_arch = "wasm32"))]

mod ledger_support;

use std::collections::BTreeMap;
use std::time::Duration;

use ledger_support::{ENDED, Objects};
use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::tally::{OfPlan, Tally};
use pip_aide_gateway::ledger::wire::ended::{Ended, Ending, News, Reason, Source};
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::usage::{MachineState, Machines, Order, ShardUsage};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Message, Nonce, Outcome, Revocation, Settlement, Target,
};
use pip_aide_gateway::policy::day::{Day, DayStart};
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

/// Midnight, when a spending day and a UTC day begin.
const START_MS: u64 = 1_795_478_400_000;
const DAY_MS: u64 = 86_400_000;
const LIFETIME_MS: u64 = 35_000;
const TODAY: Day = Day::from_number(20_782);

const fn nano(amount: u64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(START_MS + millis)
}

fn limits(shards: u32) -> Limits {
    let plan = |total_daily| Plan {
        quota: parse_rate("1/hour", 6).unwrap(),
        concurrency: 2,
        machine_daily: nano(10_000),
        total_daily,
    };
    let plans = [("standard", plan(None)), ("pool", plan(Some(nano(5_000))))];
    Limits {
        plans: plans.map(|(name, plan)| (name.to_owned(), plan)).into(),
        service_daily: nano(1_000_000),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards,
    }
}

fn admission(id: &str, subject: &str, plan: &str) -> Admission {
    Admission {
        id: id.to_owned(),
        subject: subject.to_owned(),
        plan: plan.to_owned(),
        credential: Credential::default(),
        worst: nano(100),
        lifetime_ms: LIFETIME_MS,
        level: None,
    }
}

fn admit(objects: &mut Objects, id: &str, subject: &str, plan: &str, now: UnixMillis) -> Outcome {
    objects.send(subject, Command::Admit(admission(id, subject, plan)), now)
}

/// The settlement of what was admitted.
fn settlement(id: &str, subject: &str, outcome: &Outcome, charge: u64, ended: Ended) -> Settlement {
    let Outcome::Admitted { shard, .. } = outcome else { panic!("{outcome:?}") };
    let record = Some(format!("{{\"request_id\":\"{id}\"}}"));
    let (id, subject, charge) = (id.to_owned(), subject.to_owned(), Charge::Actual(nano(charge)));
    let (shard, ended) = (*shard, Some(ended));
    Settlement { id, subject, charge, shard, record, ended }
}

/// Admits a request of plan `standard` and settles it.
fn request(objects: &mut Objects, id: &str, subject: &str, charge: u64, ended: Ended, now: UnixMillis) {
    let outcome = admit(objects, id, subject, "standard", now);
    objects.settle(settlement(id, subject, &outcome, charge, ended), now);
}

fn by(outcome: Ending, source: Option<Source>) -> Ended {
    Ended { outcome, source, tokens: (0, 0), ms: 4 }
}

fn tell(objects: &mut Objects, shard: u32, command: Command, now: UnixMillis) -> Outcome {
    let of = objects.limits.shards;
    objects.exchange(Message { to: shard, of, command: Some(command), ..Message::default() }, now)
}

fn usage(objects: &mut Objects, shard: u32, now: UnixMillis) -> ShardUsage {
    match tell(objects, shard, Command::Usage { since: Day::from_number(0) }, now) {
        Outcome::Usage(usage) => *usage,
        other => panic!("{other:?}"),
    }
}

/// The reasons that were counted.
fn refused(tally: &Tally) -> Vec<(Reason, u64)> {
    let counts = Reason::ALL.into_iter().map(|reason| (reason, tally.refused.get(reason.place())));
    counts.filter(|(_, count)| *count > 0).collect()
}

/// One day's counters over all shards.
fn of_day(objects: &mut Objects, day: Day, now: UnixMillis) -> Tally {
    let mut all = Tally::of(day);
    for shard in 0..objects.limits.shards {
        usage(objects, shard, now)
            .tallies
            .iter()
            .filter(|tally| tally.day == day)
            .for_each(|tally| all.take_in(tally));
    }
    all
}

fn machines(objects: &mut Objects, order: Order, limit: u32, now: UnixMillis) -> Machines {
    match tell(objects, 0, Command::Machines { order, limit }, now) {
        Outcome::Machines(machines) => machines,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_request_is_counted_where_it_ended_also_after_a_crash() {
    for shards in [1, 4] {
        let mut objects = Objects::new(limits(shards));
        let ends = [
            (by(Ending::Answered, Some(Source::Rules)), 0),
            (by(Ending::Answered, Some(Source::Cache)), 0),
            (ENDED, 70),
            (by(Ending::UpstreamFailed, None), 30),
            (by(Ending::SpendCapReached, None), 0),
        ];
        // A minute apart, which is no dense traffic.
        let mut now = at(0);
        for subject in 0..8 {
            for (number, (ended, charge)) in ends.iter().enumerate() {
                now = now.plus(Duration::from_secs(60));
                request(
                    &mut objects,
                    &format!("{subject}-{number}"),
                    &format!("m{subject}"),
                    *charge,
                    *ended,
                    now,
                );
            }
        }
        // Of another plan; and one of which nobody tells the end.
        let outcome = admit(&mut objects, "p", "other", "pool", now);
        objects.settle(settlement("p", "other", &outcome, 20, ENDED), now);
        admit(&mut objects, "lost", "other", "pool", now);
        now = now.plus(Duration::from_millis(LIFETIME_MS + 1));
        for shard in 0..shards {
            tell(&mut objects, shard, Command::State, now);
            objects.shard(shard).tick(&limits(shards), now);
        }
        let before = of_day(&mut objects, TODAY, now);
        assert_eq!(Ending::ALL.map(|of| before.outcomes.get(of.place())), [25, 0, 8, 8, 0, 1]);
        assert_eq!(Source::ALL.map(|of| before.sources.get(of.place())), [8, 8, 9]);
        assert_eq!((before.requests(), before.without_answer()), (42, 17));
        assert_eq!((before.tokens.get(0), before.tokens.get(1)), (9 * 400, 9 * 50));
        assert_eq!(before.spent, nano(8 * 100 + 20 + 100));
        let plans: BTreeMap<_, _> =
            before.plans.iter().map(|(plan, of)| (plan.as_str(), (of.0, of.1))).collect();
        assert_eq!(plans, [("pool", (2, nano(120))), ("standard", (40, nano(800)))].into());
        assert_eq!((before.latency.count(), before.latency.sum_ms()), (41, 32 * 4 + 9 * 1_800));
        objects.crash();
        assert_eq!(of_day(&mut objects, TODAY, now), before, "after a crash");
    }
}

#[test]
fn a_settlement_that_comes_again_is_not_counted_again() {
    let mut objects = Objects::new(limits(1));
    let outcome = admit(&mut objects, "a", "m", "standard", at(0));
    let settled = settlement("a", "m", &outcome, 70, ENDED);
    for _ in 0..2 {
        objects.settle(settled.clone(), at(1));
        assert_eq!(of_day(&mut objects, TODAY, at(1)).requests(), 1);
    }
    objects.crash();
    objects.settle(settled, at(2));
    let tally = of_day(&mut objects, TODAY, at(2));
    assert_eq!((tally.requests(), tally.spent), (1, nano(70)));
}

#[test]
fn requests_whose_reservations_a_crash_took_are_counted_as_the_log_has_them() {
    let mut objects = Objects::new(limits(1));
    // Dense traffic, which writes ahead: then an admission is in the journal only.
    for number in 0..20 {
        request(&mut objects, &number.to_string(), &format!("m{number}"), 10, ENDED, at(number * 20));
    }
    let told = admit(&mut objects, "told", "m1", "standard", at(420));
    admit(&mut objects, "lost", "m2", "standard", at(440));
    let main: serde_json::Value = serde_json::from_str(&objects.shard(0).stored[rows::SHARD]).unwrap();
    assert!(!main["open"].to_string().contains("told"), "{main}");
    objects.crash();
    let before = of_day(&mut objects, TODAY, at(500));
    for _ in 0..2 {
        objects.settle(settlement("told", "m1", &told, 30, ENDED), at(600));
        let tally = of_day(&mut objects, TODAY, at(600));
        assert_eq!(
            (tally.requests(), tally.spent),
            (before.requests() + 1, before.spent.saturating_add(nano(30)))
        );
        assert_eq!(tally.plans["standard"].0, before.plans["standard"].0 + 1);
    }
    // Whose end nobody tells costs all that was set aside.
    let late = at(440 + LIFETIME_MS + 1);
    let tally = of_day(&mut objects, TODAY, late);
    let OfPlan(requests, charged) = tally.plans["standard"];
    assert!(tally.outcomes.get(Ending::Unsettled.place()) >= 1, "{tally:?}");
    assert_eq!((requests, charged), (tally.requests(), tally.spent));
    // Twenty, one told, one lost: each is counted once, whatever the crash took.
    assert_eq!(tally.requests(), 22, "{tally:?}");
}

#[test]
fn a_day_that_is_over_is_kept_for_a_month_in_a_row_that_is_written_once() {
    let mut objects = Objects::new(limits(1));
    request(&mut objects, "a", "m", 70, ENDED, at(0));
    // Admitted before midnight, over after it.
    let late = admit(&mut objects, "b", "m", "standard", at(DAY_MS - 1_000));
    request(&mut objects, "c", "n", 5, ENDED, at(DAY_MS + 1_000));
    let key = rows::tally_key(TODAY);
    assert!(!objects.shard(0).stored.contains_key(&key), "one of its requests is open");
    objects.settle(settlement("b", "m", &late, 9, ENDED), at(DAY_MS + 2_000));
    let first: Tally = serde_json::from_str(&objects.shard(0).stored[&key]).unwrap();
    assert_eq!((first.requests(), first.spent), (2, nano(79)));
    let row = objects.shard(0).stored[&key].clone();
    for day in 1..=31 {
        request(&mut objects, &format!("d{day}"), "m", 1, ENDED, at(day * DAY_MS + 10_000));
        assert_eq!(objects.shard(0).stored.get(&key), Some(&row), "day {day}");
        objects.crash();
        assert_eq!(of_day(&mut objects, TODAY, at(day * DAY_MS + 20_000)), first, "day {day}");
    }
    request(&mut objects, "e", "m", 1, ENDED, at(32 * DAY_MS));
    assert_eq!(objects.shard(0).stored.get(&key), None);
    assert_eq!(of_day(&mut objects, TODAY, at(32 * DAY_MS)).requests(), 0);
    let kept = objects.shard(0).stored.keys().filter(|key| key.starts_with(rows::TALLY)).count();
    assert_eq!(kept, 31);
}

#[test]
fn who_is_refused_again_and_again_costs_a_row_in_half_a_minute() {
    let mut objects = Objects::new(limits(1));
    for number in 0..6 {
        request(&mut objects, &number.to_string(), "m", 0, ENDED, at(number * 1_000));
    }
    let before = objects.shard(0).rows_written;
    // Four a second for five minutes, with some news of strangers.
    let mut now = at(10_000);
    for number in 0..1_200 {
        now = now.plus(Duration::from_millis(250));
        let mut news = News { requests: 2, ..News::default() };
        news.refuse(Reason::Unauthenticated);
        let command = Some(Command::Admit(admission(&format!("r{number}"), "m", "standard")));
        let outcome = objects.exchange(Message { to: 0, of: 1, news, command, ..Message::default() }, now);
        assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
        assert!(objects.shard(0).is_ahead, "the object has to stay awake for it");
    }
    let rows = objects.shard(0).rows_written - before;
    // With the alarms that are set with them.
    assert!((10..=13).contains(&rows), "{rows} rows");
    // The last of them are written down when the object has been left alone.
    let mut tidied = objects.shard(0).tidy(now.plus(Duration::from_secs(3)));
    for seconds in (6..=30).step_by(3) {
        if tidied.is_none() {
            tidied = objects.shard(0).tidy(now.plus(Duration::from_secs(seconds)));
        }
    }
    assert!(tidied.is_some(), "nothing is written down");
    objects.crash();
    let now = now.plus(Duration::from_secs(60));
    let tally = of_day(&mut objects, TODAY, now);
    assert_eq!(refused(&tally), [(Reason::Unauthenticated, 1_200), (Reason::RateLimited, 1_200)]);
    assert_eq!(usage(&mut objects, 0, now).asked.worker, 2_400);
}

#[test]
fn every_refusal_of_the_ledger_has_its_reason() {
    let mut objects = Objects::new(limits(1));
    let nonce =
        || Credential { nonce: Some(Nonce { hash: 7, fresh_until: at(300_000) }), ..Credential::default() };
    let signed =
        |id: &str| Command::Admit(Admission { credential: nonce(), ..admission(id, "signs", "standard") });
    assert!(matches!(objects.send("signs", signed("a"), at(0)), Outcome::Admitted { .. }));
    assert_eq!(objects.send("signs", signed("b"), at(0)), Outcome::Replayed);
    for id in ["c", "d"] {
        assert!(matches!(admit(&mut objects, id, "busy", "standard", at(0)), Outcome::Admitted { .. }));
    }
    assert!(matches!(admit(&mut objects, "e", "busy", "standard", at(0)), Outcome::Refused { .. }));
    change(&mut objects, Some("lost"), Target::Machine("lost".to_owned()), at(0));
    assert_eq!(admit(&mut objects, "f", "lost", "standard", at(0)), Outcome::Revoked);
    assert_eq!(admit(&mut objects, "g", "m", "nowhere", at(0)), Outcome::UnknownPlan);
    let tally = of_day(&mut objects, TODAY, at(0));
    let reasons = [(Reason::Revoked, 1), (Reason::Replayed, 1), (Reason::Concurrency, 1)];
    assert_eq!(refused(&tally), reasons, "the Worker counts unknown plans itself");
    assert_eq!(tally.requests(), 0, "none of them is over");
}

#[test]
fn rows_of_the_version_before_are_read() {
    let mut objects = Objects::new(limits(1));
    request(&mut objects, "a", "m", 70, ENDED, at(0));
    admit(&mut objects, "b", "m", "standard", at(20_000));
    let mut main: serde_json::Value = serde_json::from_str(&objects.shard(0).stored[rows::SHARD]).unwrap();
    assert!(main["tallies"].is_object() && main["machines"]["m"]["requests"] == 1, "{main}");
    main.as_object_mut().unwrap().remove("tallies");
    main["machines"]["m"].as_object_mut().unwrap().remove("requests");
    let mut books: serde_json::Value =
        serde_json::from_str(&objects.treasury.stored[rows::TREASURY]).unwrap();
    books.as_object_mut().unwrap().remove("asked");
    objects.crash();
    objects.shard(0).stored.insert(rows::SHARD.to_owned(), main.to_string());
    objects.treasury.stored.insert(rows::TREASURY.to_owned(), books.to_string());
    request(&mut objects, "c", "m", 30, ENDED, at(40_000));
    assert_eq!(of_day(&mut objects, TODAY, at(40_000)).requests(), 1, "counted from here on");
}

#[test]
fn what_is_asked_of_the_platform_is_counted_as_it_is_asked() {
    let mut objects = Objects::new(limits(1));
    for number in 0..6 {
        request(&mut objects, &number.to_string(), &format!("m{number}"), 10, ENDED, at(number * 10_000));
    }
    let asked = usage(&mut objects, 0, at(60_000)).asked;
    assert_eq!(asked.requests, 13, "six admissions, six settlements, this question");
    assert_eq!(asked.rows_written, objects.shard(0).rows_written);
    assert!(asked.rows_written >= 12, "{asked:?}");
    assert_eq!(asked.kv_writes, objects.shard(0).batches.len() as u64);
    objects.crash();
    let again = usage(&mut objects, 0, at(60_000)).asked;
    assert_eq!((again.rows_written, again.kv_writes), (asked.rows_written, asked.kv_writes), "kept");
    assert_eq!(usage(&mut objects, 0, at(DAY_MS)).asked.rows_written, 0, "another day");
}

#[test]
fn machines_are_told_by_what_they_did_also_those_with_rows_of_their_own() {
    const MACHINES: u64 = 700;
    let mut objects = Objects::new(limits(1));
    let name = |number: u64| format!("m{number:03}");
    let mut now = at(0);
    for number in 0..MACHINES {
        now = now.plus(Duration::from_secs(1));
        // The first spent the most.
        request(&mut objects, &name(number), &name(number), (MACHINES - number) / 7, ENDED, now);
    }
    let spilled = |objects: &mut Objects| {
        objects.shard(0).stored.keys().filter(|key| key.starts_with(rows::MACHINE)).count()
    };
    assert!(spilled(&mut objects) > 100);
    // One comes back into memory: its old row says less.
    let row = rows::machine_key(&name(0));
    assert!(objects.shard(0).stored.contains_key(&row));
    now = now.plus(Duration::from_secs(60));
    request(&mut objects, "again", &name(0), 1, ENDED, now);
    for _ in 0..2 {
        let list = machines(&mut objects, Order::Spent, 3, now);
        assert!(list.complete && list.day == TODAY);
        let told: Vec<_> =
            list.machines.iter().map(|one| (one.subject.as_str(), one.requests, one.spent.nanos())).collect();
        assert_eq!(told, [("m000", 2, 101), ("m001", 1, 99), ("m002", 1, 99)]);
        let all = machines(&mut objects, Order::Seen, 1_000, now).machines;
        let mut names: Vec<&str> = all.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!((names[0], names[1]), ("m000", "m699"));
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len() as u64, all.len() as u64), (MACHINES, MACHINES), "each once");
        assert_eq!(all.iter().map(|one| one.requests).sum::<u64>(), MACHINES + 1);
        objects.crash();
    }
    let detail = objects.send("m001", Command::Machine { subject: "m001".to_owned() }, now);
    let Outcome::Machine(detail) = detail else { panic!("{detail:?}") };
    let of = |machine: &MachineState| (machine.subject.clone(), machine.plan.clone(), machine.requests);
    assert_eq!(detail.machine.as_ref().map(of), Some(("m001".to_owned(), "standard".to_owned(), 1)));
    assert_eq!(detail.revocation, None);
    let nobody = objects.send("nobody", Command::Machine { subject: "nobody".to_owned() }, now);
    let Outcome::Machine(nobody) = nobody else { panic!("{nobody:?}") };
    assert_eq!(nobody.machine, None);
    // The next day nobody has done anything.
    assert_eq!(machines(&mut objects, Order::Requests, 10, at(DAY_MS)).machines, Vec::new());
}

#[test]
fn so_many_rows_are_read_for_a_list_and_it_says_so() {
    let mut objects = Objects::new(limits(1));
    let mut now = at(0);
    for number in 0..2_600_u64 {
        now = now.plus(Duration::from_millis(100));
        request(&mut objects, &number.to_string(), &format!("m{number}"), 1, ENDED, now);
    }
    assert!(!machines(&mut objects, Order::Spent, 5, now).complete);
}

/// Revokes a target for a reason, or takes that back, as the operators' routes do.
fn change(objects: &mut Objects, reason: Option<&str>, target: Target, now: UnixMillis) -> bool {
    let revocation = reason.map(|reason| {
        let target = target.clone();
        Revocation { target, at: now, by: "ann".to_owned(), reason: reason.to_owned() }
    });
    let errand = match &revocation {
        Some(revocation) => Errand::Revoke(revocation.clone()),
        None => Errand::Restore { target: target.clone() },
    };
    let Answer::Changed { changed, revision, shards } = objects.treasury(errand, now) else { panic!() };
    for shard in shards {
        let command = match revocation.clone() {
            Some(revocation) => Command::Revoke { revocation, revision },
            None => Command::Restore { target: target.clone(), revision },
        };
        assert_eq!(tell(objects, shard, command, now), Outcome::Changed);
    }
    changed
}

fn budget(objects: &mut Objects, id: &str, subject: &str, now: UnixMillis) -> Budget {
    match admit(objects, id, subject, "standard", now) {
        Outcome::Admitted { budget, .. } => budget,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ledger_admits_without_money_while_the_model_is_off() {
    for shards in [1, 4] {
        let mut objects = Objects::new(limits(shards));
        let subjects: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
        let ask = |objects: &mut Objects, what: &str, expected: Budget, now: UnixMillis| {
            for subject in &subjects {
                let id = format!("{what}-{subject}");
                assert_eq!(budget(objects, &id, subject, now), expected, "{what}");
            }
        };
        ask(&mut objects, "before", Budget::Reserved, at(0));
        let used = |objects: &mut Objects| -> u64 {
            (0..shards).map(|shard| usage(objects, shard, at(1)).state.funds["service"].used.nanos()).sum()
        };
        assert_eq!(used(&mut objects), 1_200);
        assert!(change(&mut objects, Some("a bill"), Target::Model, at(1)));
        assert!(!change(&mut objects, Some("again"), Target::Model, at(1)), "it is off already");
        ask(&mut objects, "off", Budget::SwitchedOff, at(2));
        assert_eq!(used(&mut objects), 1_200, "nothing is set aside");
        objects.crash();
        let after = at(60_000);
        ask(&mut objects, "after a crash", Budget::SwitchedOff, after);
        let Answer::State(state) = objects.treasury(Errand::State, after) else { panic!() };
        assert_eq!(
            state.switched_off.map(|off| (off.by, off.reason)),
            Some(("ann".to_owned(), "a bill".to_owned()))
        );
        assert!(change(&mut objects, None, Target::Model, after));
        assert!(!change(&mut objects, None, Target::Model, after), "it is on already");
        objects.crash();
        ask(&mut objects, "on", Budget::Reserved, at(120_000));
    }
}

#[test]
fn ledger_shards_that_are_new_know_that_the_model_is_off() {
    let mut objects = Objects::new(limits(1));
    assert!(change(&mut objects, Some("a bill"), Target::Model, at(0)));
    objects.limits.shards = 8;
    for number in 0..40 {
        let subject = format!("m{number}");
        assert_eq!(budget(&mut objects, &subject, &subject, at(DAY_MS)), Budget::SwitchedOff);
    }
    assert_eq!(objects.shards.len(), 8);
}
