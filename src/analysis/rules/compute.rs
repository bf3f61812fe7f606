//! The commands that have to be worked out. Each function answers `None` where its rule does not
//! apply after all, and the next rule is tried.

use super::anew::Anew;
use super::missing::Missing;
use super::{Case, Kind, build, command_line, conflict, index, network};
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
    NewerPipForOption,
    EssentialOption,
    MisspeltOption,
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
    UnlessOvercome,
    UnlessIndexAnswered,
    WithOlderPip,
    PackageThatTheLogNames,
    VersionForThisPython,
    WithoutConflictingPins,
    NameThatWasMeant,
    NothingForTheStandardLibrary,
    NamedLikeAFile,
    ReplacementOfGivenUp,
    ReplacementOfMissing,
    DependentWithoutPin,
    VersionThatIsOffered,
    OtherVersionsOffered,
    NothingOffered,
    NumpyOne,
    NewerPip,
    NewerPipForWheels,
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
            Self::NewerPipForOption => vec![command_line::newer_pip_for_option(case)?],
            Self::EssentialOption => {
                return command_line::is_essential(case.part(Kind::Option)?).then_some(Outcome::Sentence);
            }
            Self::MisspeltOption => vec![command_line::without_unknown_option(case, true)?],
            Self::WithoutUnknownOption => vec![command_line::without_unknown_option(case, false)?],
            Self::CorrectedRequirement => vec![command_line::corrected_requirement(case)?],
            Self::VersionApart => vec![command_line::version_apart(case)?],
            Self::WheelByName => vec![index::wheel_by_name(case)?],
            Self::ThroughPython => vec![Anew::of(command)?.through_python().write()?],
            Self::WithUser => vec![command_line::with_user(case)?],
            Self::WithoutUser => vec![Anew::of(command)?.without("--user").write()?],
            Self::WithoutCache => vec![Anew::of(command)?.with("--no-cache-dir").write()?],
            Self::IgnoringInstalled => vec![Anew::of(command)?.with("--ignore-installed").write()?],
            Self::UnlessOvercome => {
                return (!network::is_overcome(case, true)).then_some(Outcome::Sentence);
            }
            Self::UnlessIndexAnswered => {
                return (!network::is_overcome(case, false)).then_some(Outcome::Sentence);
            }
            Self::WithPatience => vec![command_line::with_patience(case)?],
            Self::WithOlderPip => {
                Anew::then_again(vec!["python -m pip install pip==24.0".to_owned()], Anew::of(command))
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
            Self::ReplacementOfMissing => vec![index::replacement_of_missing(case)?],
            Self::DependentWithoutPin => vec![index::dependent_without_pin(case)?],
            Self::OtherVersionsOffered => {
                let missing = case.missing()?;
                let others = !missing.offered.is_empty() && !missing.is_offered();
                return others.then_some(Outcome::Sentence);
            }
            Self::NothingOffered => {
                let nothing = case.missing().is_none_or(|missing| missing.offered.is_empty());
                return nothing.then_some(Outcome::Sentence);
            }
            Self::VersionThatIsOffered => vec![index::version_that_is_offered(case)?],
            Self::NumpyOne => vec![build::numpy_one(case)?],
            Self::NewerPip => build::newer_pip(case)?,
            Self::NewerPipForWheels => build::newer_pip_for_wheels(case)?,
            Self::BuildWith => build::build_with(case),
            Self::UnpinnedOrNewerSetuptools => {
                build::without_pin(case, false).map(|command| vec![command]).unwrap_or_else(|| {
                    let upgrade = "pip install --upgrade setuptools wheel".to_owned();
                    Anew::then_again(vec![upgrade], Anew::of(command))
                })
            }
            Self::InstallFirst => build::install_first(case),
            Self::WithoutPin => vec![build::without_pin(case, false)?],
            Self::WithoutPinUnlessSourceOnly => vec![build::without_pin(case, true)?],
            Self::InstallModule => build::install_module(case)?,
            Self::UnpinnedOrInstallFirst => build::without_pin(case, true)
                .map_or_else(|| build::install_first(case), |command| vec![command]),
            Self::OnlyWheels => vec![build::only_wheels(case)?],
            Self::PsycopgBinary => build::psycopg_binary(case)?,
        };
        Some(Outcome::Commands(commands))
    }
}
