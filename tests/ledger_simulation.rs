//! The ledger under everything that may happen to it: messages that are late, lost or doubled,
//! objects that crash between any two steps, clocks that step back. A seeded scheduler plays it, a
//! book of its own says what the provider may bill, and after each step the caps are held against
//! that book. A failing seed is printed; `LEDGER_SEED=n cargo test --test ledger_simulation` plays
//! that one alone, `LEDGER_SEEDS=n` plays more of them.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::{BTreeMap, HashMap};

use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::shard::Shard;
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Nonce, Outcome, Refusal, Revocation, Settlement, Target,
};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

const DEFAULT_SEEDS: u64 = 400;
const STEPS: usize = 400;
const LIFETIME_MS: u64 = 35_000;
/// A minute before a spending day ends, so that every run crosses a reset.
const START_MS: u64 = 1_795_478_400_000 - 60_000;

/// A small generator (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

fn plan(burst: u32, machine_daily: u64, total_daily: Option<u64>) -> Plan {
    Plan {
        quota: parse_rate("30/minute", burst).unwrap(),
        concurrency: 3,
        machine_daily: NanoUsd::from_nanos(machine_daily),
        total_daily: total_daily.map(NanoUsd::from_nanos),
    }
}

fn limits() -> Limits {
    let plans = [("standard", plan(4, 1_000, None)), ("pool", plan(4, 400, Some(500)))];
    Limits {
        plans: plans.map(|(name, plan)| (name.to_owned(), plan)).into(),
        service_daily: NanoUsd::from_nanos(2_000),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
    }
}

/// A ledger object and what of it survives a crash.
struct Object {
    limits: Limits,
    stored: BTreeMap<String, String>,
    shard: Option<Shard>,
}

impl Object {
    fn send(&mut self, command: &Command, now: UnixMillis, crash_before_write: bool) -> Option<Outcome> {
        let mut shard = self.shard.take().unwrap_or_else(|| {
            let mut shard = Shard::default();
            let at_start =
                |key: &str| key == rows::SERVICE || key == rows::ENROLMENTS || key.starts_with(rows::REVOKED);
            for (key, value) in self.stored.iter().filter(|(key, _)| at_start(key)) {
                shard.load(key, Some(value)).unwrap();
            }
            shard
        });
        for key in shard.missing(command) {
            shard.load(&key, self.stored.get(&key).map(String::as_str)).unwrap();
        }
        let step = shard.step(&self.limits, command.clone(), now).unwrap();
        if crash_before_write {
            // The output gate: without the rows no reply leaves.
            return None;
        }
        for row in step.rows {
            match row.value {
                Some(value) => self.stored.insert(row.key, value),
                None => self.stored.remove(&row.key),
            };
        }
        self.shard = Some(shard);
        Some(step.outcome)
    }
}

/// What the provider may bill, kept apart from the ledger.
#[derive(Default)]
struct Book {
    /// By the end of the day that the ledger says it is charged to.
    service: HashMap<UnixMillis, u64>,
    plans: HashMap<(UnixMillis, String), u64>,
    machines: HashMap<(UnixMillis, String), u64>,
    /// By the ledger's clock, in milliseconds.
    admissions: HashMap<String, Vec<u64>>,
}

struct Call {
    id: String,
    subject: String,
    bill: u64,
    knows_usage: bool,
}

