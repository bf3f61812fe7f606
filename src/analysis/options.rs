//! The options of `pip install`: which of them an answer may hold (`policies/commands.toml`), and
//! enough about the others to read a user's command.

include!(concat!(env!("OUT_DIR"), "/commands.rs"));

/// An option that an answer may hold.
#[derive(Debug)]
pub struct AllowedOption {
    /// The full name, in which it is written.
    pub name: &'static str,
    /// The forms in which it is read, its full name among them.
    spellings: &'static [&'static str],
    value: ValueKind,
}

#[derive(Debug)]
enum ValueKind {
    None,
    /// Package names, `:all:` or `:none:`, with commas between them.
    Names,
    /// A whole number from 1 up to this one: pip gives up at once with a timeout of 0.
    Number(u32),
    Word(&'static [&'static str]),
}

/// An option of pip that an answer never holds.
#[derive(Debug)]
pub struct RefusedOption {
    /// As it is written in full, or short.
    pub name: &'static str,
    /// Whether a value follows.
    pub value: bool,
    /// Whether it changes where packages come from.
    pub source: bool,
    /// Whether its value is a requirements file.
    pub file: bool,
    /// Whether its value is a project to be installed in place.
    pub project: bool,
    /// Whether the command would do something else without it.
    pub essential: bool,
}

/// How many commands an answer may hold.
#[must_use]
pub fn most_commands() -> usize {
    MOST_COMMANDS
}

/// How many requirements a command may name.
#[must_use]
pub fn most_requirements() -> usize {
    MOST_REQUIREMENTS
}

impl AllowedOption {
    /// The option that is written `spelling`, which must be whole: pip takes abbreviations, and
    /// what they stand for changes between its versions.
    #[must_use]
    pub fn find(spelling: &str) -> Option<&'static Self> {
        OPTIONS.iter().find(|option| option.spellings.contains(&spelling))
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        OPTIONS.iter()
    }

    /// Whether a value follows.
    #[must_use]
    pub fn takes_value(&self) -> bool {
        !matches!(self.value, ValueKind::None)
    }

    /// Whether its value is a list of package names.
    #[must_use]
    pub fn takes_names(&self) -> bool {
        matches!(self.value, ValueKind::Names)
    }

    /// Whether `value` is one that it may have.
    #[must_use]
    pub fn accepts(&self, value: &str) -> bool {
        match self.value {
            ValueKind::None => false,
            ValueKind::Names => value
                .split(',')
                .all(|name| matches!(name, ":all:" | ":none:") || super::requirement::is_name(name)),
            ValueKind::Number(most) => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && value.len() <= 4;
                digits && value.parse::<u32>().is_ok_and(|number| number > 0 && number <= most)
            }
            ValueKind::Word(words) => words.contains(&value),
        }
    }
}

impl RefusedOption {
    /// All of them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        REFUSED.iter()
    }

    /// The option that is written `spelling`, or of which that is an abbreviation.
    #[must_use]
    pub fn find(spelling: &str) -> Option<&'static Self> {
        REFUSED.iter().find(|option| option.name == spelling).or_else(|| {
            let abbreviation = spelling.starts_with("--") && spelling.len() > 4;
            abbreviation.then(|| REFUSED.iter().find(|option| option.name.starts_with(spelling)))?
        })
    }
}
