//! Advice on names and versions that the index does not offer.

use super::anew::Anew;
use super::missing::Missing;
use super::{Case, Kind, build};
use crate::analysis::packages;
use crate::analysis::requirement::Requirement;
use crate::analysis::version::Version;

/// The project of a wheel file that fits another machine, by name. A wheel may hold an internal
/// project, so that only well-known names are asked of an index.
pub(super) fn wheel_by_name(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let [wheel] = command.wheels.as_slice() else { return None };
    if !packages::is_well_known(&wheel.name) {
        return None;
    }
    let requirement = Requirement::of(&wheel.name)?;
    // A version made for a much older Python has no wheel for this one.
    let minor = wheel.python_tag.strip_prefix("cp3").and_then(|minor| minor.parse::<u32>().ok());
    let is_near = match (minor, case.facts.python) {
        (Some(minor), Some(python)) => python.minor.abs_diff(minor) <= 1,
        _ => true,
    };
    let version = wheel.version.without_local().unwrap_or_else(|| wheel.version.clone());
    let requirement = if is_near { requirement.pinned(&version) } else { requirement };
    Some(format!("pip install {requirement}"))
}

/// A package that the log advises instead of one that the user named: only a well-known one.
pub(super) fn package_that_the_log_names(case: &Case<'_>) -> Option<String> {
    let advised = case.part(Kind::Package)?;
    if !packages::is_well_known(advised) {
        return None;
    }
    let command = &case.facts.command;
    let old = match case.part(Kind::Name) {
        Some(name) if command.names(name) => name.to_owned(),
        Some(_) => return None,
        None => case.failed_package().filter(|name| command.names(name))?.to_owned(),
    };
    let advised = Requirement::of(advised)?;
    Anew::of(command)?.change(&old, |_| advised.clone()).write()
}

/// Without a version pip takes the newest that supports this Python.
pub(super) fn version_for_this_python(case: &Case<'_>) -> Option<String> {
    // pip before 20 begins the line with the name.
    let first = case.line_from_start().split(' ').next().unwrap_or_default();
    let name = case.part(Kind::Name).unwrap_or(first);
    let command = &case.facts.command;
    if command.requirement(name).is_some_and(|requirement| !requirement.clauses.is_empty()) {
        return Anew::of(command)?.change(name, Requirement::unpinned).write();
    }
    let key = packages::normalised(name);
    let from_wheel = command.wheels.iter().any(|wheel| packages::normalised(&wheel.name) == key);
    (from_wheel && packages::is_well_known(name)).then(|| format!("pip install {name}"))
}

/// The package that an import name, a given-up name or a misspelt name stands for.
pub(super) fn name_that_was_meant(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    let name = missing.requirement.name.as_str();
    let command = &case.facts.command;
    if !missing.offered.is_empty() || packages::is_standard_library(name) {
        return None;
    }
    // pip takes `name-1.0` for a name.
    let with_version = name.rsplit_once('-').and_then(|(head, version)| {
        let version = Version::parse(version).filter(|version| version.as_str().contains('.'))?;
        packages::is_well_known(head).then(|| Requirement::of(head).map(|head| head.pinned(&version)))?
    });
    let meant = with_version.or_else(|| {
        let other = packages::provider_of(name)
            .or_else(|| packages::replacement_of(name))
            .filter(|other| packages::normalised(other) != packages::normalised(name));
        let other = other.or_else(|| package_of_module(name).filter(|_| !command.other_source));
        let other = other.or_else(|| {
            // On a company's index a name near a well-known one may be the company's own.
            let near = (!command.other_source).then(|| packages::nearest(name))?;
            near.map(|near| near.name)
        })?;
        Requirement::of(other)
    })?;
    if command.names(name) {
        Anew::of(command)?.change(name, |_| meant.clone()).write()
    } else {
        // From a requirements file: the package alone, so that the file can be put right.
        missing.asked_by.as_ref().filter(|by| by.starts_with("-r "))?;
        Some(format!("pip install {meant}"))
    }
}

/// What took the place of a package of which other versions are left.
pub(super) fn replacement_of_missing(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    let name = &missing.requirement.name;
    let replacement = Requirement::of(packages::replacement_of(name)?)?;
    let command = &case.facts.command;
    if command.names(name) {
        return Anew::of(command)?.change(name, |_| replacement.clone()).write();
    }
    missing.asked_by.as_ref().filter(|by| by.starts_with("-r "))?;
    Some(format!("pip install {replacement}"))
}

/// The user's command with the pin open of the package that depends on a version that is not there.
pub(super) fn dependent_without_pin(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    let command = &case.facts.command;
    if missing.offered.is_empty() {
        return None;
    }
    let asked = missing.chain().find_map(|by| command.requirement(&by.name).cloned())?;
    build::is_held(&asked).then(|| Anew::of(command)?.change(&asked.name, Requirement::unpinned).write())?
}

/// The well-known package that a dotted module belongs to: `matplotlib.pyplot`.
fn package_of_module(name: &str) -> Option<&str> {
    /// Ends of files and addresses rather than modules.
    const NO_MODULES: &[&str] =
        &["txt", "toml", "yml", "yaml", "cfg", "ini", "zip", "whl", "tar", "exe", "git", "org", "com", "net"];
    let (head, module) = name.split_once('.')?;
    let is_module = module.len() >= 3
        && module.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_.".contains(&byte))
        && !NO_MODULES.contains(&module);
    (is_module && !packages::is_local_module(head) && packages::is_well_known(head)).then_some(head)
}

pub(super) fn version_that_is_offered(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    let is_given_up = packages::replacement_of(&missing.requirement.name).is_some();
    if !missing.is_asked_by_user() || missing.is_offered() || is_given_up {
        return None;
    }
    // What a package's build prints is indented: the version is taken from pip's own line only.
    if case.line_from_start().starts_with(' ') {
        return None;
    }
    let nearest = missing.nearest(missing.is_for_older_pythons(case.text))?;
    let name = &missing.requirement.name;
    let command = &case.facts.command;
    let is_theirs = |asked: &Requirement| asked.clauses == missing.requirement.clauses;
    let by_command = command.requirement(name).is_some_and(is_theirs);
    if !by_command && command.requirement_files.is_empty() {
        return None;
    }
    if command.names(name) {
        let local = |requirement: &Requirement| requirement.pin().and_then(Version::without_local);
        let has_label = command.requirement(name).and_then(local).is_some();
        let mut anew = Anew::of(command)?.change(name, |requirement| requirement.pinned(&nearest));
        if has_label {
            // The other packages of the same build carry the same label.
            for requirement in &mut anew.requirements {
                if let Some(version) = local(requirement) {
                    *requirement = requirement.pinned(&version);
                }
            }
        } else if has_moved(&missing, &nearest) {
            // Packages that are released together are pinned together: what fitted the version that
            // was asked for does not fit this one.
            for requirement in &mut anew.requirements {
                if requirement.pin().is_some() && requirement.key() != missing.requirement.key() {
                    *requirement = requirement.unpinned();
                }
            }
        }
        return anew.write();
    }
    let from_file = missing.asked_by.is_some() && packages::is_well_known(name);
    from_file.then(|| format!("pip install {}", missing.requirement.pinned(&nearest)))
}

/// Whether the version is of another minor version than the one that was asked for.
fn has_moved(missing: &Missing, nearest: &Version) -> bool {
    missing
        .requirement
        .pin()
        .is_some_and(|asked| (asked.major(), asked.minor()) != (nearest.major(), nearest.minor()))
}
