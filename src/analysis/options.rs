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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_values_of_its_kind_alone() {
        for (name, right, wrong) in [
            ("--timeout", vec!["1", "60", "600", "0060"], vec!["", "0", "601", "+5", "-5", "00060", "1.5"]),
            ("--only-binary", vec![":all:", ":none:", "numpy", "a,b"], vec!["", "a,", "../a", ":some:"]),
            ("--upgrade-strategy", vec!["eager", "only-if-needed"], vec!["", "always"]),
            ("--user", vec![], vec!["", "yes"]),
        ] {
            let option = AllowedOption::find(name).unwrap();
            for (values, accepted) in [(right, true), (wrong, false)] {
                for value in values {
                    assert_eq!(option.accepts(value), accepted, "{name} {value}");
                }
            }
            assert_eq!(option.takes_names(), name == "--only-binary", "{name}");
            assert_eq!(option.takes_value(), name != "--user", "{name}");
        }
    }

    #[test]
    fn an_option_is_known_by_its_name_and_by_a_beginning_of_three_letters() {
        let found = |spelling| RefusedOption::find(spelling).map(|option| option.name);
        for (spelling, name) in [
            ("-i", Some("-i")),
            ("--index-url", Some("--index-url")),
            ("--ind", Some("--index-url")),
            ("--in", None),
            ("--i", None),
            ("-in", None),
            ("--index-urls", None),
            ("", None),
        ] {
            assert_eq!(found(spelling), name, "{spelling}");
        }
        assert!(RefusedOption::all().any(|option| option.name == "--index-url" && option.source));
        assert!(RefusedOption::all().all(|option| AllowedOption::find(option.name).is_none()));
    }
}
