//! `policies/rules/N-*.toml`: the kinds of failure that are known, in the order in which they are
//! tried (by file name, then as written).

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Spanned<Rule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    certainty: Certainty,
    #[serde(default)]
    all: Vec<String>,
    #[serde(default)]
    any: Vec<String>,
    #[serde(default)]
    none: Vec<String>,
    #[serde(default)]
    none_after: Vec<String>,
    compute: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    commands: Vec<String>,
    before_python: Option<String>,
    en: String,
    zh: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Certainty {
    Certain,
    Likely,
}

/// A piece of a pattern.
enum Part {
    Literal(String),
    Capture(String),
}

/// The beginnings of patterns are looked up by so many bytes.
const ANCHOR: usize = 4;

pub fn compile(directory: &Path) -> Result<String, String> {
    let directory = directory.join("rules");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .map_err(|error| format!("{}:1: cannot be read: {error}", directory.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    files.sort();

    let mut patterns: Vec<String> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut out = String::from("static RULES: &[Rule] = &[\n");
    for path in files {
        let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if file_name == "imports.toml" || file_name == "names.toml" {
            continue;
        }
        if !file_name.starts_with(|first: char| first.is_ascii_digit()) || !file_name.ends_with(".toml") {
            return Err(format!("{}:1: not a file of rules: its name is NUMBER-NAME.toml", path.display()));
        }
        out.push_str(&place::read(&path, |text| write_file(text, &mut names, &mut patterns))?);
    }
    out.push_str("];\n");
    out.push_str(&write_patterns(&patterns)?);
    Ok(out)
}

pub fn write_file(text: &str, names: &mut Vec<String>, patterns: &mut Vec<String>) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    let mut out = String::new();
    for spanned in &file.rule {
        let rule = spanned.get_ref();
        let fail = |reason: String| place::of(text, spanned, format!("rule {:?}: {reason}", rule.name));
        if names.contains(&rule.name) {
            return Err(fail("stands twice".into()));
        }
        names.push(rule.name.clone());
        out.push_str(&write_rule(rule, patterns).map_err(fail)?);
    }
    Ok(out)
}

fn write_rule(rule: &Rule, patterns: &mut Vec<String>) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if rule.name.is_empty() || !rule.name.bytes().all(plain) {
        return Err("its name is not of small letters, digits and dashes".into());
    }
    if rule.all.is_empty() && rule.any.is_empty() {
        return Err("it has no pattern that must be found".into());
    }
    let mut captures: Vec<String> = Vec::new();
    let mut lists = Vec::new();
    for list in [&rule.all, &rule.any, &rule.none, &rule.none_after] {
        let mut places = Vec::new();
        for pattern in list {
            for part in parse(pattern)? {
                if let Part::Capture(name) = part {
                    captures.push(name);
                }
            }
            let place = patterns.iter().position(|other| other == pattern).unwrap_or_else(|| {
                patterns.push(pattern.clone());
                patterns.len() - 1
            });
            if places.contains(&place) {
                return Err(format!("{pattern:?} stands twice"));
            }
            places.push(place);
        }
        lists.push(places);
    }
    for (language, text) in [("en", &rule.en), ("zh", &rule.zh)] {
        if text.is_empty() || text.len() > 300 || text.contains(['`', '\n']) || text.contains("://") {
            return Err(format!("{language} is not one plain line of at most 300 bytes"));
        }
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once('{') {
            let (name, next) = after.split_once('}').ok_or("an open brace")?;
            if !captures.iter().any(|capture| capture == name) {
                return Err(format!("{language} names {{{name}}}, which no pattern takes"));
            }
            rest = next;
        }
    }
    let answer = match (&rule.compute, rule.commands.as_slice()) {
        (Some(compute), []) => format!("Answer::Compute(Compute::{})", camel_case(compute)),
        (None, []) => "Answer::Sentence".to_owned(),
        (None, commands) => {
            if let Some(wrong) = commands.iter().find(|command| !command.starts_with("pip install ")) {
                return Err(format!("{wrong:?} is not a pip install command"));
            }
            format!("Answer::Commands(&{commands:?})")
        }
        (Some(_), _) => return Err("it has both `compute` and `commands`".into()),
    };
    if rule.compute.is_none() && !rule.arguments.is_empty() {
        return Err("`arguments` are for `compute`".into());
    }
    let before = match &rule.before_python {
        None => "None".to_owned(),
        Some(version) => {
            let (major, minor) = version.split_once('.').ok_or("before_python is not MAJOR.MINOR")?;
            let number = |digits: &str| digits.parse::<u32>().map_err(|_| "before_python is not MAJOR.MINOR");
            format!("Some(({}, {}))", number(major)?, number(minor)?)
        }
    };
    let certainty = match rule.certainty {
        Certainty::Certain => "Certain",
        Certainty::Likely => "Likely",
    };
    Ok(format!(
        "    Rule {{ name: {:?}, certainty: Certainty::{certainty}, all: &{:?}, any: &{:?}, none: &{:?}, none_after: &{:?}, \
         answer: {answer}, arguments: &{:?}, before_python: {before}, en: {:?}, zh: {:?} }},\n",
        rule.name, lists[0], lists[1], lists[2], lists[3], rule.arguments, rule.en, rule.zh
    ))
}

fn parse(pattern: &str) -> Result<Vec<Part>, String> {
    let mut rest = pattern.strip_prefix('^').unwrap_or(pattern);
    let mut parts = Vec::new();
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, next) = after.split_once('}').ok_or(format!("{pattern:?} has an open brace"))?;
        if !["name", "package", "module", "file", "option", "text"].contains(&name) {
            return Err(format!("{pattern:?} takes {{{name}}}, which is not a kind of part"));
        }
        if literal.is_empty() {
            return Err(format!("{pattern:?} has nothing fixed before {{{name}}}"));
        }
        parts.push(Part::Literal(literal.to_owned()));
        parts.push(Part::Capture(name.to_owned()));
        rest = next;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    match parts.first() {
        Some(Part::Literal(first)) if first.len() >= ANCHOR => Ok(parts),
        _ => Err(format!("{pattern:?} does not begin with {ANCHOR} fixed bytes")),
    }
}

pub fn write_patterns(patterns: &[String]) -> Result<String, String> {
    let mut out = String::from("static PATTERNS: &[Pattern] = &[\n");
    let mut index: Vec<(u32, usize)> = Vec::new();
    for (place, pattern) in patterns.iter().enumerate() {
        let parts = parse(pattern)?;
        let mut written = String::new();
        for part in &parts {
            written.push_str(&match part {
                Part::Literal(text) => format!("Part::Literal({text:?}), "),
                Part::Capture(name) => format!("Part::Capture(Kind::{}), ", camel_case(name)),
            });
        }
        let at_start = pattern.starts_with('^');
        out.push_str(&format!("    Pattern {{ at_start: {at_start}, parts: &[{written}] }},\n"));
        if let Some(Part::Literal(first)) = parts.first() {
            let anchor: [u8; ANCHOR] = first.as_bytes()[..ANCHOR].try_into().map_err(|_| "anchor")?;
            index.push((u32::from_le_bytes(anchor), place));
        }
    }
    index.sort_unstable();
    out.push_str("];\n");
    out.push_str("/// The first four bytes of each pattern, little-endian, in order, with its place.\n");
    out.push_str(&format!("static ANCHORS: &[(u32, usize)] = &{index:?};\n"));
    out.push_str(&format!("static PATTERN_COUNT: usize = {};\n", patterns.len()));
    Ok(out)
}

fn camel_case(name: &str) -> String {
    let mut out = String::new();
    for word in name.split('_') {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