fn run(seed: u64) {
    let mut random = Random::new(seed);
    let limits = limits();
    let mut object = Object { limits: limits.clone(), stored: BTreeMap::new(), shard: None };
    let mut book = Book::default();
    let mut calls: Vec<Call> = Vec::new();
    let (mut true_ms, mut crashes) = (START_MS, 0_u64);
    for step in 0..STEPS {
        let longest_pause_ms = if random.chance(10) { 20_000 } else { 400 };
        true_ms += random.below(longest_pause_ms);
        // A clock that sometimes steps back, by up to two seconds.
        let now = UnixMillis::from_millis(true_ms - if random.chance(10) { random.below(2_000) } else { 0 });
        if random.chance(2) {
            object.shard = None;
            crashes += 1;
        }
        let crash_now = random.chance(2);
        if calls.is_empty() || random.chance(60) {
            let number = random.below(6);
            let subject = format!("machine-{number}");
            let plan = if number < 3 { "standard" } else { "pool" };
            let worst = 50 + random.below(150);
            let id = format!("{seed}-{step}");
            let command = Command::Admit(Admission {
                id: id.clone(),
                subject: subject.clone(),
                plan: plan.to_owned(),
                credential: Credential::default(),
                worst: NanoUsd::from_nanos(worst),
                lifetime_ms: LIFETIME_MS,
            });
            let mut outcome = object.send(&command, now, crash_now);
            crashes += u64::from(crash_now);
            if random.chance(10) {
                // Delivered a second time: the answer must be the same, and the money set aside once.
                let again = object.send(&command, now, false);
                if let (
                    Some(Outcome::Admitted { budget: one, .. }),
                    Some(Outcome::Admitted { budget: two, .. }),
                ) = (&outcome, &again)
                {
                    assert_eq!(one, two, "seed {seed}: a doubled admission got another answer");
                }
                outcome = outcome.or(again);
            }
            // The answer may be lost on its way: then nothing is sent upstream.
            if let Some(Outcome::Admitted { budget, standing, .. }) = outcome.filter(|_| !random.chance(5)) {
                book.admissions.entry(subject.clone()).or_default().push(standing.now.millis());
                assert!(standing.in_flight <= standing.concurrency, "seed {seed}: too many in flight");
                let sent = budget == Budget::Reserved;
                let bill = if sent { random.below(worst + 1) } else { 0 };
                let day = standing.resets_at;
                *book.service.entry(day).or_default() += bill;
                *book.plans.entry((day, plan.to_owned())).or_default() += bill;
                *book.machines.entry((day, subject.clone())).or_default() += bill;
                calls.push(Call { id, subject, bill, knows_usage: random.chance(80) });
            }
        } else {
            let index = usize::try_from(random.below(calls.len() as u64)).unwrap();
            let call = calls.swap_remove(index);
            let charge =
                if call.knows_usage { Charge::Actual(NanoUsd::from_nanos(call.bill)) } else { Charge::Full };
            let command = Command::Settle(Settlement { id: call.id, subject: call.subject, charge });
            // Lost, or delivered once or twice.
            for _ in 0..random.below(3) {
                object.send(&command, now, crash_now);
            }
        }
        check(&book, &limits, seed);
    }
    check_rate(&book, &limits, seed);
    assert!(crashes > 0, "seed {seed} crashed nothing");
}

/// Invariant: what may be billed for a day is at most its cap, for every cap.
fn check(book: &Book, limits: &Limits, seed: u64) {
    for (day, billed) in &book.service {
        assert!(
            *billed <= limits.service_daily.nanos(),
            "seed {seed}: the service's cap of {day:?} was passed"
        );
    }
    for ((day, name), billed) in &book.plans {
        let cap = limits.plan(name).unwrap().total_daily.map_or(u64::MAX, NanoUsd::nanos);
        assert!(*billed <= cap, "seed {seed}: the cap of plan {name} on {day:?} was passed");
    }
    for ((day, name), billed) in &book.machines {
        let plan = if name.as_str() < "machine-3" { "standard" } else { "pool" };
        let cap = limits.plan(plan).unwrap().machine_daily.nanos();
        assert!(*billed <= cap, "seed {seed}: the cap of {name} on {day:?} was passed");
    }
}

/// Invariant: in any window of length t at most burst + rate × t are admitted.
fn check_rate(book: &Book, limits: &Limits, seed: u64) {
    let quota = limits.plan("standard").unwrap().quota;
    let interval_ms = u64::from(quota.window_seconds()) * 1_000 / u64::from(quota.count());
    for (machine, times) in &book.admissions {
        for (first, from) in times.iter().enumerate() {
            for (last, until) in times.iter().enumerate().skip(first) {
                let admitted = (last - first + 1) as u64;
                let allowed = u64::from(quota.burst()) + (until - from) / interval_ms;
                assert!(
                    admitted <= allowed,
                    "seed {seed}: {machine} was admitted {admitted} times of {allowed}"
                );
            }
        }
    }
}

