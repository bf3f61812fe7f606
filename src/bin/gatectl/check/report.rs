//! What was found, each with its place.

use pip_aide_gateway::analysis::redact;
use serde::Serialize;
use serde_json::json;

use crate::output::Answer;

/// One thing that is wrong, or worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file as it was named on the command line.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What it is about: a setting, a binding, a key of the file.
    pub name: String,
    /// The value that stands there; never a secret's.
    pub value: Option<String>,
    /// What is wrong with it, and what is accepted.
    pub problem: String,
}

impl Finding {
    fn line(&self) -> String {
        let Self { file, line, name, value, problem } = self;
        let value = value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
        let name = if name.is_empty() { String::new() } else { format!("{name}{value} ") };
        format!("{file}:{line}: {name}{problem}")
    }
}

/// All of them.
pub struct Report {
    faults: Vec<Finding>,
    notes: Vec<Finding>,
    before_deploy: bool,
}

impl Report {
    pub const fn new(before_deploy: bool) -> Self {
        Self { faults: Vec::new(), notes: Vec::new(), before_deploy }
    }

    /// Something that must be changed.
    pub fn fault(&mut self, finding: Finding) {
        self.faults.push(finding);
    }

    /// Something to know.
    pub fn note(&mut self, finding: Finding) {
        self.notes.push(finding);
    }

    /// Something that must be changed before a deploy, and not for local work.
    pub fn before_deploy(&mut self, finding: Finding) {
        if self.before_deploy { self.faults.push(finding) } else { self.notes.push(finding) }
    }

    /// The faults, a line each.
    pub fn fault_lines(&self) -> String {
        lines(&self.faults)
    }

    pub fn answer(mut self) -> Answer {
        self.faults.sort();
        self.faults.dedup();
        self.notes.sort();
        let text = match self.faults.len() {
            0 => "the configuration is right".to_owned(),
            _ => lines(&self.faults),
        };
        Answer {
            text,
            note: (!self.notes.is_empty()).then(|| lines(&self.notes)),
            json: json!({ "ok": self.faults.is_empty(), "faults": self.faults, "notes": self.notes }),
            is_no: !self.faults.is_empty(),
        }
    }
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(Finding::line).collect::<Vec<_>>().join("\n")
}

/// A value as it may be printed: in one line, and without what only looks harmless, such as a password
/// in a URL. `None` for what the name says is a secret.
pub fn shown(name: &str, value: &str) -> Option<String> {
    if is_secret(name) {
        return None;
    }
    let value: String = redact::redact(value).as_str().chars().take(120).collect();
    Some(format!("{value:?}"))
}

/// Whether a name is a secret's, or close to one.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "SECRET", "PASSWORD", "CREDENTIAL"].iter().any(|word| name.contains(word))
        || name == "OPERATOR_TOKEN"
}
