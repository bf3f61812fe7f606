//! Recognises the kinds of failure that need no model, by how pip, build backends and compilers
//! speak. The patterns and sentences are data (`policies/rules/`); code works out what has to be
//! computed from the user's command (`compute`).
//!
//! A log is attackers' text: whoever writes a package writes what its build prints. A rule
//! therefore takes from it only *which* known kind of failure this is, and names that it looks up
//! in our tables or in the user's own command; it never passes a name on. A version it takes from pip's own line about
//! what the user asked for, where no build can write.

mod anew;
mod build;
mod command_line;
mod compute;
mod conflict;
mod index;
mod missing;
mod network;
mod scan;
mod spelling;

use std::cell::OnceCell;

use super::facts::{Facts, Language};
use super::redact::Redacted;
use super::screen;
use compute::{Compute, Outcome};
use missing::Missing;
use scan::{Hit, Hits, Kind, Part, Pattern};

include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// How sure a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certainty {
    /// Answers without asking a model.
    Certain,
    /// Answers where no model can be asked.
    Likely,
}

/// What a rule advises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Commands, to be screened like any others.
    Commands {
        /// One or two sentences, in the log's language.
        explanation: String,
        /// Each a `pip install` command.
        commands: Vec<String>,
    },
    /// No pip command helps.
    Uncertain {
        /// What to do instead, in one line, in the log's language.
        sentence: String,
    },
}

/// A failure that a rule recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name in `policies/rules/`.
    pub rule: &'static str,
    /// How sure the rule is.
    pub certainty: Certainty,
    /// What it advises.
    pub advice: Advice,
}

struct Rule {
    name: &'static str,
    certainty: Certainty,
    all: &'static [usize],
    any: &'static [usize],
    none: &'static [usize],
    /// None of these may be found after all of those.
    none_after: &'static [usize],
    answer: Answer,
    /// For `compute`: requirements.
    arguments: &'static [&'static str],
    /// The rule holds for Pythons below this one only.
    before_python: Option<(u32, u32)>,
    en: &'static str,
    zh: &'static str,
}

enum Answer {
    /// The text is the advice.
    Sentence,
    /// Always these commands.
    Commands(&'static [&'static str]),
    /// Code finds the commands, or that the rule does not apply.
    Compute(Compute),
}

/// The first rule that recognises the failure, or none.
#[must_use]
pub fn consult(facts: &Facts, text: &Redacted) -> Option<Finding> {
    let hits = scan::scan(text.as_str());
    let failed_package = OnceCell::new();
    RULES.iter().find_map(|rule| rule.try_on(facts, text.as_str(), &hits, &failed_package))
}

/// What a computation works with.
struct Case<'a> {
    facts: &'a Facts,
    text: &'a str,
    /// Where the rule's patterns were found, those that must all be found first.
    hits: Vec<&'a Hit>,
    arguments: &'static [&'static str],
    failed_package: &'a OnceCell<Option<String>>,
}

impl Case<'_> {
    /// The package whose build failed, looked up once for all rules.
    fn failed_package(&self) -> Option<&str> {
        self.failed_package.get_or_init(|| build::failed_package(self.text)).as_deref()
    }

    /// The last part of this kind that the rule's patterns took.
    fn part(&self, kind: Kind) -> Option<&str> {
        let parts = self.hits.iter().flat_map(|hit| hit.captures.iter());
        parts.filter(|(other, _)| *other == kind).map(|(_, text)| text.as_str()).next_back()
    }

    /// What pip says that it did not find, on any of the lines of the rule's patterns.
    fn missing(&self) -> Option<Missing> {
        let lines = self.hits.iter().rev().filter_map(|hit| self.text.get(hit.start..)?.lines().next());
        lines.into_iter().find_map(Missing::parse)
    }

    /// Where the last of the rule's patterns was found.
    fn last(&self) -> usize {
        self.hits.iter().map(|hit| hit.start).max().unwrap_or(0)
    }

    /// The whole line on which it was.
    fn line_from_start(&self) -> &str {
        let at = self.last();
        let start =
            self.text.get(..at).and_then(|head| head.rfind('\n')).map_or(0, |end| end.saturating_add(1));
        self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    /// That line from there on.
    fn line(&self) -> &str {
        self.after().lines().next().unwrap_or_default()
    }

    /// The log from there on.
    fn after(&self) -> &str {
        self.text.get(self.last()..).unwrap_or_default()
    }
}

impl Rule {
    fn try_on(
        &self,
        facts: &Facts,
        text: &str,
        hits: &Hits,
        failed_package: &OnceCell<Option<String>>,
    ) -> Option<Finding> {
        let found = |pattern: &usize| hits.last(*pattern);
        let must: Option<Vec<&Hit>> = self.all.iter().map(found).collect();
        let mut seen = must?;
        let may: Vec<&Hit> = self.any.iter().filter_map(found).collect();
        if (may.is_empty() && !self.any.is_empty())
            || self.none.iter().any(|pattern| found(pattern).is_some())
        {
            return None;
        }
        seen.extend(may);
        // The innermost error last, so that its parts count.
        seen.sort_by_key(|hit| hit.start);
        let last = seen.last().map_or(0, |hit| hit.start);
        if self.none_after.iter().filter_map(found).any(|hit| hit.start > last) {
            return None;
        }
        if let (Some(before), Some(python)) = (self.before_python, facts.python)
            && (python.major, python.minor) >= before
        {
            return None;
        }
        let case = Case { facts, text, hits: seen, arguments: self.arguments, failed_package };
        let outcome = match self.answer {
            Answer::Sentence => Outcome::Sentence,
            Answer::Commands(commands) => {
                Outcome::Commands(commands.iter().map(|c| (*c).to_owned()).collect())
            }
            Answer::Compute(compute) => compute.run(&case)?,
        };
        let sentence = self.say(&case);
        let advice = match outcome {
            Outcome::Sentence => Advice::Uncertain { sentence },
            Outcome::Commands(commands) => {
                Advice::Commands { explanation: sentence, commands: of_use(commands, facts, text)? }
            }
        };
        Some(Finding { rule: self.name, certainty: self.certainty, advice })
    }

    /// The rule's text with its parts put in.
    fn say(&self, case: &Case<'_>) -> String {
        let mut text = match case.facts.language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
        .to_owned();
        for kind in [Kind::Name, Kind::Package, Kind::Module, Kind::File, Kind::Option, Kind::Text] {
            let place = format!("{{{}}}", kind.label());
            if text.contains(&place) {
                text = text.replace(&place, case.part(kind).unwrap_or("it"));
            }
        }
        text
    }
}

/// Those commands that would be let out, unless that leaves nothing but what the user ran already:
/// then the rule does not apply, since its sentence is about its commands.
fn of_use(mut commands: Vec<String>, facts: &Facts, text: &str) -> Option<Vec<String>> {
    commands.retain(|command| screen::of_rule(command, facts).is_some());
    let [only] = commands.as_slice() else { return (!commands.is_empty()).then_some(commands) };
    let line = text.lines().next().and_then(|line| line.strip_prefix("Command:")).unwrap_or_default().trim();
    let is_same = screen::Install::parse(line).ok() == screen::of_rule(only, facts);
    // pip itself is always upgraded through Python, however that was written.
    let differs = !is_same || (only.starts_with("python") && line.starts_with("pip"));
    differs.then_some(commands)
}

#[cfg(test)]
mod tests;
