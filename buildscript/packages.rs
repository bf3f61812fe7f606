//! `policies/packages.txt` and the tables of names in `policies/rules/`: which packages are well
//! known, which package provides which module, what belongs to Python itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Imports {
    imports: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    /// Modules of the standard library, to tell "not on PyPI because it comes with Python".
    standard_library: Vec<String>,
    /// Modules that are most often files of a project itself.
    local_modules: Vec<String>,
    /// Modules that left the standard library, and the Python without them: `"3.12"`.
    removed: BTreeMap<String, String>,
    /// Packages without wheels for Linux: an unpinned version has to be compiled as well.
    source_only: Vec<String>,
    /// Packages that were given up for another.
    replaced: BTreeMap<String, String>,
}

pub fn compile(directory: &Path) -> Result<String, String> {
    let mut out = String::new();

    let path = directory.join("packages.txt");
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let mut ranks: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line != normalised(line) || !is_name(line) {
            return Err(fail(format!("{line:?} is not a normalised name (PEP 503)")));
        }
        let rank = ranks.len();
        if ranks.insert(line, rank).is_some() {
            return Err(fail(format!("{line:?} stands twice")));
        }
    }
    out.push_str("/// Sorted by name; with each its place by downloads, 0 for the most.\n");
    out.push_str("static WELL_KNOWN: &[(&str, u16)] = &[\n");
    for (name, rank) in &ranks {
        let rank = u16::try_from(*rank).map_err(|_| fail("more than 65536 names".into()))?;
        out.push_str(&format!("    ({name:?}, {rank}),\n"));
    }
    out.push_str("];\n");

    let path = directory.join("rules/imports.toml");
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let imports: Imports = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
    out.push_str("static IMPORTS: &[(&str, &str)] = &[\n");
    for (module, package) in &imports.imports {
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

    let path = directory.join("rules/names.toml");
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let names: Names = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
    for (table, list) in [
        ("STANDARD_LIBRARY", &names.standard_library),
        ("LOCAL_MODULES", &names.local_modules),
        ("SOURCE_ONLY", &names.source_only),
    ] {
        let sorted: BTreeSet<&String> = list.iter().collect();
        if sorted.len() != list.len() {
            return Err(fail(format!("a name stands twice in {table}")));
        }
        if let Some(wrong) = list.iter().find(|name| !is_name(name)) {
            return Err(fail(format!("{wrong:?} in {table} is not a name")));
        }
        out.push_str(&format!("static {table}: &[&str] = &{:?};\n", sorted.iter().collect::<Vec<_>>()));
    }
    out.push_str("static REMOVED_MODULES: &[(&str, (u32, u32))] = &[\n");
    for (module, version) in &names.removed {
        let (major, minor) = version
            .split_once('.')
            .and_then(|(major, minor)| Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?)))
            .ok_or_else(|| fail(format!("{version:?} of {module:?} is not MAJOR.MINOR")))?;
        out.push_str(&format!("    ({module:?}, ({major}, {minor})),\n"));
    }
    out.push_str("];\nstatic REPLACED: &[(&str, &str)] = &[\n");
    for (old, new) in &names.replaced {
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
