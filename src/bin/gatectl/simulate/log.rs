//! An exported log, read into what the ledger has to know of each request: some sixty bytes a record,
//! however long its text is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use pip_aide_gateway::units::{NanoUsd, UnixMillis};
use serde::Deserialize;

use crate::output::Failure;
use crate::table::grouped;
use crate::terminal::Progress;

/// More are refused: they would not fit the memory of a small machine.
const MOST_RECORDS: usize = 5_000_000;
/// A record has at most some hundred kilobytes of text.
const LONGEST_LINE: u64 = 4 * 1_048_576;

/// A line of the log, as the contract names its members.
#[derive(Deserialize)]
pub struct Line<'a> {
    #[serde(borrow)]
    pub timestamp: Cow<'a, str>,
    #[serde(borrow)]
    pub machine_id: Cow<'a, str>,
    #[serde(borrow)]
    pub plan: Cow<'a, str>,
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(borrow, default)]
    auth: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    cost_usd: Cow<'a, str>,
    #[serde(borrow, default)]
    reserved_usd: Option<Cow<'a, str>>,
    #[serde(default)]
    duration_ms: Option<u64>,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When it was admitted.
    pub at: UnixMillis,
    /// When it was settled; never, where that is not known.
    pub ended: Option<UnixMillis>,
    /// What was set aside for it, and what it cost.
    pub worst: NanoUsd,
    pub cost: NanoUsd,
    /// The names' places in the log's tables.
    pub machine: u32,
    pub plan: u32,
    /// Its line, from 0.
    pub line: u32,
    pub auth: Auth,
    /// Whether it says what was set aside.
    says_reserved: bool,
    /// Whether the model was asked.
    pub asked: bool,
}

/// How the caller proved itself, as far as settings decide whether that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Anonymous,
    Foreign,
    Other,
}

/// The log in the order of time.
pub struct Log {
    pub records: Vec<Record>,
    pub machines: Names,
    pub plans: Names,
    pub unreadable: u64,
    pub repeated: u64,
    pub without_reserved: u64,
    pub nothing_reserved: u64,
    pub unsettled: u64,
    /// Lines of the file.
    pub lines: u64,
}

/// Names, each kept once.
#[derive(Default)]
pub struct Names {
    by_name: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl Names {
    fn place(&mut self, name: &str) -> u32 {
        if let Some(place) = self.by_name.get(name) {
            return *place;
        }
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.by_name.insert(name.into(), place);
        self.names.push(name.into());
        place
    }

    pub fn name(&self, place: u32) -> &str {
        usize::try_from(place).ok().and_then(|place| self.names.get(place)).map_or("", |name| name)
    }

    pub const fn len(&self) -> usize {
        self.names.len()
    }
}

impl Log {
    /// Reads all records and sorts them.
    pub fn read(path: &Path, progress: &mut Progress) -> Result<Self, Failure> {
        let mut log = Self {
            records: Vec::new(),
            machines: Names::default(),
            plans: Names::default(),
            unreadable: 0,
            repeated: 0,
            without_reserved: 0,
            nothing_reserved: 0,
            unsettled: 0,
            lines: 0,
        };
        each_line(path, progress, "read", |number, line| {
            log.lines = u64::from(number).saturating_add(1);
            match serde_json::from_str(line).ok().and_then(|line| log.record(number, &line)) {
                Some(record) => log.records.push(record),
                None => log.unreadable = log.unreadable.saturating_add(1),
            }
            if log.records.len() > MOST_RECORDS {
                return Err(Failure::new(format!(
                    "the log has more than {} records: take it out in parts, with --from and --until",
                    grouped(u64::try_from(MOST_RECORDS).unwrap_or(u64::MAX))
                )));
            }
            Ok(())
        })?;
        if log.records.is_empty() {
            return Err(Failure::new(format!(
                "{} has no log records: take a log out with `gatectl logs --export {0}`",
                path.display()
            )));
        }
        log.sort();
        Ok(log)
    }

    fn record(&mut self, line: u32, read: &Line<'_>) -> Option<Record> {
        let at = UnixMillis::parse_rfc3339(&read.timestamp)?;
        let cost = NanoUsd::parse_usd(&read.cost_usd)?;
        let reserved = read.reserved_usd.as_ref().map(|text| NanoUsd::parse_usd(text));
        let worst = match reserved {
            Some(reserved) => reserved?,
            None => cost,
        };
        let auth = match read.auth.as_deref() {
            Some("anonymous") => Auth::Anonymous,
            Some("foreign") => Auth::Foreign,
            // A request that never ended has no word for it; its name tells.
            None if read.machine_id.starts_with("net~") => Auth::Anonymous,
            None if read.machine_id.starts_with("jwt~") => Auth::Foreign,
            _ => Auth::Other,
        };
        Some(Record {
            at,
            ended: read.duration_ms.map(|millis| UnixMillis::from_millis(at.millis().saturating_add(millis))),
            worst: worst.max(cost),
            cost,
            machine: self.machines.place(&read.machine_id),
            plan: self.plans.place(&read.plan),
            line,
            auth,
            says_reserved: reserved.is_some(),
            asked: read.source.as_deref() == Some("model") || cost > NanoUsd::ZERO,
        })
    }

    /// In the order of time. Records of one moment stay as they stand, or the other way round where
    /// the newest stands first. No two of one machine have the same time, but for one that stands twice.
    fn sort(&mut self) {
        let ends =
            self.records.first().map(|record| record.at).zip(self.records.last().map(|record| record.at));
        if ends.is_some_and(|(first, last)| first > last) {
            self.records.reverse();
        }
        self.records.sort_by_key(|record| (record.at, record.machine));
        let before = self.records.len();
        self.records.dedup_by_key(|record| (record.at, record.machine));
        self.repeated = u64::try_from(before.saturating_sub(self.records.len())).unwrap_or(0);
        let count = |is: &dyn Fn(&Record) -> bool| {
            u64::try_from(self.records.iter().filter(|record| is(record)).count()).unwrap_or(u64::MAX)
        };
        self.without_reserved = count(&|record| !record.says_reserved);
        self.nothing_reserved = count(&|record| record.says_reserved && record.worst == NanoUsd::ZERO);
        self.unsettled = count(&|record| record.ended.is_none());
    }
}

/// Calls `each` with every line that is not empty and its number, from 0.
pub fn each_line(
    path: &Path,
    progress: &mut Progress,
    what: &str,
    mut each: impl FnMut(u32, &str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let fail = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(fail)?;
    let all = file.metadata().map_err(fail)?.len();
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let (mut line, mut done, mut number) = (Vec::new(), 0_u64, 0_u32);
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(fail)?;
        let read = u64::try_from(read).unwrap_or(0);
        if read == 0 {
            return Ok(());
        }
        if read == LONGEST_LINE {
            return Err(Failure::new(format!(
                "line {} of {} is longer than any record: is it a log?",
                number.saturating_add(1),
                path.display()
            )));
        }
        done = done.saturating_add(read);
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // What is not UTF-8 is no record.
        let text = std::str::from_utf8(text).unwrap_or("-").trim();
        if !text.is_empty() {
            each(number, text)?;
        }
        number = number.checked_add(1).ok_or_else(|| Failure::new("the log has too many lines"))?;
        progress.draw(done, all, &|| format!("{what} {}", grouped(u64::from(number))));
    }
}
