//! What the ledger costs, counted, and what it strands: rows a request in thin and in dense traffic,
//! calls of the treasury and the exactness of the cap with many shards, over-admission of buckets in
//! KV. Figures are printed (`--nocapture`); none depends on how fast this machine is.
#![cfg(not(target_arch = "wasm32"))]

mod ledger_support;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ledger_support::{ENDED, Objects};
use pip_aide_gateway::ledger::bucket::Quota;
use pip_aide_gateway::ledger::kv_bucket::{Buckets, READ_EVERY, Taken, WRITE_EVERY};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Message, Outcome, Route, Settlement,
};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

/// The first second of a spending day.
const MORNING_MS: u64 = 1_795_478_400_000;
/// What a request can cost at most and what it does, as with a 3 KB failure.
const WORST: u64 = 2_000_000;
const COST: u64 = 200_000;

const fn nano(amount: u64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

const fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(MORNING_MS + millis)
}

fn limits(shards: u32, rate: &str, machine_daily: u64, service_daily: u64) -> Limits {
    let standard = Plan {
        quota: parse_rate(rate, 3).unwrap(),
        concurrency: 1_000,
        machine_daily: nano(machine_daily),
        total_daily: None,
    };
    Limits {
        plans: [("standard".to_owned(), standard)].into(),
        service_daily: nano(service_daily),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards,
    }
}

fn admission(id: &str, subject: &str) -> Command {
    Command::Admit(Admission {
        id: id.to_owned(),
        subject: subject.to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: nano(WORST),
        lifetime_ms: 35_000,
        level: None,
    })
}

/// The settlement of an admitted request, with a record of 1.5 KB.
fn settlement(id: &str, subject: &str, outcome: &Outcome) -> Option<Settlement> {
    let Outcome::Admitted { budget, shard, .. } = outcome else {
        return None;
    };
    let charge = if *budget == Budget::Reserved { Charge::Actual(nano(COST)) } else { Charge::Nothing };
    let record = Some(format!("{{\"request_id\":\"{id}\",\"text\":\"{:1400}\"}}", ""));
    let (id, subject) = (id.to_owned(), subject.to_owned());
    let (shard, ended) = (*shard, Some(ENDED));
    Some(Settlement { id, subject, charge, shard, record, ended })
}

/// Lets the alarm ring where it is due, and KV take what leaves.
fn housekeeping(objects: &mut Objects, kv_writes: &mut u64, records: &mut u64, now: UnixMillis) {
    let limits = objects.limits.clone();
    let shard = objects.shard(0);
    if shard.alarm.is_some_and(|alarm| alarm <= now) {
        shard.tick(&limits, now);
    }
    for batch in std::mem::take(&mut shard.unsure) {
        // KV has it.
        shard.batch_ended(batch.last, true, now);
    }
    for batch in std::mem::take(&mut shard.batches) {
        *kv_writes += 1;
        *records += batch.value.lines().count() as u64;
        shard.batch_ended(batch.last, true, now);
    }
}

/// A request every so many seconds for a day. The platform puts an object away that is idle for ten
/// seconds (developers.cloudflare.com/durable-objects, lifecycle): after each request, then.
fn thin_day(every_s: u64) -> (f64, u64) {
    let requests = 86_400 / every_s;
    let mut objects = Objects::new(limits(1, "60/minute", requests * COST + 10 * WORST, 10_000_000_000));
    let (mut kv_writes, mut records, mut reserved) = (0, 0, 0_u64);
    for number in 0..requests {
        let now = at(number * every_s * 1_000);
        housekeeping(&mut objects, &mut kv_writes, &mut records, now);
        let id = format!("r{number}");
        let outcome = objects.send("m", admission(&id, "m"), now);
        // While the model is asked, KV has told whether it has the batch before.
        housekeeping(&mut objects, &mut kv_writes, &mut records, now);
        reserved += u64::from(matches!(outcome, Outcome::Admitted { budget: Budget::Reserved, .. }));
        let later = now.plus(Duration::from_secs(4));
        objects.settle(settlement(&id, "m", &outcome).expect("it is admitted"), later);
        housekeeping(&mut objects, &mut kv_writes, &mut records, later);
        if every_s > 14 {
            objects.crash();
        }
    }
    assert_eq!(reserved, requests, "nobody is refused for money that is not spent");
    let rows = objects.shard(0).rows_written + objects.treasury.rows_written;
    (rows as f64 / requests as f64, kv_writes)
}

