//! Advice on builds that fail.

use super::anew::Anew;
use super::{Case, Kind};
use crate::analysis::facts::System;
use crate::analysis::packages;
use crate::analysis::requirement::{Operator, Requirement};
use crate::analysis::version::Version;

/// What an old pip is replaced by.
pub(super) const UPGRADE_PIP: &str = "python -m pip install --upgrade pip";

/// The newest NumPy 1 for this Python.
pub(super) fn numpy_one(case: &Case<'_>) -> Option<String> {
    let version = match case.facts.python.map(|python| (python.major, python.minor)) {
        Some((3, 7)) => "1.21.6",
        Some((3, 8)) => "1.24.4",
        Some((3, 9..=12)) | None => "1.26.4",
        Some(_) => return None,
    };
    Some(format!("pip install numpy=={version}"))
}

/// A newer pip, then the user's command again, where pip is older than the rule says: before 19.3 it
/// does not know manylinux2014 wheels, before 20.3 not the later ones, before 21.3 no editable
/// installs without setup.py.
pub(super) fn newer_pip(case: &Case<'_>) -> Option<Vec<String>> {
    let enough = Version::parse(case.arguments.first()?)?;
    if *case.facts.pip.as_ref()? >= enough {
        return None;
    }
    Some(Anew::then_again(vec![UPGRADE_PIP.to_owned()], Anew::of(&case.facts.command)))
}

/// The same for a package that has wheels, whatever its build failed by.
pub(super) fn newer_pip_for_wheels(case: &Case<'_>) -> Option<Vec<String>> {
    let failed = case.failed_package()?;
    // The names of wheels for Windows never changed.
    let has_wheels = case.facts.system != Some(System::Windows)
        && packages::is_well_known(failed)
        && !packages::is_source_only(failed);
    has_wheels.then(|| newer_pip(case))?
}

/// An older build backend, then the user's command with it. Where that cannot be written anew the
/// first step is still the right one.
pub(super) fn build_with(case: &Case<'_>) -> Vec<String> {
    let is_old = case.facts.python.is_some_and(|python| (python.major, python.minor) < (3, 9));
    let mut words = vec!["pip install"];
    words.extend(case.arguments.iter().map(|argument| match argument.split_once("==") {
        // What needs Python 3.9 is no older backend for an older Python: its newest one is.
        Some((name @ "setuptools", version))
            if is_old && Version::parse(version).is_some_and(|version| version.major() > 75) =>
        {
            name
        }
        _ => argument,
    }));
    let again = Anew::of(&case.facts.command).map(|anew| anew.with("--no-build-isolation"));
    Anew::then_again(vec![words.join(" ")], again)
}

/// What the build needs, then the user's command again.
pub(super) fn install_first(case: &Case<'_>) -> Vec<String> {
    let first = format!("pip install {}", case.arguments.join(" "));
    Anew::then_again(vec![first], Anew::of(&case.facts.command))
}

/// The package whose build failed, as pip says: by the step that failed, else by what it was
/// collecting last.
pub(super) fn failed_package(text: &str) -> Option<String> {
    let mut collecting = None;
    let mut failed = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Collecting ") {
            collecting = Some(rest);
        }
        let bare = line.trim_start_matches(' ');
        let bare = bare.strip_prefix("ERROR: ").unwrap_or(bare);
        if line.len().saturating_sub(bare.len()) <= 9
            && let Some(rest) = bare.strip_prefix("Failed building wheel for ")
        {
            failed = Some(rest);
        }
    }
    let text = failed.or(collecting)?;
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
    Requirement::of(text.get(..end)?).map(|requirement| requirement.name)
}

/// Whether a newer version than one of those asked for would be taken without the clauses.
pub(super) fn is_held(requirement: &Requirement) -> bool {
    requirement.clauses.iter().any(|clause| {
        matches!(clause.operator, Operator::Equal | Operator::Compatible | Operator::AtMost | Operator::Below)
    })
}

/// How many steps a dependency is followed towards what the user named.
const MOST_STEPS: usize = 10;

/// The requirement of the user by which pip came to `failed`: as pip says when it collects, else the
/// only one that holds a version back.
fn asked_for<'a>(case: &'a Case<'_>, failed: &str) -> Option<&'a Requirement> {
    let command = &case.facts.command;
    let mut at = packages::normalised(failed);
    for step in 0..MOST_STEPS {
        if let Some(requirement) = command.requirement(&at) {
            return Some(requirement);
        }
        match collected_for(case.text, &at) {
            Some(by) => at = by,
            None if step == 0 => break,
            None => return None,
        }
    }
    let mut held = command.requirements.iter().filter(|requirement| is_held(requirement));
    held.next().filter(|_| held.next().is_none())
}

