//! The settings: `[vars]` and the secrets, through the reader that the Worker has.

use std::collections::BTreeMap;
use std::path::Path;

use pip_aide_gateway::policy::names;
use pip_aide_gateway::policy::plans::PLANS;
use pip_aide_gateway::policy::prices::PRICES;
use pip_aide_gateway::policy::settings::{Entry, Fault, Settings};
use pip_aide_gateway::token::keys::render_entry;
use toml::de::DeValue;

use super::document::{Scope, did_you_mean, members};
use super::report::{Finding, Report, is_secret};
use crate::edge;
use crate::output::Failure;
use crate::settings::{Line, lines};

const RINGS: [&str; 2] = ["TOKEN_KEYS", "OPERATOR_KEYS"];
/// No provider's key is as short.
const SHORT_API_KEY: usize = 16;

/// A file of `NAME=value` lines.
pub struct SecretsFile {
    file: String,
    lines: Vec<Line>,
    /// The numbers of those that are none.
    odd: Vec<usize>,
}

impl SecretsFile {
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        // What stands before the first `=` of an odd line may be part of a secret.
        let (lines, _): (Vec<Line>, Vec<Line>) = lines(&text).partition(|line| is_name(&line.name));
        let is_set = |number: usize| lines.iter().any(|line| line.number == number);
        let is_empty = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        let numbered = text.lines().zip(1..).filter(|(line, _)| !is_empty(line));
        let odd = numbered.map(|(_, number)| number).filter(|number| !is_set(*number)).collect();
        Ok(Self { file: path.display().to_string(), lines, odd })
    }

    fn line_of(&self, name: &str) -> Option<usize> {
        self.lines.iter().find(|line| line.name == name).map(|line| line.number)
    }

    /// A fault of this file. It has no value: all that stands there may be secret.
    fn finding(&self, line: usize, name: &str, problem: impl Into<String>) -> Finding {
        Finding { file: self.file.clone(), line, name: name.to_owned(), value: None, problem: problem.into() }
    }

    /// What is wrong with the file whatever the settings say.
    fn check(&self, report: &mut Report) {
        for number in &self.odd {
            report.fault(self.finding(*number, "", "must be NAME=value, as in TOKEN_KEYS=..."));
        }
        for (at, line) in self.lines.iter().enumerate() {
            let before = self.lines.iter().take(at).find(|other| other.name == line.name);
            if let Some(first) = before {
                let problem = format!("stands twice: first on line {}", first.number);
                report.fault(self.finding(line.number, &line.name, problem));
            }
            let is_api_key = line.name.starts_with("API_KEY");
            if is_api_key && line.value.is_empty() {
                let problem = "is empty: put the key there, or take the line out";
                report.fault(self.finding(line.number, &line.name, problem));
            } else if is_api_key && line.value.len() < SHORT_API_KEY {
                let problem = format!("has fewer than {SHORT_API_KEY} characters: is it the whole key?");
                report.note(self.finding(line.number, &line.name, problem));
            }
        }
    }
}

/// Whether a text can be the name of a variable.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Checks all settings. Whether the buckets are in KV, as far as can be told.
pub fn check(scope: &Scope<'_>, secrets: Option<&SecretsFile>, report: &mut Report) -> bool {
    check_places(scope, report);
    let mut environment = environment(scope);
    if let Some(secrets) = secrets {
        secrets.check(report);
        for line in &secrets.lines {
            environment.insert(line.name.clone(), Entry::Text(line.value.clone()));
        }
    }
    let buckets_in_kv = environment.get("LIMIT_STORE") == Some(&Entry::Text("kv".to_owned()));
    for fault in Settings::read(&environment).err().unwrap_or_default() {
        let in_secrets = secrets.and_then(|secrets| Some((secrets, secrets.line_of(&fault.name)?)));
        let is_ring = RINGS.contains(&fault.name.as_str());
        match (in_secrets, secrets) {
            (Some((secrets, line)), _) => report.fault(secrets.finding(line, &fault.name, fault.problem)),
            // A ring that is nowhere is missing in the file that was named for it.
            (None, Some(secrets)) if is_ring && !environment.contains_key(&fault.name) => {
                report.fault(secrets.finding(1, &fault.name, fault.problem));
            }
            (None, None) if is_ring && !environment.contains_key(&fault.name) => {}
            _ => report.fault(in_vars(scope, fault)),
        }
    }
    buckets_in_kv
}

