//! The description of the interface against the code: the same routes, the same methods, the same
//! problems.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeSet;

use pip_aide_gateway::reject::Reject;
use pip_aide_gateway::stages::accept::route;
use pip_aide_gateway::status;
use serde_json::Value;

fn document() -> Value {
    let reply = status::openapi("r");
    serde_json::from_str(&reply.body).expect("openapi.json is JSON")
}

#[test]
fn it_describes_every_route_and_method_and_no_other() {
    let document = document();
    assert!(document["openapi"].as_str().expect("a version").starts_with("3.1"));
    let paths = document["paths"].as_object().expect("paths");
    for (path, item) in paths {
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"] {
            let described = item.get(method.to_lowercase()).is_some();
            assert_eq!(described, route(method, path).is_ok(), "{method} {path}");
        }
    }
    for path in KNOWN.iter().chain(WITH_NAMES) {
        assert!(paths.contains_key(*path), "{path} is not described");
        assert!(!matches!(route("GET", path), Err(Reject::NotFound)), "{path} is no route");
    }
}

/// Every path that `route` knows; the arms of its match are counted below.
const KNOWN: &[&str] = &[
    "/analyze_error",
    "/v1/analyze",
    "/v1/enroll/challenge",
    "/v1/enroll",
    "/admin/revocations",
    "/admin/ledger",
    "/admin/usage",
    "/admin/machines",
    "/admin/kill-switch",
    "/admin/metrics",
    "/admin/logs",
    "/v1/me",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/",
];

/// Those that are about something that their path names.
const WITH_NAMES: &[&str] = &["/admin/machines/{machine_id}"];

#[test]
fn no_route_is_left_out() {
    let source = include_str!("../src/stages/accept.rs");
    let arms =
        source.lines().filter(|line| line.trim_start().starts_with("\"/") && line.contains("=> (Route::"));
    assert_eq!(arms.count(), KNOWN.len());
    let others =
        source.lines().filter(|line| line.trim_start().starts_with("_ if ") && line.contains("=> (Route::"));
    assert_eq!(others.count(), WITH_NAMES.len());
}

#[test]
fn it_names_every_problem() {
    let text = document().to_string();
    // Where each refusal has its type, its status and its title.
    let types = include_str!("../src/reject.rs").lines().filter_map(|line| {
        let (slug, rest) = line.split_once("(\"")?.1.split_once("\", ")?;
        (rest.starts_with(['4', '5']) && rest.get(3..6) == Some(", \"")).then_some(slug)
    });
    let types: BTreeSet<&str> = types.collect();
    assert!(types.len() >= 14, "{types:?}");
    for slug in types {
        assert!(text.contains(&format!("problem:{slug}\"")), "{slug}");
    }
}
