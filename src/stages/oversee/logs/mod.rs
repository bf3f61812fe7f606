//! The log: `GET /admin/logs`. Records are in KV in batches, under the key of the first of each and with
//! records of other machines too, and some still wait in the shards. [`page`] finds those that are asked
//! for, [`value`] reads what is in KV, whoever wrote it.

pub mod page;
pub mod value;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::page::{Page, Wanted};
use crate::ledger::wire::waiting::Position;
use crate::reject::Reject;
use crate::seams::{Ledger, LogStore};
use crate::stages::oversee::query::Parameters;
use crate::units::UnixMillis;

const KNOWN: &[&str] = &["machine", "plan", "outcome", "source", "from", "until", "limit", "cursor"];
const FORM: &str = "Take machine, plan, outcome (answered, uncertain, spend-cap-reached, upstream-failed, \
    upstream-timeout or unsettled), source (rules, cache, model or none), from and until (RFC 3339 in UTC, \
    like 2026-01-31T00:00:00Z), limit (1 to 500) and cursor (as the page before gave it), each at most once.";
const OUTCOMES: [&str; 6] =
    ["answered", "uncertain", "spend-cap-reached", "upstream-failed", "upstream-timeout", "unsettled"];
const SOURCES: [&str; 4] = ["rules", "cache", "model", "none"];

/// Records on a page, where nothing else is asked for, and at most.
const USUAL: u64 = 50;
const MOST: u64 = 500;

/// Where a page ends and the next begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Records before this position follow.
    #[serde(rename = "b", skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Position>,
    /// Where the listing of keys begins: see [`page::MOST_LISTS`].
    #[serde(rename = "s", skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
}

impl Cursor {
    fn write(&self) -> Option<String> {
        serde_json::to_vec(self).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    fn read(text: &str) -> Option<Self> {
        let cursor: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (cursor.before.is_some() || cursor.segment.is_some()).then_some(cursor)
    }
}

/// What the route answers.
#[derive(Debug, Serialize)]
pub struct Answer {
    records: Vec<Box<RawValue>>,
    cursor: Option<String>,
    request_id: String,
}

/// A page of the log.
///
/// # Errors
/// [`Reject::MalformedRequest`]; [`Reject::LedgerUnavailable`] where the ledger or KV does not answer.
pub async fn logs<L: Ledger, S: LogStore>(
    query: &str,
    request_id: &str,
    ledger: &L,
    store: &S,
) -> Result<Answer, Reject> {
    let wanted = read(query)?;
    let page = page::page(&wanted, ledger, store).await.map_err(|_| Reject::LedgerUnavailable)?;
    let Page { records, cursor } = page;
    let records = records.into_iter().filter_map(|record| RawValue::from_string(record).ok()).collect();
    let cursor = cursor.and_then(|cursor| cursor.write());
    Ok(Answer { records, cursor, request_id: request_id.to_owned() })
}

fn read(query: &str) -> Result<Wanted, Reject> {
    let given = Parameters::read(query, KNOWN, FORM)?;
    let text = |name: &str| match given.get(name) {
        Some("") => Err(given.wrong()),
        text => Ok(text.map(str::to_owned)),
    };
    let one_of = |name: &str, words: &[&'static str]| match given.get(name) {
        Some(word) => {
            words.iter().copied().find(|known| *known == word).map(Some).ok_or_else(|| given.wrong())
        }
        None => Ok(None),
    };
    let moment = |name: &str| match given.get(name) {
        Some(text) => UnixMillis::parse_rfc3339(text).map(Some).ok_or_else(|| given.wrong()),
        None => Ok(None),
    };
    let cursor = match given.get("cursor") {
        Some(text) => Cursor::read(text).ok_or_else(|| given.wrong())?,
        None => Cursor::default(),
    };
    Ok(Wanted {
        machine: text("machine")?,
        plan: text("plan")?,
        outcome: one_of("outcome", &OUTCOMES)?,
        source: one_of("source", &SOURCES)?,
        from: moment("from")?.unwrap_or_default(),
        until: moment("until")?,
        limit: usize::try_from(given.number("limit", 1..=MOST, USUAL)?).unwrap_or(1),
        cursor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_or_refused() {
        let wanted = read("").unwrap();
        assert_eq!((wanted.limit, wanted.until, wanted.machine), (50, None, None));
        let wanted = read(
            "machine=net~203.0.113.7&plan=trusted&outcome=upstream-failed&source=none&limit=500\
             &from=2026-11-23T02%3A39%3A59Z&until=2026-11-24T00:00:00.000Z",
        )
        .unwrap();
        assert_eq!(wanted.machine.as_deref(), Some("net~203.0.113.7"));
        assert_eq!((wanted.outcome, wanted.source), (Some("upstream-failed"), Some("none")));
        assert_eq!((wanted.from, wanted.limit), (UnixMillis::from_seconds(1_795_401_599), 500));
        for wrong in [
            "limit=0",
            "limit=501",
            "limit=ten",
            "machine=",
            "outcome=bad",
            "source=Rules",
            "from=yesterday",
            "until=2026-11-24",
            "cursor=",
            "cursor=%21",
            "cursor=e30",
            "machines=a",
            "limit=1&limit=2",
        ] {
            assert_eq!(read(wrong), Err(Reject::MalformedRequest(FORM)), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let at = UnixMillis::from_seconds(1_795_401_599);
        for cursor in [
            Cursor { before: Some(Position(at, u64::MAX, 3)), segment: None },
            Cursor { before: None, segment: Some("opaque/+=".to_owned()) },
        ] {
            let text = cursor.write().unwrap();
            assert_eq!(read(&format!("cursor={text}")).unwrap().cursor, cursor, "{text}");
        }
    }
}
