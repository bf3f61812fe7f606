//! Requirements as PEP 508 writes them, as far as an answer may use them: a name, extras, and
//! version clauses. No markers, no direct references.

use std::fmt;

use super::packages::normalised;
use super::version::Version;

/// How long a name or an extra may be; the longest name on PyPI is under 100.
const LONGEST_NAME: usize = 100;
/// How many extras or version clauses a requirement may have.
const MOST_PARTS: usize = 8;

/// A version clause's operator (PEP 440, "Version specifiers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `~=`
    Compatible,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `===`
    Arbitrary,
}

impl Operator {
    fn strip(clause: &str) -> Option<(Self, &str)> {
        [
            ("===", Self::Arbitrary),
            ("==", Self::Equal),
            ("~=", Self::Compatible),
            ("!=", Self::NotEqual),
            (">=", Self::AtLeast),
            ("<=", Self::AtMost),
            (">", Self::Above),
            ("<", Self::Below),
        ]
        .into_iter()
        .find_map(|(sign, operator)| clause.strip_prefix(sign).map(|rest| (operator, rest)))
    }
}

/// One version clause; `==1.2.*` keeps its star apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Left of the version.
    pub operator: Operator,
    /// The version, without `.*`.
    pub version: Version,
    /// Whether `.*` follows.
    pub any_below: bool,
}

/// A name with extras and version clauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// As it was written; compare by [`Requirement::key`].
    pub name: String,
    /// As they were written.
    pub extras: Vec<String>,
    /// In the order written; all must hold.
    pub clauses: Vec<Clause>,
}

