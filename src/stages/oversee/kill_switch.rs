//! The kill switch: `GET` and `PUT /admin/kill-switch`. While it is off nobody asks the model, as nobody has
//! a revoked credential: the same way to every shard, into storage and over restarts.

use serde::Serialize;

use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::{Command, Revocation, Target};
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::stages::revoke::{short_reason, tell_all};
use crate::token::strict_json::{Json, Object};
use crate::units::UnixMillis;

const FORM: Reject = Reject::MalformedRequest(
    "Send {\"model\": \"off\", \"reason\": \"...\"} to switch the model off, {\"model\": \"on\"} to switch it on.",
);

/// What the route answers.
#[derive(Debug, Serialize)]
pub struct Switch {
    model: &'static str,
    since: Option<String>,
    by: Option<String>,
    reason: Option<String>,
    /// `false` when it was so already: the first word on it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
    request_id: String,
}

/// Carries out one request of the operator `by`. Requests that were admitted before go on; when it is
/// answered, no other asks the model.
///
/// # Errors
/// [`Reject::MalformedRequest`], [`Reject::LedgerUnavailable`].
pub async fn kill_switch<L: Ledger>(
    method: &str,
    body: &[u8],
    by: String,
    id: &str,
    ledger: &L,
    now: UnixMillis,
) -> Result<Switch, Reject> {
    let unavailable = |_| Reject::LedgerUnavailable;
    let mut was_changed = None;
    if method == "PUT" {
        let (errand, off) = match read(body)? {
            Some(reason) => {
                let off = Revocation { target: Target::Model, at: now, by, reason };
                (Errand::Revoke(off.clone()), Some(off))
            }
            None => (Errand::Restore { target: Target::Model }, None),
        };
        let Answer::Changed { changed, revision, shards } =
            ledger.treasury(errand).await.map_err(unavailable)?
        else {
            return Err(Reject::LedgerUnavailable);
        };
        tell_all(ledger, &shards, || match off.clone() {
            Some(revocation) => Command::Revoke { revocation, revision },
            None => Command::Restore { target: Target::Model, revision },
        })
        .await?;
        was_changed = Some(changed);
    }
    match ledger.treasury(Errand::State).await.map_err(unavailable)? {
        Answer::State(state) => Ok(Switch::of(state.switched_off, was_changed, id)),
        _ => Err(Reject::LedgerUnavailable),
    }
}

impl Switch {
    fn of(off: Option<Revocation>, changed: Option<bool>, id: &str) -> Self {
        let request_id = id.to_owned();
        match off {
            None => Self { model: "on", since: None, by: None, reason: None, changed, request_id },
            Some(Revocation { at, by, reason, .. }) => {
                let (since, by, reason) = (Some(at.rfc3339()), Some(by), Some(reason));
                Self { model: "off", since, by, reason, changed, request_id }
            }
        }
    }
}

/// Why the model is to be off, or `None` to have it on.
fn read(body: &[u8]) -> Result<Option<String>, Reject> {
    let members = Object::read(body).map_err(|_| FORM)?;
    if members.names().any(|name| !matches!(name, "model" | "reason")) {
        return Err(FORM);
    }
    match (members.get("model"), members.get("reason")) {
        (Some(Json::Text(model)), None) if model == "on" => Ok(None),
        (Some(Json::Text(model)), Some(Json::Text(reason)))
            if model == "off" && !reason.trim().is_empty() =>
        {
            Ok(Some(short_reason(reason)))
        }
        _ => Err(FORM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_off_for_a_reason_and_on_without() {
        assert_eq!(read(br#"{"model":"off","reason":"a bill\n came"}"#), Ok(Some("a bill came".to_owned())));
        assert_eq!(read(br#"{"model":"on"}"#), Ok(None));
        for body in [
            "",
            "{}",
            "[]",
            r#"{"model":"off"}"#,
            r#"{"model":"off","reason":" "}"#,
            r#"{"model":"off","reason":7}"#,
            r#"{"model":"on","reason":"x"}"#,
            r#"{"model":"OFF","reason":"x"}"#,
            r#"{"model":false,"reason":"x"}"#,
            r#"{"model":"off","reason":"x","why":"x"}"#,
            r#"{"model":"off","model":"off","reason":"x"}"#,
        ] {
            assert_eq!(read(body.as_bytes()), Err(FORM), "{body}");
        }
    }
}