#[test]
fn a_request_in_thin_traffic_costs_two_rows() {
    for every_s in [60, 5, 1_800] {
        let (rows, kv_writes) = thin_day(every_s);
        println!("a request in {every_s} s: {rows:.3} rows a request, {kv_writes} KV writes a day");
        // Besides the two of each request: an alarm now and then, and the day's lease.
        let besides = 20.0 * every_s as f64 / 86_400.0;
        assert!(rows <= 2.0 + besides, "{rows}");
        assert!(kv_writes <= 1_000, "{kv_writes}");
    }
}

#[test]
fn dense_traffic_costs_a_fifth_of_a_row_at_most_and_few_kv_writes() {
    for (machines, gap_ms) in [(200, 5), (200, 50), (50, 100)] {
        let mut objects = Objects::new(limits(1, "1000/minute", 100_000_000_000, 1_000_000_000_000));
        let (mut kv_writes, mut records) = (0, 0);
        let mut riding: VecDeque<Settlement> = VecDeque::new();
        let requests = 20_000;
        for number in 0..requests {
            let now = at(number * gap_ms);
            housekeeping(&mut objects, &mut kv_writes, &mut records, now);
            let (id, subject) = (format!("r{number}"), format!("m{}", number * 7 % machines));
            // A call takes about 100 requests' time.
            let settled =
                if riding.len() > 100 { riding.pop_front().into_iter().collect() } else { Vec::new() };
            let command = Some(admission(&id, &subject));
            let outcome =
                objects.exchange(Message { to: 0, of: 1, settled, command, ..Message::default() }, now);
            riding.extend(settlement(&id, &subject, &outcome));
        }
        let shard = objects.shard(0);
        // Records have rows of their own here: `log/...`.
        let rows = shard.rows_written as f64 / requests as f64;
        let kv = kv_writes as f64 / requests as f64;
        println!(
            "{machines} machines, one request in {gap_ms} ms: {rows:.3} rows a request with those of records, {kv:.4} KV writes"
        );
        assert!(rows <= 0.2, "{rows}");
        assert!(kv <= 0.1, "{kv}");
        assert!(records > requests / 2);
    }
}

/// 64 shards at 50,000 requests a second for as long as the cap lasts, and two seconds more.
#[test]
fn sixty_four_shards_hold_one_cap_and_ask_the_treasury_seldom() {
    let paid: u64 = 500_000;
    let cap = paid * COST;
    let mut objects = Objects::new(limits(64, "1000/second", cap, cap));
    let route = Route { shards: 64, salt: 0x5a17 };
    let subjects: Vec<(String, u32)> = (0..4_000)
        .map(|number| {
            let subject = format!("m{number}");
            let shard = route.shard_of(&subject);
            (subject, shard)
        })
        .collect();
    let mut riding: BTreeMap<u32, VecDeque<Settlement>> = BTreeMap::new();
    let (mut spent, mut requests, mut asked) = (0_u64, 0_u64, 0_u64);
    let mut reached_at = None;
    for number in 0_u64.. {
        let now = at(number / 50);
        if reached_at.is_some_and(|at: UnixMillis| now.since(at) > Duration::from_secs(2)) {
            break;
        }
        let (subject, shard) = &subjects[usize::try_from(number * 2_654_435_761 % 4_000).unwrap()];
        let id = number.to_string();
        let queue = riding.entry(*shard).or_default();
        // About a tenth of a second of the model's time.
        let settled = if queue.len() > 80 { queue.drain(..2).collect() } else { Vec::new() };
        let command = Some(admission(&id, subject));
        let outcome =
            objects.exchange(Message { to: *shard, of: 64, settled, command, ..Message::default() }, now);
        requests += 1;
        match &outcome {
            Outcome::Admitted { budget: Budget::Reserved, .. } => {
                spent += COST;
                riding.entry(*shard).or_default().extend(settlement(&id, subject, &outcome));
            }
            Outcome::Admitted { .. } => {
                reached_at = reached_at.or((spent > cap * 97 / 100).then_some(now));
                riding.entry(*shard).or_default().extend(settlement(&id, subject, &outcome));
            }
            other => panic!("{other:?}"),
        }
        assert!(spent <= cap, "the cap was passed");
        asked = objects.treasury.requests;
        assert!(requests < 4 * paid, "the cap is never reached: {spent} of {cap} after {requests} requests");
    }
    let calls = asked as f64 / requests as f64;
    let stranded = (cap - spent) as f64 / cap as f64;
    println!(
        "64 shards: {requests} requests, treasury asked for {:.3} % of them, {:.2} % of the cap left over",
        100.0 * calls,
        100.0 * stranded
    );
    assert!(calls < 0.01, "{calls}");
    assert!(stranded <= 0.02, "{stranded}");
}

