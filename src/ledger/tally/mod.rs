//! Counters, for operators: what became of a day's requests. They are added up where the ledger learns of
//! it anyway and lie in the shard's main row, so that they cost no row of their own; no machine is named in
//! them.
//!
//! - [`Tally`]: one spending day.
//! - [`latency`]: how long its requests took.
//! - [`days`]: the day that goes on, and those before it.
//! - [`asked`]: what was asked of the platform, by UTC days as its allowances go.

pub mod asked;
pub mod days;
pub mod latency;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::latency::Latency;
use crate::ledger::wire::ended::{Ended, Ending, Reason, Source};
use crate::policy::day::Day;
use crate::units::NanoUsd;

/// The form of a stored tally.
pub const VERSION: u32 = 1;

/// What became of the requests that were admitted on one spending day, and how many were refused on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// See [`VERSION`].
    pub v: u32,
    /// The day.
    pub day: Day,
    /// Requests that are over, by how they ended: each is among them once.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub outcomes: BTreeMap<Ending, u64>,
    /// Answers, by where they came from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub sources: BTreeMap<Source, u64>,
    /// Requests that are over and what was charged for them, by plan.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub plans: BTreeMap<String, OfPlan>,
    /// Refusals, by their reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub refused: BTreeMap<Reason, u64>,
    /// Tokens that providers counted, of prompts and completions.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub tokens: (u64, u64),
    /// What was charged.
    #[serde(skip_serializing_if = "is_free", default)]
    pub spent: NanoUsd,
    /// How long answers took.
    #[serde(skip_serializing_if = "Latency::is_empty", default)]
    pub latency: Latency,
}

/// The share of one plan: its requests, and what was charged for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfPlan(pub u64, pub NanoUsd);

fn is_zero(tokens: &(u64, u64)) -> bool {
    *tokens == (0, 0)
}

fn is_free(amount: &NanoUsd) -> bool {
    *amount == NanoUsd::ZERO
}

/// Counts `more` of `what`.
fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, what: K, more: u64) {
    let count = counts.entry(what).or_default();
    *count = count.saturating_add(more);
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn of(day: Day) -> Self {
        Self { v: VERSION, day, ..Self::default() }
    }

    /// A request of a plan is over; the plan is not known where a crash took the reservation. `ended` is
    /// not told by a Worker of an earlier version, and by nobody where a request expires.
    pub fn end(&mut self, plan: Option<&str>, ended: Option<&Ended>, charged: NanoUsd) {
        add(&mut self.outcomes, ended.map_or(Ending::Unsettled, |ended| ended.outcome), 1);
        self.spent = self.spent.saturating_add(charged);
        if let Some(plan) = plan {
            match self.plans.get_mut(plan) {
                Some(OfPlan(requests, spent)) => {
                    *requests = requests.saturating_add(1);
                    *spent = spent.saturating_add(charged);
                }
                None => drop(self.plans.insert(plan.to_owned(), OfPlan(1, charged))),
            }
        }
        let Some(ended) = ended else { return };
        if let Some(source) = ended.source {
            add(&mut self.sources, source, 1);
        }
        let (input, output) = ended.tokens;
        self.tokens = (self.tokens.0.saturating_add(input), self.tokens.1.saturating_add(output));
        self.latency.add(ended.ms);
    }

    /// Requests that were refused for a reason.
    pub fn refuse(&mut self, reason: Reason, count: u64) {
        add(&mut self.refused, reason, count);
    }

    /// Requests that are over.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.outcomes.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Those of them that got no answer.
    #[must_use]
    pub fn without_answer(&self) -> u64 {
        self.sources.values().fold(self.requests(), |rest, count| rest.saturating_sub(*count))
    }

    /// Takes in what another shard counted on the same day.
    pub fn take_in(&mut self, other: &Self) {
        other.outcomes.iter().for_each(|(outcome, count)| add(&mut self.outcomes, *outcome, *count));
        other.sources.iter().for_each(|(source, count)| add(&mut self.sources, *source, *count));
        other.refused.iter().for_each(|(reason, count)| add(&mut self.refused, *reason, *count));
        for (plan, OfPlan(requests, spent)) in &other.plans {
            let mine = self.plans.entry(plan.clone()).or_default();
            *mine = OfPlan(mine.0.saturating_add(*requests), mine.1.saturating_add(*spent));
        }
        let (input, output) = other.tokens;
        self.tokens = (self.tokens.0.saturating_add(input), self.tokens.1.saturating_add(output));
        self.spent = self.spent.saturating_add(other.spent);
        self.latency.take_in(&other.latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = Day::from_number(20_784);

    fn ended(outcome: Ending, source: Option<Source>, ms: u64) -> Ended {
        let tokens = if source == Some(Source::Model) { (100, 10) } else { (0, 0) };
        Ended { outcome, source, tokens, ms }
    }

    fn tally() -> Tally {
        let mut tally = Tally::of(DAY);
        let nanos = NanoUsd::from_nanos;
        tally.end(Some("standard"), Some(&ended(Ending::Answered, Some(Source::Rules), 3)), nanos(0));
        tally.end(Some("standard"), Some(&ended(Ending::Answered, Some(Source::Model), 812)), nanos(70));
        tally.end(Some("trusted"), Some(&ended(Ending::UpstreamFailed, None, 25_001)), nanos(7));
        tally.end(None, None, nanos(500));
        tally.refuse(Reason::RateLimited, 2);
        tally
    }

    #[test]
    fn each_request_is_counted_once_by_its_end_its_source_and_its_plan() {
        let tally = tally();
        assert_eq!((tally.requests(), tally.without_answer()), (4, 2));
        assert_eq!(tally.outcomes[&Ending::Unsettled], 1);
        assert_eq!(tally.plans["standard"], OfPlan(2, NanoUsd::from_nanos(70)));
        assert_eq!(tally.plans["trusted"], OfPlan(1, NanoUsd::from_nanos(7)));
        assert_eq!((tally.tokens, tally.spent), ((100, 10), NanoUsd::from_nanos(577)));
        assert_eq!(tally.latency.count(), 3, "nobody knows how long the fourth took");
    }

    #[test]
    fn shards_add_up() {
        let (mut both, one) = (tally(), tally());
        both.take_in(&one);
        assert_eq!((both.requests(), both.without_answer()), (8, 4));
        assert_eq!(both.refused[&Reason::RateLimited], 4);
        assert_eq!(both.plans["standard"], OfPlan(4, NanoUsd::from_nanos(140)));
        assert_eq!((both.tokens, both.spent), ((200, 20), NanoUsd::from_nanos(1_154)));
        assert_eq!((both.latency.count(), both.latency.sum_ms()), (6, 2 * (3 + 812 + 25_001)));
    }

    #[test]
    fn the_stored_form_does_not_change_unnoticed() {
        let text = r#"{"v":1,"day":20784,"outcomes":{"answered":2,"upstream-failed":1,"unsettled":1},"sources":{"rules":1,"model":1},"plans":{"standard":[2,70],"trusted":[1,7]},"refused":{"rate-limited":2},"tokens":[100,10],"spent":577,"latency":{"counts":[1,0,0,0,0,1,0,0,0,0,1],"sum_ms":25816}}"#;
        assert_eq!(serde_json::to_string(&tally()).unwrap(), text);
        assert_eq!(serde_json::from_str::<Tally>(text).unwrap(), tally());
        assert_eq!(serde_json::to_string(&Tally::of(DAY)).unwrap(), r#"{"v":1,"day":20784}"#);
    }
}
