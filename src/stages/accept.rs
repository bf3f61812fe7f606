//! Accept: is this a request that the route takes? Decided first from the head alone, so that a
//! stranger's body is never read; then, for a verified caller, from the body.

use std::collections::BTreeMap;

use crate::reject::Reject;
use crate::stages::authenticate::{Refused, Verified};
use crate::stages::body::{self, Submission};

/// What the routes know of a request before its body.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The method, as sent.
    pub method: String,
    /// The path, as the platform normalised it; the same that routing and logs see.
    pub path: String,
    /// The query of an operators' route, without its `?`; the others have none.
    pub query: String,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// What a signature may cover, where `Signature` or `Signature-Input` is present.
    pub signed: Option<SignedHead>,
    /// `traceparent` and `tracestate`, unread.
    pub trace: (Option<String>, Option<String>),
    /// `CF-Connecting-IP`: the client's address, as the platform saw it.
    pub client_address: Option<String>,
}

/// The parts of a head that an HTTP message signature may cover.
#[derive(Clone, Debug, Default)]
pub struct SignedHead {
    /// `https` or `http`.
    pub scheme: String,
    /// Host and port, as the client named them.
    pub authority: String,
    /// The query without its `?`.
    pub query: Option<String>,
    /// The header fields that the signature covers, and those that carry it: name in lower case, value, several lines
    /// joined with `, `.
    pub fields: BTreeMap<String, String>,
    /// Whether there is a body.
    pub has_body: bool,
}

/// A route of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// One of the two routes that answer failures.
    Analyze(Interface),
    /// `POST /v1/enroll/challenge`.
    Challenge,
    /// `POST /v1/enroll`.
    Enroll,
    /// One of the operators' routes.
    Operators(Operation),
    /// `GET /v1/me`.
    Me,
    /// `GET /healthz`.
    Health,
    /// `GET /readyz`.
    Ready,
    /// `GET /openapi.json`.
    OpenApi,
    /// `GET /`.
    Home,
}

/// What operators ask or change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `GET /admin/ledger`.
    Ledger,
    /// `/admin/revocations`.
    Revocations,
    /// `GET /admin/logs`.
    Logs,
    /// `GET /admin/usage`.
    Usage,
    /// `GET /admin/machines`.
    Machines,
    /// `GET /admin/machines/{machine_id}`.
    Machine,
    /// `GET` and `PUT /admin/kill-switch`.
    KillSwitch,
    /// `GET /admin/metrics`.
    Metrics,
}

/// Which of the two analyse routes: they differ in how they tell of failures, and in whether
/// `machine_id` has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `POST /analyze_error`, as pip-aide 1.0.2 knows it.
    PipAide,
    /// `POST /v1/analyze`.
    V1,
}

/// Proof that the head of an analyse request is in order.
#[derive(Clone, Copy, Debug)]
pub struct Accepted {
    interface: Interface,
}

/// Proof that a verified caller sent a body that the route takes.
#[derive(Debug)]
pub struct Submitted {
    /// Who sent it.
    pub verified: Verified,
    /// Which route.
    pub interface: Interface,
    /// What was sent.
    pub submission: Submission,
}

/// The route of a method and path.
///
/// # Errors
/// [`Reject::NotFound`] and [`Reject::MethodNotAllowed`].
pub fn route(method: &str, path: &str) -> Result<Route, Reject> {
    let (route, allow) = match path {
        "/analyze_error" => (Route::Analyze(Interface::PipAide), "POST"),
        "/v1/analyze" => (Route::Analyze(Interface::V1), "POST"),
        "/v1/enroll/challenge" => (Route::Challenge, "POST"),
        "/v1/enroll" => (Route::Enroll, "POST"),
        "/admin/revocations" => (Route::Operators(Operation::Revocations), "GET, HEAD, POST, DELETE"),
        "/admin/ledger" => (Route::Operators(Operation::Ledger), "GET, HEAD"),
        "/admin/usage" => (Route::Operators(Operation::Usage), "GET, HEAD"),
        "/admin/machines" => (Route::Operators(Operation::Machines), "GET, HEAD"),
        "/admin/kill-switch" => (Route::Operators(Operation::KillSwitch), "GET, HEAD, PUT"),
        "/admin/metrics" => (Route::Operators(Operation::Metrics), "GET, HEAD"),
        "/admin/logs" => (Route::Operators(Operation::Logs), "GET, HEAD"),
        "/v1/me" => (Route::Me, "GET, HEAD"),
        "/healthz" => (Route::Health, "GET, HEAD"),
        "/readyz" => (Route::Ready, "GET, HEAD"),
        "/openapi.json" => (Route::OpenApi, "GET, HEAD"),
        "/" => (Route::Home, "GET, HEAD"),
        _ if machine_of(path).is_some() => (Route::Operators(Operation::Machine), "GET, HEAD"),
        _ => return Err(Reject::NotFound),
    };
    if allow.split(", ").any(|allowed| allowed == method) {
        Ok(route)
    } else {
        Err(Reject::MethodNotAllowed(allow))
    }
}

