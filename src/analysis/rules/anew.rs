//! The user's command, written anew with changes: what most advice comes down to.

use crate::analysis::command::UserCommand;
use crate::analysis::packages;
use crate::analysis::requirement::{Clause, Operator, Requirement};
use crate::analysis::version::Version;

/// The user's command, to be written anew with changes. Requirements are as the user wrote them until
/// it is written: the one that cannot be said is often the one that is changed.
#[derive(Clone, PartialEq)]
pub(super) struct Anew {
    pub(super) requirements: Vec<Requirement>,
    pub(super) options: Vec<(&'static str, Option<String>)>,
    pub(super) through_python: bool,
}

impl Anew {
    /// The command, if its options can be said in an answer.
    pub(super) fn of(command: &UserCommand) -> Option<Self> {
        if !command.unread.is_empty() || !command.essential_options.is_empty() {
            return None;
        }
        Self::of_what_was_read(command)
    }

    /// The same, whatever could not be read apart.
    pub(super) fn of_what_was_read(command: &UserCommand) -> Option<Self> {
        if !command.is_by_name() {
            return None;
        }
        Some(Self {
            requirements: command.requirements.clone(),
            options: command.options.clone(),
            through_python: false,
        })
    }

    /// These commands, then the user's own once more if it can be said.
    pub(super) fn then_again(first: Vec<String>, again: Option<Self>) -> Vec<String> {
        first.into_iter().chain(again.and_then(|anew| anew.write())).collect()
    }

    pub(super) fn with(mut self, option: &'static str) -> Self {
        if !self.options.iter().any(|(name, _)| *name == option) {
            self.options.push((option, None));
        }
        self
    }

    pub(super) fn with_value(mut self, option: &'static str, value: &str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self.options.push((option, Some(value.to_owned())));
        self
    }

    pub(super) fn without(mut self, option: &str) -> Self {
        self.options.retain(|(name, _)| *name != option);
        self
    }

    pub(super) fn through_python(mut self) -> Self {
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

    /// The command, unless a requirement is left that an answer cannot hold.
    pub(super) fn write(&self) -> Option<String> {
        let mut words =
            vec![if self.through_python { "python -m pip install" } else { "pip install" }.to_owned()];
        for (name, value) in &self.options {
            words.push((*name).to_owned());
            words.extend(value.clone());
        }
        for requirement in &self.requirements {
            let said = requirement.speakable().or_else(|| narrower(requirement))?;
            words.push(said.to_string());
        }
        Some(words.join(" "))
    }
}

/// A narrower requirement in the same operators, where [`Requirement::speakable`] has none: of
/// what an upper bound lets in the newest, `<1.24` as `~=1.23.0`, `<=1.5.3` as `==1.5.3`.
fn narrower(requirement: &Requirement) -> Option<Requirement> {
    let mut upper = None;
    for clause in &requirement.clauses {
        match clause.operator {
            Operator::Below | Operator::AtMost if upper.is_none() => upper = Some(clause),
            Operator::AtLeast => {}
            _ => return None,
        }
    }
    let upper = upper?;
    let (major, minor) = (upper.version.major(), upper.version.minor());
    let narrower = if upper.operator == Operator::AtMost {
        // One number is a limit rather than a version.
        if !upper.version.can_be_compatible() {
            return None;
        }
        requirement.pinned(&upper.version)
    } else {
        let first_of_minor = Version::parse(&format!("{major}.{minor}"))?;
        let is_first = upper.version.partial_cmp(&first_of_minor)?.is_eq();
        // Where the first number is a year there need not be a version for each second one.
        if !is_first || major > 1_000 {
            return None;
        }
        let version = Version::parse(&format!("{major}.{}.0", minor.checked_sub(1)?))?;
        let clause = Clause { operator: Operator::Compatible, version, any_below: false };
        Requirement { clauses: vec![clause], ..requirement.clone() }
    };
    let newest = &narrower.clauses.first()?.version;
    let lower = requirement.clauses.iter().filter(|clause| clause.operator == Operator::AtLeast);
    lower.into_iter().all(|clause| clause.version <= *newest).then_some(narrower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_bound_becomes_the_newest_below_it() {
        for (text, right) in [
            ("numpy<1.24", Some("numpy~=1.23.0")),
            ("numpy>=1.16,<1.20", Some("numpy~=1.19.0")),
            ("pandas<=1.1.5", Some("pandas==1.1.5")),
            ("a>=1.3.1,<1.4", None),
            ("a<1.4.2", None),
            ("a<=5", None),
            ("pytz<2023.3", None),
            ("a<1.4,!=1.3.2", None),
            ("a>1", None),
            ("a", None),
        ] {
            let got = Requirement::parse(text).and_then(|r| narrower(&r)).map(|r| r.to_string());
            assert_eq!(got.as_deref(), right, "{text}");
        }
    }
}
