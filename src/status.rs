//! The routes that touch nothing: liveness, readiness, the interface's description, a greeting.

use serde::Serialize;

use crate::policy::settings::Fault;
use crate::reject::SOON_SECONDS;
use crate::reply::Reply;

/// `GET /healthz`: the Worker runs.
#[must_use]
pub fn health(request_id: &str) -> Reply {
    let body = format!("{{\"status\":\"ok\",\"version\":\"{}\"}}", env!("CARGO_PKG_VERSION"));
    Reply::new(200, "application/json", request_id, body)
}

/// `GET /`: what this is.
#[must_use]
pub fn home(request_id: &str) -> Reply {
    let words =
        "pip-aide-gateway: send failures of pip here with pip-aide; /openapi.json describes the interface.\n";
    Reply::new(200, "text/plain; charset=utf-8", request_id, words.to_owned())
}

/// `GET /openapi.json`: the file that the tests check.
#[must_use]
pub fn openapi(request_id: &str) -> Reply {
    Reply::new(200, "application/json", request_id, include_str!("../openapi.json").to_owned())
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    faults: Vec<Named<'a>>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    problem: &'a str,
}

/// `GET /readyz`: 200, or 503 with the names of what is missing or wrong, never a value.
#[must_use]
pub fn ready(faults: &[Fault], request_id: &str) -> Reply {
    let named = faults.iter().map(|fault| Named { name: &fault.name, problem: &fault.problem }).collect();
    let body = serde_json::to_string(&Ready { ready: faults.is_empty(), faults: named, request_id });
    let body = body.unwrap_or_else(|_| String::from("{}"));
    if faults.is_empty() {
        Reply::new(200, "application/json", request_id, body)
    } else {
        Reply::new(503, "application/json", request_id, body)
            .with_header("Retry-After", SOON_SECONDS.to_string())
    }
}