impl Requirement {
    /// A requirement without extras or versions.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        is_name(name).then(|| Self { name: name.to_owned(), extras: Vec::new(), clauses: Vec::new() })
    }

    /// Reads `name[extra,...]clause,...` with spaces allowed between the parts.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .bytes()
            .position(|byte| !byte.is_ascii_alphanumeric() && !b"-_.".contains(&byte))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        let mut requirement = Self::of(name)?;
        let mut rest = rest.trim_start();
        if let Some(list) = rest.strip_prefix('[') {
            let (list, after) = list.split_once(']')?;
            requirement.extras = list.split(',').map(|extra| extra.trim().to_owned()).collect();
            if requirement.extras.len() > MOST_PARTS || !requirement.extras.iter().all(|extra| is_name(extra))
            {
                return None;
            }
            rest = after.trim_start();
        }
        if rest.is_empty() {
            return Some(requirement);
        }
        // PEP 508 allows the clauses in brackets: `name (>=1.0)`.
        if let Some(inner) = rest.strip_prefix('(') {
            rest = inner.trim_end().strip_suffix(')')?;
        }
        for part in rest.split(',') {
            if requirement.clauses.len() >= MOST_PARTS {
                return None;
            }
            requirement.clauses.push(parse_clause(part.trim())?);
        }
        Some(requirement)
    }

    /// The name as an index compares it.
    #[must_use]
    pub fn key(&self) -> String {
        normalised(&self.name)
    }

    /// The version of a lone `==` clause.
    #[must_use]
    pub fn pin(&self) -> Option<&Version> {
        match self.clauses.as_slice() {
            [Clause { operator: Operator::Equal, version, any_below: false }] => Some(version),
            _ => None,
        }
    }

    /// The same name and extras, any version.
    #[must_use]
    pub fn unpinned(&self) -> Self {
        Self { clauses: Vec::new(), ..self.clone() }
    }

    /// The same name and extras, exactly `version`.
    #[must_use]
    pub fn pinned(&self, version: &Version) -> Self {
        let clause = Clause { operator: Operator::Equal, version: version.clone(), any_below: false };
        Self { clauses: vec![clause], ..self.clone() }
    }

    /// The same with versions in the form that every reader takes.
    #[must_use]
    pub fn in_normal_form(&self) -> Option<Self> {
        let clauses = self
            .clauses
            .iter()
            .map(|clause| Some(Clause { version: clause.version.in_normal_form()?, ..clause.clone() }));
        Some(Self { clauses: clauses.collect::<Option<_>>()?, ..self.clone() })
    }

    /// The same requirement in the operators that an answer may use, `==` and `~=`: the client
    /// drops every command that holds `<` or `>`.
    ///
    /// Within the major version that was written: `>=1.2` becomes `~=1.2`, `<2` becomes `~=1.0`.
    /// A third number goes (`~=1.2.3` would hold the minor version as well); pip takes the newest
    /// that fits, so a lower end that is a little lower changes nothing. Other bounds have no such
    /// form.
    #[must_use]
    pub fn speakable(&self) -> Option<Self> {
        let operators: Vec<Operator> = self.clauses.iter().map(|clause| clause.operator).collect();
        match operators.as_slice() {
            [Operator::Equal] => self.without_star(self.clauses.first()?),
            [] | [Operator::Compatible] => Some(self.clone()),
            [Operator::AtLeast] => self.compatible_with(self.clauses.first()?),
            [Operator::Below] => self.below(self.clauses.first()?),
            [Operator::AtLeast, Operator::Below] => self.between(self.clauses.first()?, self.clauses.get(1)?),
            [Operator::Below, Operator::AtLeast] => self.between(self.clauses.get(1)?, self.clauses.first()?),
            _ => None,
        }
    }

    /// `==1.2.*` is `~=1.2.0` (PEP 440, "Compatible release"), and needs no quoting anywhere.
    fn without_star(&self, clause: &Clause) -> Option<Self> {
        if !clause.any_below {
            return Some(self.clone());
        }
        let version = Version::parse(&format!("{}.0", clause.version))?;
        let clause = Clause { operator: Operator::Compatible, version, any_below: false };
        Some(Self { clauses: vec![clause], ..self.clone() })
    }

    fn compatible_with(&self, clause: &Clause) -> Option<Self> {
        let (major, minor) = (clause.version.major(), clause.version.minor());
        // `~=1.2.3` would hold the minor version too, so a third number has to go.
        let version = Version::parse(&format!("{major}.{minor}"))?;
        if clause.version.is_prerelease() {
            return None;
        }
        let clause = Clause { operator: Operator::Compatible, version, any_below: false };
        Some(Self { clauses: vec![clause], ..self.clone() })
    }

    fn below(&self, clause: &Clause) -> Option<Self> {
        let last = clause.version.major().checked_sub(1)?;
        clause.version.first_of_major()?;
        let version = Version::parse(&format!("{last}.0"))?;
        let clause = Clause { operator: Operator::Compatible, version, any_below: false };
        Some(Self { clauses: vec![clause], ..self.clone() })
    }

    fn between(&self, low: &Clause, high: &Clause) -> Option<Self> {
        let next = low.version.major().checked_add(1)?;
        let is_next_major = high.version.first_of_major()?.major() == next;
        is_next_major.then(|| self.compatible_with(low))?
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        if !self.extras.is_empty() {
            write!(formatter, "[{}]", self.extras.join(","))?;
        }
        for (place, clause) in self.clauses.iter().enumerate() {
            let sign = match clause.operator {
                Operator::Equal => "==",
                Operator::Compatible => "~=",
                Operator::NotEqual => "!=",
                Operator::AtLeast => ">=",
                Operator::AtMost => "<=",
                Operator::Above => ">",
                Operator::Below => "<",
                Operator::Arbitrary => "===",
            };
            let comma = if place > 0 { "," } else { "" };
            let star = if clause.any_below { ".*" } else { "" };
            write!(formatter, "{comma}{sign}{}{star}", clause.version)?;
        }
        Ok(())
    }
}

fn parse_clause(text: &str) -> Option<Clause> {
    let (operator, version) = Operator::strip(text)?;
    let version = version.trim_start();
    let (version, any_below) = match version.strip_suffix(".*") {
        Some(version) => (version, true),
        None => (version, false),
    };
    if any_below && !matches!(operator, Operator::Equal | Operator::NotEqual) {
        return None;
    }
    let version = Version::parse(version)?;
    // Not what it is the beginning of, either: `==1.0a1.*`.
    let star = !any_below || version.can_begin_others();
    let compatible = operator != Operator::Compatible || version.can_be_compatible();
    (star && compatible).then_some(Clause { operator, version, any_below })
}

/// PEP 508: letters, digits, `-`, `_`, `.`, a letter or digit at both ends.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= LONGEST_NAME
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && ends(bytes.first())
        && ends(bytes.last())
}

#[cfg(test)]
#[path = "requirement_tests.rs"]
mod tests;
