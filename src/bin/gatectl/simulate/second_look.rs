//! The log once more, line by line: for what is said about each request, and for the text of those
//! that lose the model, which the rules are asked about.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufWriter, Write};
use std::path::Path;

use pip_aide_gateway::analysis::{facts, redact, rules};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::log::{Line, Log, Record, each_line};
use super::replay::Decision;
use crate::output::Failure;
use crate::terminal::{self, Progress};

/// Different texts that the rules are asked about: more would take longer than anybody waits.
const MOST_TEXTS: usize = 10_000;

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
struct Text<'a> {
    #[serde(borrow, default)]
    error_context: Option<Cow<'a, str>>,
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
    let mut texts = Texts::default();
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
            lost.add(if rules_answer { texts.is_known(line) } else { Some(false) });
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

/// Texts and whether a rule knows them, by their hashes: the same failure comes again and again.
#[derive(Default)]
struct Texts(HashMap<u64, bool>);

impl Texts {
    /// Whether a rule has an answer; `None` where the record has no text, or where it is one too many.
    fn is_known(&mut self, line: &str) -> Option<bool> {
        let text = serde_json::from_str::<Text<'_>>(line).ok()?.error_context?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if !self.0.contains_key(&hash) && self.0.len() >= MOST_TEXTS {
            return None;
        }
        Some(*self.0.entry(hash).or_insert_with(|| {
            let text = redact::redact(&text);
            rules::consult(&facts::read(&text), &text).is_some()
        }))
    }
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
