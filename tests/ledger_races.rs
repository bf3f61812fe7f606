//! Messages that overtake each other, come twice or come late, and what a crash makes of them: one case each.
#![cfg(not(target_arch = "wasm32"))]
mod ledger_support;

use ledger_support::Objects;
use pip_aide_gateway::ledger::logbook::Logbook;
use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::shard::Turn;
use pip_aide_gateway::ledger::treasury::Treasury;
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand, LeaseRequest, Number, PoolRequest, Want};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Message, Outcome, Revocation, Settlement, Target,
};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

const START_MS: u64 = 1_795_478_400_000;
const fn nano(amount: u64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}
const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(START_MS + millis)
}

fn limits(service: u64, shards: u32) -> Limits {
    let plan = Plan {
        quota: parse_rate("1000/second", 1_000).unwrap(),
        concurrency: 10_000,
        machine_daily: nano(100_000),
        total_daily: None,
    };
    Limits {
        plans: [("standard".to_owned(), plan)].into(),
        service_daily: nano(service),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards,
    }
}

fn admission(id: &str, subject: &str, worst: u64) -> Admission {
    Admission {
        id: id.to_owned(),
        subject: subject.to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: nano(worst),
        lifetime_ms: 35_000,
        level: None,
    }
}

fn to(shard: u32, of: u32, command: Command) -> Message {
    Message { to: shard, of, settled: vec![], command: Some(command), ..Message::default() }
}

fn is_reserved(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Admitted { budget: Budget::Reserved, .. })
}

fn settlement(id: &str, subject: &str, shard: u32, charge: Charge) -> Settlement {
    Settlement {
        id: id.to_owned(),
        subject: subject.to_owned(),
        charge,
        shard,
        ended: Some(ledger_support::ENDED),
        record: Some(format!("{{\"request_id\":\"{id}\"}}")),
    }
}

/// A treasury, and the day's first lease requests.
struct Leasing {
    limits: Limits,
    treasury: Treasury,
}

impl Leasing {
    fn of(service: u64) -> Self {
        Self { limits: limits(service, 2), treasury: Treasury::default() }
    }

    fn request(&self, shard: u32, number: u64, holds_only: bool, held: u64, want: Want) -> LeaseRequest {
        LeaseRequest {
            shard,
            number: Number(1, number),
            day: self.limits.day.day_of(at(0)),
            holds_only,
            revision: 0,
            pools: vec![PoolRequest { pool: "service".to_owned(), held: nano(held), want }],
        }
    }

    /// What the shard then holds; nothing where the request is refused as too old.
    fn ask(&mut self, request: LeaseRequest) -> u64 {
        match self.treasury.step(&self.limits, Errand::Lease(request), 7, at(0)).unwrap().answer {
            Answer::Lease(lease) => lease.pools[0].granted.nanos(),
            Answer::Stale => 0,
            other => panic!("{other:?}"),
        }
    }
}

/// Late, it would take back at the treasury what was granted after it.
#[test]
fn a_doubled_holds_only_request_takes_nothing_back_that_was_granted_after_it() {
    let mut leasing = Leasing::of(1_000);
    let first = leasing.request(0, 1, true, 0, Want::Nothing);
    assert_eq!(leasing.ask(first.clone()), 0);
    let held = leasing.ask(leasing.request(0, 2, false, 0, Want::Need(nano(900))));
    let _ = leasing.ask(first); // doubled, late
    let other = leasing.ask(leasing.request(1, 1, true, 0, Want::Need(nano(900))));
    assert!(held + other <= 1_000, "{held} and {other} are leased of 1000");
}

/// Nobody would ever give back what it is granted: the shard takes no answer to it.
#[test]
fn a_request_from_before_all_was_given_back_is_granted_nothing() {
    let mut leasing = Leasing::of(1_000);
    assert_eq!(leasing.ask(leasing.request(0, 1, true, 0, Want::Need(nano(500)))), 500);
    let late = leasing.request(0, 2, false, 500, Want::Need(nano(900)));
    assert_eq!(leasing.ask(leasing.request(0, 3, true, 0, Want::Nothing)), 0);
    assert_eq!(leasing.ask(late), 0, "it is stale");
    let other = leasing.ask(leasing.request(1, 1, true, 0, Want::Need(nano(1_000))));
    assert_eq!(other, 1_000, "the other shard can have all");
}

