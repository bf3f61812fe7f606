//! Revocations, as operators see them: `GET`, `POST` and `DELETE /admin/revocations`.

use serde::Serialize;

use crate::ledger::wire::treasury::{self, Errand};
use crate::ledger::wire::{Command, Outcome, Revocation, Target};
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::token::strict_json::{Json, Object};
use crate::units::UnixMillis;

/// Characters of a reason that are kept.
const MOST_REASON: usize = 500;
/// Bytes of a machine's name or a token's id.
const MOST_NAME: usize = 128;

const FORM: Reject = Reject::MalformedRequest(
    "Send an object with one of machine, jti or issued_before (RFC 3339 in UTC, like 2026-01-31T00:00:00Z), \
     and a reason, all strings.",
);

/// What the route answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// All in force.
    List {
        /// In the order of their targets.
        revocations: Vec<Shown>,
    },
    /// One was put in force or taken back.
    Changed {
        /// `false` when it was so already.
        changed: bool,
    },
}

/// A revocation as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_before: Option<String>,
    at: String,
    by: String,
    reason: String,
}

/// Carries out one request of the operator `by`.
///
/// # Errors
/// [`Reject::MalformedRequest`], [`Reject::LedgerUnavailable`].
pub async fn revoke<L: Ledger>(
    method: &str,
    body: &[u8],
    by: String,
    ledger: &L,
    now: UnixMillis,
) -> Result<Answer, Reject> {
    let (errand, change): (_, Option<Change>) = match method {
        "POST" => {
            let (target, reason) = read(body)?;
            let revocation = Revocation { target, at: now, by, reason: reason.ok_or(FORM)? };
            let change = revocation.clone();
            let tell = move |revision| Command::Revoke { revocation: change.clone(), revision };
            (Errand::Revoke(revocation), Some(Box::new(tell)))
        }
        "DELETE" => {
            let target = read(body)?.0;
            let change = target.clone();
            let tell = move |revision| Command::Restore { target: change.clone(), revision };
            (Errand::Restore { target }, Some(Box::new(tell)))
        }
        _ => (Errand::Revocations, None),
    };
    let answer = ledger.treasury(errand).await.map_err(|_| Reject::LedgerUnavailable)?;
    match (answer, change) {
        (treasury::Answer::Changed { changed, revision, shards }, Some(change)) => {
            tell_all(ledger, &shards, || change(revision)).await?;
            Ok(Answer::Changed { changed })
        }
        (treasury::Answer::Revocations { revocations }, _) => {
            Ok(Answer::List { revocations: revocations.into_iter().filter_map(Shown::of).collect() })
        }
        _ => Err(Reject::LedgerUnavailable),
    }
}

/// Only when each shard has heard of a change is it answered: then nothing is admitted any more that it
/// concerns. One that does not answer now learns of it from the treasury, at the latest when its next day
/// begins; the operator is told to try again.
pub(super) async fn tell_all<L: Ledger>(
    ledger: &L,
    shards: &[u32],
    change: impl Fn() -> Command,
) -> Result<(), Reject> {
    for shard in shards {
        match ledger.tell(*shard, change()).await {
            Ok(Outcome::Changed) => {}
            _ => return Err(Reject::LedgerUnavailable),
        }
    }
    Ok(())
}

/// What the shards are told of a change, by its number.
type Change = Box<dyn Fn(u64) -> Command>;

impl Shown {
    /// Of a credential. The kill switch has a route of its own.
    fn of(revocation: Revocation) -> Option<Self> {
        let (machine, jti, issued_before) = match revocation.target {
            Target::Machine(machine) => (Some(machine), None, None),
            Target::Jti(jti) => (None, Some(jti), None),
            Target::IssuedBefore(moment) => (None, None, Some(moment.rfc3339())),
            Target::Model => return None,
        };
        let at = revocation.at.rfc3339();
        Some(Self { machine, jti, issued_before, at, by: revocation.by, reason: revocation.reason })
    }
}

fn read(body: &[u8]) -> Result<(Target, Option<String>), Reject> {
    let members = Object::read(body).map_err(|_| FORM)?;
    let mut target = None;
    let mut reason = None;
    for name in members.names() {
        let Some(Json::Text(text)) = members.get(name) else {
            return Err(FORM);
        };
        let named = |text: &str| {
            let fits =
                (1..=MOST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
            if fits { Ok(text.to_owned()) } else { Err(FORM) }
        };
        let found = match name {
            "machine" => Target::Machine(named(text)?),
            "jti" => Target::Jti(named(text)?),
            "issued_before" => Target::IssuedBefore(UnixMillis::parse_rfc3339(text).ok_or(FORM)?),
            "reason" if !text.trim().is_empty() => {
                reason = Some(short_reason(text));
                continue;
            }
            _ => return Err(FORM),
        };
        if target.replace(found).is_some() {
            return Err(FORM);
        }
    }
    Ok((target.ok_or(FORM)?, reason))
}

/// An operator's words, as they are kept.
pub(super) fn short_reason(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_target_and_a_reason_are_read() {
        let (target, reason) = read(br#"{"machine":"laptop","reason":"lost\n it"}"#).unwrap();
        assert_eq!((target, reason.as_deref()), (Target::Machine("laptop".to_owned()), Some("lost it")));
        let (target, _) = read(br#"{"issued_before":"2026-11-23T02:39:59Z"}"#).unwrap();
        assert_eq!(target, Target::IssuedBefore(UnixMillis::from_seconds(1_795_401_599)));
        for body in [
            r#"{}"#,
            r#"[]"#,
            r#"{"reason":"x"}"#,
            r#"{"machine":"a","jti":"b","reason":"x"}"#,
            r#"{"machine":7,"reason":"x"}"#,
            r#"{"machine":"","reason":"x"}"#,
            r#"{"machine":"a b","reason":"x"}"#,
            r#"{"machine":"a","reason":""}"#,
            r#"{"machine":"a","why":"x"}"#,
            r#"{"issued_before":"yesterday","reason":"x"}"#,
            r#"{"machine":"a","machine":"b","reason":"x"}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
