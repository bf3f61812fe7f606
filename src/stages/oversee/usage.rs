//! What was used, today and on days before: `GET /admin/usage`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gather::{Gathered, Gone};
use super::query::Parameters;
use crate::ledger::fund::SERVICE;
use crate::ledger::shard::plan_pool;
use crate::ledger::tally::{OfPlan, Tally};
use crate::ledger::wire::ended::{Ending, Reason, Source};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::units::UnixMillis;

const FORM: &str = "Take days, 1 to 31, or nothing.";

/// What the route answers.
#[derive(Debug, Serialize)]
pub struct Usage {
    day: Day,
    started_at: String,
    resets_at: String,
    model: &'static str,
    service: Cap,
    plans: Vec<Plan>,
    days: Vec<OfDay>,
    allowances: Vec<Allowance>,
    request_id: String,
}

#[derive(Debug, Serialize)]
struct Cap {
    spent_usd: String,
    reserved_usd: String,
    cap_usd: String,
}

#[derive(Debug, Serialize)]
struct Plan {
    plan: String,
    spent_usd: String,
    /// Of all of the plan's machines together, where there is such a cap.
    cap_usd: Option<String>,
    requests: u64,
}

#[derive(Debug, Serialize)]
struct OfDay {
    day: Day,
    started_at: String,
    requests: u64,
    spent_usd: String,
    sources: BTreeMap<&'static str, u64>,
    outcomes: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<&'static str, u64>,
    tokens: Tokens,
}

#[derive(Debug, Serialize)]
struct Tokens {
    input: u64,
    output: u64,
}

#[derive(Debug, Serialize)]
struct Allowance {
    name: &'static str,
    used: u64,
    of: u64,
}

/// Asks every object of the ledger.
///
/// # Errors
/// [`Reject::MalformedRequest`], [`Reject::LedgerUnavailable`].
pub async fn usage<L: Ledger>(
    query: &str,
    id: &str,
    limits: &Limits,
    ledger: &L,
    now: UnixMillis,
) -> Result<Usage, Reject> {
    let days = Parameters::read(query, &["days"], FORM)?.number("days", 1..=31, 30)?;
    let gathered = Gathered::ask(ledger, days, now).await?;
    let day = gathered.treasury.day;
    let Gone { spent, reserved } = gathered.gone(SERVICE);
    let (spent_usd, reserved_usd) = (spent.to_string(), reserved.to_string());
    Ok(Usage {
        day,
        started_at: start_of(limits, day),
        resets_at: limits.day.end_of(day).rfc3339(),
        model: if gathered.is_model_on() { "on" } else { "off" },
        service: Cap { spent_usd, reserved_usd, cap_usd: limits.service_daily.to_string() },
        plans: plans(limits, &gathered),
        days: gathered.days.values().rev().map(|tally| OfDay::of(limits, tally)).collect(),
        allowances: gathered
            .allowances()
            .into_iter()
            .map(|(name, used, of)| Allowance { name, used, of })
            .collect(),
        request_id: id.to_owned(),
    })
}

/// Every plan of the settings, and those that had requests today. What is spent of a plan that has a cap on
/// all of its machines is what counts against that.
fn plans(limits: &Limits, gathered: &Gathered) -> Vec<Plan> {
    let today = gathered.today();
    let mut counts: BTreeMap<&str, OfPlan> =
        limits.plans.keys().map(|plan| (plan.as_str(), OfPlan::default())).collect();
    counts.extend(today.plans.iter().map(|(plan, counted)| (plan.as_str(), *counted)));
    let plan = |(plan, OfPlan(requests, charged)): (&str, OfPlan)| {
        let cap = limits.plan(plan).and_then(|plan| plan.total_daily);
        let spent = cap.map_or(charged, |_| gathered.gone(&plan_pool(plan)).spent);
        let cap_usd = cap.map(|cap| cap.to_string());
        Plan { plan: plan.to_owned(), spent_usd: spent.to_string(), cap_usd, requests }
    };
    counts.into_iter().map(plan).collect()
}

impl OfDay {
    fn of(limits: &Limits, tally: &Tally) -> Self {
        let mut sources: BTreeMap<&str, u64> =
            Source::ALL.iter().map(|of| (of.name(), tally.sources.get(of.place()))).collect();
        sources.insert("none", tally.without_answer());
        Self {
            day: tally.day,
            started_at: start_of(limits, tally.day),
            requests: tally.requests(),
            spent_usd: tally.spent.to_string(),
            sources,
            outcomes: Ending::ALL.iter().map(|of| (of.name(), tally.outcomes.get(of.place()))).collect(),
            refusals: refusals(tally).collect(),
            tokens: Tokens { input: tally.tokens.get(0), output: tally.tokens.get(1) },
        }
    }
}

/// Refusals by reason, with those for want of money, which are among the requests that were admitted: rules
/// and cache might have had an answer.
pub(super) fn refusals(tally: &Tally) -> impl Iterator<Item = (&'static str, u64)> {
    let capped = Ending::SpendCapReached;
    let capped = (capped.name(), tally.outcomes.get(capped.place()));
    let counted = Reason::ALL.iter().map(|of| (of.name(), tally.refused.get(of.place())));
    counted.chain([capped])
}

fn start_of(limits: &Limits, day: Day) -> String {
    limits.day.end_of(Day::from_number(day.number().saturating_sub(1))).rfc3339()
}