#[test]
fn a_million_machines_that_once_called_neither_slow_admission_nor_fill_memory() {
    let mut objects = Objects::new(limits(1, "6/minute", 100_000_000_000, u64::MAX / 4));
    let mut most_row = 0;
    let machines = 40_000_u64;
    for number in 0..machines {
        let now = at(number * 20);
        let subject = format!("m{number}");
        let outcome = objects.exchange(
            Message { to: 0, of: 1, command: Some(admission(&subject, &subject)), ..Message::default() },
            now,
        );
        let settlement = Settlement { record: None, ..settlement(&subject, &subject, &outcome).unwrap() };
        objects.exchange(Message { to: 0, of: 1, settled: vec![settlement], ..Message::default() }, now);
        most_row = most_row.max(objects.shard(0).stored["shard"].len());
    }
    let rows = objects.shard(0).stored.len() as u64;
    println!("{machines} machines in half an hour: main row of at most {most_row} bytes, {rows} rows");
    assert!(most_row < 200_000, "{most_row}");
    // The next day they are taken away, some at each alarm.
    let mut now = at(86_400_000);
    objects.exchange(Message { to: 0, of: 1, command: Some(admission("x", "x")), ..Message::default() }, now);
    let limits = objects.limits.clone();
    for _ in 0..rows / 500 + 3 {
        now = now.plus(Duration::from_secs(900));
        let shard = objects.shard(0);
        shard.tick(&limits, now);
    }
    let left = objects.shard(0).stored.keys().filter(|key| key.starts_with("machine/")).count();
    assert_eq!(left, 0, "rows of machines that did not call today");
}

/// Isolates with buckets in a KV that shows what was written up to a minute ago: how many requests
/// of one machine they admit together, in the worst way of spreading them.
#[test]
fn buckets_in_kv_over_admit_no_more_than_is_stated() {
    let quota = Quota::new(6, 60, 3).unwrap();
    let window_s = 600_u64;
    let exact = 3 + (window_s * 1_000 - 100) / 10_000;
    for isolates in [1_usize, 2, 8] {
        let mut all: Vec<Buckets> = (0..isolates).map(|_| Buckets::default()).collect();
        // What was written, when: KV shows it a minute later at the latest.
        let mut writes: Vec<(UnixMillis, u64)> = Vec::new();
        let mut last_write: Option<UnixMillis> = None;
        let mut refused_writes = 0;
        let mut admitted = 0_u64;
        for tick in 0..window_s * 10 {
            let now = at(tick * 100);
            for buckets in &mut all {
                if buckets.is_stale("m", now) {
                    let shown = writes.iter().filter(|(at, _)| now.since(*at) >= Duration::from_secs(60));
                    buckets.read("m", shown.map(|(_, tat)| *tat).next_back(), now);
                }
                if let Taken::Yes { write, .. } = buckets.take("m", quota, now) {
                    admitted += 1;
                    if let Some((tat, life)) = write {
                        assert!(life >= Duration::from_secs(60), "KV refuses a shorter life");
                        // One write a second a key: more are refused, and nothing depends on them.
                        if last_write.is_some_and(|at| now.since(at) < Duration::from_secs(1)) {
                            refused_writes += 1;
                        } else {
                            last_write = Some(now);
                            writes.push((now, tat));
                        }
                    }
                }
            }
        }
        println!(
            "{isolates} isolates: {admitted} admitted in {window_s} s, exactly {exact} would be; {refused_writes} writes refused"
        );
        assert!(admitted <= exact * isolates as u64, "{admitted}");
        if isolates == 1 {
            assert_eq!(admitted, exact, "alone it is exact");
        }
    }
    assert!(WRITE_EVERY > Duration::from_secs(1) && READ_EVERY >= Duration::from_secs(30));
}
