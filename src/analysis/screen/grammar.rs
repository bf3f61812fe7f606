//! The one form a command may have: `pip install` or `python -m pip install`, options of the
//! allow-list by full name, requirements by name. What is parsed is written anew from the parsed
//! form, so that nothing of the proposed text gets through as it was.

use std::fmt;

use crate::analysis::command::UserCommand;
use crate::analysis::options::{AllowedOption, RefusedOption, most_requirements};
use crate::analysis::packages;
use crate::analysis::requirement::{Clause, Requirement};
use crate::analysis::version::Version;

/// Tools without which nothing installs, each with its oldest version that still does.
const OLDEST: &[(&str, &str)] = &[("pip", "20.0"), ("setuptools", "40.0"), ("wheel", "0.30")];
/// The longest command that is looked at.
const LONGEST: usize = 1_000;

/// A command in the allowed form.
#[derive(Clone, Debug, PartialEq)]
pub struct Install {
    through_python: bool,
    options: Vec<(&'static str, Option<String>)>,
    requirements: Vec<Requirement>,
}

impl Install {
    /// Parses one command.
    ///
    /// # Errors
    ///
    /// The reason why it is withheld, in words that say nothing of the command.
    pub fn parse(command: &str) -> Result<Self, &'static str> {
        if command.len() > LONGEST {
            return Err("too long");
        }
        if !command.bytes().all(|byte| byte == b' ' || byte == b'\t' || byte.is_ascii_graphic()) {
            return Err("characters other than printable ASCII");
        }
        let words = super::shell::split(command).map_err(|_| "quotation marks or escapes that stay open")?;
        let mut rest = words.iter().map(String::as_str);
        let through_python = match rest.next() {
            Some("pip" | "pip3") => false,
            Some("python" | "python3" | "py") => {
                if rest.next() != Some("-m") || rest.next() != Some("pip") {
                    return Err("not a pip install command");
                }
                true
            }
            _ => return Err("not a pip install command"),
        };
        if rest.next() != Some("install") {
            return Err("not a pip install command");
        }
        let mut install = Self { through_python, options: Vec::new(), requirements: Vec::new() };
        while let Some(word) = rest.next() {
            if word.starts_with('-') {
                install.read_option(word, &mut rest)?;
            } else {
                install.read_requirement(word)?;
            }
        }
        if install.requirements.is_empty() {
            return Err("names no package");
        }
        // pip cannot replace its own program while that runs, at least on Windows.
        if install.requirements.iter().any(|requirement| requirement.key() == "pip") {
            install.through_python = true;
        }
        install.settle_order()?;
        Ok(install)
    }

    fn read_option<'a>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), &'static str> {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(option) = AllowedOption::find(name) else {
            return Err(match RefusedOption::find(name) {
                Some(option) if option.source => "an option that changes where packages come from",
                Some(option) if option.file || option.project => "installs from a file or directory",
                _ => "an option that is not allowed",
            });
        };
        let value = match (option.takes_value(), joined) {
            (false, None) => None,
            (false, Some(_)) => return Err("a value for an option that takes none"),
            (true, Some(value)) => Some(value),
            (true, None) => Some(rest.next().ok_or("an option without its value")?),
        };
        if value.is_some_and(|value| !option.accepts(value)) {
            return Err("a value that its option does not take");
        }
        if !self.options.iter().any(|(name, _)| *name == option.name) {
            self.options.push((option.name, value.map(str::to_owned)));
        }
        Ok(())
    }

