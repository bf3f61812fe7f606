//! `policies/packages.txt` and the tables of names in `policies/rules/`: which packages are well
//! known, which package provides which module, what belongs to Python itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Imports {
    imports: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    /// Modules of the standard library, to tell "not on PyPI because it comes with Python".
    standard_library: Vec<Spanned<String>>,
    /// Modules that are most often files of a project itself.
    local_modules: Vec<Spanned<String>>,
    /// Modules that left the standard library, and the Python without them: `"3.12"`.
    removed: BTreeMap<Spanned<String>, Spanned<String>>,
    /// Packages without wheels for Linux: an unpinned version has to be compiled as well.
    source_only: Vec<Spanned<String>>,
    /// Packages that were given up for another.
    replaced: BTreeMap<Spanned<String>, Spanned<String>>,
}

pub fn compile(directory: &Path) -> Result<String, String> {
    let path = directory.join("packages.txt");
    let packages = std::fs::read_to_string(&path)
        .map_err(|error| format!("{}:1: cannot be read: {error}", path.display()))?;
    let ranks = ranks(&packages).map_err(|reason| format!("{}:{reason}", path.display()))?;
    let mut out = String::new();
    out.push_str("/// Sorted by name; with each its place by downloads, 0 for the most.\n");
    out.push_str("static WELL_KNOWN: &[(&str, u16)] = &[\n");
    for (name, rank) in &ranks {
        out.push_str(&format!("    ({name:?}, {rank}),\n"));
    }
    out.push_str("];\n");
    out.push_str(&place::read(&directory.join("rules/imports.toml"), |text| imports(text, &ranks))?);
    out.push_str(&place::read(&directory.join("rules/names.toml"), |text| names(text, &ranks))?);
    Ok(out)
}

pub fn ranks(text: &str) -> Result<BTreeMap<&str, u16>, String> {
    let mut ranks: BTreeMap<&str, u16> = BTreeMap::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line != normalised(line) || !is_name(line) {
            return Err(format!("{number}: {line:?} is not a normalised name (PEP 503)"));
        }
        let rank = u16::try_from(ranks.len()).map_err(|_| format!("{number}: more than 65536 names"))?;
        if ranks.insert(line, rank).is_some() {
            return Err(format!("{number}: {line:?} stands twice"));
        }
    }
    Ok(ranks)
}

pub fn imports(text: &str, ranks: &BTreeMap<&str, u16>) -> Result<String, String> {
    let file: Imports = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    let mut out = "static IMPORTS: &[(&str, &str)] = &[\n".to_owned();
    for (spanned, package) in &file.imports {
        let fail = |reason: String| place::of(text, spanned, reason);
        let (module, package) = (spanned.get_ref(), package.get_ref());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        if !module.bytes().all(plain) {
            return Err(fail(format!("{module:?} is not a lower-case module name")));
        }
        if !is_name(package) || !ranks.contains_key(normalised(package).as_str()) {
            return Err(fail(format!("{package:?} is not in packages.txt")));
        }
        out.push_str(&format!("    ({module:?}, {package:?}),\n"));
    }
    out.push_str("];\n");
    Ok(out)
}

pub fn names(text: &str, ranks: &BTreeMap<&str, u16>) -> Result<String, String> {
    let names: Names = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    let mut out = String::new();
    for (table, list) in [
        ("STANDARD_LIBRARY", &names.standard_library),
        ("LOCAL_MODULES", &names.local_modules),
        ("SOURCE_ONLY", &names.source_only),
    ] {
        let mut sorted = BTreeSet::new();
        for name in list {
            let fail = |reason: String| place::of(text, name, reason);
            if !is_name(name.get_ref()) {
                return Err(fail(format!("{:?} in {table} is not a name", name.get_ref())));
            }
            if !sorted.insert(name.get_ref()) {
                return Err(fail(format!("{:?} stands twice in {table}", name.get_ref())));
            }
        }
        out.push_str(&format!("static {table}: &[&str] = &{:?};\n", sorted.iter().collect::<Vec<_>>()));
    }
    out.push_str("static REMOVED_MODULES: &[(&str, (u32, u32))] = &[\n");
    for (module, spanned) in &names.removed {
        let (module, version) = (module.get_ref(), spanned.get_ref());
        let (major, minor) = version
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)))
            .ok_or_else(|| {
                place::of(text, spanned, format!("{version:?} of {module:?} is not MAJOR.MINOR"))
            })?;
        out.push_str(&format!("    ({module:?}, ({major}, {minor})),\n"));
    }
    out.push_str("];\nstatic REPLACED: &[(&str, &str)] = &[\n");
    for (spanned, new) in &names.replaced {
        let fail = |reason: String| place::of(text, spanned, reason);
        let (old, new) = (spanned.get_ref(), new.get_ref());
        if *old != normalised(old) {
            return Err(fail(format!("{old:?} is not a normalised name")));
        }
        if !ranks.contains_key(normalised(new).as_str()) {
            return Err(fail(format!("{new:?} is not in packages.txt")));
        }
        out.push_str(&format!("    ({old:?}, {new:?}),\n"));
    }
    out.push_str("];\n");
    Ok(out)
}

/// PEP 503: lower case, runs of `-`, `_`, `.` as one `-`.
pub fn normalised(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let c = if matches!(c, '-' | '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

/// PEP 508: letters, digits, `-`, `_`, `.`, a letter or digit at both ends.
pub fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
        && bytes.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && bytes.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}
