//! The sums of what was decided.

use std::collections::BTreeMap;

use pip_aide_gateway::policy::day::{Day, DayStart};
use pip_aide_gateway::units::NanoUsd;
use serde_json::{Value, json};

use super::log::Log;
use super::replay::Decision;

/// All requests under one set of settings.
#[derive(Default)]
pub struct Tally {
    pub decisions: BTreeMap<Decision, u64>,
    /// Requests that would have asked the model but for a cap.
    pub lost_model: u64,
    pub asked: u64,
    pub spent: NanoUsd,
    /// By day and plan.
    pub spend: BTreeMap<(Day, u32), Spend>,
    /// By machine.
    pub machines: BTreeMap<u32, Losses>,
}

/// Of one day and plan.
#[derive(Clone, Copy, Default)]
pub struct Spend {
    pub requests: u64,
    pub spent: NanoUsd,
    pub logged: NanoUsd,
}

/// What a machine does not get.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    pub refused: u64,
    pub without_model: u64,
}

impl Losses {
    pub const fn sum(self) -> u64 {
        self.refused.saturating_add(self.without_model)
    }

    pub fn json(self) -> Value {
        json!({ "refused": self.refused, "without_model": self.without_model })
    }
}

impl Tally {
    pub fn of(log: &Log, decisions: &[Decision], day: DayStart) -> Self {
        let mut tally = Self::default();
        for (record, decision) in log.records.iter().zip(decisions) {
            add(tally.decisions.entry(*decision).or_default());
            let spend = tally.spend.entry((day.day_of(record.at), record.plan)).or_default();
            spend.logged = spend.logged.saturating_add(record.cost);
            if !decision.is_refusal() {
                add(&mut spend.requests);
            }
            if *decision == Decision::Admitted {
                spend.spent = spend.spent.saturating_add(record.cost);
                tally.spent = tally.spent.saturating_add(record.cost);
                tally.asked = tally.asked.saturating_add(u64::from(record.asked));
                continue;
            }
            if decision.is_refusal() {
                add(&mut tally.machines.entry(record.machine).or_default().refused);
            } else if record.asked {
                add(&mut tally.lost_model);
                add(&mut tally.machines.entry(record.machine).or_default().without_model);
            }
        }
        tally
    }

    pub fn count(&self, decision: Decision) -> u64 {
        self.decisions.get(&decision).copied().unwrap_or(0)
    }

    /// Requests that go on, with money or without.
    pub fn admitted(&self) -> u64 {
        let on = self.decisions.iter().filter(|(decision, _)| !decision.is_refusal());
        on.fold(0, |sum: u64, (_, count)| sum.saturating_add(*count))
    }

    pub fn json(&self) -> Value {
        json!({
            "admitted": self.admitted(),
            "refused": {
                "rate-limited": self.count(Decision::RateLimited),
                "concurrency": self.count(Decision::Concurrency),
                "unknown-plan": self.count(Decision::UnknownPlan),
                "unauthenticated": self.count(Decision::Unauthenticated),
                "unavailable": self.count(Decision::Unavailable),
            },
            "cap_reached": {
                "machine": self.count(Decision::MachineCap),
                "plan": self.count(Decision::PlanCap),
                "service": self.count(Decision::ServiceCap),
            },
            "asked_model": self.asked,
            "lost_model": self.lost_model,
            "spent_usd": self.spent.to_string(),
        })
    }
}

const fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
