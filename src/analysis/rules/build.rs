//! Advice on builds that fail.

use super::anew::Anew;
use super::{Case, Kind};
use crate::analysis::facts::System;
use crate::analysis::packages;
use crate::analysis::requirement::{Operator, Requirement};
use crate::analysis::version::Version;

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

/// pip before 19.3 does not know manylinux2014 wheels, before 20.3 not the later ones.
pub(super) fn newer_pip(case: &Case<'_>) -> Option<Vec<String>> {
    let pip = case.facts.pip.as_ref()?;
    if *pip >= Version::parse("20.3")? {
        return None;
    }
    let upgrade = "python -m pip install --upgrade pip".to_owned();
    Some(
        [vec![upgrade], Anew::of(&case.facts.command).map(|anew| anew.write()).into_iter().collect()]
            .concat(),
    )
}

/// An older build backend, then the user's command with it.
pub(super) fn build_with(case: &Case<'_>) -> Option<Vec<String>> {
    let anew = Anew::of(&case.facts.command)?.with("--no-build-isolation");
    Some(vec![format!("pip install {}", case.arguments.join(" ")), anew.write()])
}

/// What the build needs, then the user's command again.
pub(super) fn install_first(case: &Case<'_>) -> Option<Vec<String>> {
    let first = format!("pip install {}", case.arguments.join(" "));
    Some([vec![first], Anew::of(&case.facts.command).map(|anew| anew.write()).into_iter().collect()].concat())
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

/// The user's command with the pin of the failed package left out, if there is one.
pub(super) fn without_pin(case: &Case<'_>, unless_source_only: bool) -> Option<String> {
    let command = &case.facts.command;
    let name = case.failed_package()?.to_owned();
    let requirement = command.requirement(&name)?;
    let held = requirement.clauses.iter().any(|clause| {
        matches!(clause.operator, Operator::Equal | Operator::Compatible | Operator::AtMost | Operator::Below)
    });
    if !held || (unless_source_only && packages::is_source_only(&name)) {
        return None;
    }
    Some(Anew::of(command)?.change(&name, Requirement::unpinned).write())
}

/// The package that an import in the build did not find.
pub(super) fn install_module(case: &Case<'_>) -> Option<Vec<String>> {
    let module = case.part(Kind::Module)?;
    let head = module.split('.').next()?;
    if packages::is_standard_library(head)
        || packages::removed_in(module).is_some()
        || packages::is_local_module(module)
    {
        return None;
    }
    let package = packages::package_for_import(module)?;
    let first = format!("pip install {package}");
    let again = Anew::of(&case.facts.command).map(|anew| anew.with("--no-build-isolation").write());
    Some([vec![first], again.into_iter().collect()].concat())
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
    Some(anew.with_value("--only-binary", &name).write())
}

/// What took the place of the package whose build failed.
pub(super) fn replacement_of_given_up(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let name = case.failed_package().filter(|name| command.names(name))?.to_owned();
    let replacement = Requirement::of(packages::replacement_of(&name)?)?;
    Some(Anew::of(command)?.change(&name, |_| replacement.clone()).write())
}

pub(super) fn psycopg_binary(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let binary =
        |requirement: &Requirement| Requirement { name: "psycopg2-binary".to_owned(), ..requirement.clone() };
    if command.names("psycopg2") {
        return Some(Anew::of(command)?.change("psycopg2", binary).write());
    }
    let windows_or_other =
        matches!(case.facts.system, Some(System::Windows | System::Linux | System::MacOs) | None);
    windows_or_other.then(|| "pip install psycopg2-binary".to_owned())
}
