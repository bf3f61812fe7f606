//! Taking the log out: everything that the filters match, the newest first, a JSON object a line.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use super::{Filter, MOST_AT_ONCE, key};
use crate::edge;
use crate::gateway::Gateway;
use crate::output::{Answer, Failure};
use crate::table::grouped;
use crate::terminal::{self, Progress};

/// Writes all that matches to `file`, or to standard output where that is `-`. Until it is whole, it
/// has another name.
pub fn run(gateway: &Gateway, mut filter: Filter, file: &Path, resume: bool) -> Result<Answer, Failure> {
    if file == Path::new("-") {
        if resume {
            return Err(Failure::new("--resume goes on in a file: name it with --export"));
        }
        let count = copy(gateway, &filter, &HashSet::new(), 0, &mut std::io::stdout().lock())?;
        let note = Some(format!("{} records", grouped(count)));
        // Not one byte more on standard output.
        return Ok(Answer { text: String::new(), note, json: Value::Null, is_no: false });
    }
    let partial = partial_of(file);
    let fail = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", partial.display()));
    let (before, skipped, target) = if resume {
        let Before { count, until, last } = before(&partial)?;
        // Up to and with the moment of the last record: others of that moment may be missing.
        if let Some(until) = until {
            let until = UnixMillis::from_millis(until.millis().saturating_add(1));
            filter.until = Some(filter.until.map_or(until, |given| given.min(until)));
        }
        (count, last, OpenOptions::new().append(true).open(&partial).map_err(fail)?)
    } else {
        (0, HashSet::new(), File::create(&partial).map_err(fail)?)
    };
    let mut target = BufWriter::new(target);
    let count = copy(gateway, &filter, &skipped, before, &mut target).map_err(|failure| {
        Failure::new(format!(
            "{failure}; what came is in {}: the same command with --resume goes on",
            partial.display()
        ))
    })?;
    target.into_inner().map_err(|error| fail(error.into_error()))?.sync_all().map_err(fail)?;
    std::fs::rename(&partial, file).map_err(fail)?;
    let text = format!("{} records in {}", grouped(count), file.display());
    Ok(Answer::new(text, json!({ "records": count, "file": file.display().to_string() })))
}

fn partial_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Copies page by page. How many records there are now.
fn copy(
    gateway: &Gateway,
    filter: &Filter,
    skipped: &HashSet<[String; 3]>,
    before: u64,
    target: &mut impl Write,
) -> Result<u64, Failure> {
    let mut progress = Progress::new();
    let (mut count, mut cursor) = (before, None::<String>);
    // The way goes from the newest record back to `from`.
    let newest = filter.until.unwrap_or(edge::now()?);
    loop {
        let page = filter.page(gateway, MOST_AT_ONCE, cursor.as_deref())?;
        for record in page.records.iter().filter(|record| !skipped.contains(&key(record))) {
            writeln!(target, "{}", terminal::json(&record.to_string()))
                .map_err(|error| Failure::new(format!("cannot write the export: {error}")))?;
            count = count.saturating_add(1);
        }
        target.flush().map_err(|error| Failure::new(format!("cannot write the export: {error}")))?;
        let back = page.records.last().and_then(moment).unwrap_or(newest);
        let all = filter.from.map_or(0, |from| newest.millis().saturating_sub(from.millis()));
        progress.draw(newest.millis().saturating_sub(back.millis()), all, &|| {
            format!("{} records, back to {}", grouped(count), back.rfc3339())
        });
        if page.cursor.is_some() && page.cursor == cursor {
            return Err(Gateway::not_one());
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(count);
        }
    }
}

/// What an interrupted export has.
struct Before {
    count: u64,
    /// The moment of its last record.
    until: Option<UnixMillis>,
    /// The records of that moment.
    last: HashSet<[String; 3]>,
}

/// Reads it, and cuts off a line that was not finished.
fn before(partial: &Path) -> Result<Before, Failure> {
    let shown = partial.display();
    let fail = |error: std::io::Error| {
        Failure::new(format!("cannot go on with {shown}: {error}; without --resume the export begins anew"))
    };
    let mut reader = BufReader::new(File::open(partial).map_err(fail)?);
    let mut before = Before { count: 0, until: None, last: HashSet::new() };
    let (mut whole, mut line) = (0_u64, String::new());
    loop {
        line.clear();
        let read = reader.read_line(&mut line).map_err(fail)?;
        let record = line.strip_suffix('\n').and_then(|line| serde_json::from_str::<Value>(line).ok());
        let Some(record) = record else { break };
        whole = whole.saturating_add(u64::try_from(read).unwrap_or(0));
        before.count = before.count.saturating_add(1);
        let at = moment(&record);
        if at != before.until {
            before.until = at;
            before.last.clear();
        }
        before.last.insert(key(&record));
    }
    OpenOptions::new().write(true).open(partial).and_then(|file| file.set_len(whole)).map_err(fail)?;
    Ok(before)
}

fn moment(record: &Value) -> Option<UnixMillis> {
    UnixMillis::parse_rfc3339(record.get("timestamp")?.as_str()?)
}
