//! Where secrets and settings come from: a file of `NAME=value` lines, or the environment.

use std::path::{Path, PathBuf};

use pip_aide_gateway::token::keys::Keyring;

use crate::output::Failure;

/// The options of every command that needs a ring.
#[derive(clap::Args)]
pub struct KeySource {
    /// Read TOKEN_KEYS and OPERATOR_KEYS from this file of NAME=value lines (such as .dev.vars)
    /// and not from the environment
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
}

impl KeySource {
    /// The value of one setting; `None` when it is not set.
    pub fn find(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(path) = &self.keys_file else {
            return Ok(std::env::var(name).ok().filter(|value| !value.is_empty()));
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        find_line(&text, name)
            .map_err(|()| Failure::new(format!("{name} stands twice in {}: remove one line", path.display())))
    }

    /// The ring of that name.
    pub fn keyring(&self, name: &str) -> Result<Keyring, Failure> {
        let text = self.find(name)?.ok_or_else(|| Failure::new(self.what_to_do(name)))?;
        Keyring::parse(&text)
            .map_err(|error| Failure::new(format!("{name} in {}: {error}", place(self.keys_file.as_deref()))))
    }

    fn what_to_do(&self, name: &str) -> String {
        match &self.keys_file {
            Some(path) => format!(
                "{name} is not in {}: add the line {name}=... with what `gatectl keys new` prints",
                path.display()
            ),
            None => format!(
                "{name} is not set: set it to what `gatectl keys new` prints, or name a file with \
                 --keys-file .dev.vars"
            ),
        }
    }
}

fn place(file: Option<&Path>) -> String {
    file.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string())
}

/// The value of the line `NAME=value`, in quotes or not; an error when there are two such lines.
fn find_line(text: &str, name: &str) -> Result<Option<String>, ()> {
    let mut values = text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| unquote(value.trim()).to_owned())
    });
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(()),
        (value, None) => Ok(value.filter(|value| !value.is_empty())),
    }
}

fn unquote(value: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_whole_name() {
        let text = "# A=0\nAB=1\nA = \"x=y,z=w\"\r\nexport C='3'\nD=\n";
        assert_eq!(find_line(text, "A"), Ok(Some("x=y,z=w".to_owned())));
        assert_eq!(find_line(text, "C"), Ok(Some("3".to_owned())));
        assert_eq!(find_line(text, "B"), Ok(None));
        assert_eq!(find_line(text, "D"), Ok(None));
        assert_eq!(find_line("A=1\nA=2", "A"), Err(()));
    }
}
