//! What the provider may bill, kept apart from the ledger.

use std::collections::{BTreeMap, HashMap, HashSet};

use pip_aide_gateway::policy::limits::Limits;
use pip_aide_gateway::units::UnixMillis;

/// The end of a spending day, which stands for the day.
pub type DayEnd = UnixMillis;

#[derive(Default)]
pub struct Book {
    /// What is owed or may be: the worst cost while nobody has told the ledger better.
    pub of_shard: BTreeMap<(DayEnd, u32), u64>,
    pub of_service: BTreeMap<DayEnd, u64>,
    pub of_plan: BTreeMap<(DayEnd, String), u64>,
    pub of_machine: BTreeMap<(DayEnd, String), u64>,
    /// By the ledger's clock, in milliseconds, with how often the shard had woken up.
    pub admissions: HashMap<(u32, String), Vec<(u64, u64)>>,
    pub nonces: HashSet<(String, u64)>,
    /// Request ids in the log, and how often.
    pub logged: HashMap<String, u32>,
}

impl Book {
    /// Notes that so much more may be billed, or less.
    pub fn note(&mut self, day: DayEnd, shard: u32, plan: &str, subject: &str, change: i64) {
        let add =
            |amount: &mut u64| *amount = amount.checked_add_signed(change).expect("no debt is negative");
        add(self.of_shard.entry((day, shard)).or_default());
        add(self.of_service.entry(day).or_default());
        add(self.of_plan.entry((day, plan.to_owned())).or_default());
        add(self.of_machine.entry((day, subject.to_owned())).or_default());
    }

    /// For every cap: what may be billed is at most the cap.
    pub fn check_caps(&self, limits: &Limits, plan_of: impl Fn(&str) -> &'static str) {
        for (day, owed) in &self.of_service {
            assert!(*owed <= limits.service_daily.nanos(), "the service's cap of {day:?} was passed: {owed}");
        }
        for ((day, plan), owed) in &self.of_plan {
            let cap = limits.plan(plan).unwrap().total_daily;
            assert!(cap.is_none_or(|cap| *owed <= cap.nanos()), "the cap of {plan} on {day:?} was passed");
        }
        for ((day, machine), owed) in &self.of_machine {
            let cap = limits.plan(plan_of(machine)).unwrap().machine_daily;
            assert!(*owed <= cap.nanos(), "the cap of {machine} on {day:?} was passed: {owed}");
        }
    }

    /// In any window of length t at most burst + rate × t are admitted, and one burst more for each
    /// crash in it.
    pub fn check_rate(&self, limits: &Limits) {
        let quota = limits.plan("standard").unwrap().quota;
        let interval_ms = u64::from(quota.window_seconds()) * 1_000 / u64::from(quota.count());
        for (machine, times) in &self.admissions {
            // Replies arrive in another order than they were given.
            let mut times = times.clone();
            times.sort_unstable();
            for (first, (from, restored)) in times.iter().enumerate() {
                let mut ends = (*restored, *restored);
                for (last, (until, restored)) in times.iter().enumerate().skip(first) {
                    let admitted = (last - first + 1) as u64;
                    // A crash may set the ledger's clock back a little too.
                    ends = (ends.0.min(*restored), ends.1.max(*restored));
                    let bursts = 1 + ends.1 - ends.0;
                    let allowed =
                        bursts * u64::from(quota.burst()) + until.saturating_sub(*from) / interval_ms;
                    assert!(admitted <= allowed, "{machine:?} was admitted {admitted} times of {allowed}");
                }
            }
        }
    }
}
