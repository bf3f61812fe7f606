//! Failures of known kinds in other words (`tests/data/variations.toml`): the rules are about how pip
//! speaks, not about the packages of the corpus.
#![cfg(not(target_arch = "wasm32"))]

use fancy_regex::Regex;
use pip_aide_gateway::analysis::proposal::Proposal;
use pip_aide_gateway::analysis::screen::{Source, screen};
use pip_aide_gateway::analysis::{facts, redact, rules};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    kind: String,
    command: String,
    #[serde(default = "python")]
    python: String,
    #[serde(default = "pip")]
    pip: String,
    #[serde(default = "system")]
    system: String,
    log: String,
    right: Option<String>,
    #[serde(default)]
    may: bool,
}

fn python() -> String {
    "3.11.7".to_owned()
}

fn pip() -> String {
    "23.2.1".to_owned()
}

fn system() -> String {
    "Linux".to_owned()
}

impl Case {
    /// What the client sends.
    fn context(&self) -> String {
        let Self { command, python, pip, system, log, .. } = self;
        format!(
            "Command: {command}\nExit Code: 1\n\n--- stdout ---\n\n--- stderr ---\n{log}\n\n\n--- SYSTEM INFO ---\npython_version: {python}\n\
             os_system: {system}\nmachine_type: x86_64\npip_version: pip {pip} from /x/pip (python {python})\n"
        )
    }
}

#[test]
fn rules_know_the_kinds_in_other_words() {
    let file: File = toml::from_str(include_str!("data/variations.toml")).expect("the cases are TOML");
    assert!(file.case.len() >= 60, "{}", file.case.len());
    let (mut asked, mut answered, mut wrong) = (0, 0, Vec::new());
    for case in &file.case {
        let text = redact::redact(&case.context());
        let facts = facts::read(&text);
        let finding = rules::consult(&facts, &text);
        let rule = finding.as_ref().map_or("none", |finding| finding.rule);
        let proposal = finding.map(|finding| Proposal::from(finding.advice)).unwrap_or_default();
        let screened = screen(&proposal, &facts, Source::Rule);
        let said = format!("{} ({}), rule {rule}: {:?}", case.kind, case.command, screened.commands);
        assert!(screened.withheld.is_empty(), "{said}: {:?}", screened.withheld);
        match &case.right {
            None if !screened.commands.is_empty() => wrong.push(said),
            None => {}
            Some(right) => {
                let right = Regex::new(right).expect("a regular expression");
                let is_right =
                    screened.commands.iter().any(|command| right.is_match(command).expect("a match"));
                asked += usize::from(!case.may);
                answered += usize::from(is_right && !case.may);
                match screened.commands.is_empty() {
                    true if !case.may => println!("missed: {said}"),
                    false if !is_right => wrong.push(said),
                    _ => {}
                }
            }
        }
    }
    println!("variations: {answered} of {asked} answered by a right command");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(answered * 100 >= asked * 90, "{answered} of {asked}");
}
