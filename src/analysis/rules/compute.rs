//! The commands that have to be worked out. Each function answers `None` where its rule does not
//! apply after all, and the next rule is tried.

use super::anew::Anew;
use super::missing::Missing;
use super::{Case, build, command_line, conflict, index};
use crate::analysis::packages;

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
    VersionApart,
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
            Self::WithoutUnknownOption => vec![command_line::without_unknown_option(case)?],
            Self::CorrectedRequirement => vec![command_line::corrected_requirement(case)?],
            Self::VersionApart => vec![command_line::version_apart(case)?],
            Self::WheelByName => vec![index::wheel_by_name(case)?],
            Self::ThroughPython => vec![Anew::of(command)?.through_python().write()],
            Self::WithUser => vec![Anew::of(command)?.with("--user").write()],
            Self::WithoutUser => vec![Anew::of(command)?.without("--user").write()],
            Self::WithoutCache => vec![Anew::of(command)?.with("--no-cache-dir").write()],
            Self::IgnoringInstalled => vec![Anew::of(command)?.with("--ignore-installed").write()],
            Self::WithPatience => vec![command_line::with_patience(case)?],
            Self::WithOlderPip => {
                vec!["python -m pip install pip==24.0".to_owned(), Anew::of(command)?.write()]
            }
            Self::PackageThatTheLogNames => vec![index::package_that_the_log_names(case)?],
            Self::VersionForThisPython => vec![index::version_for_this_python(case)?],
            Self::WithoutConflictingPins => vec![conflict::without_conflicting_pins(case)?],
            Self::NameThatWasMeant => vec![index::name_that_was_meant(case)?],
            Self::NothingForTheStandardLibrary => {
                let missing = Missing::parse(case.line())?;
                let name = missing.requirement.name.as_str();
                let head = name.split_once('.').map_or(name, |(head, _)| head);
                let known = missing.offered.is_empty()
                    && (packages::is_standard_library(name) || packages::is_standard_library(head));
                return known.then_some(Outcome::Sentence);
            }
            Self::NamedLikeAFile => {
                let missing = Missing::parse(case.line())?;
                let name = missing.requirement.name.to_ascii_lowercase();
                let stem = name.split('.').next().unwrap_or_default();
                let is_list = ["requirements", "requirement", "requirments"].contains(&stem);
                let is_file = missing.offered.is_empty() && (is_list || name.ends_with(".txt"));
                return is_file.then_some(Outcome::Sentence);
            }
            Self::ReplacementOfGivenUp => vec![build::replacement_of_given_up(case)?],
            Self::VersionThatIsOffered => vec![index::version_that_is_offered(case)?],
            Self::NumpyOne => vec![build::numpy_one(case)?],
            Self::NewerPip => build::newer_pip(case)?,
            Self::BuildWith => build::build_with(case)?,
            Self::UnpinnedOrNewerSetuptools => {
                build::without_pin(case, false).map(|command| vec![command]).or_else(|| {
                    let upgrade = "pip install --upgrade setuptools wheel".to_owned();
                    Some(
                        [vec![upgrade], Anew::of(command).map(|anew| anew.write()).into_iter().collect()]
                            .concat(),
                    )
                })?
            }
            Self::InstallFirst => build::install_first(case)?,
            Self::WithoutPin => vec![build::without_pin(case, false)?],
            Self::WithoutPinUnlessSourceOnly => vec![build::without_pin(case, true)?],
            Self::InstallModule => build::install_module(case)?,
            Self::UnpinnedOrInstallFirst => build::without_pin(case, true)
                .map(|command| vec![command])
                .or_else(|| build::install_first(case))?,
            Self::OnlyWheels => vec![build::only_wheels(case)?],
            Self::PsycopgBinary => vec![build::psycopg_binary(case)?],
        };
        Some(Outcome::Commands(commands))
    }
}
