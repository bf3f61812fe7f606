//! Reading the limits: the plans of `policies/plans.toml`, as `MACHINE_*` and `PLAN_*` change them,
//! and the caps of the whole service.

use crate::policy::day::DayStart;
use crate::policy::limits::{Limits, parse_rate};
use crate::policy::names::plan_part;
use crate::policy::plans::{PLANS, Plan, Plans, STANDARD};
use crate::policy::reader::Reader;

/// More would not fit the free plan: a revocation is told to each within one request.
const MOST_SHARDS: u64 = 48;

const RATE_FORM: &str = "must be N/second, N/minute, N/hour or N/day";

impl Reader<'_> {
    /// Every limit that the ledger holds to.
    pub(super) fn limits(&mut self) -> Option<Limits> {
        let standard = PlanNames {
            rate: "MACHINE_RATE".to_owned(),
            burst: "MACHINE_BURST".to_owned(),
            daily_usd: "MACHINE_DAILY_USD".to_owned(),
            concurrency: "MACHINE_CONCURRENCY".to_owned(),
            total_daily_usd: "PLAN_STANDARD_TOTAL_DAILY_USD".to_owned(),
        };
        let standard_defaults = PlanDefaults {
            rate: "6/minute",
            burst: "3",
            daily_usd: "0.05",
            concurrency: "2",
            total_daily_usd: None,
        };
        let mut plans = Plans::new();
        let mut whole = true;
        let mut add = |name: &str, plan: Option<Plan>| match plan {
            Some(plan) => drop(plans.insert(name.to_owned(), plan)),
            None => whole = false,
        };
        add(STANDARD, self.plan(&standard, Some(&standard_defaults)));
        let mut names: Vec<String> = PLANS.iter().map(|plan| plan.name.to_owned()).collect();
        names.extend(self.environment.keys().filter_map(|name| plan_part(name)).map(|(plan, _)| plan));
        names.sort();
        names.dedup();
        for name in names {
            let shipped = PLANS.iter().find(|plan| plan.name == name).map(|plan| PlanDefaults {
                rate: plan.rate,
                burst: plan.burst,
                daily_usd: plan.daily_usd,
                concurrency: plan.concurrency,
                total_daily_usd: plan.total_daily_usd,
            });
            add(&name, self.plan(&PlanNames::of(&name), shipped.as_ref()));
        }
        let service_daily = self.usd("DAILY_USD", "5.00");
        let day = self.parsed(
            "DAY_STARTS_AT",
            "00:00Z",
            "must be HH:MM and Z or an offset, like 00:00Z or 00:00+08:00",
            DayStart::parse,
        );
        let difficulty = self.whole("ENROLLMENT_DIFFICULTY", "18", 8, 32);
        let shards = self.whole("SHARDS", "1", 1, MOST_SHARDS);
        whole.then_some(Limits {
            plans,
            service_daily: service_daily?,
            day: day?,
            enrolment_difficulty: u8::try_from(difficulty?).ok()?,
            shards: u32::try_from(shards?).ok()?,
        })
    }

    fn plan(&mut self, names: &PlanNames, defaults: Option<&PlanDefaults>) -> Option<Plan> {
        if defaults.is_none() {
            for name in [&names.rate, &names.burst, &names.daily_usd, &names.concurrency] {
                if !self.environment.contains_key(name) {
                    self.fault(
                        name,
                        "is missing: a plan that policies/plans.toml does not have needs all four",
                    );
                }
            }
        }
        // Where a default is missing the fault above stands already, whatever is read here.
        let fallback = PlanDefaults {
            rate: "1/day",
            burst: "1",
            daily_usd: "0",
            concurrency: "1",
            total_daily_usd: None,
        };
        let defaults = defaults.unwrap_or(&fallback);
        let burst = self.whole(&names.burst, defaults.burst, 1, 1_000_000);
        let concurrency = self.whole(&names.concurrency, defaults.concurrency, 1, 10_000);
        let machine_daily = self.usd(&names.daily_usd, defaults.daily_usd);
        let total_text =
            self.text(&names.total_daily_usd, defaults.total_daily_usd.unwrap_or("")).map(str::to_owned);
        let total_daily = match total_text.as_deref() {
            Some("") => Some(None),
            Some(_) => self.usd(&names.total_daily_usd, defaults.total_daily_usd.unwrap_or("")).map(Some),
            None => None,
        };
        let burst = u32::try_from(burst?).ok()?;
        let quota = self.parsed(&names.rate, defaults.rate, RATE_FORM, |text| parse_rate(text, burst));
        Some(Plan {
            quota: quota?,
            concurrency: u32::try_from(concurrency?).ok()?,
            machine_daily: machine_daily?,
            total_daily: total_daily?,
        })
    }
}

/// The names of one plan's settings.
struct PlanNames {
    rate: String,
    burst: String,
    daily_usd: String,
    concurrency: String,
    total_daily_usd: String,
}

impl PlanNames {
    fn of(plan: &str) -> Self {
        let name = |part: &str| format!("PLAN_{}{part}", plan.to_ascii_uppercase());
        Self {
            rate: name("_RATE"),
            burst: name("_BURST"),
            daily_usd: name("_DAILY_USD"),
            concurrency: name("_CONCURRENCY"),
            total_daily_usd: name("_TOTAL_DAILY_USD"),
        }
    }
}

struct PlanDefaults {
    rate: &'static str,
    burst: &'static str,
    daily_usd: &'static str,
    concurrency: &'static str,
    total_daily_usd: Option<&'static str>,
}