/// A shard gives back, and asks anew before the first request has arrived.
#[test]
fn what_overtakes_a_give_back_leases_nothing_twice() {
    let mut objects = Objects::new(limits(1_000, 2));
    let limits = objects.limits.clone();
    let admit = |id: &str, worst| Command::Admit(admission(id, "m", worst));
    assert!(is_reserved(&objects.exchange(to(0, 2, admit("a", 900)), at(0))));
    objects.exchange(
        Message {
            to: 0,
            of: 2,
            settled: vec![settlement("a", "m", 0, Charge::Nothing)],
            ..Message::default()
        },
        at(10),
    );
    // Idle: it gives back; the message is under way for a little while.
    let give_back = objects.shard(0).tick(&limits, at(100_000)).ask.expect("it gives back");
    // Meanwhile a request comes, and its question is heard first.
    assert!(is_reserved(&objects.exchange(to(0, 2, admit("b", 900)), at(100_001))));
    let _ = objects.treasury(Errand::Lease(give_back), at(100_020));
    let other = objects.exchange(to(1, 2, Command::Admit(admission("c", "n", 900))), at(100_030));
    assert!(!is_reserved(&other), "1800 of 1000 are set aside");
}

/// The treasury's word of what was granted comes after all was given back, and granted to another.
#[test]
fn an_answer_that_a_give_back_overtook_leases_nothing() {
    let mut objects = Objects::new(limits(1_000, 2));
    let limits = objects.limits.clone();
    let admit = |id: &str, worst| Command::Admit(admission(id, "m", worst));
    objects.exchange(to(0, 2, admit("w", 10)), at(0));
    objects.exchange(
        Message {
            to: 0,
            of: 2,
            settled: vec![settlement("w", "m", 0, Charge::Nothing)],
            ..Message::default()
        },
        at(5),
    );
    let step = objects.shard(0).step(&limits, to(0, 2, admit("a", 800)), 0, at(10), false).unwrap();
    let Turn::Ask(request, _) = step.turn else { panic!() };
    let late = objects.treasury(Errand::Lease(request), at(10));
    // Its client is gone; the shard is idle, and gives back what it knows of.
    let give_back = objects.shard(0).tick(&limits, at(100_000)).ask.expect("it gives back");
    objects.lease(give_back, at(100_010));
    let other = objects.exchange(to(1, 2, Command::Admit(admission("c", "n", 700))), at(100_020));
    assert!(is_reserved(&other), "all was given back: {other:?}");
    objects.shard(0).answered(&limits, late, at(100_030));
    let outcome = objects.exchange(to(0, 2, admit("b", 700)), at(100_040));
    assert!(!is_reserved(&outcome), "1400 of 1000 are set aside");
}

/// The same at the start of an epoch.
#[test]
fn what_overtakes_the_first_request_of_an_epoch_leases_nothing_twice() {
    let mut objects = Objects::new(limits(1_000, 2));
    let limits = objects.limits.clone();
    let admit = |id: &str, worst| Command::Admit(admission(id, "m", worst));
    // Leased, and the answer is lost with the object.
    objects.exchange(to(0, 2, admit("w", 10)), at(0));
    let step = objects.shard(0).step(&limits, to(0, 2, admit("a", 800)), 0, at(10), false).unwrap();
    let Turn::Ask(request, _) = step.turn else { panic!() };
    let _ = objects.treasury(Errand::Lease(request), at(10));
    objects.shard(0).crash();
    // After the restart two requests come at once, each asks, and the second question is heard first.
    let ask = |objects: &mut Objects, id: &str| {
        let step = objects
            .shard(0)
            .step(&limits, to(0, 2, Command::Admit(admission(id, "m", 700))), 0, at(20), false)
            .unwrap();
        match step.turn {
            Turn::Ask(request, command) => (request, command),
            other => panic!("{other:?}"),
        }
    };
    let (first, _) = ask(&mut objects, "b");
    let (second, command) = ask(&mut objects, "c");
    objects.lease(second, at(21));
    let step = objects.shard(0).step(&limits, to(0, 2, command), 1, at(21), false).unwrap();
    assert!(matches!(&step.turn, Turn::Reply(outcome) if is_reserved(outcome)), "{:?}", step.turn);
    let _ = objects.treasury(Errand::Lease(first), at(30));
    let other = objects.exchange(to(1, 2, Command::Admit(admission("d", "n", 700))), at(40));
    assert!(!is_reserved(&other), "1400 of 1000 are set aside");
}