#[test]
fn no_cap_is_ever_passed() {
    if let Some(seed) = std::env::var("LEDGER_SEED").ok().and_then(|text| text.parse().ok()) {
        return run(seed);
    }
    let seeds =
        std::env::var("LEDGER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_SEEDS);
    for seed in 0..seeds {
        run(seed);
    }
}

fn admit(object: &mut Object, id: &str, subject: &str, worst: u64, now: UnixMillis) -> Outcome {
    let command = Command::Admit(Admission {
        id: id.to_owned(),
        subject: subject.to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: NanoUsd::from_nanos(worst),
        lifetime_ms: LIFETIME_MS,
    });
    object.send(&command, now, false).unwrap()
}

fn settle(object: &mut Object, id: &str, subject: &str, charge: Charge, now: UnixMillis) {
    let command = Command::Settle(Settlement { id: id.to_owned(), subject: subject.to_owned(), charge });
    assert_eq!(object.send(&command, now, false), Some(Outcome::Settled));
}

fn spent(object: &mut Object, subject: &str, now: UnixMillis) -> u64 {
    let command = Command::Look {
        subject: subject.to_owned(),
        plan: "standard".to_owned(),
        credential: Credential::default(),
    };
    match object.send(&command, now, false) {
        Some(Outcome::Standing(standing)) => standing.spent.nanos(),
        other => panic!("{other:?}"),
    }
}

fn object() -> Object {
    Object { limits: limits(), stored: BTreeMap::new(), shard: None }
}

#[test]
fn a_reservation_ends_in_exactly_one_way() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    for (id, charge, after) in [
        ("released", Charge::Nothing, 0),
        ("settled", Charge::Actual(NanoUsd::from_nanos(30)), 30),
        ("in full", Charge::Full, 130),
        ("more than reserved", Charge::Actual(NanoUsd::from_nanos(999)), 230),
    ] {
        assert!(matches!(
            admit(&mut object, id, "m", 100, now),
            Outcome::Admitted { budget: Budget::Reserved, .. }
        ));
        settle(&mut object, id, "m", charge, now);
        assert_eq!(spent(&mut object, "m", now), after, "{id}");
        // Again, and with another charge: nothing changes.
        settle(&mut object, id, "m", Charge::Nothing, now);
        settle(&mut object, id, "m", Charge::Full, now);
        assert_eq!(spent(&mut object, "m", now), after, "{id}, twice");
    }
}

#[test]
fn another_subject_settles_nothing() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    admit(&mut object, "r", "m", 100, now);
    settle(&mut object, "r", "thief", Charge::Nothing, now);
    assert_eq!(spent(&mut object, "m", now), 100);
}

#[test]
fn what_is_not_settled_in_time_is_charged_in_full_and_frees_its_place() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    for id in ["a", "b", "c"] {
        assert!(matches!(admit(&mut object, id, "m", 100, now), Outcome::Admitted { .. }));
    }
    let refused = admit(&mut object, "d", "m", 100, now);
    assert!(matches!(refused, Outcome::Refused { reason: Refusal::Concurrency, .. }), "{refused:?}");
    let later = UnixMillis::from_millis(START_MS + LIFETIME_MS);
    assert!(matches!(admit(&mut object, "e", "m", 100, later), Outcome::Admitted { .. }));
    settle(&mut object, "a", "m", Charge::Nothing, later);
    assert_eq!(spent(&mut object, "m", later), 400, "a late settlement gives nothing back");
}

#[test]
fn a_crash_gives_nothing_back() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    for number in 0..4 {
        let id = number.to_string();
        assert!(matches!(admit(&mut object, &id, "m", 100, now), Outcome::Admitted { .. }));
        settle(&mut object, &id, "m", Charge::Actual(NanoUsd::from_nanos(10)), now);
    }
    object.shard = None;
    assert_eq!(spent(&mut object, "m", now), 40);
    let refused = admit(&mut object, "5", "m", 100, now);
    assert!(
        matches!(refused, Outcome::Refused { reason: Refusal::Rate(_), .. }),
        "the bucket came back: {refused:?}"
    );
}

