//! One page of the log, newest first.
//!
//! Keys begin with a machine and not with a time, so every page lists them all, in steps of a thousand, and
//! goes by their labels which batches can have what is asked for. Those are read from the latest on, until
//! no other can have a record that is newer than the page's last. Whatever bound is reached before, the
//! page ends with the last record before which nothing is missing, and its cursor goes on from there.
//!
//! The shards are asked before KV is, so that a record which leaves a shard meanwhile is seen twice and not
//! never; and it has one position, at which it is shown once. Records that are written while somebody pages
//! are newer than what that pages through.

use std::collections::{BTreeMap, HashMap};

use super::{Cursor, value};
use crate::ledger::logbook::label::{Label, parts};
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::waiting::{Left, Position, Query};
use crate::ledger::wire::{Command, Outcome};
use crate::seams::{Ledger, Listed, LogStore, LogUnavailable};
use crate::units::UnixMillis;

/// Listings a page: 100,000 keys, 30 days of three shards that write whenever they may. The free plan has
/// 1,000 listings a day. Where there are more keys, the log is shown in parts of so many, each newest first.
pub const MOST_LISTS: usize = 100;
/// Values read for a page, as long as it makes progress; together with the listings that is within the 1,000
/// operations that the free plan allows an invocation.
const MOST_READS: usize = 600;
/// Where that was no progress: so many batches cover one moment.
const MOST_READS_AT_ALL: usize = 850;
/// Bytes of values read for a page, likewise: what to parse costs processor time.
const MOST_BYTES: usize = 16 * 1_048_576;
/// Values read at a time. The platform has six connections.
const AT_A_TIME: usize = 6;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this machine only.
    pub machine: Option<String>,
    /// Of this plan only.
    pub plan: Option<String>,
    /// With this end only.
    pub outcome: Option<&'static str>,
    /// With an answer from there only; `none` for those without.
    pub source: Option<&'static str>,
    /// Not before this moment.
    pub from: UnixMillis,
    /// Before this moment only.
    pub until: Option<UnixMillis>,
    /// Records on the page.
    pub limit: usize,
    /// Where the page begins.
    pub cursor: Cursor,
}

impl Wanted {
    fn before(&self) -> Option<Position> {
        let until = self.until.map(Position::start_of);
        match (self.cursor.before, until) {
            (Some(before), Some(until)) => Some(before.min(until)),
            (before, until) => before.or(until),
        }
    }

    fn takes(&self, position: Position) -> bool {
        position.0 >= self.from && self.before().is_none_or(|before| position < before)
    }
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// JSON objects.
    pub records: Vec<String>,
    /// Where the next one begins; `None` after the last.
    pub cursor: Option<Cursor>,
}

/// A value that may have records of the page.
struct Candidate {
    /// The latest moment of which it may have some.
    last: UnixMillis,
    key: String,
    label: Option<Label>,
}

impl Candidate {
    fn of(Listed { key, label }: Listed, wanted: &Wanted) -> Option<Self> {
        let (machine, at) = parts(&key);
        let at = at.unwrap_or_default();
        let (first, last) = label.as_ref().map_or((at, at), |label| (label.first, label.last));
        let has_machine = wanted
            .machine
            .as_deref()
            .is_none_or(|wanted| label.as_ref().map_or(machine == wanted, |label| label.may_have(wanted)));
        let before = wanted.before();
        let in_time = last >= wanted.from && before.is_none_or(|before| first <= before.0);
        let last = before.map_or(last, |before| last.min(before.0));
        (has_machine && in_time).then_some(Self { last, key, label })
    }
}

/// The newest records found so far: one more than the page has room for, to know of it.
struct Found {
    records: BTreeMap<Position, String>,
    most: usize,
    /// From here on none is missing.
    complete_from: Option<Position>,
}

impl Found {
    fn add(&mut self, position: Position, record: String) {
        self.records.insert(position, record);
        if self.records.len() > self.most {
            self.records.pop_first();
        }
    }

    /// Whether nothing that is `last` at the latest belongs on the page.
    fn is_enough(&self, last: UnixMillis) -> bool {
        self.records.len() >= self.most && self.records.keys().next().is_some_and(|oldest| oldest.0 > last)
    }

    fn is_complete_from(&mut self, position: Position) {
        self.complete_from = self.complete_from.max(Some(position));
    }

    fn into_page(self, wanted: &Wanted, next_segment: Option<String>) -> Page {
        let Self { records, complete_from, .. } = self;
        let complete = records.into_iter().rev();
        let mut complete = complete.take_while(|(position, _)| Some(*position) >= complete_from).peekable();
        let mut shown = Vec::new();
        let mut last = None;
        while shown.len() < wanted.limit
            && let Some((position, record)) = complete.next()
        {
            last = Some(position);
            shown.push(record);
        }
        let before = if complete.peek().is_some() { last } else { complete_from };
        // Before the span of time that is asked for there is nothing.
        let before = before.filter(|before| *before > Position::start_of(wanted.from));
        let in_this_part = before.map(|before| {
            let segment = wanted.cursor.segment.clone();
            Cursor { before: Some(before), segment }
        });
        let in_the_next = next_segment.map(|from| Cursor { before: None, segment: Some(from) });
        Page { records: shown, cursor: in_this_part.or(in_the_next) }
    }
}

