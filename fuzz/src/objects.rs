//! The ledger's objects in memory, with small caps, and what must hold of them at any time.

use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::{Command, Message, Outcome};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

use support::Objects;

#[path = "../../tests/ledger_support/mod.rs"]
pub mod support;

/// Nano-dollars a day.
pub const SERVICE_CAP: u64 = 3_000;
pub const POOL_CAP: u64 = 900;
pub const MACHINE_CAP: u64 = 1_000;

/// Caps that a few requests reach, and nothing else that would refuse them early.
pub fn limits(shards: u32) -> Limits {
    let plan = |total_daily: Option<u64>| Plan {
        quota: parse_rate("1000/second", 100).expect("a rate"),
        concurrency: 20,
        machine_daily: NanoUsd::from_nanos(MACHINE_CAP),
        total_daily: total_daily.map(NanoUsd::from_nanos),
    };
    let plans = [("standard", plan(None)), ("pool", plan(Some(POOL_CAP)))];
    Limits {
        plans: plans.map(|(name, plan)| (name.to_owned(), plan)).into(),
        service_daily: NanoUsd::from_nanos(SERVICE_CAP),
        day: DayStart::parse("00:00Z").expect("a day"),
        enrolment_difficulty: 8,
        shards,
    }
}

/// Each shard has used no more than its lease, and all leases of a day together are no more than the cap.
pub fn check_objects(objects: &mut Objects, now: UnixMillis) {
    let Answer::State(treasury) = objects.treasury(Errand::State, now) else { panic!("no state") };
    for (pool, granted) in &treasury.granted {
        let cap = if pool == "service" { SERVICE_CAP } else { POOL_CAP };
        let sum: u64 = granted.values().map(|granted| granted.nanos()).sum();
        assert!(sum <= cap, "{pool}: {granted:?}");
    }
    let (of, shards) = (objects.limits.shards, objects.shards.keys().copied().collect::<Vec<_>>());
    for to in shards {
        let message = Message { to, of, command: Some(Command::State), ..Message::default() };
        let Outcome::State(state) = objects.exchange(message, now) else { panic!("no state") };
        for (pool, fund) in &state.funds {
            assert!(fund.used <= fund.leased, "{pool}: {fund:?}");
            let granted = treasury.granted.get(pool).and_then(|granted| granted.get(&to)).copied();
            let is_today = fund.day == treasury.day;
            assert!(!is_today || fund.leased <= granted.unwrap_or_default(), "{pool}: {fund:?} {granted:?}");
        }
    }
}