/// While a lowered cap is deployed, a shard may have the new settings before the treasury has.
#[test]
fn a_cap_lowered_at_the_shards_before_the_treasury_holds() {
    let old = limits(1_000, 2);
    let new = limits(100, 2);
    let mut objects = Objects::new(old.clone());
    for shard in 0..2 {
        // wake
        objects.exchange(
            to(shard, 2, Command::Admit(admission(&format!("w{shard}"), &format!("w{shard}"), 1))),
            at(0),
        );
    }
    let mut reserved = 2;
    // Shards go by `new`, the treasury still by `old`.
    for shard in 0..2u32 {
        for n in 0..10 {
            let mut message =
                to(shard, 2, Command::Admit(admission(&format!("{shard}-{n}"), &format!("s{shard}"), 10)));
            for asked in 0..=2 {
                let step = objects.shard(shard).step(&new, message.clone(), asked, at(10), false).unwrap();
                let answer = |objects: &mut Objects, request: LeaseRequest| {
                    let answer = objects.treasury.step(&old, Errand::Lease(request), at(10), false).unwrap();
                    objects.shard(shard).answered(&new, answer, at(10));
                };
                if let Some(request) = step.ask {
                    answer(&mut objects, request);
                }
                match step.turn {
                    Turn::Reply(outcome) => {
                        if is_reserved(&outcome) {
                            reserved += 10;
                        }
                        break;
                    }
                    Turn::Ask(request, command) => {
                        answer(&mut objects, request);
                        message = to(shard, 2, command);
                    }
                }
            }
        }
    }
    // By now the treasury has the new settings as well: more is not to be had.
    assert!(reserved <= 100, "{reserved} set aside under a cap of 100");
}

/// The batch under way, dropped for want of room: the log goes on.
#[test]
fn a_batch_whose_records_were_dropped_does_not_stop_the_log() {
    let mut book = Logbook::default();
    book.add("m:0".into(), "{}".into(), at(0));
    book.take_batch(at(0)).unwrap();
    for number in 1..500 {
        book.add(format!("m:{number}"), "x".repeat(10_000), at(1));
    }
    let (stored, own) = book.store();
    let mut again = Logbook::restored(stored);
    own.into_iter().for_each(|(_, entries)| again.take_in(entries));
    assert!(
        again.unsure().is_some() || again.is_due(false, at(1_000_000), at(1_000_000)),
        "nobody looks for the batch, nothing is ever sent again"
    );
}