/// The machine that a path is about, as the path has it.
#[must_use]
pub fn machine_of(path: &str) -> Option<&str> {
    path.strip_prefix("/admin/machines/").filter(|machine| !machine.is_empty() && !machine.contains('/'))
}

/// Checks the head of an analyse request: its media type and that the body is not encoded, since a
/// small encoded body can hide a large one.
///
/// # Errors
/// [`Reject::UnsupportedMediaType`], [`Reject::MalformedRequest`].
pub fn accept_head(interface: Interface, head: &Head) -> Result<Accepted, Reject> {
    accept_json(head)?;
    Ok(Accepted { interface })
}

/// Checks that the body is JSON as it stands.
///
/// # Errors
/// [`Reject::UnsupportedMediaType`], [`Reject::MalformedRequest`].
pub fn accept_json(head: &Head) -> Result<(), Reject> {
    if !head.content_type.as_deref().is_some_and(is_json) {
        return Err(Reject::UnsupportedMediaType);
    }
    match head.content_encoding.as_deref() {
        None => Ok(()),
        Some(coding) if coding.eq_ignore_ascii_case("identity") => Ok(()),
        Some(_) => Err(Reject::MalformedRequest("Send the body without a content coding.")),
    }
}

/// Checks the body of a request whose caller is verified.
///
/// # Errors
/// [`Reject::MalformedRequest`].
pub fn accept_body(accepted: Accepted, verified: Verified, body: &[u8]) -> Result<Submitted, Refused> {
    let Accepted { interface } = accepted;
    match body::read(body) {
        Err(reason) => Err(Refused::to(verified, Reject::MalformedRequest(reason))),
        Ok(submission) if interface == Interface::PipAide && submission.machine_id.is_none() => {
            Err(Refused::to(verified, Reject::MalformedRequest("machine_id is missing.")))
        }
        Ok(submission) => Ok(Submitted { verified, interface, submission }),
    }
}

/// `application/json`, with no parameter but `charset=utf-8` (RFC 9110 section 8.3.1).
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json"));
    json && parts.filter(|part| !part.is_empty()).all(|parameter| {
        parameter.split_once('=').is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_methods() {
        for path in ["/analyze_error", "/v1/analyze"] {
            assert!(matches!(route("POST", path), Ok(Route::Analyze(_))));
            for method in ["GET", "PUT", "HEAD", "OPTIONS", "post", "POST, POST"] {
                assert_eq!(route(method, path), Err(Reject::MethodNotAllowed("POST")), "{method}");
            }
        }
        for path in ["/v1/me", "/healthz", "/readyz", "/openapi.json", "/"] {
            assert!(route("GET", path).is_ok() && route("HEAD", path).is_ok());
            assert_eq!(route("POST", path), Err(Reject::MethodNotAllowed("GET, HEAD")));
        }
    }

    #[test]
    fn a_machine_has_an_address() {
        assert_eq!(machine_of("/admin/machines/net~2001-db8--_64"), Some("net~2001-db8--_64"));
        for path in ["/admin/machines", "/admin/machines/", "/admin/machines/a/b", "/machines/a"] {
            assert_eq!(machine_of(path), None, "{path}");
        }
        assert_eq!(route("HEAD", "/admin/machines/a"), Ok(Route::Operators(Operation::Machine)));
        assert_eq!(route("PUT", "/admin/machines/a"), Err(Reject::MethodNotAllowed("GET, HEAD")));
    }

    #[test]
    fn a_path_is_itself_or_nothing() {
        for path in [
            "",
            "//",
            "/analyze_error/",
            "//analyze_error",
            "/Analyze_error",
            "/analyze%5ferror",
            "/v1",
            "/v1/me/",
            "/healthz/x",
        ] {
            assert_eq!(route("POST", path), Err(Reject::NotFound), "{path}");
        }
    }

    #[test]
    fn only_plain_json_is_taken() {
        let head =
            |content_type: &str| Head { content_type: Some(content_type.to_owned()), ..Head::default() };
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
        ] {
            assert!(accept_head(Interface::V1, &head(good)).is_ok(), "{good}");
        }
        for bad in [
            "",
            "text/plain",
            "application/jsonx",
            "application/json; charset=latin-1",
            "application/problem+json",
            "application/json, text/plain",
        ] {
            assert_eq!(
                accept_head(Interface::V1, &head(bad)).err(),
                Some(Reject::UnsupportedMediaType),
                "{bad}"
            );
        }
        assert_eq!(accept_head(Interface::V1, &Head::default()).err(), Some(Reject::UnsupportedMediaType));
        let encoded = Head { content_encoding: Some("gzip".to_owned()), ..head("application/json") };
        assert!(matches!(accept_head(Interface::V1, &encoded), Err(Reject::MalformedRequest(_))));
    }
}
