//! Advice on the command itself: options and spelling.

use super::anew::Anew;
use super::missing::Missing;
use super::{Case, Kind};
use crate::analysis::command::UserCommand;
use crate::analysis::options::AllowedOption;
use crate::analysis::packages;
use crate::analysis::version::Version;

pub(super) fn without_unknown_option(case: &Case<'_>) -> Option<String> {
    let unknown = case.part(Kind::Option)?.split('=').next()?;
    let command = &case.facts.command;
    let is_unknown = |word: &str| word.split('=').next() == Some(unknown);
    // What is left must be whole: another unread word, or an option that the answer cannot hold.
    let rest_is_read = command.unread.iter().all(|word| is_unknown(word) || is_number(word))
        && command.essential_options.iter().all(|name| is_unknown(name));
    if !rest_is_read {
        return None;
    }
    let mut anew = Anew::of_what_was_read(command)?;
    // The value of an option that takes one was read as a requirement.
    anew.requirements.retain(|requirement| !is_number(&requirement.name));
    if anew.requirements.is_empty() {
        return None;
    }
    anew = anew.without(unknown);
    // A misspelt one is put right.
    let meant =
        AllowedOption::all().find(|option| !option.takes_value() && is_one_edit_apart(option.name, unknown));
    Some(match meant {
        Some(option) => anew.with(option.name).write(),
        None => anew.write(),
    })
}

pub(super) fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether one letter was added, left out or changed, or two neighbours swapped.
pub(super) fn is_one_edit_apart(a: &str, b: &str) -> bool {
    let same_ends = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let (a, b) = (
        a.as_bytes().get(same_ends..).unwrap_or_default(),
        b.as_bytes().get(same_ends..).unwrap_or_default(),
    );
    match (a, b) {
        ([], []) => false,
        ([x, y, a @ ..], [v, w, b @ ..]) if x == w && y == v && a == b => true,
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, rest @ ..], other) | (other, [_, rest @ ..]) if rest == other => true,
        _ => false,
    }
}

/// The user's command with each requirement and option as pip reads it.
pub(super) fn corrected_requirement(case: &Case<'_>) -> Option<String> {
    let line = case.text.lines().next()?.strip_prefix("Command:")?;
    let command = UserCommand::parse(&super::spelling::respelt(line)?);
    Some(Anew::of(&command)?.write())
}

/// `name 1.0` as `name==1.0`: pip took the version for a package.
pub(super) fn version_apart(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    let word = missing.requirement.name.as_str();
    let version = Version::parse(word).filter(|version| version.as_str().contains('.'))?;
    let mut anew = Anew::of(&case.facts.command)?;
    let place = anew.requirements.iter().position(|requirement| requirement.name == word)?;
    let before = anew.requirements.get_mut(place.checked_sub(1)?)?;
    // `python 3.11` is no package's version.
    let is_package = packages::is_well_known(&before.name) && before.clauses.is_empty();
    if !is_package || !missing.offered.is_empty() {
        return None;
    }
    *before = before.pinned(&version);
    anew.requirements.remove(place);
    Some(anew.write())
}

pub(super) fn with_patience(case: &Case<'_>) -> Option<String> {
    if case.facts.other_source {
        return None;
    }
    let anew = Anew::of(&case.facts.command)?;
    Some(anew.with_value("--timeout", "120").with_value("--retries", "10").write())
}
