//! The ledger without storage decides as the one with storage does.

#![cfg(not(target_arch = "wasm32"))]

mod ledger_support;

use std::collections::BTreeMap;

use ledger_support::Objects;
use pip_aide_gateway::ledger::shard::rehearsal::Rehearsal;
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Cap, Charge, Command, Credential, Outcome, Refusal, Settlement,
};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

const MORNING_MS: u64 = 1_795_478_400_000;

fn limits() -> Limits {
    let plan = |rate: &str, total: Option<u64>| Plan {
        quota: parse_rate(rate, 3).unwrap(),
        concurrency: 2,
        machine_daily: NanoUsd::from_nanos(20_000),
        total_daily: total.map(NanoUsd::from_nanos),
    };
    Limits {
        plans: [
            ("standard".to_owned(), plan("6/minute", None)),
            ("trusted".to_owned(), plan("1/second", Some(800_000))),
        ]
        .into(),
        service_daily: NanoUsd::from_nanos(3_000_000),
        day: DayStart::parse("06:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards: 1,
    }
}

/// A fixed sequence that looks random (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// What kind of outcome it is, to see that all kinds came up.
fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Admitted { budget: Budget::Reserved, .. } => "reserved",
        Outcome::Admitted { budget: Budget::Reached(Cap::Machine), .. } => "machine",
        Outcome::Admitted { budget: Budget::Reached(Cap::Plan), .. } => "plan",
        Outcome::Admitted { budget: Budget::Reached(Cap::Service), .. } => "service",
        Outcome::Refused { reason: Refusal::Rate(_), .. } => "rate",
        Outcome::Refused { reason: Refusal::Concurrency, .. } => "concurrency",
        Outcome::UnknownPlan => "unknown plan",
        other => panic!("{other:?}"),
    }
}

/// Plays `requests` of `machines` at random distances of up to `apart` milliseconds.
fn play(seed: u64, machines: u64, requests: u64, apart: u64) -> BTreeMap<&'static str, u64> {
    let mut random = Random(seed);
    let limits = limits();
    let mut real = Objects::new(limits.clone());
    let mut rehearsal = Rehearsal::new(&limits);
    let mut open: Vec<(u64, Settlement)> = Vec::new();
    let mut kinds = BTreeMap::new();
    let mut now = MORNING_MS;
    for number in 0..requests {
        now += random.below(apart);
        let at = UnixMillis::from_millis;
        open.sort_by_key(|(ends, settlement)| (*ends, settlement.id.clone()));
        while open.first().is_some_and(|(ends, _)| *ends <= now) {
            let (ends, settlement) = open.remove(0);
            real.settle(settlement.clone(), at(ends));
            rehearsal.settle(settlement, at(ends));
        }
        let machine = random.below(machines);
        let plan = ["standard", "trusted", "trusted", "gone"]
            [if machine.is_multiple_of(97) { 3 } else { (machine % 3) as usize }];
        let worst = NanoUsd::from_nanos(1_000 + random.below(4_000));
        let (id, subject) = (number.to_string(), format!("m{machine}"));
        let admission = Admission {
            id: id.clone(),
            subject: subject.clone(),
            plan: plan.to_owned(),
            credential: Credential::default(),
            worst,
            lifetime_ms: 35_000,
            level: None,
        };
        let outcome = rehearsal.admit(admission.clone(), at(now));
        let really = real.send(&subject, Command::Admit(admission), at(now));
        assert_eq!(outcome, really, "request {number} of {subject}");
        *kinds.entry(kind(&outcome)).or_default() += 1;
        if let Outcome::Admitted { budget, shard, .. } = outcome {
            let charge = match (budget, random.below(4)) {
                (Budget::Reached(_), _) | (_, 0) => Charge::Nothing,
                (_, 1) => Charge::Full,
                _ => Charge::Actual(NanoUsd::from_nanos(random.below(worst.nanos() + 1))),
            };
            // One of twenty never ends.
            if random.below(20) > 0 {
                let settlement = Settlement { id, subject, charge, shard, record: None, ended: None };
                open.push((now + random.below(5_000), settlement));
            }
        }
    }
    kinds
}

#[test]
fn it_decides_as_the_ledger_with_storage_does() {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    // Few machines in dense traffic, more than a shard keeps in memory, and thin traffic over days.
    for (machines, requests, apart) in [(5, 3_000, 900), (900, 6_000, 300), (40, 3_000, 120_000)] {
        for seed in 1..=3 {
            for (kind, count) in play(seed * 0x1e37_79b9_7f4a_7c15, machines, requests, apart) {
                *kinds.entry(kind).or_default() += count;
            }
        }
    }
    for kind in ["reserved", "machine", "plan", "service", "rate", "concurrency", "unknown plan"] {
        assert!(kinds.get(kind).is_some_and(|count| *count >= 50), "{kind} is rare: {kinds:?}");
    }
}

#[test]
fn machines_at_rest_are_not_forgotten() {
    // More machines than may be in a shard at once, each of which spends its whole cap; hours later they
    // are asked again on the same day.
    let limits = Limits { service_daily: NanoUsd::from_nanos(u64::MAX), ..limits() };
    let mut rehearsal = Rehearsal::new(&limits);
    let admission = |machine: u64, round: u64| Admission {
        id: format!("{machine}-{round}"),
        subject: format!("m{machine}"),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: NanoUsd::from_nanos(20_000),
        lifetime_ms: 1_000,
        level: None,
    };
    for round in 0..2 {
        for machine in 0..5_000 {
            let now = UnixMillis::from_millis(MORNING_MS + 6 * 3_600_000 + round * 7_200_000 + machine);
            let outcome = rehearsal.admit(admission(machine, round), now);
            let expected = if round == 0 { "reserved" } else { "machine" };
            assert_eq!(kind(&outcome), expected, "machine {machine} in round {round}");
            if let Outcome::Admitted { budget: Budget::Reserved, shard, .. } = outcome {
                let settlement = Settlement {
                    id: format!("{machine}-{round}"),
                    subject: format!("m{machine}"),
                    charge: Charge::Full,
                    shard,
                    record: None,
                    ended: None,
                };
                rehearsal.settle(settlement, now);
            }
        }
    }
}
