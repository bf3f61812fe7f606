//! `policies/plans.toml` to the table of plans. The values stay texts: the same parser reads them that
//! reads the settings which replace them. Here only their form is checked, so that a mistake stops
//! the build and not the service.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

/// The same bucket that the settings make of a rate and a burst.
#[allow(dead_code, reason = "only the check is needed here")]
#[path = "../src/ledger/bucket.rs"]
mod bucket;

/// The most that the settings take: what the build lets through and they refuse would stop the service.
const MOST_BURST: u32 = 1_000_000;
const MOST_CONCURRENCY: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plan: BTreeMap<Spanned<String>, Plan>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    rate: Spanned<String>,
    burst: Spanned<String>,
    daily_usd: Spanned<String>,
    concurrency: Spanned<String>,
    total_daily_usd: Option<Spanned<String>>,
}

/// The Rust table, or what is wrong with the file.
pub fn compile(policies: &Path) -> Result<String, String> {
    place::read(&policies.join("plans.toml"), render)
}

pub fn render(text: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    if !file.plan.keys().any(|name| name.get_ref() == "anonymous") {
        return Err(place::at(text, 0, "there is no plan \"anonymous\""));
    }
    let mut entries = String::new();
    for (name, plan) in &file.plan {
        check(name, plan).map_err(|(offset, reason)| {
            place::at(text, offset, format!("plan {:?}: {reason}", name.get_ref()))
        })?;
        let Plan { rate, burst, daily_usd, concurrency, total_daily_usd } = plan;
        let (name, rate, burst) = (name.get_ref(), rate.get_ref(), burst.get_ref());
        let (daily_usd, concurrency) = (daily_usd.get_ref(), concurrency.get_ref());
        let total_daily_usd = total_daily_usd.as_ref().map(Spanned::get_ref);
        entries.push_str(&format!(
            "crate::policy::plans::PlanDefault {{ name: {name:?}, rate: {rate:?}, burst: {burst:?}, \
             daily_usd: {daily_usd:?}, concurrency: {concurrency:?}, total_daily_usd: {total_daily_usd:?} }},\n"
        ));
    }
    Ok(format!(
        "/// The plans besides `standard`, in the order of their names.\n\
         pub static PLANS: &[crate::policy::plans::PlanDefault] = &[\n{entries}];\n"
    ))
}

/// The byte at which a plan is wrong, and why.
fn check(name: &Spanned<String>, plan: &Plan) -> Result<(), (usize, String)> {
    let here = name.span().start;
    let name = name.get_ref();
    if name == "standard" {
        return Err((here, "its values are the MACHINE_* settings".to_owned()));
    }
    // The name is part of the settings' names, in capitals.
    let is_word = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !is_word || name.len() > 32 {
        return Err((here, "a name is up to 32 small letters and digits, a letter first".to_owned()));
    }
    let value = |text: &Spanned<String>, check: &dyn Fn(&str) -> Result<(), String>| {
        check(text.get_ref()).map_err(|reason| (text.span().start, reason))
    };
    value(&plan.burst, &|text| check_count("burst", text, MOST_BURST))?;
    value(&plan.rate, &|text| check_rate(text, plan.burst.get_ref()))?;
    value(&plan.concurrency, &|text| check_count("concurrency", text, MOST_CONCURRENCY))?;
    value(&plan.daily_usd, &|text| check_dollars("daily_usd", text))?;
    let total = plan.total_daily_usd.as_ref();
    total.map_or(Ok(()), |total| value(total, &|text| check_dollars("total_daily_usd", text)))
}

fn check_rate(rate: &str, burst: &str) -> Result<(), String> {
    let window_seconds = |unit| match unit {
        "second" => Some(1),
        "minute" => Some(60),
        "hour" => Some(3_600),
        "day" => Some(86_400),
        _ => None,
    };
    let parts =
        rate.split_once('/').and_then(|(count, unit)| Some((count_of(count)?, window_seconds(unit)?)));
    let (count, window_seconds) =
        parts.ok_or_else(|| format!("rate {rate:?} is not N/second, N/minute, N/hour or N/day"))?;
    let burst = count_of(burst).unwrap_or_default();
    bucket::Quota::new(count, window_seconds, burst).map(|_| ()).ok_or_else(|| {
        format!("rate {rate:?} is more than one a microsecond, or too slow for a burst of {burst}")
    })
}

fn check_count(what: &str, text: &str, most: u32) -> Result<(), String> {
    match count_of(text) {
        Some(count) if count <= most => Ok(()),
        _ => Err(format!("{what} {text:?} is not a whole number from 1 to {most}")),
    }
}

fn check_dollars(what: &str, text: &str) -> Result<(), String> {
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = [whole, places].iter().all(|part| is_digits(part)) && places.len() <= 9;
    if is_number && whole.len() <= 9 {
        Ok(())
    } else {
        Err(format!("{what} {text:?} is not dollars such as 0.25, with at most nine decimal places"))
    }
}

/// A whole number from 1, without leading zeros.
fn count_of(text: &str) -> Option<u32> {
    (is_digits(text) && !text.starts_with('0')).then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str =
        "[plan.anonymous]\nrate = \"2/minute\"\nburst = \"2\"\ndaily_usd = \"0.01\"\nconcurrency = \"1\"\n";

    #[test]
    fn plans_become_table_entries() {
        let code = render(&format!("{PLAN}total_daily_usd = \"0.25\"\n")).unwrap();
        assert!(code.contains(
            "crate::policy::plans::PlanDefault { name: \"anonymous\", rate: \"2/minute\", burst: \"2\", \
             daily_usd: \"0.01\", concurrency: \"1\", total_daily_usd: Some(\"0.25\") }"
        ));
        assert!(render(PLAN).unwrap().contains("total_daily_usd: None"));
    }

    #[test]
    fn a_wrong_plan_is_refused() {
        for (from, to, reason) in [
            ("2/minute", "2/week", "N/second"),
            ("2/minute", "0/minute", "N/second"),
            ("2/minute", "2 / minute", "N/second"),
            ("2/minute", "-2/minute", "N/second"),
            ("burst = \"2\"", "burst = \"0\"", "whole number"),
            ("burst = \"2\"", "burst = 2", "invalid type"),
            ("burst = \"2\"", "burst = \"1000001\"", "1 to 1000000"),
            ("concurrency = \"1\"", "concurrency = \"10001\"", "1 to 10000"),
            ("2/minute", "1100000/second", "one a microsecond"),
            ("2/minute", "66000000/minute", "one a microsecond"),
            ("2/minute\"\nburst = \"2\"", "1/day\"\nburst = \"1000000\"", "too slow"),
            ("0.01", "0.0000000001", "nine decimal"),
            ("0.01", "$1", "dollars"),
            ("0.01", "1e3", "dollars"),
            ("0.01", "1.", "dollars"),
            ("concurrency = \"1\"", "concurency = \"1\"", "unknown field"),
            ("plan.anonymous", "plan.trusted", "no plan \"anonymous\""),
        ] {
            let error = render(&PLAN.replace(from, to)).unwrap_err();
            assert!(error.contains(reason), "{from} -> {to}: {error}");
        }
        for (name, reason) in
            [("standard", "MACHINE_"), ("Trusted", "small letters"), ("a_b", "small letters")]
        {
            let error = render(&format!("{PLAN}{}", PLAN.replace("anonymous", name))).unwrap_err();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }
}
