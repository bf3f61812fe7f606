//! How a machine stands with its limits.

use serde::{Deserialize, Serialize};

use crate::ledger::bucket::Level;
use crate::policy::limits::Limits;
use crate::units::{NanoUsd, UnixMillis};

/// How a machine stands with its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The plan that applies.
    pub plan: String,
    /// Requests a window.
    pub rate_count: u32,
    /// The window in seconds.
    pub rate_window: u32,
    /// Requests that may come at once.
    pub burst: u32,
    /// What the bucket has left.
    pub level: Level,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that may be in flight.
    pub concurrency: u32,
    /// Spent or reserved today.
    pub spent: NanoUsd,
    /// The machine's cap a day.
    pub cap: NanoUsd,
    /// The ledger's clock.
    pub now: UnixMillis,
    /// When the day ends.
    pub resets_at: UnixMillis,
}

impl Standing {
    /// How a machine stands that has spent nothing, with this level of its bucket. `None` without
    /// such a plan.
    #[must_use]
    pub fn unseen(plan: &str, limits: &Limits, level: Level, now: UnixMillis) -> Option<Self> {
        let of_plan = limits.plan(plan)?;
        Some(Self {
            plan: plan.to_owned(),
            rate_count: of_plan.quota.count(),
            rate_window: of_plan.quota.window_seconds(),
            burst: of_plan.quota.burst(),
            level,
            in_flight: 0,
            concurrency: of_plan.concurrency,
            spent: NanoUsd::ZERO,
            cap: of_plan.machine_daily,
            now,
            resets_at: limits.day.end_of(limits.day.day_of(now)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::bucket::Quota;
    use crate::policy::day::DayStart;
    use crate::policy::plans::Plan;

    #[test]
    fn who_was_never_seen_has_all_that_its_plan_gives() {
        let (quota, machine_daily) = (Quota::new(6, 60, 3).unwrap(), NanoUsd::from_nanos(9));
        let plan = Plan { quota, concurrency: 2, machine_daily, total_daily: None };
        let limits = Limits {
            plans: [("trusted".to_owned(), plan)].into(),
            service_daily: NanoUsd::ZERO,
            day: DayStart::parse("06:00Z").unwrap(),
            enrolment_difficulty: 18,
            shards: 1,
        };
        let (level, now) = (Level { remaining: 3, next_in: 0 }, UnixMillis::from_seconds(86_400));
        let expected = Standing {
            plan: "trusted".to_owned(),
            rate_count: 6,
            rate_window: 60,
            burst: 3,
            level,
            in_flight: 0,
            concurrency: 2,
            spent: NanoUsd::ZERO,
            cap: machine_daily,
            now,
            resets_at: UnixMillis::from_seconds(86_400 + 6 * 3_600),
        };
        assert_eq!(Standing::unseen("trusted", &limits, level, now), Some(expected));
        assert_eq!(Standing::unseen("standard", &limits, level, now), None);
    }
}
