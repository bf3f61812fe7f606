//! The commands that have to be worked out. Each function answers `None` where its rule does not
//! apply after all, and the next rule is tried.

use super::missing::Missing;
use super::{Case, Kind};
use crate::analysis::command::UserCommand;
use crate::analysis::facts::System;
use crate::analysis::options::AllowedOption;
use crate::analysis::packages;
use crate::analysis::requirement::{Operator, Requirement};
use crate::analysis::version::Version;

/// What a computation found.
pub(super) enum Outcome {
    /// The rule's text is the advice: no command helps.
    Sentence,
    /// These commands, in order.
    Commands(Vec<String>),
}

/// The computations that a rule may name, in snake case.
#[derive(Clone, Copy)]
pub(super) enum Compute {
    WithoutUnknownOption,
    CorrectedRequirement,
    WheelByName,
    ThroughPython,
    WithUser,
    WithoutUser,
    WithoutCache,
    IgnoringInstalled,
    WithPatience,
    WithOlderPip,
    PackageThatTheLogNames,
    VersionForThisPython,
    WithoutConflictingPins,
    NameThatWasMeant,
    NothingForTheStandardLibrary,
    NamedLikeAFile,
    ReplacementOfGivenUp,
    VersionThatIsOffered,
    NumpyOne,
    NewerPip,
    BuildWith,
    UnpinnedOrNewerSetuptools,
    InstallFirst,
    WithoutPin,
    WithoutPinUnlessSourceOnly,
    InstallModule,
    UnpinnedOrInstallFirst,
    OnlyWheels,
    PsycopgBinary,
}

impl Compute {
    pub(super) fn run(self, case: &Case<'_>) -> Option<Outcome> {
        let command = &case.facts.command;
        let commands = match self {
            Self::WithoutUnknownOption => vec![without_unknown_option(case)?],
            Self::CorrectedRequirement => vec![corrected_requirement(case)?],
            Self::WheelByName => vec![wheel_by_name(case)?],
            Self::ThroughPython => vec![Anew::of(command)?.through_python().write()],
            Self::WithUser => vec![Anew::of(command)?.with("--user").write()],
            Self::WithoutUser => vec![Anew::of(command)?.without("--user").write()],
            Self::WithoutCache => vec![Anew::of(command)?.with("--no-cache-dir").write()],
            Self::IgnoringInstalled => vec![Anew::of(command)?.with("--ignore-installed").write()],
            Self::WithPatience => vec![with_patience(case)?],
            Self::WithOlderPip => {
                vec!["python -m pip install pip==24.0".to_owned(), Anew::of(command)?.write()]
            }
            Self::PackageThatTheLogNames => vec![package_that_the_log_names(case)?],
            Self::VersionForThisPython => vec![version_for_this_python(case)?],
            Self::WithoutConflictingPins => vec![super::conflict::without_conflicting_pins(case)?],
            Self::NameThatWasMeant => vec![name_that_was_meant(case)?],
            Self::NothingForTheStandardLibrary => {
                let missing = Missing::parse(case.line())?;
                let known =
                    missing.offered.is_empty() && packages::is_standard_library(&missing.requirement.name);
                return known.then_some(Outcome::Sentence);
            }
            Self::NamedLikeAFile => {
                let missing = Missing::parse(case.line())?;
                let is_file = missing.offered.is_empty() && missing.requirement.name.ends_with(".txt");
                return is_file.then_some(Outcome::Sentence);
            }
            Self::ReplacementOfGivenUp => vec![replacement_of_given_up(case)?],
            Self::VersionThatIsOffered => vec![version_that_is_offered(case)?],
            Self::NumpyOne => vec![numpy_one(case)?],
            Self::NewerPip => newer_pip(case)?,
            Self::BuildWith => build_with(case)?,
            Self::UnpinnedOrNewerSetuptools => {
                without_pin(case, false).map(|command| vec![command]).or_else(|| {
                    let upgrade = "pip install --upgrade setuptools wheel".to_owned();
                    Some(
                        [vec![upgrade], Anew::of(command).map(|anew| anew.write()).into_iter().collect()]
                            .concat(),
                    )
                })?
            }
            Self::InstallFirst => install_first(case)?,
            Self::WithoutPin => vec![without_pin(case, false)?],
            Self::WithoutPinUnlessSourceOnly => vec![without_pin(case, true)?],
            Self::InstallModule => install_module(case)?,
            Self::UnpinnedOrInstallFirst => {
                without_pin(case, true).map(|command| vec![command]).or_else(|| install_first(case))?
            }
            Self::OnlyWheels => vec![only_wheels(case)?],
            Self::PsycopgBinary => vec![psycopg_binary(case)?],
        };
        Some(Outcome::Commands(commands))
    }
}

