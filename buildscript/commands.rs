//! `policies/commands.toml`: what a command in an answer may consist of.

use std::path::Path;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    most_commands: usize,
    most_requirements: usize,
    option: Vec<Allowed>,
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
    names: Vec<String>,
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
    let path = directory.join("commands.toml");
    let fail = |reason: String| format!("{}: {reason}", path.display());
    let text = std::fs::read_to_string(&path).map_err(|error| fail(error.to_string()))?;
    let file: File = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
    if !(1..=20).contains(&file.most_commands) || !(1..=100).contains(&file.most_requirements) {
        return Err(fail("most_commands is 1 to 20, most_requirements 1 to 100".into()));
    }

    let mut seen: Vec<String> = Vec::new();
    let mut once = |name: &str| {
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
        file.most_commands, file.most_requirements
    );
    out.push_str("static OPTIONS: &[AllowedOption] = &[\n");
    for option in &file.option {
        let name = &option.name;
        if NEVER.contains(&name.as_str()) {
            return Err(fail(format!("{name} must not be allowed: it leads to other code or to files")));
        }
        let mut spellings: Vec<&String> = vec![name];
        spellings.extend(&option.short);
        spellings.extend(&option.also);
        for spelling in &spellings {
            once(spelling)?;
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
            once(name)?;
            out.push_str(&format!(
                "    RefusedOption {{ name: {name:?}, value: {}, source: {}, file: {}, project: {}, essential: {} }},\n",
                group.value, group.source, group.file, group.project, group.essential
            ));
        }
    }
    out.push_str("];\n");
    Ok(out)
}
