//! Counters, for operators: what became of a day's requests. They are added up where the ledger learns of
//! it anyway and lie in the shard's main row, so that they cost no row of their own; no machine is named in
//! them.
//!
//! - [`Tally`]: one spending day.
//! - [`latency`]: how long its requests took.
//! - [`days`]: the day that goes on, and those before it.
//! - [`asked`]: what was asked of the platform, by UTC days as its allowances go.

pub mod asked;
pub mod counts;
pub mod days;
pub mod latency;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::counts::Counts;
use self::latency::Latency;
use crate::ledger::wire::ended::{Ended, Ending, Reason};
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
    /// Requests that are over, by the places of [`Ending`]: each is among them once.
    #[serde(skip_serializing_if = "Counts::is_empty", default)]
    pub outcomes: Counts,
    /// Answers, by the places of [`Source`](crate::ledger::wire::ended::Source).
    #[serde(skip_serializing_if = "Counts::is_empty", default)]
    pub sources: Counts,
    /// Requests that are over and what was charged for them, by plan.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub plans: BTreeMap<String, OfPlan>,
    /// Refusals, by the places of [`Reason`].
    #[serde(skip_serializing_if = "Counts::is_empty", default)]
    pub refused: Counts,
    /// Tokens that providers counted, of prompts and of completions.
    #[serde(skip_serializing_if = "Counts::is_empty", default)]
    pub tokens: Counts,
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

fn is_free(amount: &NanoUsd) -> bool {
    *amount == NanoUsd::ZERO
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn of(day: Day) -> Self {
        Self { v: VERSION, day, ..Self::default() }
    }

    /// A request of a plan is over. `ended` is not told by a Worker of an earlier version, and by nobody where
    /// a request expires.
    pub fn end(&mut self, plan: &str, ended: Option<&Ended>, charged: NanoUsd) {
        self.outcomes.add(ended.map_or(Ending::Unsettled, |ended| ended.outcome).place(), 1);
        self.spent = self.spent.saturating_add(charged);
        match self.plans.get_mut(plan) {
            Some(of_plan) => of_plan.add(1, charged),
            None => drop(self.plans.insert(plan.to_owned(), OfPlan(1, charged))),
        }
        let Some(ended) = ended else { return };
        if let Some(source) = ended.source {
            self.sources.add(source.place(), 1);
        }
        if ended.tokens != (0, 0) {
            self.tokens.add(0, ended.tokens.0);
            self.tokens.add(1, ended.tokens.1);
        }
        self.latency.add(ended.ms);
    }

    /// Requests that were refused for a reason.
    pub fn refuse(&mut self, reason: Reason, count: u64) {
        self.refused.add(reason.place(), count);
    }

    /// Requests that are over.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.outcomes.sum()
    }

    /// Those of them that got no answer.
    #[must_use]
    pub fn without_answer(&self) -> u64 {
        self.requests().saturating_sub(self.sources.sum())
    }

    /// Takes in what another shard counted on the same day.
    pub fn take_in(&mut self, other: &Self) {
        self.outcomes.take_in(&other.outcomes);
        self.sources.take_in(&other.sources);
        self.refused.take_in(&other.refused);
        self.tokens.take_in(&other.tokens);
        for (plan, OfPlan(requests, spent)) in &other.plans {
            self.plans.entry(plan.clone()).or_default().add(*requests, *spent);
        }
        self.spent = self.spent.saturating_add(other.spent);
        self.latency.take_in(&other.latency);
    }
}

impl OfPlan {
    const fn add(&mut self, requests: u64, spent: NanoUsd) {
        *self = Self(self.0.saturating_add(requests), self.1.saturating_add(spent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::wire::ended::Source;

    const DAY: Day = Day::from_number(20_784);

    fn ended(outcome: Ending, source: Option<Source>, ms: u64) -> Ended {
        let tokens = if source == Some(Source::Model) { (100, 10) } else { (0, 0) };
        Ended { outcome, source, tokens, ms }
    }

    fn tally() -> Tally {
        let mut tally = Tally::of(DAY);
        let nanos = NanoUsd::from_nanos;
        tally.end("standard", Some(&ended(Ending::Answered, Some(Source::Rules), 3)), nanos(0));
        tally.end("standard", Some(&ended(Ending::Answered, Some(Source::Model), 812)), nanos(70));
        tally.end("trusted", Some(&ended(Ending::UpstreamFailed, None, 25_001)), nanos(7));
        tally.end("standard", None, nanos(500));
        tally.refuse(Reason::RateLimited, 2);
        tally
    }

    #[test]
    fn each_request_is_counted_once_by_its_end_its_source_and_its_plan() {
        let tally = tally();
        assert_eq!((tally.requests(), tally.without_answer()), (4, 2));
        assert_eq!(tally.outcomes.get(Ending::Unsettled.place()), 1);
        assert_eq!(tally.plans["standard"], OfPlan(3, NanoUsd::from_nanos(570)));
        assert_eq!(tally.plans["trusted"], OfPlan(1, NanoUsd::from_nanos(7)));
        assert_eq!((tally.tokens.get(0), tally.tokens.get(1)), (100, 10));
        assert_eq!(tally.spent, NanoUsd::from_nanos(577));
        assert_eq!(tally.latency.count(), 3, "nobody knows how long the fourth took");
    }

    #[test]
    fn shards_add_up() {
        let (mut both, one) = (tally(), tally());
        both.take_in(&one);
        assert_eq!((both.requests(), both.without_answer()), (8, 4));
        assert_eq!(both.refused.get(Reason::RateLimited.place()), 4);
        assert_eq!(both.plans["standard"], OfPlan(6, NanoUsd::from_nanos(1_140)));
        assert_eq!((both.tokens.sum(), both.spent), (220, NanoUsd::from_nanos(1_154)));
        assert_eq!((both.latency.count(), both.latency.sum_ms()), (6, 2 * (3 + 812 + 25_001)));
    }

    #[test]
    fn the_stored_form_does_not_change_unnoticed() {
        let text = r#"{"v":1,"day":20784,"outcomes":[2,0,0,1,0,1],"sources":[1,0,1],"plans":{"standard":[3,570],"trusted":[1,7]},"refused":[0,0,0,0,0,2],"tokens":[100,10],"spent":577,"latency":{"counts":[1,0,0,0,0,1,0,0,0,0,1],"sum_ms":25816}}"#;
        assert_eq!(serde_json::to_string(&tally()).unwrap(), text);
        assert_eq!(serde_json::from_str::<Tally>(text).unwrap(), tally());
        assert_eq!(serde_json::to_string(&Tally::of(DAY)).unwrap(), r#"{"v":1,"day":20784}"#);
    }
}