#[test]
fn a_settlement_belongs_to_the_day_of_its_reservation() {
    let before = UnixMillis::from_millis(START_MS + 59_000);
    let after = UnixMillis::from_millis(START_MS + 61_000);
    let mut object = object();
    admit(&mut object, "r", "m", 100, before);
    assert_eq!(spent(&mut object, "m", after), 0, "a new day begins at zero");
    admit(&mut object, "s", "m", 70, after);
    settle(&mut object, "r", "m", Charge::Nothing, after);
    assert_eq!(spent(&mut object, "m", after), 70, "yesterday's release is not today's money");
    // A clock that steps back over midnight does not open yesterday's account again.
    assert_eq!(spent(&mut object, "m", before), 70);
    object.shard = None;
    assert_eq!(spent(&mut object, "m", before), 70, "nor after a restart");
}

#[test]
fn a_clock_that_steps_back_over_midnight_gives_no_money_twice() {
    let before = UnixMillis::from_millis(START_MS + 59_000);
    let after = UnixMillis::from_millis(START_MS + 61_000);
    let mut object = object();
    // Only a request that costs nothing moves this machine into the new day before the crash.
    admit(&mut object, "free", "m", 0, after);
    object.shard = None;
    for number in 0..2 {
        admit(&mut object, &number.to_string(), "m", 300, before);
    }
    // What was reserved after the clock stepped back still counts in the day that had begun.
    assert_eq!(spent(&mut object, "m", after), 600);
    settle(&mut object, "0", "m", Charge::Nothing, after);
    assert_eq!(spent(&mut object, "m", after), 300);
    // The service's account goes by the same day.
    assert!(object.stored[rows::SERVICE].contains("\"gone\":300"), "{}", object.stored[rows::SERVICE]);
}

#[test]
fn a_clock_that_steps_back_leaves_no_reservation_behind() {
    let before = UnixMillis::from_millis(START_MS + 59_000);
    let after = UnixMillis::from_millis(START_MS + 61_000);
    for (plan, row) in [("standard", rows::SERVICE.to_owned()), ("pool", rows::plan_key("pool"))] {
        let mut object = object();
        let ask = |id: &str, subject: &str| {
            Command::Admit(Admission {
                id: id.to_owned(),
                subject: subject.to_owned(),
                plan: plan.to_owned(),
                credential: Credential::default(),
                worst: NanoUsd::from_nanos(100),
                lifetime_ms: LIFETIME_MS,
            })
        };
        object.send(&ask("a", "m"), after, false).unwrap();
        if plan == "pool" {
            // Only the plan's account knows of the new day.
            object.stored.retain(|key, _| *key == row);
        }
        object.shard = None;
        object.send(&ask("b", "n"), before, false).unwrap();
        settle(&mut object, "b", "n", Charge::Nothing, before);
        assert!(object.stored[&row].contains("\"gone\":100"), "{plan}: {}", object.stored[&row]);
    }
}

#[test]
fn a_reservation_is_not_shared_by_its_id() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    assert!(matches!(admit(&mut object, "r", "m", 100, now), Outcome::Admitted { .. }));
    assert!(matches!(admit(&mut object, "r", "other", 100, now), Outcome::Refused { .. }));
}

/// A request with a nonce, on either way that a signed request takes to the ledger.
fn signed(id: &str, nonce: u64, now: UnixMillis, look: bool) -> Command {
    let nonce = Nonce { hash: nonce, fresh_until: now.plus(std::time::Duration::from_secs(300)) };
    let credential = Credential { nonce: Some(nonce), ..Credential::default() };
    if look {
        return Command::Look { subject: "m".to_owned(), plan: "standard".to_owned(), credential };
    }
    Command::Admit(Admission {
        id: id.to_owned(),
        subject: "m".to_owned(),
        plan: "standard".to_owned(),
        credential,
        worst: NanoUsd::from_nanos(10),
        lifetime_ms: LIFETIME_MS,
    })
}