/// Whose dependency `key` is, by pip's line `Collecting b<2 (from a==1)`.
fn collected_for(text: &str, key: &str) -> Option<String> {
    let collected = text.lines().filter_map(|line| line.strip_prefix("Collecting "));
    let mut by = collected.filter_map(|line| {
        let (what, by) = line.split_once(" (from ")?;
        let is_it = Requirement::parse(what).is_some_and(|requirement| requirement.key() == key);
        let by = by.split("->").next()?.trim_end_matches(')');
        is_it.then(|| Requirement::parse(by).map(|requirement| requirement.key()))?
    });
    by.next()
}

/// The user's command with the pin of the failed package left out, if there is one. Of a package
/// that the user did not name the version is chosen by the one that depends on it.
pub(super) fn without_pin(case: &Case<'_>, unless_source_only: bool) -> Option<String> {
    let command = &case.facts.command;
    let failed = case.failed_package()?;
    if unless_source_only && packages::is_source_only(failed) {
        return None;
    }
    let named = asked_for(case, failed)?;
    if !is_held(named) {
        return None;
    }
    let name = named.name.clone();
    Anew::of(command)?.change(&name, Requirement::unpinned).write()
}

/// The package that an import in the build did not find.
pub(super) fn install_module(case: &Case<'_>) -> Option<Vec<String>> {
    let module = case.part(Kind::Module)?;
    let head = module.split('.').next()?;
    // The newest setuptools has no pkg_resources, so that installing it would not help.
    if head == "pkg_resources"
        || packages::is_standard_library(head)
        || packages::removed_in(module).is_some()
        || packages::is_local_module(module)
    {
        return None;
    }
    let package = packages::package_for_import(module)?;
    let first = format!("pip install {package}");
    let again = Anew::of(&case.facts.command).map(|anew| anew.with("--no-build-isolation"));
    Some(Anew::then_again(vec![first], again))
}

/// The newest version that has a wheel for this machine.
pub(super) fn only_wheels(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let name = case.failed_package().filter(|name| command.names(name))?.to_owned();
    if packages::is_source_only(&name) {
        return None;
    }
    let anew = Anew::of(command)?;
    let pinned = command.requirement(&name).is_some_and(|requirement| requirement.pin().is_some());
    let anew = if pinned { anew.change(&name, Requirement::unpinned) } else { anew };
    anew.with_value("--only-binary", &name).write()
}

/// What took the place of the package whose build failed.
pub(super) fn replacement_of_given_up(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let name = case.failed_package().filter(|name| command.names(name))?.to_owned();
    let replacement = Requirement::of(packages::replacement_of(&name)?)?;
    Anew::of(command)?.change(&name, |_| replacement.clone()).write()
}

/// The package with prebuilt wheels of what needs `pg_config`, by a pip that knows those wheels.
pub(super) fn psycopg_binary(case: &Case<'_>) -> Option<Vec<String>> {
    let enough = Version::parse("19.3")?;
    let is_pip_old = case.facts.pip.as_ref().is_some_and(|pip| *pip < enough);
    let upgrade = is_pip_old.then(|| UPGRADE_PIP.to_owned());
    Some(upgrade.into_iter().chain([binary_of_psycopg(case)?]).collect())
}

/// In any version: an older one has no wheel for a newer Python.
fn binary_of_psycopg(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    // psycopg 3 has its compiled part as an extra.
    let compiled =
        command.requirement("psycopg").filter(|asked| asked.extras.iter().any(|extra| extra == "c"));
    if compiled.is_some() {
        let binary = |asked: &Requirement| {
            let rename = |extra: &String| if extra == "c" { "binary".to_owned() } else { extra.clone() };
            Requirement { extras: asked.extras.iter().map(rename).collect(), ..asked.unpinned() }
        };
        return Anew::of(command)?.change("psycopg", binary).write();
    }
    for name in ["psycopg2", "psycopg2-binary"] {
        if command.names(name) {
            let binary =
                |asked: &Requirement| Requirement { name: "psycopg2-binary".to_owned(), ..asked.unpinned() };
            return Anew::of(command)?.change(name, binary).write();
        }
    }
    // Others ask for pg_config too, and what depends on the one is not content with the other.
    let is_another = case.failed_package().is_some_and(|name| packages::normalised(name) != "psycopg2");
    let is_elsewhere = command.projects || (!command.requirement_files.is_empty() && !is_another);
    is_elsewhere.then(|| "pip install psycopg2-binary".to_owned())
}