/// The page that is asked for.
///
/// # Errors
/// The ledger or KV does not answer.
pub async fn page<L: Ledger, S: LogStore>(
    wanted: &Wanted,
    ledger: &L,
    store: &S,
) -> Result<Page, LogUnavailable> {
    let mut found =
        Found { records: BTreeMap::new(), most: wanted.limit.saturating_add(1), complete_from: None };
    // What waits belongs to the first part of the log.
    let left = match wanted.cursor.segment {
        None => waiting(wanted, ledger, &mut found).await?,
        Some(_) => HashMap::new(),
    };
    let (candidates, next_segment) = list(wanted, left, store).await?;
    let mut order: Vec<(Position, usize)> =
        candidates.iter().enumerate().map(|(place, one)| (Position::start_of(one.last), place)).collect();
    order.sort_unstable_by(|one, other| other.cmp(one));
    let (mut reads, mut bytes) = (0_usize, 0_usize);
    let mut rest = order.as_slice();
    while let Some((Position(last, ..), _)) = rest.first().filter(|(last, _)| !found.is_enough(last.0)) {
        let unread = Position::start_of(UnixMillis::from_millis(last.millis().saturating_add(1)));
        if reads >= MOST_READS || bytes >= MOST_BYTES {
            if wanted.before().is_none_or(|before| unread < before) {
                found.is_complete_from(unread);
                break;
            }
            if reads >= MOST_READS_AT_ALL {
                return Err(LogUnavailable);
            }
        }
        let (now, later) = rest.split_at(rest.len().min(AT_A_TIME));
        rest = later;
        let now = || now.iter().filter_map(|(_, place)| candidates.get(*place));
        let keys: Vec<&str> = now().map(|candidate| candidate.key.as_str()).collect();
        reads = reads.saturating_add(keys.len());
        for (candidate, text) in now().zip(store.read(&keys).await?) {
            // Gone by now, or not there yet.
            let Some(text) = text else { continue };
            bytes = bytes.saturating_add(text.len());
            value::records(&candidate.key, candidate.label.as_ref(), &text, wanted, |position, record| {
                if wanted.takes(position) {
                    found.add(position, record);
                }
            });
        }
    }
    Ok(found.into_page(wanted, next_segment))
}

/// Asks the shards for what waits. Gives the batches that left them lately.
async fn waiting<L: Ledger>(
    wanted: &Wanted,
    ledger: &L,
    found: &mut Found,
) -> Result<HashMap<String, Label>, LogUnavailable> {
    let unavailable = |_| LogUnavailable;
    let Answer::Route(route) = ledger.treasury(Errand::Route).await.map_err(unavailable)? else {
        return Err(LogUnavailable);
    };
    let mut lately = HashMap::new();
    for shard in 0..route.shards.max(1) {
        let query = Query {
            machine: wanted.machine.clone(),
            from: wanted.from,
            before: wanted.before(),
            most: u32::try_from(found.most).unwrap_or(u32::MAX),
        };
        let outcome = ledger.tell(shard, Command::Waiting(query)).await.map_err(unavailable)?;
        let Outcome::Waiting(waiting) = outcome else { return Err(LogUnavailable) };
        if let Some(last) = waiting.records.last().and_then(|record| Position::of(&record.key))
            && waiting.is_cut
        {
            found.is_complete_from(last);
        }
        for record in waiting.records {
            if let Some(position) = value::line(&record.line, wanted) {
                found.add(position, record.line);
            }
        }
        lately.extend(waiting.left.into_iter().map(|Left { key, label }| (key, label)));
    }
    Ok(lately)
}

/// Lists the keys, and those that left the shards lately, of values that may have what is wanted; and where
/// the listing ended, if that was not the end.
async fn list<S: LogStore>(
    wanted: &Wanted,
    mut left: HashMap<String, Label>,
    store: &S,
) -> Result<(Vec<Candidate>, Option<String>), LogUnavailable> {
    let mut candidates = Vec::new();
    let mut from = wanted.cursor.segment.clone();
    for _ in 0..MOST_LISTS {
        let listing = store.list(from.as_deref()).await?;
        for mut listed in listing.keys {
            // What the shard says of it is newer, where it was written again with more records.
            listed.label = left.remove(&listed.key).or(listed.label);
            candidates.extend(Candidate::of(listed, wanted));
        }
        from = listing.next;
        if from.is_none() {
            break;
        }
    }
    let unlisted = left.into_iter().map(|(key, label)| Listed { key, label: Some(label) });
    candidates.extend(unlisted.filter_map(|listed| Candidate::of(listed, wanted)));
    Ok((candidates, from))
}