/// Answered for, a settlement is stored, also where the request that it rode with was refused.
#[test]
fn a_settlement_that_rides_with_a_refused_request_is_stored() {
    let mut l = limits(1_000_000, 1);
    for plan in l.plans.values_mut() {
        plan.quota = parse_rate("1/minute", 1).unwrap();
    }
    let mut objects = Objects::new(l);
    // A batch is under way, or the day's allowance of writes is used up.
    objects.exchange(to(0, 1, Command::Admit(admission("w", "w", 1))), at(0));
    objects.exchange(
        Message {
            to: 0,
            of: 1,
            settled: vec![settlement("w", "w", 0, Charge::Nothing)],
            ..Message::default()
        },
        at(10),
    );
    assert!(is_reserved(&objects.exchange(to(0, 1, Command::Admit(admission("a", "m", 100))), at(500))));
    let message = Message {
        to: 0,
        of: 1,
        settled: vec![settlement("a", "m", 0, Charge::Actual(nano(7)))],
        command: Some(Command::Admit(admission("b", "m", 100))),
        ..Message::default()
    };
    let outcome = objects.exchange(message, at(1_000));
    assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    objects.crash(); // put away after ten idle seconds
    let stored = objects.shard(0).stored[rows::SHARD].clone();
    assert!(
        stored.contains(r#"{"request_id":"a"}"#),
        "the record of `a` is lost, its money stays reserved: {stored}"
    );
}

/// Without money there is nothing to write, but somebody has to close it.
#[test]
fn a_request_admitted_without_budget_is_waited_for() {
    let mut l = limits(1_000_000, 1);
    l.plans.values_mut().for_each(|plan| plan.machine_daily = nano(10));
    let mut objects = Objects::new(l);
    objects.exchange(to(0, 1, Command::Admit(admission("w", "w", 1))), at(0));
    objects.exchange(
        Message {
            to: 0,
            of: 1,
            settled: vec![settlement("w", "w", 0, Charge::Nothing)],
            ..Message::default()
        },
        at(10),
    );
    let limits = objects.limits.clone();
    for n in 0..6 {
        let shard = objects.shard(0);
        for batch in std::mem::take(&mut shard.batches) {
            shard.batch_ended(batch.last, true, at(20));
        }
        shard.tick(&limits, at(100_000 + n * 40_000_000));
    }
    assert_eq!(objects.shard(0).alarm, None);
    let now = at(300_000_000);
    objects.exchange(to(0, 1, Command::Admit(admission("v", "w", 1))), now);
    objects.exchange(
        Message {
            to: 0,
            of: 1,
            settled: vec![settlement("v", "w", 0, Charge::Nothing)],
            ..Message::default()
        },
        now,
    );
    for n in 0..6 {
        let shard = objects.shard(0);
        for batch in std::mem::take(&mut shard.batches) {
            shard.batch_ended(batch.last, true, now);
        }
        shard.tick(&limits, at(300_000_000 + (n + 1) * 200_000));
    }
    assert_eq!(objects.shard(0).alarm, None);
    let outcome = objects.exchange(to(0, 1, Command::Admit(admission("a", "m", 100))), at(302_000_000));
    assert!(matches!(outcome, Outcome::Admitted { budget: Budget::Reached(_), .. }), "{outcome:?}");
    assert!(objects.shard(0).alarm.is_some(), "nobody closes it: no record if the isolate dies");
}

/// Written down, with an answer that a crash took, it comes again.
#[test]
fn a_record_is_logged_once_whenever_its_settlement_comes_again() {
    let mut objects = Objects::new(limits(1_000, 1));
    objects.exchange(to(0, 1, Command::Admit(admission("a", "m", 100))), at(0));
    let settle = Message {
        to: 0,
        of: 1,
        settled: vec![settlement("a", "m", 0, Charge::Actual(nano(7)))],
        ..Message::default()
    };
    objects.exchange(settle.clone(), at(10)); // durable, the reply is lost
    objects.crash();
    objects.exchange(settle, at(20));
    let mut lines = 0;
    for batch in &objects.shard(0).batches {
        lines += batch.value.lines().count();
    }
    let row: serde_json::Value = serde_json::from_str(&objects.shard(0).stored[rows::SHARD]).unwrap();
    // What the object would hold for KV beyond the batch that may be there already.
    let entries = row["log"]["entries"].as_array().unwrap().len();
    assert_eq!(entries, 1, "batches {lines}, row {}", row["log"]);
}

/// Of hundreds that left since, too.
#[test]
fn a_record_that_left_with_many_others_is_known_when_it_comes_again() {
    const REQUESTS: u64 = 300;
    let mut objects = Objects::new(limits(1_000_000, 1));
    let settle = |number: u64| settlement(&number.to_string(), "m", 0, Charge::Nothing);
    for number in 0..REQUESTS {
        let command = Command::Admit(admission(&number.to_string(), "m", 100));
        assert!(matches!(objects.exchange(to(0, 1, command), at(number)), Outcome::Admitted { .. }));
        objects.exchange(
            Message { to: 0, of: 1, settled: vec![settle(number)], ..Message::default() },
            at(number),
        );
    }
    let mut logged = 0;
    for second in 1..8 {
        let shard = objects.shard(0);
        shard.tidy(at(second * 3_000));
        while let Some(batch) = shard.batches.pop() {
            logged += batch.value.lines().count() as u64;
            shard.batch_ended(batch.last, true, at(second * 3_000));
        }
    }
    assert_eq!(logged, REQUESTS);
    // What its isolate could not know to have arrived, it sends again.
    objects.crash();
    let again = Message { to: 0, of: 1, settled: (0..REQUESTS).map(settle).collect(), ..Message::default() };
    objects.exchange(again, at(30_000));
    let row: serde_json::Value = serde_json::from_str(&objects.shard(0).stored[rows::SHARD]).unwrap();
    assert_eq!(row["log"]["entries"], serde_json::json!([]), "logged twice");
    assert!(objects.shard(0).batches.is_empty(), "logged twice");
}

/// Changes of one target that overtake each other.
#[test]
fn a_late_restore_does_not_undo_a_later_revocation() {
    let mut objects = Objects::new(limits(1_000, 1));
    objects.exchange(to(0, 1, Command::Admit(admission("w", "w", 1))), at(0));
    let target = Target::Machine("m".to_owned());
    let revocation = Revocation { target: target.clone(), at: at(0), by: "ann".into(), reason: "x".into() };
    let revoke = |revision| to(0, 1, Command::Revoke { revocation: revocation.clone(), revision });
    let restore = to(0, 1, Command::Restore { target, revision: 2 });
    objects.exchange(revoke(1), at(1));
    objects.exchange(revoke(3), at(2));
    objects.exchange(restore, at(3));
    let outcome = objects.exchange(to(0, 1, Command::Admit(admission("a", "m", 1))), at(4));
    assert_eq!(outcome, Outcome::Revoked);
}

/// The platform takes rows of up to 2 MB.
#[test]
fn no_row_is_larger_than_the_platform_takes() {
    let mut l = limits(1_000_000_000, 1);
    l.plans.values_mut().for_each(|plan| plan.machine_daily = nano(100_000_000));
    let mut objects = Objects::new(l);
    let mut largest = 0;
    for n in 0..900u64 {
        let id = n.to_string();
        let now = at(n * 10);
        objects.exchange(to(0, 1, Command::Admit(admission(&id, "m", 1_000))), now);
        let mut s = settlement(&id, "m", 0, Charge::Nothing);
        s.record = Some(format!("\"{:17000}\"", ""));
        objects.exchange(Message { to: 0, of: 1, settled: vec![s], ..Message::default() }, now);
        let shard = objects.shard(0);
        for batch in std::mem::take(&mut shard.batches) {
            shard.batch_ended(batch.last, true, now);
        }
        largest = largest.max(objects.shard(0).stored.values().map(String::len).max().unwrap());
    }
    assert!(largest <= 2_000_000, "a row of {largest} bytes");
}

/// A chunk is read whole after a crash.
#[test]
fn records_that_left_are_not_taken_in_again_with_their_row() {
    let mut kv: std::collections::BTreeMap<String, String> = Default::default();
    let mut book = Logbook::default();
    let add =
        |book: &mut Logbook, n: u64, size: usize| book.add(format!("m:{n}"), format!("{n:0>size$}"), at(0));
    add(&mut book, 0, 10);
    add(&mut book, 1, 10);
    let a = book.take_batch(at(0)).unwrap();
    kv.insert(a.key.clone(), a.value.clone());
    for n in 2..12 {
        add(&mut book, n, 10_000);
    }
    let (_, own) = book.store();
    let chunk = own.into_iter().next().unwrap().1;
    book.written(a.last, at(1));
    let b = book.take_batch(at(1)).unwrap();
    kv.insert(b.key.clone(), b.value.clone());
    let (stored, _) = book.store(); // durable: b is under way
    // A crash; then as the object does it.
    let mut again = Logbook::restored(stored);
    again.take_in(chunk);
    let unsure = again.unsure().unwrap();
    if kv.get(&unsure.key).is_some_and(|value| value.starts_with(&unsure.value)) {
        again.written(unsure.last, at(2));
    } else {
        again.refused(unsure.last, at(2));
    }
    if let Some(batch) = again.take_batch(at(100)) {
        kv.insert(batch.key, batch.value);
    }
    let mut lines: Vec<&str> = kv.values().flat_map(|v| v.lines()).collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(all, lines.len(), "records are in KV twice: {:?}", kv.keys());
}

/// Machines in flight cannot leave the main row.
#[test]
fn the_main_row_stays_below_two_megabytes_while_the_upstream_hangs() {
    let mut objects = Objects::new(limits(1_000_000_000, 1));
    let mut largest = 0;
    for n in 0..2_100u64 {
        let m = format!("e6b03b2ff-{n:032x}");
        objects
            .exchange(to(0, 1, Command::Admit(admission(&format!("{n:026x}"), &m, 100))), at(n * 1000 / 600));
        if n % 50 == 49 {
            largest = largest.max(objects.shard(0).stored[rows::SHARD].len());
        }
    }
    assert!(largest <= 1_000_000, "{largest} bytes");
    // The others have to wait, those that are known go on.
    let outcome = objects.exchange(to(0, 1, Command::Admit(admission("new", "new", 1))), at(4_000));
    assert_eq!(outcome, Outcome::Unavailable);
    let known = format!("e6b03b2ff-{:032x}", 7);
    let outcome = objects.exchange(to(0, 1, Command::Admit(admission("known", &known, 1))), at(4_000));
    assert!(is_reserved(&outcome), "{outcome:?}");
}

/// In dense traffic: what one request gave back may be given back again after a crash, so no other
/// request may count on it.
#[test]
fn what_comes_back_twice_covers_no_other_request() {
    let mut objects = Objects::new(limits(1_000_000, 1));
    for n in 0..8 {
        let id = format!("o{n}");
        objects.exchange(to(0, 1, Command::Admit(admission(&id, &id, 10))), at(n));
    }
    assert!(is_reserved(&objects.exchange(to(0, 1, Command::Admit(admission("a", "m", 100))), at(10))));
    let settled = settlement("a", "m", 0, Charge::Actual(nano(5)));
    let ride =
        |command| Message { to: 0, of: 1, settled: vec![settled.clone()], command, ..Message::default() };
    let next = Some(Command::Admit(admission("b", "m", 250)));
    assert!(is_reserved(&objects.exchange(ride(next), at(20))));
    objects.crash();
    objects.exchange(ride(None), at(30));
    let look = Command::Look {
        subject: "m".to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        level: None,
    };
    let Outcome::Standing(standing) = objects.exchange(to(0, 1, look), at(40)) else { panic!() };
    assert!(standing.spent >= nano(255), "{} of what may be billed is known", standing.spent.nanos());
}

/// The ledger's clock only goes forward.
#[test]
fn the_clock_does_not_go_back() {
    let mut objects = Objects::new(limits(1_000, 1));
    let mut at_ledger = |millis, id: &str| match objects
        .exchange(to(0, 1, Command::Admit(admission(id, "m", 1))), at(millis))
    {
        Outcome::Admitted { standing, .. } => standing.now,
        other => panic!("{other:?}"),
    };
    let later = at_ledger(5_000, "a");
    assert_eq!(at_ledger(1_000, "b"), later);
}
