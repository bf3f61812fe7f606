//! The requests of a log, one after the other, before the ledger under other limits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use pip_aide_gateway::ledger::shard::rehearsal::Rehearsal;
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Cap, Charge, Credential, Outcome, Refusal, Settlement,
};
use pip_aide_gateway::policy::settings::Settings;
use pip_aide_gateway::stages::admit::reservation_life;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};
use serde::Serialize;

use super::log::{Auth, Log, Record};
use crate::table::grouped;
use crate::terminal::Progress;

/// What is decided about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It goes on, and its worst cost is set aside.
    Admitted,
    /// It goes on without money: the machine's, the plan's or the service's cap is reached.
    MachineCap,
    PlanCap,
    ServiceCap,
    /// It is refused: the bucket is empty, or too many are in flight.
    RateLimited,
    Concurrency,
    /// It is refused: its plan is not among the settings.
    UnknownPlan,
    /// It is refused: its kind of credential does not count.
    Unauthenticated,
    /// The ledger could not decide.
    Unavailable,
}

impl Decision {
    /// Whether the request ends there.
    pub const fn is_refusal(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Concurrency
                | Self::UnknownPlan
                | Self::Unauthenticated
                | Self::Unavailable
        )
    }

    /// Whether it goes on without money.
    pub const fn is_cap(self) -> bool {
        matches!(self, Self::MachineCap | Self::PlanCap | Self::ServiceCap)
    }
}

/// A request that is under way: when it ends, which it is, and what its settlement says.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Open {
    ends: UnixMillis,
    place: usize,
    record_at: UnixMillis,
    cost: NanoUsd,
}

/// Decides about every record, in the log's order.
pub fn run(log: &Log, settings: &Settings, what: &str, progress: &mut Progress) -> Vec<Decision> {
    let mut ledger = Rehearsal::new(&settings.limits);
    let life = reservation_life(settings.upstream_timeout);
    let mut open: BinaryHeap<Reverse<Open>> = BinaryHeap::new();
    let all = u64::try_from(log.records.len()).unwrap_or(u64::MAX);
    let mut decisions = Vec::with_capacity(log.records.len());
    for (place, record) in log.records.iter().enumerate() {
        let done = u64::try_from(place).unwrap_or(0);
        progress.draw(done, all, &|| format!("{} under {what}", grouped(done)));
        while open.peek().is_some_and(|Reverse(first)| first.ends <= record.at)
            && let Some(Reverse(ended)) = open.pop()
        {
            settle(&mut ledger, log, &ended);
        }
        let counts = match record.auth {
            Auth::Anonymous => settings.anonymous,
            Auth::Foreign => settings.provider.is_some(),
            Auth::Other => true,
        };
        if !counts {
            decisions.push(Decision::Unauthenticated);
            continue;
        }
        let outcome = ledger.admit(admission(log, record, place, life), record.at);
        if let Outcome::Admitted { budget, record_at, .. } = &outcome
            && let Some(ends) = record.ended
        {
            let cost = if *budget == Budget::Reserved { record.cost } else { NanoUsd::ZERO };
            open.push(Reverse(Open { ends, place, record_at: *record_at, cost }));
        }
        decisions.push(decision(&outcome));
    }
    decisions
}

fn admission(log: &Log, record: &Record, place: usize, life: Duration) -> Admission {
    Admission {
        id: place.to_string(),
        subject: log.machines.name(record.machine).to_owned(),
        plan: log.plans.name(record.plan).to_owned(),
        credential: Credential::default(),
        worst: record.worst,
        lifetime_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
        level: None,
    }
}

fn settle(ledger: &mut Rehearsal, log: &Log, ended: &Open) {
    let Some(record) = log.records.get(ended.place) else { return };
    let nothing = ended.cost == NanoUsd::ZERO;
    let settlement = Settlement {
        id: ended.place.to_string(),
        subject: log.machines.name(record.machine).to_owned(),
        charge: if nothing { Charge::Nothing } else { Charge::Actual(ended.cost) },
        shard: 0,
        record: None,
        ended: None,
    };
    ledger.settle(settlement, ended.ends);
}

const fn decision(outcome: &Outcome) -> Decision {
    match outcome {
        Outcome::Admitted { budget: Budget::Reserved, .. } => Decision::Admitted,
        Outcome::Admitted { budget: Budget::Reached(cap), .. } => match cap {
            Cap::Machine => Decision::MachineCap,
            Cap::Plan => Decision::PlanCap,
            Cap::Service => Decision::ServiceCap,
        },
        Outcome::Refused { reason: Refusal::Rate(_), .. } => Decision::RateLimited,
        Outcome::Refused { reason: Refusal::Concurrency, .. } => Decision::Concurrency,
        Outcome::UnknownPlan => Decision::UnknownPlan,
        _ => Decision::Unavailable,
    }
}