    fn read_requirement(&mut self, word: &str) -> Result<(), &'static str> {
        if word.contains("://") || word.contains('@') {
            return Err("installs from an address");
        }
        if word.contains(['/', '\\']) || word == "." || word.starts_with('~') {
            return Err("installs from a file or directory");
        }
        let requirement = Requirement::parse(word).ok_or("not a requirement by name")?;
        // pip takes a file of that name in the current directory, and whoever asks for a list of
        // requirements by its name gets somebody's package.
        let file = [
            ".whl", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".tbz", ".xz", ".txz", ".lzma", ".lz", ".tlz",
            ".txt",
        ];
        let lower = requirement.name.to_ascii_lowercase();
        if file.iter().any(|end| lower.ends_with(end)) {
            return Err("installs from a file or directory");
        }
        // An interactive shell takes `!2` for an earlier command, also within double quotation marks.
        if requirement.clauses.iter().any(|clause| clause.version.has_epoch()) {
            return Err("a version with an epoch");
        }
        let requirement = requirement.speakable().ok_or("a version range that the client does not run")?;
        let requirement = requirement.in_normal_form().ok_or("not a requirement by name")?;
        if self.requirements.len() >= most_requirements() {
            return Err("too many requirements");
        }
        if !self.requirements.iter().any(|other| other.key() == requirement.key()) {
            self.requirements.push(requirement);
        }
        Ok(())
    }

    /// The client drops every command that holds one of these, wherever: `rm ` also at the end of
    /// a package's name, unless that stands last.
    fn settle_order(&mut self) -> Result<(), &'static str> {
        let clashes = |requirement: &Requirement| {
            let text = requirement.to_string();
            ["rm", "mv", "dd"].iter().any(|end| text.ends_with(end))
        };
        if self.requirements.iter().filter(|requirement| clashes(requirement)).count() > 1 {
            return Err("names that the client takes for other commands");
        }
        let (last, mut ordered): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.requirements).into_iter().partition(clashes);
        ordered.extend(last);
        self.requirements = ordered;
        let text = self.to_string();
        let dropped = ["sudo", "rm ", "mv ", "dd ", "|", ";", "&&", ">", "<"];
        // The client takes this word anywhere for "no answer".
        if dropped.iter().any(|part| text.contains(part)) || text.contains("UNCERTAIN") {
            return Err("names that the client takes for other commands");
        }
        Ok(())
    }

    /// What of it a model may ask for, which has read attackers' text: no pip that cannot install, no
    /// build that only one index has, and of the extras those that the user named.
    ///
    /// # Errors
    ///
    /// The reason why it is withheld.
    pub fn of_a_model(mut self, command: &UserCommand) -> Result<Self, &'static str> {
        for requirement in &mut self.requirements {
            // Most have neither a version nor extras.
            if requirement.clauses.is_empty() && requirement.extras.is_empty() {
                continue;
            }
            let oldest = OLDEST.iter().find(|(name, _)| requirement.name.eq_ignore_ascii_case(name));
            let oldest = oldest.and_then(|(_, version)| Version::parse(version));
            let is_too_old = |clause: &Clause| oldest.as_ref().is_some_and(|oldest| clause.version < *oldest);
            if requirement.clauses.iter().any(is_too_old) {
                return Err("a version of pip's own tools that is too old to work");
            }
            let name = requirement.name.clone();
            let is_named = |clause: &Clause| {
                command.requirement(&name).is_some_and(|asked| asked.clauses.contains(clause))
            };
            let has_label = |clause: &Clause| clause.version.without_local().is_some();
            if requirement.clauses.iter().any(|clause| has_label(clause) && !is_named(clause)) {
                return Err("a version with a label of its own");
            }
            let is_asked =
                |extra: &String| command.requirement(&name).is_some_and(|asked| asked.extras.contains(extra));
            requirement.extras.retain(is_asked);
        }
        Ok(self)
    }

    /// The packages that it names, also as values of options.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let in_options = self.options.iter().filter_map(|(option, value)| {
            AllowedOption::find(option).filter(|option| option.takes_names()).and(value.as_deref())
        });
        let in_options = in_options.flat_map(|value| value.split(',')).filter(|name| !name.starts_with(':'));
        self.requirements.iter().map(|requirement| requirement.name.as_str()).chain(in_options)
    }

    /// Whether both do the same, whatever their spelling.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let keys = |install: &Self| -> Vec<String> {
            install
                .requirements
                .iter()
                .map(|requirement| packages::normalised(&requirement.to_string()))
                .collect()
        };
        self.options == other.options && keys(self) == keys(other)
    }
}

impl fmt::Display for Install {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.through_python { "python -m pip install" } else { "pip install" })?;
        for (name, value) in &self.options {
            match value {
                None => write!(formatter, " {name}")?,
                Some(value) => write!(formatter, " {name}={value}")?,
            }
        }
        for requirement in &self.requirements {
            write!(formatter, " {requirement}")?;
        }
        Ok(())
    }
}
