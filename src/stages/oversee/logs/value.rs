//! What lies under a key of the log: batches of this gateway, one JSON object a line and with a label; and
//! what others wrote without one. pip-aide's first server kept one object a key, `<machine id>:<time>`, with
//! `timestamp`, `machine_id`, `error_context` and `request_id`, whatever its clients had sent, unredacted and
//! without an end of its life.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::page::Wanted;
use crate::analysis::redact::redact;
use crate::ledger::logbook::label::{Label, hash, parts};
use crate::ledger::wire::waiting::Position;
use crate::units::UnixMillis;

/// Bytes of a text that are shown where nobody bounded them when it was written.
const MOST_TEXT: usize = 16_384;

/// What the filters look at. Anything else is shown as it is.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    machine_id: Cow<'a, str>,
    #[serde(borrow, default)]
    plan: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    outcome: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    source: Option<Cow<'a, str>>,
}

impl Members<'_> {
    /// The record's own key.
    fn key(&self) -> String {
        format!("{}:{}", self.machine_id, self.timestamp)
    }

    fn is_wanted(&self, wanted: &Wanted) -> bool {
        let is = |asked: Option<&str>, member: &Option<Cow<'_, str>>| {
            asked.is_none_or(|asked| member.as_deref() == Some(asked))
        };
        wanted.machine.as_deref().is_none_or(|machine| machine == self.machine_id)
            && is(wanted.plan.as_deref(), &self.plan)
            && is(wanted.outcome, &self.outcome)
            && match wanted.source {
                Some("none") => self.source.is_none(),
                source => is(source, &self.source),
            }
    }
}

/// One line of the log, where it is wanted and has a time of its own.
#[must_use]
pub fn line(line: &str, wanted: &Wanted) -> Option<Position> {
    let members: Members<'_> = serde_json::from_str(line).ok()?;
    members.is_wanted(wanted).then(|| Position::of(&members.key()))?
}

/// Gives each wanted record of a value to `found`, with its position.
pub fn records(
    key: &str,
    label: Option<&Label>,
    value: &str,
    wanted: &Wanted,
    mut found: impl FnMut(Position, String),
) {
    let Some(label) = label else {
        return others(key, value, wanted, found);
    };
    // Most lines of a batch are other machines': they need not be parsed. (A subject's name needs no escapes.)
    let machine = wanted.machine.as_ref().and_then(|machine| serde_json::to_string(machine).ok());
    for (number, text) in value.lines().enumerate() {
        if text.is_empty() || machine.as_ref().is_some_and(|machine| !text.contains(machine.as_str())) {
            continue;
        }
        let Ok(members) = serde_json::from_str::<Members<'_>>(text) else {
            odd(key, label.first, number, text, wanted, &mut found);
            continue;
        };
        if members.is_wanted(wanted) {
            match Position::of(&members.key()) {
                // Within what the label says, by which the batch was chosen.
                Some(position) if (label.first..=label.last).contains(&position.0) => {
                    found(position, text.to_owned());
                }
                _ => found(among(key, label.first, number), text.to_owned()),
            }
        }
    }
}

/// The position of what has no time of its own.
fn among(key: &str, at: UnixMillis, number: usize) -> Position {
    Position(at, hash(key), u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1))
}

/// What has no label: one object, or a line each. All of it has the time of the key.
fn others(key: &str, value: &str, wanted: &Wanted, mut found: impl FnMut(Position, String)) {
    let at = parts(key).1.unwrap_or_default();
    let lines = || value.lines().filter(|line| !line.trim().is_empty());
    if is_object(value) || lines().next().is_none() || !lines().all(is_object) {
        return odd(key, at, 0, value, wanted, &mut found);
    }
    for (number, line) in lines().enumerate() {
        odd(key, at, number, line, wanted, &mut found);
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Shows what somebody else wrote as far as it goes: what is missing is taken from the key, and text is
/// redacted, since nobody knows whether it was.
fn odd(
    key: &str,
    at: UnixMillis,
    number: usize,
    text: &str,
    wanted: &Wanted,
    found: &mut impl FnMut(Position, String),
) {
    let (machine, time) = parts(key);
    let mut record = match serde_json::from_str(text) {
        Ok(Value::Object(record)) => record,
        _ => Map::from_iter([("text".to_owned(), Value::from(text))]),
    };
    let fill = |record: &mut Map<String, Value>, name: &str, value: String| {
        let member = record.entry(name.to_owned()).or_insert(Value::Null);
        if member.is_null() {
            *member = Value::from(value);
        }
    };
    if time.is_some() {
        fill(&mut record, "timestamp", at.rfc3339());
    }
    fill(&mut record, "machine_id", machine.to_owned());
    let member = |name: &str| record.get(name).and_then(Value::as_str);
    let is = |asked: Option<&str>, name: &str| asked.is_none_or(|asked| member(name) == Some(asked));
    let is_machine = wanted
        .machine
        .as_deref()
        .is_none_or(|wanted| member("machine_id") == Some(wanted) || machine == wanted);
    let is_source = match wanted.source {
        Some("none") => member("source").is_none(),
        source => is(source, "source"),
    };
    if is_machine && is_source && is(wanted.plan.as_deref(), "plan") && is(wanted.outcome, "outcome") {
        let mut record = Value::Object(record);
        clean(&mut record);
        found(among(key, at, number), record.to_string());
    }
}

/// Cuts and redacts every text, names too: a client chose some of them.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(cut(text)).as_str().to_owned(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(members) => {
            let each = std::mem::take(members).into_iter().map(|(name, mut value)| {
                if !(is_servers_own(&name) && value.as_str().is_some_and(is_plain)) {
                    clean(&mut value);
                }
                (redact(cut(&name)).as_str().to_owned(), value)
            });
            *members = each.collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether the server, and no client, says what such a member holds. An id may look like a secret.
fn is_servers_own(name: &str) -> bool {
    matches!(name, "timestamp" | "request_id")
}

fn is_plain(text: &str) -> bool {
    text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b':' | b'.' | b'T' | b'Z'))
}

/// The beginning of a text, up to the end of a line where there is one: half a secret is not recognised.
fn cut(text: &str) -> &str {
    if text.len() <= MOST_TEXT {
        return text;
    }
    let end = (0..=MOST_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let text = text.get(..end).unwrap_or_default();
    text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or(text)
}
