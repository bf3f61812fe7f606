//! `gatectl usage`: what was spent and asked, today and on the days before.

use std::collections::BTreeMap;

use pip_aide_gateway::units::NanoUsd;
use serde::Deserialize;

use crate::access::Access;
use crate::gateway::with_query;
use crate::output::{Answer, Failure};
use crate::table::{Align, Cell, Table, grouped};
use crate::terminal::{Colour, Paint, plain};

/// What to show.
#[derive(clap::Args)]
pub struct Command {
    /// How many days, today included
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=31))]
    days: u32,
    #[command(flatten)]
    access: Access,
}

#[derive(Deserialize)]
struct Usage {
    started_at: String,
    resets_at: String,
    model: String,
    service: Spend,
    plans: Vec<PlanSpend>,
    days: Vec<Day>,
    #[serde(default)]
    allowances: Vec<Allowance>,
}

#[derive(Deserialize)]
struct Spend {
    spent_usd: String,
    /// For requests that are under way.
    reserved_usd: Option<String>,
    cap_usd: Option<String>,
}

#[derive(Deserialize)]
struct PlanSpend {
    plan: String,
    spent_usd: String,
    cap_usd: Option<String>,
    requests: u64,
}

#[derive(Deserialize)]
struct Day {
    started_at: String,
    requests: u64,
    spent_usd: String,
    #[serde(default)]
    sources: BTreeMap<String, u64>,
    #[serde(default)]
    outcomes: BTreeMap<String, u64>,
    #[serde(default)]
    refusals: BTreeMap<String, u64>,
    #[serde(default)]
    tokens: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Allowance {
    name: String,
    used: u64,
    of: u64,
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    let path = with_query("/admin/usage", &[("days", Some(command.days.to_string()))]);
    let (usage, json) = command.access.open()?.get::<Usage>(&path)?;
    Ok(Answer::new(text(&usage, Paint::of_stdout()), json))
}

fn text(usage: &Usage, paint: Paint) -> String {
    let model = match usage.model.as_str() {
        "on" => "The model may be asked.".to_owned(),
        _ => paint.colour(Colour::Red, "The kill switch is used: no model is asked."),
    };
    let Spend { spent_usd, reserved_usd, cap_usd } = &usage.service;
    let reserved = reserved_usd.as_ref().filter(|reserved| *reserved != "0");
    let reserved =
        reserved.map(|reserved| format!(" and ${} set aside", plain(reserved))).unwrap_or_default();
    let share = cap_usd.as_ref().and_then(|cap| share(spent_usd, cap));
    let of = match (cap_usd, share) {
        (Some(cap), Some((percent, colour))) => {
            let percent = format!("{percent}%");
            let percent = colour.map_or_else(|| percent.clone(), |colour| paint.colour(colour, &percent));
            format!(" of ${} ({percent})", plain(cap))
        }
        _ => String::new(),
    };
    let head = format!(
        "Spent ${}{reserved}{of} since {}; the next day begins at {}. {model}",
        plain(spent_usd),
        plain(&usage.started_at),
        plain(&usage.resets_at)
    );
    let mut parts = vec![head, plans(&usage.plans).render(paint), days(&usage.days).render(paint)];
    parts.extend(sums("OUTCOME", &usage.days, |day| &day.outcomes).map(|table| table.render(paint)));
    parts.extend(sums("REFUSED", &usage.days, |day| &day.refusals).map(|table| table.render(paint)));
    if !usage.allowances.is_empty() {
        parts.push(allowances(&usage.allowances).render(paint));
    }
    parts.join("\n\n")
}

fn plans(plans: &[PlanSpend]) -> Table {
    let head = vec![
        ("PLAN", Align::Left),
        ("REQUESTS", Align::Right),
        ("SPENT $", Align::Right),
        ("CAP $", Align::Right),
        ("", Align::Right),
    ];
    let mut table = Table::new(head);
    for PlanSpend { plan, spent_usd, cap_usd, requests } in plans {
        let share = cap_usd.as_ref().and_then(|cap| share(spent_usd, cap));
        let share = share.map_or_else(
            || Cell::from(""),
            |(percent, colour)| Cell::coloured(&format!("{percent}%"), colour),
        );
        let cap = cap_usd.as_deref().unwrap_or("-");
        table.row([plan.as_str().into(), (*requests).into(), spent_usd.as_str().into(), cap.into(), share]);
    }
    table
}

fn days(days: &[Day]) -> Table {
    let mut head = vec![("DAY FROM", Align::Left)];
    let numbers = ["REQUESTS", "SPENT $", "RULES", "CACHE", "MODEL", "NONE", "REFUSED", "INPUT", "OUTPUT"];
    head.extend(numbers.map(|title| (title, Align::Right)));
    let mut table = Table::new(head);
    for day in days {
        let source = |name: &str| Cell::from(day.sources.get(name).copied().unwrap_or(0));
        let tokens = |name: &str| Cell::from(day.tokens.get(name).copied().unwrap_or(0));
        let refused = day.refusals.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        table.row([
            day.started_at.as_str().into(),
            day.requests.into(),
            day.spent_usd.as_str().into(),
            source("rules"),
            source("cache"),
            source("model"),
            source("none"),
            refused.into(),
            tokens("input"),
            tokens("output"),
        ]);
    }
    table
}

/// What happened on the first day, which is today, and on all of them. `None` where nothing did.
fn sums(title: &'static str, days: &[Day], of: impl Fn(&Day) -> &BTreeMap<String, u64>) -> Option<Table> {
    let mut all: BTreeMap<&str, u64> = BTreeMap::new();
    for (name, count) in days.iter().flat_map(&of) {
        let sum = all.entry(name).or_default();
        *sum = sum.saturating_add(*count);
    }
    all.retain(|_, count| *count > 0);
    let mut table =
        Table::new(vec![(title, Align::Left), ("TODAY", Align::Right), ("ALL DAYS", Align::Right)]);
    for (name, count) in all {
        let today = days.first().and_then(|day| of(day).get(name)).copied().unwrap_or(0);
        table.row([name.into(), today.into(), count.into()]);
    }
    (!table.is_empty()).then_some(table)
}

fn allowances(allowances: &[Allowance]) -> Table {
    let head = vec![
        ("FREE PLAN, UTC DAY", Align::Left),
        ("USED", Align::Right),
        ("OF", Align::Right),
        ("", Align::Right),
    ];
    let mut table = Table::new(head);
    for Allowance { name, used, of } in allowances {
        let percent = used.saturating_mul(100).checked_div(*of).unwrap_or(100);
        let share = Cell::coloured(&format!("{percent}%"), colour_of(percent));
        table.row([name.as_str().into(), grouped(*used).into(), grouped(*of).into(), share]);
    }
    table
}

/// The part of a cap that is spent, in percent, and the colour that warns of it.
fn share(spent: &str, cap: &str) -> Option<(u64, Option<Colour>)> {
    let (spent, cap) = (NanoUsd::parse_usd(spent)?, NanoUsd::parse_usd(cap)?);
    let percent = u128::from(spent.nanos()).checked_mul(100)?.checked_div(u128::from(cap.nanos()))?;
    let percent = u64::try_from(percent).ok()?;
    Some((percent, colour_of(percent)))
}

const fn colour_of(percent: u64) -> Option<Colour> {
    match percent {
        0..80 => None,
        80..100 => Some(Colour::Yellow),
        _ => Some(Colour::Red),
    }
}
