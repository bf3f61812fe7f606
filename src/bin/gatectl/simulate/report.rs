//! What the simulation found, as tables and as JSON.

use std::collections::BTreeSet;

use pip_aide_gateway::policy::day::{Day, DayStart};
use pip_aide_gateway::units::NanoUsd;
use serde_json::{Value, json};

use super::log::Log;
use super::replay::Decision;
use super::second_look::Lost;
use super::tally::{Losses, Tally};
use crate::output::Answer;
use crate::table::{Align, Cell, Table, grouped};
use crate::terminal::{Colour, Paint};

pub struct Report<'a> {
    pub log: &'a Log,
    pub current: Tally,
    pub proposed: Tally,
    pub lost: Lost,
    pub top: usize,
    /// When the proposal's spending days begin.
    pub day: DayStart,
    pub notes: Vec<String>,
}

impl Report<'_> {
    pub fn answer(&self) -> Answer {
        Answer::new(self.text(Paint::of_stdout()), self.json())
    }

    fn text(&self, paint: Paint) -> String {
        let requests = u64::try_from(self.log.records.len()).unwrap_or(u64::MAX);
        let machines = u64::try_from(self.log.machines.len()).unwrap_or(u64::MAX);
        let (first, last) = self.ends();
        let mut parts = vec![
            format!(
                "{} requests of {} machines, from {first} to {last}",
                grouped(requests),
                grouped(machines)
            ),
            self.decisions().render(paint),
        ];
        let Lost { requests, with_a_rule, without_a_rule, not_known } = self.lost;
        if requests > 0 {
            let mut words = format!(
                "{} requests lose the model by the proposal: a rule answers {} of them, no rule {}",
                grouped(requests),
                grouped(with_a_rule),
                grouped(without_a_rule)
            );
            if not_known > 0 {
                words.push_str(&format!(", and of {} that is not known", grouped(not_known)));
            }
            parts.push(format!("{words}."));
        }
        if let Some(table) = self.machines() {
            parts.push(table.render(paint));
        }
        parts.push(self.spend().render(paint));
        parts.push(self.notes.iter().map(|note| format!("- {note}")).collect::<Vec<_>>().join("\n"));
        parts.join("\n\n")
    }

    fn ends(&self) -> (String, String) {
        let moment = |record: Option<&super::log::Record>| {
            record.map(|record| record.at.rfc3339()).unwrap_or_default()
        };
        (moment(self.log.records.first()), moment(self.log.records.last()))
    }

    fn decisions(&self) -> Table {
        let head = vec![("", Align::Left), ("CURRENT", Align::Right), ("PROPOSED", Align::Right)];
        let mut table = Table::new(head);
        let (current, proposed) = (&self.current, &self.proposed);
        table.row(["admitted".into(), current.admitted().into(), proposed.admitted().into()]);
        for (words, decision) in [
            ("refused: rate", Decision::RateLimited),
            ("refused: too many in flight", Decision::Concurrency),
            ("refused: no such plan", Decision::UnknownPlan),
            ("refused: credential does not count", Decision::Unauthenticated),
            ("refused: ledger could not tell", Decision::Unavailable),
            ("admitted without money: machine's cap", Decision::MachineCap),
            ("admitted without money: plan's cap", Decision::PlanCap),
            ("admitted without money: service's cap", Decision::ServiceCap),
        ] {
            let (before, after) = (current.count(decision), proposed.count(decision));
            if before > 0 || after > 0 {
                let colour = (after > before).then_some(Colour::Yellow);
                table.row([words.into(), before.into(), Cell::coloured(&grouped(after), colour)]);
            }
        }
        table.row(["the model is asked".into(), current.asked.into(), proposed.asked.into()]);
        table.row([
            "the model is lost to a cap".into(),
            current.lost_model.into(),
            proposed.lost_model.into(),
        ]);
        table.row(["spent $".into(), current.spent.to_string().into(), proposed.spent.to_string().into()]);
        table
    }

    /// The machines that lose most by the proposal, and how much.
    fn losers(&self) -> Vec<(u32, Losses, Losses)> {
        let machines: BTreeSet<u32> =
            self.current.machines.keys().chain(self.proposed.machines.keys()).copied().collect();
        let of = |tally: &Tally, machine| tally.machines.get(&machine).copied().unwrap_or_default();
        let mut losers: Vec<_> = machines
            .into_iter()
            .map(|machine| (machine, of(&self.current, machine), of(&self.proposed, machine)))
            .filter(|(_, _, after)| after.sum() > 0)
            .collect();
        losers.sort_by(|(one, _, a), (other, _, b)| {
            let name = |machine: &u32| self.log.machines.name(*machine);
            b.sum().cmp(&a.sum()).then_with(|| name(one).cmp(name(other)))
        });
        losers
    }

    fn machines(&self) -> Option<Table> {
        let losers = self.losers();
        let more = losers.len().saturating_sub(self.top);
        let head = vec![
            ("MACHINES THAT LOSE MOST", Align::Left),
            ("REFUSED", Align::Right),
            ("PROPOSED", Align::Right),
            ("NO MODEL", Align::Right),
            ("PROPOSED", Align::Right),
        ];
        let mut table = Table::new(head);
        for (machine, before, after) in losers.iter().take(self.top) {
            table.row([
                self.log.machines.name(*machine).into(),
                before.refused.into(),
                after.refused.into(),
                before.without_model.into(),
                after.without_model.into(),
            ]);
        }
        if more > 0 && !table.is_empty() {
            let words = format!("and {} more", grouped(u64::try_from(more).unwrap_or(u64::MAX)));
            table.row([words.into(), "".into(), "".into(), "".into(), "".into()]);
        }
        (!table.is_empty()).then_some(table)
    }

    /// Every day and plan: when the day began, the plan, what was spent by the log, before and after,
    /// and the requests that went on before and after.
    fn days(&self) -> Vec<(String, &str, [NanoUsd; 3], [u64; 2])> {
        let each = self.proposed.spend.iter().map(|((day, plan), after)| {
            let before = self.current.spend.get(&(*day, *plan)).copied().unwrap_or_default();
            let began = self.day.end_of(Day::from_number(day.number().saturating_sub(1)));
            let spent = [after.logged, before.spent, after.spent];
            (began.rfc3339(), self.log.plans.name(*plan), spent, [before.requests, after.requests])
        });
        each.collect()
    }

    fn spend(&self) -> Table {
        let head = vec![
            ("DAY FROM", Align::Left),
            ("PLAN", Align::Left),
            ("REQUESTS", Align::Right),
            ("PROPOSED", Align::Right),
            ("LOGGED $", Align::Right),
            ("CURRENT $", Align::Right),
            ("PROPOSED $", Align::Right),
        ];
        let mut table = Table::new(head);
        for (began, plan, [logged, before, after], [requests, proposed]) in self.days() {
            table.row([
                began.into(),
                plan.into(),
                requests.into(),
                proposed.into(),
                logged.to_string().into(),
                before.to_string().into(),
                after.to_string().into(),
            ]);
        }
        table
    }

    fn json(&self) -> Value {
        let (first, last) = self.ends();
        let losers = self.losers();
        let machines: Vec<Value> = losers
            .iter()
            .take(self.top)
            .map(|(machine, before, after)| {
                let name = self.log.machines.name(*machine);
                json!({ "machine_id": name, "current": before.json(), "proposed": after.json() })
            })
            .collect();
        let spend: Vec<Value> = self
            .days()
            .into_iter()
            .map(|(began, plan, [logged, before, after], [requests, proposed])| {
                json!({
                    "day_started_at": began, "plan": plan, "logged_usd": logged.to_string(),
                    "current": { "requests": requests, "spent_usd": before.to_string() },
                    "proposed": { "requests": proposed, "spent_usd": after.to_string() },
                })
            })
            .collect();
        json!({
            "requests": self.log.records.len(), "machines": self.log.machines.len(),
            "from": first, "until": last,
            "current": self.current.json(), "proposed": self.proposed.json(),
            "lost_by_the_proposal": self.lost,
            "losing_machines": losers.len(), "machines_that_lose_most": machines,
            "spend": spend, "notes": self.notes,
        })
    }
}
