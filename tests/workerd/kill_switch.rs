//! Operators switch the model off: at once, on every shard, and for as long as they want.

use std::time::Duration;

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, request_body};
use crate::support::load;
use crate::support::overview::Overview;
use crate::support::random_word;

const PATH: &str = "/admin/kill-switch";
/// So many that every one of four shards has some.
const MACHINES: usize = 48;

fn put(worker: Member, settings: &Settings, by: &str, body: &Value) -> Reply {
    let operator = bearer(&settings.operator_key().operator_token(by));
    let headers = [("Authorization", operator.as_str()), ("Content-Type", "application/json")];
    worker.send("PUT", PATH, &headers, Some(body.to_string().as_bytes()))
}

fn get(worker: Member, settings: &Settings, path: &str) -> Value {
    let operator = bearer(&settings.operator_key().operator_token("bob"));
    let reply = worker.send("GET", path, &[("Authorization", &operator)], None);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn unknown() -> String {
    format!("ERROR: nobody knows {}", random_word())
}

#[test]
fn no_shard_asks_the_model_while_it_is_switched_off() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let settings = Settings::new()
        .unhurried()
        .model_on(model.port())
        .var("RULES", "first")
        .var("CACHE_TTL_SECONDS", "600")
        .var("SHARDS", "4")
        .var("DAY_STARTS_AT", &day().0);
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    let token = |number: usize| bearer(&settings.key().token(&format!("switched-{number}")));
    let ask = |worker: Member, path: &str, number: usize, context: &str| {
        worker.post(path, &token(number), &request_body(context))
    };
    let on = json!({ "model": "on", "since": null, "by": null, "reason": null });
    let stands = |worker: Member, expected: &Value| {
        let mut stands = get(worker, &settings, PATH);
        stands.as_object_mut().expect("an object").remove("request_id");
        assert_eq!(&stands, expected);
    };
    stands(worker, &on);
    let known = unknown();
    for number in 0..MACHINES {
        assert_eq!(ask(worker, "/v1/analyze", number, &unknown()).json()["source"], "model");
    }
    assert_eq!(ask(worker, "/v1/analyze", 0, &known).json()["source"], "model");
    let look = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    assert!(look.shards().iter().all(|shard| shard["machines"] != 0), "{look:?}");

    let reply = put(worker, &settings, "alice", &json!({ "model": "off", "reason": "a bill came" }));
    assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(true)), "{reply:?}");
    let off =
        json!({ "model": "off", "since": reply.json()["since"], "by": "alice", "reason": "a bill came" });
    stands(worker, &off);
    let again = put(worker, &settings, "bob", &json!({ "model": "off", "reason": "another" })).json();
    assert_eq!((&again["changed"], &again["by"]), (&json!(false), &json!("alice")), "the first word stands");
    assert_eq!(get(worker, &settings, "/admin/usage")["model"], "off");
    let (asked, used) = (model.asked(), look.used());
    let refused = |worker: Member| {
        for number in 0..MACHINES {
            let reply = ask(worker, "/v1/analyze", number, &unknown());
            let problem = reply.assert_problem(502, "upstream-failed");
            let detail = problem["detail"].as_str().expect("a detail");
            assert!(detail.contains("operator has switched the model off"), "{problem}");
            let reply = ask(worker, "/analyze_error", number, &unknown());
            assert_eq!(reply.status, 200, "{reply:?}");
            let suggestion = reply.json()["suggestion"].as_str().expect("a suggestion").to_owned();
            assert!(suggestion.starts_with("UNCERTAIN") && suggestion.contains("switched"), "{suggestion}");
            assert_eq!(reply.json()["cost_usd"], "0", "{reply:?}");
            // Rules know this one all the same.
            assert_eq!(ask(worker, "/v1/analyze", number, NO_CV2).json()["source"], "rules");
        }
    };
    refused(worker);
    assert_eq!(ask(worker, "/v1/analyze", 1, &known).json()["source"], "cache", "what was answered before");
    let look = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    assert_eq!((model.asked(), look.used()), (asked, used), "nothing is asked and nothing charged");

    fleet.crash();
    fleet.run();
    let worker = fleet.member("worker");
    stands(worker, &off);
    refused(worker);
    assert_eq!(model.asked(), asked, "after a crash");

    let reply = put(worker, &settings, "bob", &json!({ "model": "on" }));
    assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(true)), "{reply:?}");
    stands(worker, &on);
    for number in 0..MACHINES {
        assert_eq!(ask(worker, "/v1/analyze", number, &unknown()).json()["source"], "model");
    }
    assert_eq!(model.asked(), asked + MACHINES as u64);
    fleet.crash();
    fleet.run();
    let worker = fleet.member("worker");
    stands(worker, &on);
    assert_eq!(ask(worker, "/v1/analyze", 0, &unknown()).json()["source"], "model", "on over a crash, too");

    // In the midst of dense traffic: what is sent after the answer asks no more.
    std::thread::scope(|scope| {
        let dense = scope.spawn(|| {
            load::send(worker.port(), 600, 8, |line, number| {
                let body = request_body(&unknown());
                line.post("/v1/analyze", &token(number % MACHINES), &body).expect("an answer").status
            })
        });
        std::thread::sleep(Duration::from_millis(300));
        let reply = put(worker, &settings, "alice", &json!({ "model": "off", "reason": "a flood" }));
        assert_eq!(reply.status, 200, "{reply:?}");
        for number in 0..MACHINES {
            ask(worker, "/v1/analyze", number, &unknown()).assert_problem(502, "upstream-failed");
        }
        let statuses = dense.join().expect("the traffic ends");
        assert!(statuses.iter().all(|status| matches!(status, 200 | 502)), "{statuses:?}");
    });
    let asked = model.asked();
    refused(worker);
    assert_eq!(model.asked(), asked);
}

#[test]
fn only_what_is_meant_switches_it() {
    let settings = Settings::new();
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    for body in
        [json!({}), json!({ "model": "off" }), json!({ "model": "on", "reason": "x" }), json!({ "model": 0 })]
    {
        let problem = put(worker, &settings, "alice", &body).assert_problem(400, "malformed-request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("\"off\"")), "{problem}");
    }
    let client = bearer(&settings.key().token("client"));
    let body = json!({ "model": "off", "reason": "x" }).to_string();
    let json = ("Content-Type", "application/json");
    let send =
        |headers: &[(&str, &str)], body: &str| worker.send("PUT", PATH, headers, Some(body.as_bytes()));
    send(&[("Authorization", &client), json], &body).assert_problem(403, "forbidden");
    send(&[json], &body).assert_problem(401, "unauthenticated");
    let operator = bearer(&settings.operator_key().operator_token("alice"));
    send(&[("Authorization", &operator), ("Content-Type", "text/plain")], &body)
        .assert_problem(415, "unsupported-media-type");
    let long = json!({ "model": "off", "reason": "x".repeat(5_000) }).to_string();
    send(&[("Authorization", &operator), json], &long).assert_problem(413, "body-too-large");
    assert_eq!(get(worker, &settings, PATH)["model"], "on");
    // It is no credential.
    put(worker, &settings, "alice", &json!({ "model": "off", "reason": "x" }));
    assert_eq!(get(worker, &settings, "/admin/revocations"), json!({ "revocations": [] }));
}
