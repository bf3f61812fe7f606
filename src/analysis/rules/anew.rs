//! The user's command, written anew with changes: what most advice comes down to.

use crate::analysis::command::UserCommand;
use crate::analysis::packages;
use crate::analysis::requirement::Requirement;

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
            let said = requirement.speakable().or_else(|| requirement.narrower())?;
            words.push(said.to_string());
        }
        Some(words.join(" "))
    }
}