/// The settings, with secrets that are made up.
pub fn read(scope: &Scope<'_>, report: &mut Report) -> Result<Option<Settings>, Failure> {
    let mut environment = environment(scope);
    for ring in RINGS {
        environment.insert(ring.to_owned(), Entry::Text(render_entry("made-up", &edge::random()?)));
    }
    match Settings::read(&environment) {
        Ok(settings) => Ok(Some(settings)),
        Err(faults) => {
            faults.into_iter().for_each(|fault| report.fault(in_vars(scope, fault)));
            Ok(None)
        }
    }
}

/// `[vars]` as the Worker's environment has them.
fn environment(scope: &Scope<'_>) -> BTreeMap<String, Entry> {
    let vars = scope.item("vars").and_then(|item| item.value.get_ref().as_table());
    let entries = vars.into_iter().flat_map(|table| members(scope.document, table));
    let entry = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Entry::Text(text.to_string()),
        _ => Entry::NotText,
    };
    entries.map(|(name, item)| (name.to_string(), entry(item.value.get_ref()))).collect()
}

/// A fault of the reader with its place in the file.
fn in_vars(scope: &Scope<'_>, fault: Fault) -> Finding {
    let vars = scope.item("vars");
    let table = vars.and_then(|item| item.value.get_ref().as_table());
    let all: Vec<_> = table.into_iter().flat_map(|table| members(scope.document, table)).collect();
    let here = all.iter().find(|(name, _)| ***name == fault.name);
    let value = here.and_then(|(_, item)| scope.document.shown(&fault.name, item.value));
    // One that is missing is missed where its relatives are.
    let relative = || {
        let like = |name: &str| name.bytes().zip(fault.name.bytes()).take_while(|(a, b)| a == b).count();
        let nearest = all.iter().max_by_key(|(name, _)| like(name));
        nearest.filter(|(name, _)| like(name) >= 2)
    };
    let line = here.or_else(relative).map(|(_, item)| item.line);
    let line = line.or(vars.map(|item| item.line)).unwrap_or(scope.line);
    let text = here.and_then(|(_, item)| item.value.get_ref().as_str());
    let problem = fault.problem + &hint(&fault.name, text);
    scope.document.finding(line, &fault.name, value, problem)
}

/// What was meant by a value or by the plan in a name, where the policies have one that is close.
fn hint(name: &str, value: Option<&str>) -> String {
    if let ("MODEL", Some(model)) = (name, value) {
        return did_you_mean(model, &PRICES.iter().map(|price| price.model).collect::<Vec<_>>());
    }
    let plan = names::plan_part(name).map(|(plan, _)| plan);
    let plans: Vec<&str> = PLANS.iter().map(|plan| plan.name).collect();
    plan.filter(|plan| !plans.contains(&plan.as_str()))
        .map(|plan| did_you_mean(&plan, &plans))
        .unwrap_or_default()
}

/// What the reader cannot see: where settings stand, and names that it takes for somebody else's.
fn check_places(scope: &Scope<'_>, report: &mut Report) {
    let document = scope.document;
    let vars = scope.item("vars");
    match vars.map(|item| (item, item.value.get_ref().as_table())) {
        Some((_, Some(table))) => {
            for (name, item) in members(document, table) {
                if names::is_secret(name) || (is_secret(name) && names::fault(name).is_none()) {
                    let problem =
                        "is a secret: take it out of this file and set it with `wrangler secret put`";
                    report.fault(document.finding(item.line, name, None, problem));
                }
            }
        }
        Some((item, None)) => {
            let problem = "must be a table of settings: [vars]";
            report.fault(document.finding(item.line, "vars", document.shown("vars", item.value), problem));
        }
        None if scope.env.is_some() && scope.root().get("vars").is_some() => {
            let path = scope.path("vars");
            let problem = format!(
                "is missing: an environment does not take over [vars], so every setting would have its \
                 default; write [{path}], empty where that is meant"
            );
            report.fault(document.finding(scope.line, &path, None, problem));
        }
        None => {}
    }
    for (name, item) in members(document, scope.table) {
        if names::is_setting(name) {
            let problem = format!("stands outside of [{}], where nothing reads it", scope.path("vars"));
            let value = document.shown(name, item.value);
            report.fault(document.finding(item.line, name, value, problem));
        }
    }
}
