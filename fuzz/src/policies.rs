//! The policies: whatever an operator writes into one, the build takes it or names the line; and what the
//! build takes, the gateway can work with.

#![allow(dead_code, reason = "of the build script only the readers of one text each are needed")]

use std::collections::BTreeMap;

use pip_aide_gateway::policy::prices::Rates;
use pip_aide_gateway::policy::settings::{Entry, Settings};
use pip_aide_gateway::units::NanoUsd;

use super::choice;

#[path = "../../buildscript/commands.rs"]
mod commands;
#[path = "../../buildscript/packages.rs"]
mod packages;
#[path = "../../buildscript/place.rs"]
mod place;
#[path = "../../buildscript/plans.rs"]
mod plans;
#[path = "../../buildscript/prices.rs"]
mod prices;
#[path = "../../buildscript/redaction.rs"]
mod redaction;
#[path = "../../buildscript/rules.rs"]
mod rules;
#[path = "../../buildscript/upstreams.rs"]
mod upstreams;

/// A price per token beyond which no price is believed.
const DEAREST: u64 = 10_000_000;
const KEYS: [(&str, &str); 2] = [
    ("TOKEN_KEYS", "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("OPERATOR_KEYS", "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
];

/// 0 is a text for `prices.toml`, 1 for `plans.toml`, 2 for `upstreams.toml`, 3 for `commands.toml`, 4 for
/// `redaction.toml`, 5 for a file of rules, 6 for the lists of packages.
pub fn policies(data: &[u8]) {
    let Some((which, text)) = choice(data, 7) else {
        return;
    };
    let text = &String::from_utf8_lossy(text);
    let table = match which {
        0 => prices::render(text).inspect(|table| check_prices(table)),
        1 => plans::render(text).inspect(|table| check_plans(table)),
        2 => upstreams::table(text, "[[model]]\nname = \"m\"\n"),
        3 => commands::render(text),
        4 => redaction::render(text),
        5 => read_rules(text),
        _ => read_packages(text),
    };
    match table {
        Ok(table) => assert!(!table.is_empty()),
        Err(reason) => check_reason(&reason, text),
    }
}

fn read_rules(text: &str) -> Result<String, String> {
    let (mut names, mut patterns) = (Vec::new(), Vec::new());
    let rules = rules::write_file(text, &mut names, &mut patterns)?;
    // What the first reader has let through is no fault of the second.
    let patterns = rules::write_patterns(&patterns).expect("patterns that were read before");
    Ok(rules + &patterns)
}

fn read_packages(text: &str) -> Result<String, String> {
    let ranks = BTreeMap::from([("numpy", 1), ("pillow", 2)]);
    let _ = packages::ranks(text).map_err(|reason| check_reason(&reason, text));
    let _ = packages::names(text, &ranks).map_err(|reason| check_reason(&reason, text));
    packages::imports(text, &ranks)
}

/// A reason is on one line and begins with the number of a line that is there.
fn check_reason(reason: &str, text: &str) {
    let (line, _) = reason.split_once(": ").expect("a line and a reason");
    let line: usize = line.parse().unwrap_or_else(|_| panic!("{reason:?} names no line"));
    assert!((1..=text.bytes().filter(|byte| *byte == b'\n').count() + 1).contains(&line), "{reason}");
}

/// Every price costs something and is one of a token, so that what is set aside for the largest request is
/// less than the largest amount.
fn check_prices(table: &str) {
    let all = table.split("Rates { input: ").skip(1).map(|after| {
        let end = after.find('}').expect("an end");
        let numbers = after[..end].replace("cached_input:", "").replace("output:", "");
        let mut numbers = numbers.split(',').map(|number| number.trim().parse::<u64>().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        Rates { input: next(), cached_input: next(), output: next() }
    });
    for rates in all {
        let Rates { input, cached_input, output } = rates;
        assert!((1..=DEAREST).contains(&input) && (1..=DEAREST).contains(&output), "{rates:?}");
        assert!(cached_input <= input, "{rates:?}");
        let (prompt, answer) = (262_144 + 65_536, 32_768);
        let most = rates.bound(prompt, answer);
        assert!(NanoUsd::ZERO < most && most < NanoUsd::from_nanos(u64::MAX / 1_000), "{rates:?}");
        for cached in [0, prompt / 2, prompt, u64::MAX] {
            assert!(rates.cost(prompt, cached, answer) <= most, "{rates:?}");
        }
    }
}

/// What the build has let through, the settings take as well: both are read at different times, and what
/// only one takes would stop the service instead of the build.
fn check_plans(table: &str) {
    for plan in table.split("PlanDefault { ").skip(1) {
        let value = |name: &str| {
            let (_, after) = plan.split_once(&format!("{name}: \"")).expect("a value");
            after.split('"').next().expect("an end").to_owned()
        };
        let mut environment: Vec<(&str, String)> = vec![
            ("PLAN_FUZZED_RATE", value("rate")),
            ("PLAN_FUZZED_BURST", value("burst")),
            ("PLAN_FUZZED_DAILY_USD", value("daily_usd")),
            ("PLAN_FUZZED_CONCURRENCY", value("concurrency")),
        ];
        if let Some((_, total)) = plan.split_once("total_daily_usd: Some(\"") {
            let total = total.split('"').next().expect("an end").to_owned();
            environment.push(("PLAN_FUZZED_TOTAL_DAILY_USD", total));
        }
        environment.extend(KEYS.map(|(name, value)| (name, value.to_owned())));
        let entries =
            environment.iter().map(|(name, value)| ((*name).to_owned(), Entry::Text(value.clone())));
        if let Err(faults) = Settings::read(&entries.collect()) {
            panic!("{faults:?} of {environment:?}");
        }
    }
}
