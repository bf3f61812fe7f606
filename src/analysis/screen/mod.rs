//! Lets out of an answer only what cannot do harm, whoever gave it.
//!
//! The client runs what an answer says after a filter that nearly everything passes. So nothing is
//! filtered here either: each proposed command is parsed (`shell`, `grammar`) and written anew,
//! the packages that it names must be vouched for, the text around it is taken apart by words
//! (`prose`, `spoken`). What does not parse is withheld.

mod grammar;
mod prose;
mod shell;
mod spoken;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::facts::{Facts, Language, cut};
use super::options::{AllowedOption, most_commands};
use super::packages;
use super::proposal::Proposal;
pub(super) use grammar::Install;

/// Who proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our rules, which take names from the user's command or our tables.
    Rule,
    /// A model, which has read attackers' text.
    Model,
}

/// What the client is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screened {
    /// Text with each command in its own fence; begins with `UNCERTAIN` where there is none.
    pub suggestion: String,
    /// The same commands.
    pub commands: Vec<String>,
    /// What was not let through.
    pub withheld: Vec<Withheld>,
}

/// A command that was not let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The command with every word left out that our tables do not know, at most 200 bytes: it may
    /// be an attacker's text, and who reads it here is not safer than who reads it elsewhere.
    pub command: String,
    /// Why.
    pub reason: Cow<'static, str>,
}

/// How many withheld commands are reported, and how much of each, in bytes.
const MOST_WITHHELD: usize = 10;
const LONGEST_WITHHELD: usize = 200;
/// More proposed commands than that are not looked at.
const MOST_PROPOSED: usize = 50;

/// What of `proposal` may go out.
#[must_use]
pub fn screen(proposal: &Proposal, facts: &Facts, trust: Source) -> Screened {
    let mut installs: Vec<Install> = Vec::new();
    let mut withheld = Vec::new();
    let lines =
        proposal.commands.iter().take(MOST_PROPOSED).flat_map(|command| command.lines().take(MOST_PROPOSED));
    for line in lines.map(str::trim).filter(|line| !line.is_empty()).take(MOST_PROPOSED) {
        match check(line, facts, trust) {
            Ok(install) if installs.iter().any(|other| other.is_like(&install)) => {}
            Ok(_) if installs.len() >= most_commands() => {
                withhold(&mut withheld, line, facts, "too many commands")
            }
            Ok(install) => installs.push(install),
            Err(reason) => withhold(&mut withheld, line, facts, reason),
        }
    }
    let commands: Vec<String> = installs.iter().map(ToString::to_string).collect();
    let explanation = match trust {
        Source::Rule => prose::of_rule(&proposal.explanation),
        // Who proposed what had to be withheld may have been talked into its words as well.
        Source::Model if !withheld.is_empty() => String::new(),
        Source::Model => prose::of_model(&proposal.explanation, facts),
    };
    let suggestion = if commands.is_empty() {
        refusal(&explanation, !withheld.is_empty(), facts.language)
    } else {
        advice(&explanation, &commands, facts.language)
    };
    Screened { suggestion, commands, withheld }
}

/// Whether an answer of a model, screened for one request, may go out to another: its commands are
/// what would be written for this one too.
#[must_use]
pub fn holds(screened: &Screened, facts: &Facts) -> bool {
    screened.commands.iter().all(|command| {
        check(command, facts, Source::Model).is_ok_and(|install| install.to_string() == *command)
    })
}

/// What would go out for `command` of a rule, if it is let out.
pub(super) fn of_rule(command: &str, facts: &Facts) -> Option<Install> {
    check(command, facts, Source::Rule).ok()
}

fn check(line: &str, facts: &Facts, trust: Source) -> Result<Install, &'static str> {
    let mut install = Install::parse(line)?;
    if trust == Source::Model {
        install = install.of_a_model(&facts.command)?;
    }
    for name in install.names() {
        if packages::is_well_known(name) {
            continue;
        }
        // Without the user's own index, the public one would be asked for an internal name.
        if facts.command.other_source {
            return Err("a package that may belong to another index than PyPI");
        }
        if trust == Source::Model && !facts.command.surely_names(name) {
            return Err("a package that is neither well known nor named by the user");
        }
    }
    Ok(install)
}

fn advice(explanation: &str, commands: &[String], language: Language) -> String {
    // The client takes the word anywhere for "no answer".
    let explanation = explanation.replace("UNCERTAIN", "uncertain");
    let mut out = match (explanation.trim(), language) {
        ("", Language::English) => "This may solve it:".to_owned(),
        ("", Language::Chinese) => "可以尝试：".to_owned(),
        (text, _) => text.to_owned(),
    };
    for command in commands {
        out.push_str("\n\n```\n");
        out.push_str(command);
        out.push_str("\n```");
    }
    out.push('\n');
    out
}

fn refusal(explanation: &str, was_withheld: bool, language: Language) -> String {
    let explanation =
        explanation.trim().trim_start_matches("UNCERTAIN").trim_start_matches([':', '：', '.', ' ']);
    let text = match (explanation, was_withheld, language) {
        ("", true, Language::English) => "the proposed commands are not of a kind that may be run.",
        ("", true, Language::Chinese) => "建议的命令不在允许运行的范围内。",
        ("", false, Language::English) => "no pip command is known to solve this.",
        ("", false, Language::Chinese) => "没有已知的 pip 命令可以解决这个问题。",
        (text, ..) => text,
    };
    format!("UNCERTAIN: {text}")
}

fn withhold(withheld: &mut Vec<Withheld>, line: &str, facts: &Facts, reason: &'static str) {
    if withheld.len() >= MOST_WITHHELD {
        return;
    }
    let known = |word: &str| {
        let vocabulary = ["pip", "pip3", "python", "python3", "-m", "install"];
        let name = word.split("==").next().unwrap_or(word);
        vocabulary.contains(&word)
            || AllowedOption::find(word).is_some()
            || packages::is_well_known(word)
            || (facts.command.surely_names(name) && super::requirement::Requirement::parse(word).is_some())
    };
    let words = cut(line, 2_000).split_whitespace().map(|word| if known(word) { word } else { "…" });
    let mut command = words.collect::<Vec<_>>().join(" ");
    while command.contains("… …") {
        command = command.replace("… …", "…");
    }
    let command = cut(&command, LONGEST_WITHHELD).to_owned();
    withheld.push(Withheld { command, reason: reason.into() });
}

#[cfg(test)]
mod tests;
