//! Version numbers as PEP 440 writes and orders them, as far as pip's output and our answers need.

use std::cmp::Ordering;
use std::fmt;

/// The longest text that is read as a version; a public version is far shorter.
const LONGEST: usize = 64;

/// A version: release numbers, then what PEP 440 allows after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    epoch: u64,
    release: Vec<u64>,
    /// `a`, `b`, `rc` as 0, 1, 2, and the number.
    pre: Option<(u8, u64)>,
    post: Option<u64>,
    dev: Option<u64>,
    /// After `+`: which build of the release (PEP 440, "Local version identifiers").
    local: Option<String>,
}

impl Version {
    /// Reads the normal form and the common other spellings (`1.0-rc.1`, `v2`, `1.0post1`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST || !text.is_ascii() {
            return None;
        }
        let lower = text.to_ascii_lowercase();
        let (public, local) = match lower.split_once('+') {
            Some((public, local)) if is_local(local) => (public, Some(local.to_owned())),
            Some(_) => return None,
            None => (lower.as_str(), None),
        };
        let public = public.strip_prefix('v').unwrap_or(public);
        let (epoch, public) = match public.split_once('!') {
            Some((epoch, rest)) => (number(epoch)?, rest),
            None => (0, public),
        };
        let end =
            public.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(public.len());
        let (head, tail) = public.split_at_checked(end)?;
        // `1.0.dev3`: the dot before a word belongs to the word.
        let head = if tail.is_empty() { head } else { head.strip_suffix('.').unwrap_or(head) };
        let release: Option<Vec<u64>> = head.split('.').map(number).collect();
        let mut version =
            Self { text: text.to_owned(), epoch, release: release?, pre: None, post: None, dev: None, local };
        version.read_suffixes(tail)?;
        Some(version)
    }

    fn read_suffixes(&mut self, mut rest: &str) -> Option<()> {
        // Each word at most once, in this order: the loop ends after at most four.
        for _ in 0..4 {
            if rest.is_empty() {
                return Some(());
            }
            let bare = rest.trim_start_matches(['.', '-', '_']);
            let word_end = bare.bytes().position(|byte| !byte.is_ascii_lowercase()).unwrap_or(bare.len());
            let (word, after) = bare.split_at_checked(word_end)?;
            let after_mark = after.trim_start_matches(['.', '-', '_']);
            let digits_end =
                after_mark.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(after_mark.len());
            let (digits, next) = after_mark.split_at_checked(digits_end)?;
            let count = if digits.is_empty() { 0 } else { number(digits)? };
            match word {
                "a" | "alpha" if self.pre.is_none() => self.pre = Some((0, count)),
                "b" | "beta" if self.pre.is_none() => self.pre = Some((1, count)),
                "c" | "rc" | "pre" | "preview" if self.pre.is_none() => self.pre = Some((2, count)),
                "post" | "rev" | "r" if self.post.is_none() => self.post = Some(count),
                "" if self.post.is_none() && !digits.is_empty() => self.post = Some(count),
                "dev" if self.dev.is_none() => self.dev = Some(count),
                _ => return None,
            }
            rest = if digits.is_empty() { after } else { next };
        }
        rest.is_empty().then_some(())
    }

    /// Whether this is a release candidate, beta, alpha or development version.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        self.pre.is_some() || self.dev.is_some()
    }

    /// The first release number.
    #[must_use]
    pub fn major(&self) -> u64 {
        self.release_at(0)
    }

    /// The second release number, 0 where there is none.
    #[must_use]
    pub fn minor(&self) -> u64 {
        self.release_at(1)
    }

    /// This version cut to its major number, if all its other numbers are zero: `2` of `2.0.0`.
    #[must_use]
    pub fn first_of_major(&self) -> Option<Self> {
        let major = Self::parse(&self.major().to_string())?;
        (self.partial_cmp(&major) == Some(Ordering::Equal)).then_some(major)
    }

    /// Whether it has an epoch (`1!2.0`).
    #[must_use]
    pub const fn has_epoch(&self) -> bool {
        self.epoch > 0
    }

    fn release_at(&self, place: usize) -> u64 {
        self.release.get(place).copied().unwrap_or(0)
    }

    /// This version without its local label (`2.1.0+cu118` to `2.1.0`), if it has one.
    #[must_use]
    pub fn without_local(&self) -> Option<Self> {
        self.local.as_ref()?;
        Self::parse(self.text.split_once('+')?.0)
    }

    /// Whether `~=` takes it: it has a last release number to let grow, and no local label (PEP 440,
    /// "Compatible release").
    #[must_use]
    pub fn can_be_compatible(&self) -> bool {
        self.release.len() > 1 && self.local.is_none()
    }

    /// Whether `.*` may follow: only release numbers can go on.
    #[must_use]
    pub const fn can_begin_others(&self) -> bool {
        self.pre.is_none() && self.post.is_none() && self.dev.is_none() && self.local.is_none()
    }

    /// The same in PEP 440's normal form, which every reader takes.
    #[must_use]
    pub fn in_normal_form(&self) -> Option<Self> {
        let mut text = if self.epoch > 0 { format!("{}!", self.epoch) } else { String::new() };
        let release: Vec<String> = self.release.iter().map(u64::to_string).collect();
        text.push_str(&release.join("."));
        if let Some((kind, count)) = self.pre {
            let word = ["a", "b", "rc"].get(usize::from(kind))?;
            text.push_str(&format!("{word}{count}"));
        }
        if let Some(count) = self.post {
            text.push_str(&format!(".post{count}"));
        }
        if let Some(count) = self.dev {
            text.push_str(&format!(".dev{count}"));
        }
        if let Some(local) = &self.local {
            text.push_str(&format!("+{}", local.replace(['-', '_'], ".")));
        }
        Self::parse(&text)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// PEP 440's order: development before pre-release before release before post-release.
    fn key(&self) -> ((u8, u8, u64), u64, u64) {
        let pre = match (self.pre, self.post, self.dev) {
            (Some((kind, count)), ..) => (1, kind, count),
            (None, None, Some(_)) => (0, 0, 0),
            (None, ..) => (2, 0, 0),
        };
        (pre, self.post.map_or(0, |post| post.saturating_add(1)), self.dev.unwrap_or(u64::MAX))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let places = self.release.len().max(other.release.len());
        let releases = (0..places).map(|place| self.release_at(place).cmp(&other.release_at(place)));
        let order = self
            .epoch
            .cmp(&other.epoch)
            .then(releases.fold(Ordering::Equal, Ordering::then))
            .then_with(|| self.key().cmp(&other.key()))
            .then_with(|| self.local.cmp(&other.local));
        Some(order)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take a `+`.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn is_local(text: &str) -> bool {
    text.split(['.', '-', '_'])
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn versions_stand_in_the_order_of_pep_440() {
        let ordered = [
            "0.9",
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0b2",
            "1.0rc1",
            "1.0",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.1",
            "1.1.dev1",
            "1.9",
            "1.10",
            "20231117",
            "1!0.1",
        ];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn other_spellings_are_read() {
        for (odd, normal) in
            [("v1.0", "1.0"), ("1.0-RC.1", "1.0rc1"), ("1.0-1", "1.0.post1"), ("1.0alpha", "1.0a0")]
        {
            assert_eq!(version(odd).partial_cmp(&version(normal)), Some(Ordering::Equal), "{odd}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in
            ["", ".", "1.", "a", "1.x", "1.0+", "1.0+a b", "1..0", "1.0-", "-1", "１.0", "1.0 ", "1.0;x"]
        {
            assert_eq!(Version::parse(text), None, "{text:?}");
        }
        for twice in ["1.0a1a2", "1.0b1b2", "1.0rc1rc2", "1.0a1b2", "1.0post1post2", "1.0-1-2", "1.dev1dev2"]
        {
            assert_eq!(Version::parse(twice), None, "{twice}");
        }
        let zeros = ".0".repeat(31);
        assert!(Version::parse(&format!("10{zeros}")).is_some());
        assert_eq!(Version::parse(&format!("100{zeros}")), None, "65 letters");
        assert_eq!(Version::parse("99999999999999999999999"), None);
    }

    #[test]
    fn a_local_label_comes_off() {
        assert_eq!(version("2.1.0+cu118").without_local().map(|v| v.to_string()), Some("2.1.0".to_owned()));
        assert_eq!(version("2.1.0").without_local(), None);
    }
}
