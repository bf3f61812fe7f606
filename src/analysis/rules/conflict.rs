//! pip's account of a conflict: who asked for what.

use super::Case;
use super::anew::Anew;
use crate::analysis::packages;
use crate::analysis::requirement::Requirement;

/// At the beginning of a line: a build's output is indented.
const BEGIN: &str = "\nThe conflict is caused by:";
/// How many lines of the account are read.
const MOST_LINES: usize = 40;

/// The account: what the user asked for, and which packages exclude it.
struct Account {
    asked: Vec<Requirement>,
    /// Packages with the version that depends on something.
    dependents: Vec<(String, String)>,
    depended_on: Vec<String>,
}

impl Account {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.get(text.rfind(BEGIN)?..)?;
        let mut account = Self { asked: Vec::new(), dependents: Vec::new(), depended_on: Vec::new() };
        for line in rest.lines().skip(2).take(MOST_LINES) {
            let Some(line) = line.strip_prefix("    ") else { break };
            if let Some(asked) = line.strip_prefix("The user requested ") {
                account.asked.extend(Requirement::parse(asked.split(" (from ").next().unwrap_or(asked)));
            } else if let Some((who, what)) = line.split_once(" depends on ") {
                let (name, version) = who.split_once(' ')?;
                account.dependents.push((name.to_owned(), version.to_owned()));
                let end = what
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
                    .unwrap_or(what.len());
                account.depended_on.push(packages::normalised(what.get(..end).unwrap_or_default()));
            }
        }
        Some(account)
    }

    fn asked_pins(&self) -> impl Iterator<Item = &Requirement> {
        self.asked.iter().filter(|requirement| !requirement.clauses.is_empty())
    }
}

/// The user's command with the pins open that exclude what other packages depend on. Of a
/// requirements file only the well-known packages of the conflict, that one open.
pub(super) fn without_conflicting_pins(case: &Case<'_>) -> Option<String> {
    let account = Account::parse(case.text)?;
    let command = &case.facts.command;
    if command.is_by_name() {
        let mut anew = Anew::of(command)?;
        let depended_on = |requirement: &&Requirement| account.depended_on.contains(&requirement.key());
        let mut open: Vec<String> = account.asked_pins().filter(depended_on).map(Requirement::key).collect();
        if open.is_empty() {
            // Two packages exclude each other through a third: the user's pins of both.
            open = account.dependents.iter().map(|(name, _)| packages::normalised(name)).collect();
        }
        let before = anew.clone();
        for name in &open {
            anew = anew.change(name, Requirement::unpinned);
        }
        return if anew == before { None } else { anew.write() };
    }
    if command.requirement_files.is_empty() || case.facts.other_source {
        return None;
    }
    let open = account.asked_pins().find(|requirement| account.depended_on.contains(&requirement.key()))?;
    let (name, version) = account.dependents.first()?;
    let dependent = Requirement::parse(&format!("{name}=={version}"))?;
    let known = packages::is_well_known(&open.name) && packages::is_well_known(name);
    known.then(|| format!("pip install {dependent} {}", open.unpinned()))
}
