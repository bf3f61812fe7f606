//! What is known about package names without asking an index: which are well known, which package
//! provides a module, what comes with Python. The tables are `policies/packages.txt`,
//! `policies/rules/imports.toml` and `policies/rules/names.toml`, checked when the crate is built.

include!(concat!(env!("OUT_DIR"), "/packages.rs"));

/// `name` as an index compares it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
#[must_use]
pub fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        let c = if matches!(c, '-' | '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

/// Whether `name` is one of the packages of `policies/packages.txt`.
#[must_use]
pub fn is_well_known(name: &str) -> bool {
    let name = normalised(name);
    WELL_KNOWN.binary_search_by(|(other, _)| (*other).cmp(name.as_str())).is_ok()
}

/// Shared by many packages: a module below one of these that the table does not know is nobody's.
const NAMESPACES: &[&str] =
    &["google", "google.cloud", "azure", "azure.mgmt", "backports", "opentelemetry", "zope", "ruamel"];

/// The package that provides `module`, where it bears another name: by the longest dotted
/// beginning that is known (`google.cloud.storage.blob` by `google.cloud.storage`).
#[must_use]
pub fn provider_of(module: &str) -> Option<&'static str> {
    let lower = module.to_ascii_lowercase().replace('-', "_");
    let mut rest = lower.as_str();
    loop {
        if let Ok(at) = IMPORTS.binary_search_by(|(other, _)| (*other).cmp(rest)) {
            return IMPORTS.get(at).map(|(_, package)| *package);
        }
        rest = rest.rsplit_once('.').map(|(head, _)| head).filter(|head| !NAMESPACES.contains(head))?;
    }
}

/// The package to install for a module that an import did not find: by the table, else the
/// package of the same name if that is well known. Never a guess: the log's writer picks the name.
#[must_use]
pub fn package_for_import(module: &str) -> Option<String> {
    if let Some(package) = provider_of(module) {
        return Some(package.to_owned());
    }
    let first = module.split('.').next().unwrap_or(module);
    is_well_known(first).then(|| if first == "Cython" { first.to_owned() } else { normalised(first) })
}

/// Whether `name` is a module of Python's standard library (also of Python 2's).
#[must_use]
pub fn is_standard_library(name: &str) -> bool {
    let same = |other: &&str| other.eq_ignore_ascii_case(name);
    STANDARD_LIBRARY.iter().any(same)
}

/// The first Python, as (major, minor), that no longer has the standard module `name` or the one that
/// it is part of.
#[must_use]
pub fn removed_in(name: &str) -> Option<(u32, u32)> {
    let head = name.split('.').next().unwrap_or(name);
    REMOVED_MODULES.iter().find(|(other, _)| *other == head).map(|(_, version)| *version)
}

/// Whether `module` is most often a file of the project itself that the build did not find, or part
/// of pip: a package of that name is not what is missing.
#[must_use]
pub fn is_local_module(module: &str) -> bool {
    let head = module.split('.').next().unwrap_or(module);
    LOCAL_MODULES.iter().any(|other| other.eq_ignore_ascii_case(head))
}

/// Whether even the newest version of `name` has to be compiled on most machines.
#[must_use]
pub fn is_source_only(name: &str) -> bool {
    let name = normalised(name);
    SOURCE_ONLY.iter().any(|other| *other == name)
}

/// The package that took the place of `name`.
#[must_use]
pub fn replacement_of(name: &str) -> Option<&'static str> {
    let name = normalised(name);
    REPLACED.iter().find(|(old, _)| *old == name).map(|(_, new)| *new)
}

/// A well-known name that a misspelt one may have meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    /// The well-known name, normalised.
    pub name: &'static str,
    /// Letters added, left out, changed or swapped with their neighbour.
    pub edits: u8,
}

/// Only so many of the most downloaded packages are meant by a misspelt name: others are rarer than
/// names that are somebody's own.
const MEANT: u16 = 1_500;
/// Letters in another order are hardly ever meant so.
const MEANT_BY_A_SWAP: u16 = 3_000;
/// `scheduler` and `schedule`, `cudatoolkit` and `cuda-toolkit` are two things: a last letter more or
/// less, or a hyphen, is a slip only where the other name is on everybody's lips.
const ON_ALL_LIPS: u16 = 500;

/// The well-known name nearest to `name` where that is not one itself, at most 1 edit away (2 from
/// twelve letters on), the most downloaded of equally near ones. Names of four letters or fewer are
/// near too many others.
#[must_use]
pub fn nearest(name: &str) -> Option<Near> {
    let name = normalised(name);
    let most: u8 = match name.len() {
        5..=11 => 1,
        12..=64 => 2,
        _ => return None,
    };
    if is_well_known(&name) {
        return None;
    }
    // None beyond is meant by any slip: half of the table need not be compared.
    let meant = WELL_KNOWN.iter().filter(|(_, rank)| (..MEANT_BY_A_SWAP).contains(rank));
    let near = meant.filter_map(|(other, rank)| {
        if other.len().abs_diff(name.len()) > usize::from(most) {
            return None;
        }
        let edits = edits_within(name.as_bytes(), other.as_bytes(), most)?;
        (..reach(&name, other)).contains(rank).then_some((edits, *rank, *other))
    });
    near.min().map(|(edits, _, name)| Near { name, edits })
}

/// How many of the most downloaded packages `name` may have meant by this slip.
fn reach(name: &str, other: &str) -> u16 {
    if is_variant(name, other) {
        ON_ALL_LIPS
    } else if is_swap(name, other) {
        MEANT_BY_A_SWAP
    } else {
        MEANT
    }
}

/// Whether both consist of the same letters.
fn is_swap(a: &str, b: &str) -> bool {
    let sorted = |name: &str| {
        let mut letters = name.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

/// Whether the names differ only in a last letter that one of them has more and does not double, or
/// in hyphens.
fn is_variant(a: &str, b: &str) -> bool {
    let has_ending = |short: &str, long: &str| {
        long.strip_prefix(short).is_some_and(|end| end.len() == 1 && !short.ends_with(end))
    };
    let letters = |name: &'_ str| name.bytes().filter(|byte| *byte != b'-').collect::<Vec<_>>();
    has_ending(a, b) || has_ending(b, a) || letters(a) == letters(b)
}

/// The optimal string alignment distance of `a` and `b`, or `None` past `most`. Both are at most a
/// few dozen bytes, so the plain table of three rows will do.
fn edits_within(a: &[u8], b: &[u8], most: u8) -> Option<u8> {
    let mut before: Vec<u8> = Vec::new();
    let mut last: Vec<u8> = (0..=u8::try_from(b.len()).ok()?).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(last.len());
        row.push(u8::try_from(i).ok()?.saturating_add(1));
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[u8], j: usize| row.get(j).copied().unwrap_or(u8::MAX);
            let changed = at(&last, j).saturating_add(u8::from(x != y));
            let left_out = at(&last, j.saturating_add(1)).saturating_add(1);
            let added = at(&row, j).saturating_add(1);
            let mut edits = changed.min(left_out).min(added);
            let letter_before = |word: &[u8], place: usize| word.get(place.checked_sub(1)?).copied();
            if letter_before(a, i) == Some(*y) && letter_before(b, j) == Some(*x) {
                edits = edits.min(at(&before, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(edits);
        }
        if row.iter().all(|edits| *edits > most) {
            return None;
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|edits| *edits <= most)
}

#[cfg(test)]
#[path = "packages_tests.rs"]
mod tests;
