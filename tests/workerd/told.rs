//! What operators are told of each way an analysis fails: its words on the console, and where it is counted. They are
//! the columns of docs/guarantees.md, which alarms go by.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::faulty::{Fault, Faulty};
use crate::support::gateway::Settings;
use crate::support::overview::Overview;
use crate::support::process::free_port;
use crate::support::raw;
use crate::support::world::{World, unknown};

/// How the upstream fails, what the client is told, and the operator.
const FAILURES: [(Fault, &str, &str); 12] = [
    (Fault::TooMany, "upstream-failed", "upstream: refused with 429"),
    (Fault::ServerError, "upstream-failed", "upstream: status 500"),
    (Fault::HangUp, "upstream-failed", "upstream: connection lost"),
    (Fault::Cut, "upstream-failed", "upstream: connection lost"),
    (Fault::Hang, "upstream-timeout", "upstream: too slow"),
    (Fault::BlankForever, "upstream-timeout", "upstream: too slow"),
    (Fault::Garbage, "upstream-failed", "upstream: unusable answer"),
    (Fault::WrongType, "upstream-failed", "upstream: unusable answer"),
    (Fault::NoChoices, "upstream-failed", "upstream: unusable answer"),
    (Fault::EmptyContent, "upstream-failed", "upstream: unusable answer"),
    (Fault::Huge, "upstream-failed", "upstream: too large"),
    (Fault::Redirect, "upstream-failed", "upstream: status 307"),
];

fn outcomes(outcome: &str) -> String {
    format!("requests_total{{outcome=\"{outcome}\"}}")
}

/// Checks the line about a request that has failed like this.
#[track_caller]
fn assert_line(world: &World, reply: &Reply, outcome: &str, error: &str) {
    let line = world.line(reply);
    let told = [&line["level"], &line["outcome"], &line["error"]];
    assert_eq!(told, [&json!("error"), &json!(outcome), &json!(error)], "{line}");
}

#[test]
fn each_failure_of_the_upstream_has_its_words_and_is_counted() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port());
    let world = World::start(settings.var("UPSTREAM_TIMEOUT_MS", "2000").var("MACHINE_DAILY_USD", "1"));
    let mut counts = BTreeMap::from([("answered", 0)]);
    for (fault, outcome, error) in FAILURES {
        // So that never ten fail running.
        assert_eq!(world.analyze("/v1/analyze", "laptop", &unknown()).status, 200, "before {fault:?}");
        *counts.entry("answered").or_default() += 1;
        let context = || format!("{} {}", unknown(), fault.marker());
        let new = world.analyze("/v1/analyze", "laptop", &context());
        new.assert_problem(if outcome == "upstream-timeout" { 504 } else { 502 }, outcome);
        let old = world.analyze("/analyze_error", "laptop", &context());
        assert_eq!(old.status, 200, "{fault:?}: {old:?}");
        for reply in [new, old] {
            assert_line(&world, &reply, outcome, error);
            *counts.entry(outcome).or_default() += 1;
        }
    }
    Overview::at_rest(&world.worker(), &world.settings, crate::support::world::PATIENCE);
    for (outcome, count) in counts {
        world.assert_metric(&outcomes(outcome), count);
    }
}

#[test]
fn an_upstream_that_is_left_alone_is_told_so() {
    let model = Faulty::start();
    let world = World::start(Settings::new().unhurried().model_on(model.port()));
    let fails = || {
        let reply =
            world.analyze("/v1/analyze", "laptop", &format!("{} {}", unknown(), Fault::ServerError.marker()));
        reply.assert_problem(502, "upstream-failed");
        (model.asked().len(), reply)
    };
    let mut asked = 0;
    let mut reply = None;
    for _ in 0..11 {
        let (now, failed) = fails();
        if now == asked {
            reply = Some(failed);
            break;
        }
        asked = now;
    }
    let reply = reply.expect("after ten failures it is not asked");
    assert!(asked >= 10, "{asked} calls");
    assert_line(&world, &reply, "upstream-failed", "upstream: left alone after failures");
    assert_eq!(world.line(&reply)["cost_usd"], "0");
}

#[test]
fn what_no_cap_pays_for_and_what_a_rule_answers_instead_are_told_and_counted() {
    let settings = Settings::new().unhurried().model_on(free_port()).var("RULES", "fallback");
    let world = World::start(settings.clone());
    let reply = world.analyze("/v1/analyze", "laptop", NO_CV2);
    let line = world.line(&reply);
    assert_eq!((reply.status, &line["source"]), (200, &json!("rules")), "{line}");
    assert_eq!(line["error"], "upstream: connection lost", "{line}");

    let world = World::start(settings.var("MACHINE_DAILY_USD", "0.000001"));
    let reply = world.analyze("/v1/analyze", "laptop", &unknown());
    let problem = reply.assert_problem(429, "spend-cap-reached");
    assert!(problem["cap"].is_string() && problem["resets_at"].is_string(), "{problem}");
    let line = world.line(&reply);
    assert_eq!(
        [&line["level"], &line["outcome"], &line["error"]],
        [&json!("warn"), &json!("spend-cap-reached"), &Value::Null],
        "{line}"
    );
    world.assert_metric(&outcomes("spend-cap-reached"), 1);
}

#[test]
fn a_body_that_breaks_off_or_never_ends_is_told_as_malformed() {
    let world = World::start(Settings::new().unhurried().var("MAX_BODY_BYTES", "1024"));
    let token = world.token("laptop");
    let begin = || {
        let mut stream = raw::connect(world.worker().port());
        let head = format!(
            "POST /v1/analyze HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{{\"error_context\":\"half"
        );
        stream.write_all(head.as_bytes()).expect("the server takes it");
        stream
    };
    let (ended, endless) = (begin(), begin());
    ended.shutdown(Shutdown::Write).expect("no more comes");
    // Whoever has gone may be told nothing; the line is about it all the same.
    drop(raw::read(ended));
    let reply = raw::read(endless).expect("an answer to what never ends");
    reply.assert_problem(400, "malformed-request");
    let line = world.line(&reply);
    assert_eq!(
        [&line["outcome"], &line["machine"]],
        [&json!("malformed-request"), &json!("laptop")],
        "{line}"
    );
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    world.assert_metric("refusals_total{reason=\"malformed\"}", 2);
}
