//! Problem documents (RFC 9457): what a client sees of a refused request.

use serde::Serialize;

use crate::ledger::wire::{Cap, Refusal, Standing};
use crate::reject::Reject;
use crate::reply::Reply;

/// What the `type` of every problem begins with. A name, not an address: it is the same on every
/// host that runs the gateway.
pub const TYPE_PREFIX: &str = "urn:pip-aide-gateway:problem:";

/// Both ways to send a client token (RFC 6750, RFC 7617).
const CHALLENGES: [&str; 2] =
    ["Bearer realm=\"pip-aide-gateway\"", "Basic realm=\"pip-aide-gateway\", charset=\"UTF-8\""];

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'a str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cap: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
}

/// The response to a refused request.
#[must_use]
pub fn reply(reject: &Reject, request_id: &str) -> Reply {
    let kind = reject.kind();
    let retry_after = reject.retry_after();
    let document = Document {
        problem_type: format!("{TYPE_PREFIX}{}", kind.slug),
        title: kind.title,
        status: kind.status,
        detail: reject.detail(),
        request_id,
        retry_after,
        max_bytes: if let Reject::BodyTooLarge(most) = reject { Some(*most) } else { None },
        limit: match reject {
            Reject::RateLimited(Refusal::Rate(_), _) => Some("rate"),
            Reject::RateLimited(Refusal::Concurrency, _) => Some("concurrency"),
            Reject::EnrolmentLimited(_) => Some("enrolment"),
            _ => None,
        },
        cap: if let Reject::SpendCapReached(cap, _) = reject { Some(Cap::name(*cap)) } else { None },
        resets_at: if let Reject::SpendCapReached(_, standing) = reject {
            Some(standing.resets_at.rfc3339())
        } else {
            None
        },
    };
    // Strings and numbers always have a JSON form; the fallback is there because nothing may panic.
    let body = serde_json::to_string(&document).unwrap_or_else(|_| String::from("{}"));
    let mut reply = Reply::new(kind.status, "application/problem+json", request_id, body);
    if let Some(seconds) = retry_after {
        reply = reply.with_header("Retry-After", seconds.to_string());
    }
    match reject {
        Reject::Unauthenticated(_) => CHALLENGES
            .iter()
            .fold(reply, |reply, challenge| reply.with_header("WWW-Authenticate", *challenge)),
        Reject::MethodNotAllowed(allow) => reply.with_header("Allow", *allow),
        _ => match standing(reject) {
            Some(standing) => reply.with_limits(standing),
            None => reply,
        },
    }
}

fn standing(reject: &Reject) -> Option<&Standing> {
    match reject {
        Reject::RateLimited(_, standing) | Reject::SpendCapReached(_, standing) => Some(standing),
        _ => None,
    }
}
