//! `policies/commands.toml`: what a command in an answer may consist of.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::place;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    most_commands: Spanned<usize>,
    most_requirements: Spanned<usize>,
    option: Vec<Spanned<Allowed>>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowed {
    name: String,
    short: Option<String>,
    #[serde(default)]
    also: Vec<String>,
    value: Value,
    most: Option<u32>,
    #[serde(default)]
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Value {
    None,
    Names,
    Number,
    Word,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    names: Vec<Spanned<String>>,
    value: bool,
    #[serde(default)]
    source: bool,
    #[serde(default)]
    file: bool,
    #[serde(default)]
    project: bool,
    #[serde(default)]
    essential: bool,
}

/// Options that give an answer's writer a way to other code than PyPI's, or to files. Allowing one
/// takes more than a line in the policy.
const NEVER: &[&str] = &[
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--no-index",
    "--trusted-host",
    "--proxy",
    "--cert",
    "--client-cert",
    "--requirement",
    "--constraint",
    "--editable",
    "--target",
    "--prefix",
    "--root",
    "--src",
    "--log",
    "--cache-dir",
    "--report",
    "--config-settings",
    "--global-option",
    "--install-option",
    "--python",
];

pub fn compile(directory: &Path) -> Result<String, String> {
    place::read(&directory.join("commands.toml"), render)
}

pub fn render(text: &str) -> Result<String, String> {
    let file: File = toml::from_str(text).map_err(|error| place::parsed(text, &error))?;
    for (number, most) in [(&file.most_commands, 20), (&file.most_requirements, 100)] {
        if !(1..=most).contains(number.get_ref()) {
            return Err(place::of(text, number, "most_commands is 1 to 20, most_requirements 1 to 100"));
        }
    }

    let mut seen: Vec<String> = Vec::new();
    let mut once = |name: &str, here: usize| {
        let fail = |reason: String| place::at(text, here, reason);
        let long = name.strip_prefix("--").is_some_and(|rest| rest.len() > 1);
        let short = name.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && !rest.is_empty());
        if !(long || short) {
            return Err(fail(format!("{name:?} is not an option")));
        }
        if seen.iter().any(|other| other == name) {
            return Err(fail(format!("{name:?} stands twice")));
        }
        seen.push(name.to_owned());
        Ok(())
    };

    let mut out = format!(
        "static MOST_COMMANDS: usize = {};\nstatic MOST_REQUIREMENTS: usize = {};\n",
        file.most_commands.get_ref(),
        file.most_requirements.get_ref()
    );
    out.push_str("static OPTIONS: &[AllowedOption] = &[\n");
    for spanned in &file.option {
        let fail = |reason: String| place::of(text, spanned, reason);
        let option = spanned.get_ref();
        let name = &option.name;
        if NEVER.contains(&name.as_str()) {
            return Err(fail(format!("{name} must not be allowed: it leads to other code or to files")));
        }
        let mut spellings: Vec<&String> = vec![name];
        spellings.extend(&option.short);
        spellings.extend(&option.also);
        for spelling in &spellings {
            once(spelling, spanned.span().start)?;
        }
        let value = match (&option.value, option.most, option.words.as_slice()) {
            (Value::None, None, []) => "ValueKind::None".to_owned(),
            (Value::Names, None, []) => "ValueKind::Names".to_owned(),
            (Value::Number, Some(most), []) => format!("ValueKind::Number({most})"),
            (Value::Word, None, words @ [_, ..]) => format!("ValueKind::Word(&{words:?})"),
            _ => {
                return Err(fail(format!(
                    "{name}: `most` is for numbers, `words` for words, and needed there"
                )));
            }
        };
        out.push_str(&format!(
            "    AllowedOption {{ name: {name:?}, spellings: &{spellings:?}, value: {value} }},\n"
        ));
    }
    out.push_str("];\nstatic REFUSED: &[RefusedOption] = &[\n");
    for group in &file.refused {
        for name in &group.names {
            once(name.get_ref(), name.span().start)?;
            out.push_str(&format!(
                "    RefusedOption {{ name: {:?}, value: {}, source: {}, file: {}, project: {}, essential: {} }},\n",
                name.get_ref(), group.value, group.source, group.file, group.project, group.essential
            ));
        }
    }
    out.push_str("];\n");
    Ok(out)
}
