//! Advice on the command itself: options and spelling.

use super::anew::Anew;
use super::missing::Missing;
use super::{Case, Kind, build, network};
use crate::analysis::command::UserCommand;
use crate::analysis::options::{AllowedOption, RefusedOption};
use crate::analysis::packages;
use crate::analysis::version::Version;

/// Options that only newer versions of pip know and without which the command would do something
/// else.
const NEW_OPTIONS: &[&str] = &[
    "--dry-run",
    "--report",
    "--config-settings",
    "--python",
    "--group",
    "--build-constraint",
    "--requirements-from-script",
    "--uploaded-prior-to",
];

/// Older versions of pip do what this option permits without being told.
const DISPENSABLE: &str = "--break-system-packages";

/// A pip that knows the option, where leaving it out would do something else.
pub(super) fn newer_pip_for_option(case: &Case<'_>) -> Option<String> {
    let unknown = case.part(Kind::Option)?.split('=').next()?;
    NEW_OPTIONS.contains(&unknown).then(|| build::UPGRADE_PIP.to_owned())
}

/// Whether `unknown` is, or may have been meant for, an option that must not be left out. Without a
/// misspelt one that takes a value, that would be taken for a package.
pub(super) fn is_essential(unknown: &str) -> bool {
    let unknown = unknown.split('=').next().unwrap_or(unknown);
    unknown != DISPENSABLE
        && (RefusedOption::all().filter(|option| option.name.starts_with("--")).any(|option| {
            (option.essential && option.name == unknown)
                || ((option.essential || option.value) && is_one_edit_apart(option.name, unknown))
        }) || AllowedOption::all()
            .any(|option| option.takes_value() && is_one_edit_apart(option.name, unknown)))
}

/// The command without the option that pip does not know, or with the one that was meant.
pub(super) fn without_unknown_option(case: &Case<'_>, put_right: bool) -> Option<String> {
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
    let meant =
        AllowedOption::all().find(|option| !option.takes_value() && is_one_edit_apart(option.name, unknown));
    match (meant, put_right) {
        (Some(option), true) => anew.with(option.name).write(),
        (None, false) => anew.write(),
        _ => None,
    }
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
    Anew::of(&command)?.write()
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
    let others =
        std::mem::take(&mut anew.requirements).into_iter().enumerate().filter(|(at, _)| *at != place);
    anew.requirements = others.map(|(_, requirement)| requirement).collect();
    anew.write()
}

pub(super) fn with_patience(case: &Case<'_>) -> Option<String> {
    if case.facts.other_source || network::is_overcome(case, true) {
        return None;
    }
    let anew = Anew::of(&case.facts.command)?;
    anew.with_value("--timeout", "120").with_value("--retries", "10").write()
}

/// An install for the current user, which a virtual environment refuses: pip before 21.1 gives its
/// hint there too.
pub(super) fn with_user(case: &Case<'_>) -> Option<String> {
    let tells_a_path = |line: &&str| {
        ["[Errno 13]", "[Errno 1]", "[WinError 5]"].iter().any(|sign| line.contains(sign))
            || line.starts_with("pip_version:")
    };
    if case.text.lines().filter(tells_a_path).any(is_in_environment) {
        return None;
    }
    Anew::of(&case.facts.command)?.with("--user").write()
}

/// Whether the line has a path into a virtual environment, by how those are named.
fn is_in_environment(line: &str) -> bool {
    line.split(['/', '\\']).any(|part| {
        let part = part.to_ascii_lowercase();
        part.contains("venv")
            || part.contains("virtualenv")
            || [".tox", ".nox", "env", ".env"].contains(&part.as_str())
    })
}
