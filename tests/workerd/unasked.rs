//! A stage does not notice that something fails which it does not ask: everything else is out of order meanwhile.

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::support::door::Door as _;
use crate::support::faulty::Faulty;
use crate::support::gateway::{Settings, request_body};
use crate::support::provider::{Answer, Provider};
use crate::support::world::World;

const DAY_MS: i64 = 86_400_000;

/// A model and a provider of identities that take requests and say nothing.
pub fn silent() -> (Faulty, Provider) {
    let model = Faulty::start();
    model.hold();
    (model, Provider::start(Answer::Stall))
}

/// With these, and everything that can be asked.
pub fn with_all(model: &Faulty, provider: &Provider) -> Settings {
    Settings::new()
        .unhurried()
        .model_on(model.port())
        .var("CACHE_TTL_SECONDS", "600")
        .var("RULES", "first")
        .var("JWKS_URL", &provider.url())
        .var("JWT_ISSUER", "https://issuer.example")
        .var("JWT_AUDIENCE", "gateway")
}

#[track_caller]
fn assert_unasked((model, provider): &(Faulty, Provider)) {
    assert!(model.asked().is_empty(), "{:?}", model.asked());
    assert_eq!(provider.asked(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_accepted_or_does_not_verify_is_refused_while_everything_fails() {
    let silent = silent();
    let settings = with_all(&silent.0, &silent.1).var("LIMIT_STORE", "kv").var("MAX_BODY_BYTES", "2048");
    let world = World::start(settings);
    let (worker, token) = (world.worker(), world.lasting_token("laptop"));
    let stranger = world.token("laptop").replace("Bearer ", "Bearer x");
    let long = request_body(&"x".repeat(2_048));
    let everything = ["shards", "treasury", "LOGS_KV", "LIMITS_KV", "cache"];
    for days in [2, -2] {
        world.outage(&json!({ "fail": everything, "clock": days * DAY_MS }));
        worker.send("GET", "/nowhere", &[], None).assert_problem(404, "not-found");
        worker.send("GET", "/v1/analyze", &[], None).assert_problem(405, "method-not-allowed");
        let headers = [("Authorization", token.as_str()), ("Content-Type", "text/plain")];
        let typed = worker.send("POST", "/v1/analyze", &headers, Some(b"x"));
        typed.assert_problem(415, "unsupported-media-type");
        for (body, status, slug) in [(&b"{"[..], 400, "malformed-request"), (&long, 413, "body-too-large")] {
            let reply = worker.post("/v1/analyze", &token, body);
            reply.assert_problem(status, slug);
            let line = world.line(&reply);
            assert_eq!([&line["outcome"], &line["machine"]], [&json!(slug), &json!("laptop")], "{line}");
        }
        worker.post("/v1/analyze", &stranger, NO_CV2.as_bytes()).assert_problem(401, "unauthenticated");
        // Of these, analyses alone are counted.
        worker.look("Bearer x").assert_problem(401, "unauthenticated");
    }
    assert_unasked(&silent);

    world.fails(&[]);
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    world.assert_metric("refusals_total{reason=\"malformed\"}", 6);
    world.assert_metric("refusals_total{reason=\"unauthenticated\"}", 2);
}

#[test]
fn machines_are_admitted_and_turned_away_while_all_but_the_ledger_fails() {
    let silent = silent();
    let settings = with_all(&silent.0, &silent.1).var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "3");
    let world = World::start(settings);
    world.fails(&["LOGS_KV", "LIMITS_KV", "cache"]);
    for left in [2, 1, 0] {
        let reply = world.analyze("/v1/analyze", "laptop", NO_CV2);
        assert_eq!((reply.status, reply.assert_rate_limit("machine")), (200, left), "{reply:?}");
    }
    world.analyze("/v1/analyze", "laptop", NO_CV2).assert_problem(429, "rate-limited");
    assert_eq!(world.worker().look(&world.token("laptop")).status, 200);
    assert_unasked(&silent);
}