#[test]
fn a_nonce_is_admitted_once_also_after_a_crash() {
    let now = UnixMillis::from_millis(START_MS);
    for (first_looks, second_looks) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut object = object();
        let first = object.send(&signed("a", 7, now, first_looks), now, false).unwrap();
        assert!(matches!(first, Outcome::Admitted { .. } | Outcome::Standing(_)), "{first:?}");
        let again = object.send(&signed("b", 7, now, second_looks), now, false);
        assert_eq!(again, Some(Outcome::Replayed));
        object.shard = None;
        let again = object.send(&signed("c", 7, now, second_looks), now, false);
        assert_eq!(again, Some(Outcome::Replayed), "after a crash");
        let other = object.send(&signed("d", 8, now, second_looks), now, false).unwrap();
        assert!(matches!(other, Outcome::Admitted { .. } | Outcome::Standing(_)), "{other:?}");
    }
}

#[test]
fn a_message_that_comes_twice_is_no_replay() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    let command = signed("a", 7, now, false);
    let first = object.send(&command, now, false);
    let again = object.send(&command, now, false);
    assert!(matches!((first, again), (Some(Outcome::Admitted { .. }), Some(Outcome::Admitted { .. }))));
}

#[test]
fn a_refused_request_leaves_its_nonce_unused() {
    let now = UnixMillis::from_millis(START_MS);
    let mut object = object();
    for number in 0..3 {
        object.send(&signed(&number.to_string(), number, now, false), now, false).unwrap();
    }
    let refused = object.send(&signed("x", 99, now, false), now, false).unwrap();
    assert!(matches!(refused, Outcome::Refused { reason: Refusal::Concurrency, .. }), "{refused:?}");
    settle(&mut object, "0", "m", Charge::Nothing, now);
    let taken = object.send(&signed("y", 99, now, false), now, false).unwrap();
    assert!(matches!(taken, Outcome::Admitted { .. }), "{taken:?}");
}

#[test]
fn a_revocation_holds_at_once_and_after_a_crash_until_it_is_taken_back() {
    let now = UnixMillis::from_millis(START_MS);
    for target in [Target::Machine("m".to_owned()), Target::Jti("t".to_owned()), Target::IssuedBefore(now)] {
        let mut object = object();
        let ask = |id: &str| {
            let credential = Credential { jti: Some("t".to_owned()), ..Credential::default() };
            Command::Admit(Admission {
                id: id.to_owned(),
                subject: "m".to_owned(),
                plan: "standard".to_owned(),
                credential,
                worst: NanoUsd::from_nanos(10),
                lifetime_ms: LIFETIME_MS,
            })
        };
        assert!(matches!(object.send(&ask("a"), now, false), Some(Outcome::Admitted { .. })));
        let revocation =
            Revocation { target: target.clone(), at: now, by: "ann".to_owned(), reason: "lost".to_owned() };
        let command = Command::Revoke(revocation.clone());
        assert_eq!(object.send(&command, now, false), Some(Outcome::Changed { changed: true }));
        assert_eq!(object.send(&command, now, false), Some(Outcome::Changed { changed: false }));
        assert_eq!(object.send(&ask("b"), now, false), Some(Outcome::Revoked), "{target:?}");
        object.shard = None;
        assert_eq!(object.send(&ask("c"), now, false), Some(Outcome::Revoked), "{target:?} after a crash");
        let listed = object.send(&Command::Revocations, now, false);
        assert_eq!(listed, Some(Outcome::Revocations { revocations: vec![revocation] }));
        assert_eq!(
            object.send(&Command::Restore { target: target.clone() }, now, false),
            Some(Outcome::Changed { changed: true })
        );
        object.shard = None;
        assert!(matches!(object.send(&ask("d"), now, false), Some(Outcome::Admitted { .. })), "{target:?}");
    }
}

#[test]
fn a_cap_that_pays_for_ten_admits_ten() {
    let mut limits = limits();
    let plan = limits.plans.get_mut("standard").unwrap();
    plan.quota = parse_rate("1000/second", 1_000).unwrap();
    plan.concurrency = 1_000;
    let mut object = Object { limits, stored: BTreeMap::new(), shard: None };
    let now = UnixMillis::from_millis(START_MS);
    let admitted = (0..64)
        .filter(|number| {
            let outcome = admit(&mut object, &number.to_string(), "m", 100, now);
            matches!(outcome, Outcome::Admitted { budget: Budget::Reserved, .. })
        })
        .count();
    assert_eq!(admitted, 10);
}