/// The user's command, to be written anew with changes.
pub(super) struct Anew {
    pub(super) requirements: Vec<Requirement>,
    options: Vec<(&'static str, Option<String>)>,
    through_python: bool,
}

impl Anew {
    /// The command, if all of it can be said in an answer.
    pub(super) fn of(command: &UserCommand) -> Option<Self> {
        if !command.unread.is_empty() || !command.essential_options.is_empty() {
            return None;
        }
        Self::of_what_was_read(command)
    }

    /// The same, whatever could not be read apart.
    fn of_what_was_read(command: &UserCommand) -> Option<Self> {
        if !command.is_by_name() {
            return None;
        }
        let requirements: Option<Vec<_>> = command.requirements.iter().map(Requirement::speakable).collect();
        Some(Self { requirements: requirements?, options: command.options.clone(), through_python: false })
    }

    pub(super) fn with(mut self, option: &'static str) -> Self {
        if !self.options.iter().any(|(name, _)| *name == option) {
            self.options.push((option, None));
        }
        self
    }

    fn with_value(mut self, option: &'static str, value: &str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self.options.push((option, Some(value.to_owned())));
        self
    }

    fn without(mut self, option: &str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self
    }

    fn through_python(mut self) -> Self {
        self.through_python = true;
        self
    }

    /// Changes each requirement of this name.
    pub(super) fn change(mut self, name: &str, change: impl Fn(&Requirement) -> Requirement) -> Self {
        let key = packages::normalised(name);
        for requirement in &mut self.requirements {
            if requirement.key() == key {
                *requirement = change(requirement);
            }
        }
        self
    }

    pub(super) fn write(&self) -> String {
        let mut words =
            vec![if self.through_python { "python -m pip install" } else { "pip install" }.to_owned()];
        for (name, value) in &self.options {
            words.push((*name).to_owned());
            words.extend(value.clone());
        }
        words.extend(self.requirements.iter().map(ToString::to_string));
        words.join(" ")
    }
}

fn without_unknown_option(case: &Case<'_>) -> Option<String> {
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

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether one letter was added, left out or changed, or two neighbours swapped.
fn is_one_edit_apart(a: &str, b: &str) -> bool {
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

/// `name=1.0`, `name@1.0`, `name == 1.0` with spaces, as requirements that pip reads.
fn corrected_requirement(case: &Case<'_>) -> Option<String> {
    let line = case.text.lines().next()?.strip_prefix("Command:")?;
    let mut joined = line.to_owned();
    for sign in ["==", "="] {
        joined = joined.replace(&format!(" {sign} "), "==").replace(&format!(" {sign}"), "==");
    }
    let command = UserCommand::parse(&joined);
    let is_elsewhere = command.projects || command.version_control || !command.wheels.is_empty();
    if is_elsewhere || !command.requirement_files.is_empty() || !command.essential_options.is_empty() {
        return None;
    }
    let mut requirements = Vec::new();
    for requirement in &command.requirements {
        requirements.push(requirement.speakable()?);
    }
    for word in &command.unread {
        let (name, version) = word.split_once('=').or_else(|| word.split_once('@'))?;
        let version = Version::parse(version.trim_matches(['=', ',', ' ']))?;
        requirements.push(Requirement::of(name)?.pinned(&version));
    }
    let anew = Anew { requirements, options: command.options.clone(), through_python: false };
    (!anew.requirements.is_empty() && (joined != line || !command.unread.is_empty())).then(|| anew.write())
}

/// The project of a wheel file that fits another machine, by name. A wheel may hold an internal
/// project, so that only well-known names are asked of an index.
fn wheel_by_name(case: &Case<'_>) -> Option<String> {
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

fn with_patience(case: &Case<'_>) -> Option<String> {
    if case.facts.other_source {
        return None;
    }
    let anew = Anew::of(&case.facts.command)?;
    Some(anew.with_value("--timeout", "120").with_value("--retries", "10").write())
}

/// A package that the log advises instead of one that the user named: only a well-known one.
fn package_that_the_log_names(case: &Case<'_>) -> Option<String> {
    let advised = case.part(Kind::Package)?;
    if !packages::is_well_known(advised) {
        return None;
    }
    let command = &case.facts.command;
    let old = match case.part(Kind::Name) {
        Some(name) if command.names(name) => name.to_owned(),
        Some(_) => return None,
        None => failed_package(case).filter(|name| command.names(name))?,
    };
    let advised = Requirement::of(advised)?;
    Some(Anew::of(command)?.change(&old, |_| advised.clone()).write())
}

/// Without a version pip takes the newest that supports this Python.
fn version_for_this_python(case: &Case<'_>) -> Option<String> {
    let name = case.part(Kind::Name)?;
    let command = &case.facts.command;
    if command.requirement(name).is_some_and(|requirement| !requirement.clauses.is_empty()) {
        return Some(Anew::of(command)?.change(name, Requirement::unpinned).write());
    }
    let key = packages::normalised(name);
    let from_wheel = command.wheels.iter().any(|wheel| packages::normalised(&wheel.name) == key);
    (from_wheel && packages::is_well_known(name)).then(|| format!("pip install {name}"))
}

/// The package that an import name, a given-up name or a misspelt name stands for.
fn name_that_was_meant(case: &Case<'_>) -> Option<String> {
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
        let other = other.or_else(|| {
            // On a company's index a name near a well-known one may be the company's own.
            let unknown = !packages::is_well_known(name) && !command.other_source;
            unknown.then(|| packages::nearest(name)).flatten().map(|near| near.name)
        })?;
        Requirement::of(other)
    })?;
    if command.names(name) {
        Some(Anew::of(command)?.change(name, |_| meant.clone()).write())
    } else {
        // From a requirements file: the package alone, so that the file can be put right.
        missing.asked_by.as_ref().filter(|by| by.starts_with("-r "))?;
        Some(format!("pip install {meant}"))
    }
}

fn version_that_is_offered(case: &Case<'_>) -> Option<String> {
    let missing = Missing::parse(case.line())?;
    if !missing.is_asked_by_user() {
        return None;
    }
    let nearest = missing.nearest(missing.is_for_older_pythons(case.text))?;
    let name = &missing.requirement.name;
    let command = &case.facts.command;
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
        }
        return Some(anew.write());
    }
    let from_file = missing.asked_by.is_some() && packages::is_well_known(name);
    from_file.then(|| format!("pip install {}", missing.requirement.pinned(&nearest)))
}

