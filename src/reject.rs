//! Every way in which a request is turned down: one enum, and one mapping to what the client sees.

use std::fmt;
use std::time::Duration;

use crate::ledger::wire::ended::Reason;
use crate::ledger::wire::{Cap, Refusal, Standing};
use crate::reply::whole_seconds;
use crate::token::Denied;

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The body or its framing is not what the route takes; the reason, in words of our own.
    MalformedRequest(&'static str),
    /// No credential, or one that does not verify. The cause is for the log only.
    Unauthenticated(Denied),
    /// Verified, but the machine, token or key is revoked.
    Revoked,
    /// Verified, but not allowed here; the reason.
    Forbidden(&'static str),
    /// No such route.
    NotFound,
    /// No such machine was seen lately.
    NoSuchMachine,
    /// The route exists, but not for this method; the methods that it has.
    MethodNotAllowed(&'static str),
    /// The body is longer than this many bytes.
    BodyTooLarge(usize),
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// The bucket is empty or too much is in flight.
    RateLimited(Refusal, Box<Standing>),
    /// Too many machines enrol; seconds to wait.
    EnrolmentLimited(u64),
    /// A daily cap has no room, and neither rules nor cache have an answer.
    SpendCapReached(Cap, Box<Standing>),
    /// The upstream answered with nothing usable. `/v1/analyze` only.
    UpstreamFailed,
    /// An operator has switched the model off, and nothing else has an answer. `/v1/analyze` only.
    ModelSwitchedOff,
    /// The upstream did not answer in time. `/v1/analyze` only.
    UpstreamTimeout,
    /// A setting or binding is missing or wrong. Which one is for the log only.
    Misconfigured,
    /// The ledger did not answer; nothing was forwarded.
    LedgerUnavailable,
}

/// Seconds after which a request may be tried again when all that is known is that the cause passes.
pub const SOON_SECONDS: u64 = 5;

/// How a kind of problem is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Last part of the problem's `type`.
    pub slug: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The same words for every occurrence (RFC 9457 section 3.1.3).
    pub title: &'static str,
}

impl Reject {
    /// The one mapping of causes to statuses.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        let (slug, status, title) = match self {
            Self::MalformedRequest(_) => ("malformed-request", 400, "The request cannot be read"),
            Self::Unauthenticated(_) => ("unauthenticated", 401, "A valid credential is required"),
            Self::Revoked => ("revoked", 403, "The credential is revoked"),
            Self::Forbidden(_) => ("forbidden", 403, "The credential is not for this"),
            Self::NotFound | Self::NoSuchMachine => ("not-found", 404, "There is nothing here"),
            Self::MethodNotAllowed(_) => ("method-not-allowed", 405, "The method is not for this route"),
            Self::BodyTooLarge(_) => ("body-too-large", 413, "The body is too large"),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "The body is not JSON"),
            Self::RateLimited(..) | Self::EnrolmentLimited(_) => ("rate-limited", 429, "Too many requests"),
            Self::SpendCapReached(..) => ("spend-cap-reached", 429, "The day's money is used up"),
            Self::UpstreamFailed | Self::ModelSwitchedOff => {
                ("upstream-failed", 502, "The model gave no usable answer")
            }
            Self::UpstreamTimeout => ("upstream-timeout", 504, "The model did not answer in time"),
            Self::Misconfigured => ("misconfigured", 503, "The service is misconfigured"),
            Self::LedgerUnavailable => ("ledger-unavailable", 503, "The ledger cannot be reached"),
        };
        Kind { slug, status, title }
    }

    /// What to do about this occurrence. It says nothing that helps to guess a credential.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::MalformedRequest(reason) | Self::Forbidden(reason) => (*reason).to_owned(),
            Self::Unauthenticated(_) => {
                "Send a client token of this gateway (under /admin/ an operator's), as a Bearer token or as the password of Basic, or sign the request."
                    .to_owned()
            }
            Self::Revoked => "Ask the operator, or enrol this machine again.".to_owned(),
            Self::NotFound => "GET /openapi.json lists the routes.".to_owned(),
            Self::NoSuchMachine => {
                "No machine with this name was seen lately; the log may know of it still.".to_owned()
            }
            Self::MethodNotAllowed(allow) => format!("Use one of: {allow}."),
            Self::BodyTooLarge(most) => format!("The body may be at most {most} bytes."),
            Self::UnsupportedMediaType => "Send the body as application/json in UTF-8.".to_owned(),
            Self::RateLimited(Refusal::Rate(_), standing) => format!(
                "This machine may send {} requests in {} seconds, {} of them at once. Try again later.",
                standing.rate_count, standing.rate_window, standing.burst
            ),
            Self::RateLimited(Refusal::Concurrency, standing) => format!(
                "This machine may have {} requests in flight. Wait until one is answered.",
                standing.concurrency
            ),
            Self::EnrolmentLimited(_) => {
                "Many machines are enrolling. Wait, then ask for a new challenge.".to_owned()
            }
            Self::SpendCapReached(cap, _) => format!(
                "What is left of the daily cap of the {} does not pay for the most that this request can cost, \
                 and no built-in rule answers it. Requests in flight may leave room; else it is the next day's.",
                cap.name()
            ),
            Self::ModelSwitchedOff => {
                "The operator has switched the model off; built-in rules and earlier answers still serve. \
                 Nothing was charged."
                    .to_owned()
            }
            Self::UpstreamFailed | Self::UpstreamTimeout => "Try again in a while.".to_owned(),
            Self::Misconfigured => {
                "The operator finds the reason in the Worker's log and under /readyz.".to_owned()
            }
            Self::LedgerUnavailable => "The request was not carried through. Try again.".to_owned(),
        }
    }

    /// As what a request of the analyse routes is counted that was refused without the ledger; those that
    /// the ledger refused it counts itself.
    #[must_use]
    pub const fn unheard_by_the_ledger(&self) -> Option<Reason> {
        match self {
            Self::Unauthenticated(Denied::Replayed) => None,
            Self::Unauthenticated(_) => Some(Reason::Unauthenticated),
            Self::MalformedRequest(_) | Self::BodyTooLarge(_) | Self::UnsupportedMediaType => {
                Some(Reason::Malformed)
            }
            Self::Forbidden(_) => Some(Reason::Forbidden),
            Self::LedgerUnavailable => Some(Reason::Unavailable),
            _ => None,
        }
    }

    /// Whole seconds to wait, for the responses that say so.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(Refusal::Rate(wait), _) => {
                Some(whole_seconds(Duration::from_nanos(*wait)).max(1))
            }
            Self::EnrolmentLimited(seconds) => Some((*seconds).max(1)),
            Self::SpendCapReached(_, standing) => {
                Some(whole_seconds(standing.resets_at.since(standing.now)).max(1))
            }
            Self::RateLimited(Refusal::Concurrency, _) | Self::Misconfigured | Self::LedgerUnavailable => {
                Some(SOON_SECONDS)
            }
            _ => None,
        }
    }
}

/// The cause, for logs and metric labels: it carries no value that a client sent.
impl fmt::Display for Reject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind().slug)?;
        match self {
            Self::Unauthenticated(denied) => write!(formatter, ": {denied}"),
            Self::MalformedRequest(reason) | Self::Forbidden(reason) => write!(formatter, ": {reason}"),
            Self::SpendCapReached(cap, _) => write!(formatter, ": {}", cap.name()),
            _ => Ok(()),
        }
    }
}
