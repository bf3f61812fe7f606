//! The user's own command, as the client wrote it into the log's first line: the one place that
//! whoever writes a package's build output cannot reach.

use super::options::{AllowedOption, RefusedOption};
use super::packages::normalised;
use super::requirement::Requirement;
use super::version::Version;

/// More arguments than that are not read.
const MOST_ARGUMENTS: usize = 200;

/// A wheel's file name (PEP 427).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WheelFile {
    /// The project, `_` where its name may have `-`.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// The Python tag: `cp311`, `py3`.
    pub python_tag: String,
}

impl WheelFile {
    /// Reads `name-version(-build)?-python-abi-platform.whl`, also at the end of a path or URL.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let path = path.split(['#', '?']).next()?;
        let file = path.rsplit(['/', '\\']).next()?.strip_suffix(".whl")?;
        let parts: Vec<&str> = file.split('-').collect();
        let (name, version, python_tag) = match parts.as_slice() {
            [name, version, python, _, _] | [name, version, _, python, _, _] => (*name, *version, *python),
            _ => return None,
        };
        Some(Self {
            name: Requirement::of(&name.replace('_', "-"))?.name,
            version: Version::parse(&version.replace('_', "+"))?,
            python_tag: python_tag.to_owned(),
        })
    }
}

/// What follows `pip install` in the user's command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCommand {
    /// Requirements by name, in order.
    pub requirements: Vec<Requirement>,
    /// Options that an answer may hold as well, as (full name, value).
    pub options: Vec<(&'static str, Option<String>)>,
    /// Requirements files, as they were named.
    pub requirement_files: Vec<String>,
    /// Wheels named by path or URL.
    pub wheels: Vec<WheelFile>,
    /// Whether directories, archives or editable projects are installed.
    pub projects: bool,
    /// Whether something comes from version control.
    pub version_control: bool,
    /// Whether packages come from another place than PyPI, as far as the command tells.
    pub other_source: bool,
    /// Arguments that are none of these, such as a misspelt option.
    pub unread: Vec<String>,
    /// Names of requirements that may be the value of an unread option before them.
    pub perhaps_values: Vec<String>,
    /// Options that an answer may not hold and without which the command would do something else.
    pub essential_options: Vec<&'static str>,
}

impl UserCommand {
    /// Reads the client's `Command:` line without its label. The client joins the arguments with
    /// spaces and does not quote, so that is how they are split.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let mut command = Self::default();
        let mut words =
            line.split_ascii_whitespace().take(MOST_ARGUMENTS).skip_while(|word| *word != "install");
        words.next();
        let mut words = words.peekable();
        let mut after_unread = false;
        while let Some(word) = words.next() {
            let word = word.trim_matches(['"', '\'']);
            if word.starts_with('-') && word.len() > 1 {
                let unread = command.unread.len();
                command.read_option(word, &mut words);
                after_unread = command.unread.len() > unread && !word.contains('=');
            } else {
                let read = command.requirements.len();
                command.read_argument(word, &mut words);
                let new = command.requirements.get(read..).unwrap_or_default();
                command.perhaps_values.extend(new.iter().filter(|_| after_unread).map(Requirement::key));
                after_unread = false;
            }
        }
        command
    }

    fn read_option<'a>(
        &mut self,
        word: &str,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) {
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        if let Some(option) = AllowedOption::find(name) {
            let value = if option.takes_value() { joined.or_else(|| words.next()) } else { None };
            if value.is_some_and(|value| !option.accepts(value)) {
                self.unread.push(word.to_owned());
            } else {
                self.options.push((option.name, value.map(str::to_owned)));
            }
            return;
        }
        // `-rrequirements.txt`, `-ihttps://...`: a short option and its value in one.
        let short = if name.starts_with("--") { None } else { word.get(..2) };
        let found = RefusedOption::find(name).map(|option| (option, joined));
        let found = found.or_else(|| {
            let option = RefusedOption::find(short?)?;
            let value = word.get(2..).filter(|rest| !rest.is_empty());
            (option.value || value.is_none()).then_some((option, value))
        });
        let Some((option, joined)) = found else {
            self.unread.push(word.to_owned());
            return;
        };
        if option.essential {
            self.essential_options.push(option.name);
        }
        self.other_source |= option.source;
        if !option.value {
            return;
        }
        let value = joined.or_else(|| words.next()).unwrap_or_default();
        if option.file {
            self.requirement_files.push(value.to_owned());
        } else if option.project {
            self.projects = true;
            self.version_control |= is_version_control(value);
        }
    }

    fn read_argument<'a>(
        &mut self,
        word: &str,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) {
        if let Some(wheel) = WheelFile::parse(word) {
            self.wheels.push(wheel);
        } else if is_version_control(word) {
            self.version_control = true;
        } else if word.contains("://") || is_path(word) {
            self.projects = true;
        } else if words.peek() == Some(&"@") {
            // `name @ URL` (PEP 508): the name is the user's, its source is not PyPI.
            words.next();
            let url = words.next().unwrap_or_default();
            self.version_control |= is_version_control(url);
            self.projects |= !is_version_control(url);
        } else if let Some(requirement) = Requirement::parse(word.split(';').next().unwrap_or(word)) {
            self.requirements.push(requirement);
        } else {
            self.unread.push(word.to_owned());
        }
    }

    /// Whether the command asks an index for a package of this name.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        let key = normalised(name);
        self.requirements.iter().any(|requirement| requirement.key() == key)
    }

    /// The same, and the name cannot be anything else, such as the value of an option.
    #[must_use]
    pub fn surely_names(&self, name: &str) -> bool {
        self.names(name) && !self.perhaps_values.contains(&normalised(name))
    }

    /// The requirement of this name.
    #[must_use]
    pub fn requirement(&self, name: &str) -> Option<&Requirement> {
        let key = normalised(name);
        self.requirements.iter().find(|requirement| requirement.key() == key)
    }

    /// Whether all that is installed is asked from an index by name: then the command can be
    /// written anew.
    #[must_use]
    pub fn is_by_name(&self) -> bool {
        !self.requirements.is_empty()
            && self.requirement_files.is_empty()
            && self.wheels.is_empty()
            && !self.projects
            && !self.version_control
    }
}

fn is_version_control(word: &str) -> bool {
    ["git+", "hg+", "svn+", "bzr+", "git://"].iter().any(|scheme| word.contains(scheme))
}

fn is_path(word: &str) -> bool {
    let archive = [".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.lz", ".whl"];
    word.contains(['/', '\\'])
        || word == "."
        || word == ".."
        || word.starts_with(".[")
        || word.starts_with('~')
        || archive.iter().any(|end| word.ends_with(end))
}

#[cfg(test)]
#[path = "command_tests.rs"]
mod tests;
