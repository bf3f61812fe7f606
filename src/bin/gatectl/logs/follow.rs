//! Following the log.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use pip_aide_gateway::units::UnixMillis;
use serde_json::Value;

use super::{Filter, MOST_AT_ONCE, key, line, newest};
use crate::gateway::Gateway;
use crate::output::{Answer, Failure};
use crate::terminal;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(2);
/// A record has the time of its request's admission and comes when that has ended: so far back a new
/// one may stand.
const LATE_MILLIS: u64 = 120_000;

/// Shows records as they come, until interrupted or until nobody reads.
pub fn run(gateway: &Gateway, mut filter: Filter, at_first: u32, as_json: bool) -> Result<Answer, Failure> {
    let wanted = usize::try_from(at_first).unwrap_or(usize::MAX);
    // What is there already is no news: it is noted before the newest of it are asked for, so that
    // none that comes in between is missed.
    let latest = newest(gateway, &filter, 1)?.0.first().and_then(moment);
    let given = filter.from;
    let mut shown: BTreeSet<[String; 3]> = BTreeSet::new();
    if let Some(latest) = latest {
        filter.from = Some(late(latest)).max(given);
        shown.extend(newest(gateway, &filter, MOST_AT_ONCE.saturating_mul(20))?.0.iter().map(key));
        filter.from = given;
    }
    let mut records = newest(gateway, &filter, wanted)?.0;
    shown = records.iter().fold(shown, |mut shown, record| {
        shown.remove(&key(record));
        shown
    });
    let mut is_silent = false;
    loop {
        records.sort_by_cached_key(key);
        for record in &records {
            if shown.insert(key(record)) {
                let text = if as_json { terminal::json(&record.to_string()) } else { line(record) };
                let mut stdout = std::io::stdout().lock();
                if writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_err() {
                    return Ok(Answer::new(String::new(), Value::Null));
                }
            }
        }
        let latest = shown.last().and_then(|[timestamp, ..]| UnixMillis::parse_rfc3339(timestamp));
        if let Some(latest) = latest {
            let from = late(latest).max(filter.from.unwrap_or_default());
            filter.from = Some(from);
            shown = shown.split_off(&[from.rfc3339(), String::new(), String::new()]);
        }
        std::thread::sleep(EVERY);
        records = match newest(gateway, &filter, MOST_AT_ONCE.saturating_mul(20)) {
            Ok((records, _)) => {
                is_silent = false;
                records
            }
            // It may be back in a moment.
            Err(failure) => {
                if !is_silent {
                    eprintln!("gatectl: {failure}; trying again");
                }
                is_silent = true;
                Vec::new()
            }
        };
    }
}

/// The earliest moment of a record that may still come when there is one of this moment.
const fn late(latest: UnixMillis) -> UnixMillis {
    UnixMillis::from_millis(latest.millis().saturating_sub(LATE_MILLIS))
}

fn moment(record: &Value) -> Option<UnixMillis> {
    UnixMillis::parse_rfc3339(record.get("timestamp")?.as_str()?)
}
