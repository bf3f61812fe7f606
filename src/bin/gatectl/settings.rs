//! Where secrets and settings come from: a file of `NAME=value` lines, or the environment.

use std::path::PathBuf;

use pip_aide_gateway::token::keys::Keyring;

use crate::output::Failure;

/// A ring of keys, by its setting.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
pub enum Ring {
    /// Clients' keys
    #[default]
    #[value(name = "TOKEN_KEYS")]
    TokenKeys,
    /// Operators' keys
    #[value(name = "OPERATOR_KEYS")]
    OperatorKeys,
}

impl Ring {
    /// The setting's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenKeys => "TOKEN_KEYS",
            Self::OperatorKeys => "OPERATOR_KEYS",
        }
    }
}

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

    /// The text of a ring, which must be set.
    pub fn require(&self, ring: Ring) -> Result<String, Failure> {
        self.find(ring.name())?.ok_or_else(|| Failure::new(self.what_to_do(ring.name())))
    }

    /// The ring that a text is.
    pub fn read_ring(&self, ring: Ring, text: &str) -> Result<Keyring, Failure> {
        Keyring::parse(text).map_err(|error| Failure::new(format!("{}: {error}", ring.name())))
    }

    /// A ring, which must be set.
    pub fn keyring(&self, ring: Ring) -> Result<Keyring, Failure> {
        self.read_ring(ring, &self.require(ring)?)
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

/// A line `NAME=value`.
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    pub name: String,
    /// Without the quotes around it.
    pub value: String,
}

/// The lines of a file that set something.
pub fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        Some(Line { number, name: name.trim().to_owned(), value: unquote(value.trim()).to_owned() })
    })
}

/// The value of the line `NAME=value`, in quotes or not; an error when there are two such lines.
fn find_line(text: &str, name: &str) -> Result<Option<String>, ()> {
    let mut values = lines(text).filter(|line| line.name == name).map(|line| line.value);
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
