//! A TOML file with the places of all that stands in it.

use std::borrow::Cow;

use pip_aide_gateway::policy::names;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Finding, Report, shown};

/// A parsed file.
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    root: Spanned<DeTable<'a>>,
}

/// The part of the file that is in force.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub document: &'a Document<'a>,
    /// The table whose bindings and variables count: the environment's or the root.
    pub table: &'a DeTable<'a>,
    /// The line on which it begins.
    pub line: usize,
    /// The environment's name.
    pub env: Option<&'a str>,
}

/// A key with its value, and the line of the key.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub value: &'a Spanned<DeValue<'a>>,
    pub line: usize,
}

impl<'a> Document<'a> {
    /// Parses the text. What is no TOML is a fault on its line.
    pub fn parse(file: &'a str, text: &'a str, report: &mut Report) -> Option<Self> {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Self { file, text, root };
        for error in &errors {
            let offset = error.span().map_or(0, |span| span.start);
            let problem = format!("not TOML: {}", error.message().replace('\n', " "));
            report.fault(document.finding(document.line_of(offset), "", None, problem));
        }
        errors.is_empty().then_some(document)
    }

    /// The part that is in force: the whole file, or one environment of it.
    pub fn scope(&'a self, env: Option<&'a str>, report: &mut Report) -> Option<Scope<'a>> {
        let root = Scope { document: self, table: self.root.get_ref(), line: 1, env: None };
        let environments = root.item("env").and_then(|item| item.value.get_ref().as_table());
        let known: Vec<&str> =
            environments.into_iter().flat_map(|table| table.keys()).map(|key| &**key.get_ref()).collect();
        let line = root.item("env").map_or(1, |item| item.line);
        let Some(name) = env else {
            if !known.is_empty() {
                let problem = format!("is not looked at: {} (--env NAME)", known.join(", "));
                report.note(self.finding(line, "env", None, problem));
            }
            return Some(root);
        };
        let found = environments.and_then(|table| table.get_key_value(name));
        let table = found.and_then(|(key, value)| Some((key, value.get_ref().as_table()?)));
        let Some((key, table)) = table else {
            let meant = did_you_mean(name, &known);
            let listed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let problem = format!("is no environment{meant}; there is: {listed}");
            report.fault(self.finding(line, &format!("env.{name}"), None, problem));
            return None;
        };
        Some(Scope { document: self, table, line: self.line_of(key.span().start), env: Some(name) })
    }

    /// The line of a byte.
    pub fn line_of(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().iter().take(offset);
        before.filter(|byte| **byte == b'\n').count().saturating_add(1)
    }

    /// A value as it stands in the file, where it may be shown.
    pub fn shown(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => shown(name, text),
            DeValue::Table(_) | DeValue::Array(_) => None,
            // Without quotes, as it stands there.
            _ => shown(name, self.text.get(value.span())?).map(|text| text.trim_matches('"').to_owned()),
        }
    }

    pub fn finding(
        &self,
        line: usize,
        name: &str,
        value: Option<String>,
        problem: impl Into<String>,
    ) -> Finding {
        Finding { file: self.file.to_owned(), line, name: name.to_owned(), value, problem: problem.into() }
    }
}

impl<'a> Scope<'a> {
    /// A member of the scope.
    pub fn item(&self, name: &str) -> Option<Item<'a>> {
        item(self.document, self.table, name)
    }

    /// A member that an environment takes over from the top level where it has none of its own.
    pub fn inherited(&self, name: &str) -> Option<Item<'a>> {
        self.item(name).or_else(|| item(self.document, self.document.root.get_ref(), name))
    }

    /// The whole file.
    pub fn root(&self) -> &'a DeTable<'a> {
        self.document.root.get_ref()
    }

    /// How a table of this scope is written: `vars` or `env.NAME.vars`.
    pub fn path(&self, name: &str) -> String {
        self.env.map_or_else(|| name.to_owned(), |env| format!("env.{env}.{name}"))
    }
}

/// A member of a table.
pub fn item<'a>(document: &Document<'a>, table: &'a DeTable<'a>, name: &str) -> Option<Item<'a>> {
    let (key, value) = table.get_key_value(name)?;
    Some(Item { value, line: document.line_of(key.span().start) })
}

/// The members of a table with their lines.
pub fn members<'a>(
    document: &'a Document<'a>,
    table: &'a DeTable<'a>,
) -> impl Iterator<Item = (&'a Cow<'a, str>, Item<'a>)> {
    table.iter().map(|(key, value)| (key.get_ref(), Item { value, line: document.line_of(key.span().start) }))
}

/// `; did you mean ...?` where one of these is close.
pub fn did_you_mean(name: &str, known: &[&str]) -> String {
    names::nearest(name, known, 3).map(|meant| format!("; did you mean {meant}?")).unwrap_or_default()
}
