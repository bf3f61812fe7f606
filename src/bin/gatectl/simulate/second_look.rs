//! The log once more, line by line: for what is said about each request, and for the text of those
//! that lose the model, which the rules are asked about.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use pip_aide_gateway::analysis::{facts, redact, rules};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::log::{Line, Log, Record, each_line};
use super::replay::Decision;
use crate::output::Failure;
use crate::terminal::{self, Progress};

/// Texts that the rules are asked about: more would take longer than anybody waits.
const MOST_TEXTS: u64 = 5_000;

/// Requests that asked the model, and would not be able to under the proposed settings alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// All of them.
    pub requests: u64,
    /// Those whose text a rule has an answer to.
    pub with_a_rule: u64,
    /// Those whose text no rule knows.
    pub without_a_rule: u64,
    /// Those of which that is not known.
    pub not_known: u64,
}

#[derive(Deserialize)]
struct Text {
    error_context: Option<String>,
}

/// Reads the log again. `decisions` are the current settings' and the proposed ones'.
pub fn run(
    path: &Path,
    log: &Log,
    decisions: [&[Decision]; 2],
    rules_answer: bool,
    requests: Option<&Path>,
    progress: &mut Progress,
) -> Result<Lost, Failure> {
    let mut lost = Lost::default();
    let [before, after] = decisions;
    let by_line = by_line(log, before, after);
    let loses = |record: &Record, before: Decision, after: Decision| {
        record.asked && after.is_cap() && before == Decision::Admitted
    };
    let any = by_line.iter().flatten().any(|(record, before, after)| loses(record, *before, *after));
    if !any && requests.is_none() {
        return Ok(lost);
    }
    let fail = |error: std::io::Error| Failure::new(format!("cannot write the requests: {error}"));
    let mut target = requests.map(File::create).transpose().map_err(fail)?.map(BufWriter::new);
    each_line(path, progress, "looked again at", |number, line| {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let Some((record, before, after)) = by_line.get(place).copied().flatten() else { return Ok(()) };
        if let Some(target) = &mut target
            && let Ok(read) = serde_json::from_str::<Line<'_>>(line)
        {
            let request = json!({
                "request_id": read.request_id, "timestamp": read.timestamp, "machine_id": read.machine_id,
                "plan": read.plan, "source": read.source, "cost_usd": record.cost.to_string(),
                "current": before, "proposed": after,
            });
            writeln!(target, "{}", terminal::json(&request.to_string())).map_err(fail)?;
        }
        if loses(record, before, after) {
            let looked_at = lost.with_a_rule.saturating_add(lost.without_a_rule);
            lost.add((looked_at < MOST_TEXTS).then(|| knows(line, rules_answer)).flatten());
        }
        Ok(())
    })?;
    if let Some(mut target) = target {
        target.flush().map_err(fail)?;
    }
    Ok(lost)
}

impl Lost {
    fn add(&mut self, knows: Option<bool>) {
        self.requests = self.requests.saturating_add(1);
        let count = match knows {
            Some(true) => &mut self.with_a_rule,
            Some(false) => &mut self.without_a_rule,
            None => &mut self.not_known,
        };
        *count = count.saturating_add(1);
    }
}

/// Whether a rule has an answer; `None` where the record has no text.
fn knows(line: &str, rules_answer: bool) -> Option<bool> {
    if !rules_answer {
        return Some(false);
    }
    let text = serde_json::from_str::<Text>(line).ok()?.error_context?;
    let text = redact::redact(&text);
    Some(rules::consult(&facts::read(&text), &text).is_some())
}

type Decided<'a> = Option<(&'a Record, Decision, Decision)>;

/// What was decided, by the lines of the log.
fn by_line<'a>(log: &'a Log, before: &[Decision], after: &[Decision]) -> Vec<Decided<'a>> {
    let mut by_line = vec![None; usize::try_from(log.lines).unwrap_or(0)];
    for ((record, before), after) in log.records.iter().zip(before).zip(after) {
        if let Some(place) = usize::try_from(record.line).ok().and_then(|line| by_line.get_mut(line)) {
            *place = Some((record, *before, *after));
        }
    }
    by_line
}
