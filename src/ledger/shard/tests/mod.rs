//! What a shard does at the edges of its bounds, where messages alone hardly take it.

mod admitted;
mod alarm;
mod full;
mod leased;
mod listed;
mod written;

use super::*;
use crate::ledger::account::Account;
use crate::ledger::fund::SERVICE;
use crate::policy::day::DayStart;
use crate::policy::limits::parse_rate;
use crate::policy::plans::Plan;

const NOON: UnixMillis = UnixMillis::from_seconds(1_800_014_400);
const TODAY: Day = Day::from_number(20_834);
const YESTERDAY: Day = Day::from_number(20_833);

const fn nano(amount: u64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

fn after(millis: u64) -> UnixMillis {
    NOON.plus(Duration::from_millis(millis))
}

fn before(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(NOON.millis() - millis)
}

fn limits(shards: u32) -> Limits {
    let plan = |total_daily: Option<u64>| Plan {
        quota: parse_rate("1000/second", 1_000).unwrap(),
        concurrency: 10_000,
        machine_daily: nano(1_000),
        total_daily: total_daily.map(nano),
    };
    Limits {
        plans: [("standard".to_owned(), plan(None)), ("pool".to_owned(), plan(Some(500)))].into(),
        service_daily: nano(10_000),
        day: DayStart::parse("00:00Z").unwrap(),
        enrolment_difficulty: 18,
        shards,
    }
}

/// A shard of so many, at noon, that knows what day it is and has nothing to do.
fn shard(shards: u32) -> Shard {
    let term = Some(Term { day: TODAY, route: Route { shards, salt: 1 } });
    let mut shard = Shard {
        clock: NOON,
        platform: NOON,
        active_at: NOON,
        written_at: NOON,
        term,
        ..Shard::restore(None).unwrap()
    };
    shard.tallies.begin(TODAY, NOON);
    shard
}

/// The same in dense traffic.
fn dense() -> Shard {
    let mut shard = shard(1);
    (0..8).for_each(|_| shard.pace.note(NOON));
    shard
}

fn fund(day: Day, used: u64, lease: u64) -> Fund {
    Fund::restored(Account::restored(day, nano(used)), nano(lease), nano(10_000))
}

fn reservation(deadline: UnixMillis) -> Reservation {
    Reservation {
        subject: "m".to_owned(),
        plan: "standard".to_owned(),
        pooled: false,
        amount: nano(10),
        day: TODAY,
        deadline,
        budget: Budget::Reserved,
        record_at: NOON,
        stored: false,
    }
}

/// A request in flight.
fn open(shard: &mut Shard, id: &str, deadline: UnixMillis) {
    shard.by_deadline.insert((deadline, id.to_owned()));
    shard.open.insert(id.to_owned(), reservation(deadline));
}

fn step(shard: &mut Shard, command: Command) -> Step {
    let message = Message { to: 0, of: 1, command: Some(command), ..Message::default() };
    shard.step(&limits(1), message, 0, NOON).unwrap()
}

fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.key.as_str()).collect()
}
