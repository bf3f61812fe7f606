//! pip's line about a requirement that no offered version satisfies.

use crate::analysis::requirement::Requirement;
use crate::analysis::version::Version;

/// How many offered versions are read; the longest lists have a few thousand.
const MOST_VERSIONS: usize = 4_000;

const BEGIN: &str = "Could not find a version that satisfies the requirement ";

/// `Could not find a version that satisfies the requirement a==1 (from b) (from versions: 0.9, 2)`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// What was asked for.
    pub(super) requirement: Requirement,
    /// Who asked, as pip writes it: `-r requirements.txt (line 1)`, or packages.
    pub(super) asked_by: Option<String>,
    /// What the index offers for this Python and platform.
    pub(super) offered: Vec<Version>,
}

impl Missing {
    /// Reads the line, from wherever the sentence begins.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let rest = line.get(line.find(BEGIN)?.checked_add(BEGIN.len())?..)?;
        // pip 20.3 leaves the list out where it is empty.
        let (head, versions) = rest.rsplit_once("(from versions:").unwrap_or((rest, ""));
        let (requirement, asked_by) = match head.split_once("(from ") {
            Some((requirement, by)) => (requirement, Some(by.trim_end().trim_end_matches(')').to_owned())),
            None => (head, None),
        };
        let versions = versions.trim_end().trim_end_matches(')');
        let offered = versions.split(',').take(MOST_VERSIONS).filter_map(|text| Version::parse(text.trim()));
        Some(Self { requirement: Requirement::parse(requirement)?, asked_by, offered: offered.collect() })
    }

    /// The packages that asked for it, where that was not the user: `b==2->a==1`, the user's last.
    pub(super) fn chain(&self) -> impl Iterator<Item = Requirement> {
        let by = if self.is_asked_by_user() { "" } else { self.asked_by.as_deref().unwrap_or_default() };
        by.split("->").filter_map(Requirement::parse)
    }

    /// Whether the very version that was asked for is offered: then the failure is another one.
    pub(super) fn is_offered(&self) -> bool {
        let asked = self.requirement.pin();
        asked.is_some_and(|asked| {
            self.offered.iter().any(|version| version.partial_cmp(asked).is_some_and(|order| order.is_eq()))
        })
    }

    /// Whether the user asked for it, in the command or in a requirements file, rather than another
    /// package.
    pub(super) fn is_asked_by_user(&self) -> bool {
        self.asked_by.as_ref().is_none_or(|by| by.starts_with("-r ") || by.starts_with("-c "))
    }

    /// Whether pip says that the version is only for older Pythons, in its line before this one.
    pub(super) fn is_for_older_pythons(&self, text: &str) -> bool {
        const IGNORED: &str = "Ignored the following versions that require a different python version: ";
        let asked =
            self.requirement.clauses.first().map(|clause| format!("{} Requires-Python ", clause.version));
        let line = text.rfind(IGNORED).and_then(|at| text.get(at..)?.lines().next()?.strip_prefix(IGNORED));
        let mut entries = line.unwrap_or_default().split("; ");
        asked.is_some_and(|asked| {
            entries.any(|entry| entry.strip_prefix(asked.as_str()).is_some_and(|range| range.contains('<')))
        })
    }

    /// The offered version that comes nearest to what was asked for: the same one without its
    /// local label; the newest below a version that is too new; the oldest above one that is too
    /// old, or that this Python is too new for. Pre-releases only where nothing else is offered.
    pub(super) fn nearest(&self, is_python_too_new: bool) -> Option<Version> {
        let clause = self.requirement.clauses.first()?;
        let asked = &clause.version;
        if let Some(plain) = asked.without_local() {
            let same =
                self.offered.iter().find(|version| version.partial_cmp(&&plain).is_some_and(|o| o.is_eq()));
            if let Some(version) = same {
                return Some(version.clone());
            }
        }
        let is_final = |version: &&Version| !version.is_prerelease();
        let greater = |a: &&Version, b: &&Version| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
        let finals = || self.offered.iter().filter(is_final);
        let below = finals().filter(|version| *version < asked).max_by(greater);
        let above = finals().filter(|version| *version > asked).min_by(greater);
        let below = if is_python_too_new && above.is_some() { None } else { below };
        let nearest = match (below, above) {
            // Between two: within the same major version, else the newer.
            (Some(below), Some(above))
                if below.major() == asked.major() || above.major() != asked.major() =>
            {
                if below.major() == asked.major() { below } else { above }
            }
            (_, Some(above)) => above,
            (Some(below), None) => below,
            (None, None) => self.offered.iter().max_by(greater)?,
        };
        Some(nearest.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(asked: &str, offered: &str) -> Option<String> {
        let line = format!("ERROR: {BEGIN}{asked} (from versions: {offered})");
        Missing::parse(&line).unwrap().nearest(false).map(|version| version.to_string())
    }

    #[test]
    fn the_line_is_read() {
        let missing =
            Missing::parse(&format!("ERROR: {BEGIN}a==1 (from -r r.txt (line 3)) (from versions: none)"))
                .unwrap();
        assert_eq!(missing.asked_by.as_deref(), Some("-r r.txt (line 3"));
        assert!(missing.is_asked_by_user() && missing.offered.is_empty());
        let missing =
            Missing::parse(&format!("{BEGIN}a>=1 (from b==2->c) (from versions: 0.1, 0.2rc1)")).unwrap();
        assert!(!missing.is_asked_by_user());
        assert_eq!(missing.offered.len(), 2);
        assert!(Missing::parse(&format!("{BEGIN}a")).unwrap().offered.is_empty());
        assert_eq!(Missing::parse("ERROR: something else"), None);
    }

    #[test]
    fn for_an_older_python_the_next_newer_version_is_taken() {
        let text = format!(
            "ERROR: Ignored the following versions that require a different python version: 0.36.0 Requires-Python >=3.6,<3.10; \
             0.37.0 Requires-Python >=3.7\nERROR: {BEGIN}a==0.36.0 (from versions: 0.35.0, 0.39.0, 0.40.0)"
        );
        let missing = Missing::parse(&text).unwrap();
        assert!(missing.is_for_older_pythons(&text));
        assert_eq!(missing.nearest(true).map(|version| version.to_string()).as_deref(), Some("0.39.0"));
        let missing = Missing::parse(&text.replace("a==0.36.0", "a==0.37.0")).unwrap();
        assert!(!missing.is_for_older_pythons(&text));
    }

    #[test]
    fn the_nearest_offered_version_is_taken() {
        for (asked, offered, version) in [
            ("a==2.15.0", "2.20.0rc0, 2.20.0, 2.21.0", Some("2.20.0")),
            ("a==2.2.2", "1.5.3, 2.0.2, 2.0.3", Some("2.0.3")),
            ("a==9.9", "1.0, 2.0, 2.1rc1", Some("2.0")),
            ("a==1.5", "1.0, 1.4, 1.6, 2.0", Some("1.4")),
            ("a==2.5", "1.0, 3.0", Some("3.0")),
            ("a==2.1.0+cu118", "2.0.0, 2.1.0, 2.2.0", Some("2.1.0")),
            ("a==1.0", "2.0a1", Some("2.0a1")),
            ("a==1.0", "none", None),
            ("a", "1.0", None),
        ] {
            assert_eq!(nearest(asked, offered).as_deref(), version, "{asked} of {offered}");
        }
    }
}