/// The newest NumPy 1 for this Python.
fn numpy_one(case: &Case<'_>) -> Option<String> {
    let version = match case.facts.python.map(|python| (python.major, python.minor)) {
        Some((3, 7)) => "1.21.6",
        Some((3, 8)) => "1.24.4",
        Some((3, 9..=12)) | None => "1.26.4",
        Some(_) => return None,
    };
    Some(format!("pip install numpy=={version}"))
}

/// pip before 19.3 does not know manylinux2014 wheels, before 20.3 not the later ones.
fn newer_pip(case: &Case<'_>) -> Option<Vec<String>> {
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
fn build_with(case: &Case<'_>) -> Option<Vec<String>> {
    let anew = Anew::of(&case.facts.command)?.with("--no-build-isolation");
    Some(vec![format!("pip install {}", case.arguments.join(" ")), anew.write()])
}

/// What the build needs, then the user's command again.
fn install_first(case: &Case<'_>) -> Option<Vec<String>> {
    let first = format!("pip install {}", case.arguments.join(" "));
    Some([vec![first], Anew::of(&case.facts.command).map(|anew| anew.write()).into_iter().collect()].concat())
}

/// The package whose build failed, as pip says: by the step that failed, else by what it was
/// collecting last.
pub(super) fn failed_package(case: &Case<'_>) -> Option<String> {
    let mut collecting = None;
    let mut failed = None;
    for line in case.text.lines() {
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
fn without_pin(case: &Case<'_>, unless_source_only: bool) -> Option<String> {
    let command = &case.facts.command;
    let name = failed_package(case)?;
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
fn install_module(case: &Case<'_>) -> Option<Vec<String>> {
    let module = case.part(Kind::Module)?;
    if packages::is_standard_library(module) || packages::removed_in(module).is_some() {
        return None;
    }
    let package = packages::package_for_import(module)?;
    let first = format!("pip install {package}");
    let again = Anew::of(&case.facts.command).map(|anew| anew.with("--no-build-isolation").write());
    Some([vec![first], again.into_iter().collect()].concat())
}

/// The newest version that has a wheel for this machine.
fn only_wheels(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let name = failed_package(case).filter(|name| command.names(name))?;
    if packages::is_source_only(&name) {
        return None;
    }
    let anew = Anew::of(command)?;
    let pinned = command.requirement(&name).is_some_and(|requirement| requirement.pin().is_some());
    let anew = if pinned { anew.change(&name, Requirement::unpinned) } else { anew };
    Some(anew.with_value("--only-binary", &name).write())
}

/// What took the place of the package whose build failed.
fn replacement_of_given_up(case: &Case<'_>) -> Option<String> {
    let command = &case.facts.command;
    let name = failed_package(case).filter(|name| command.names(name))?;
    let replacement = Requirement::of(packages::replacement_of(&name)?)?;
    Some(Anew::of(command)?.change(&name, |_| replacement.clone()).write())
}

fn psycopg_binary(case: &Case<'_>) -> Option<String> {
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
