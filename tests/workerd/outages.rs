//! What the gateway depends on fails, one thing after the other: what still works then, what is refused and how, what
//! operators see of it, and that all is well when it is over. docs/guarantees.md has the table.

use std::time::Duration;

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::door::Door as _;
use crate::support::enrol;
use crate::support::faulty::Faulty;
use crate::support::gateway::{Settings, nano_usd, request_body};
use crate::support::overview::Overview;
use crate::support::signing::ToSign;
use crate::support::world::{PATIENCE, World, unknown};
use crate::support::{prices, wait_for};

const DAY_MS: i64 = 86_400_000;

#[test]
fn without_the_ledger_nothing_is_forwarded_and_nobody_is_let_in() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let world = World::start(Settings::new().unhurried().model_on(model.port()).var("RULES", "first"));
    assert_eq!(world.analyze("/v1/analyze", "laptop", &unknown()).status, 200);
    assert_eq!(model.asked(), 1);

    world.fails(&["shards", "treasury"]);
    // What a rule knows needs the ledger too: the rate is a limit like any other.
    for context in [unknown().as_str(), NO_CV2] {
        for path in ["/v1/analyze", "/analyze_error"] {
            let reply = world.analyze(path, "laptop", context);
            reply.assert_problem(503, "ledger-unavailable");
            assert_eq!(reply.retry_after(), 5);
            let line = world.line(&reply);
            assert_eq!(
                (&line["level"], &line["outcome"]),
                (&json!("error"), &json!("ledger-unavailable")),
                "{line}"
            );
        }
    }
    world.assert_told("ledger: ");
    let token = world.token("laptop");
    world.worker().look(&token).assert_problem(503, "ledger-unavailable");
    for path in [
        "/admin/ledger",
        "/admin/usage",
        "/admin/metrics",
        "/admin/machines",
        "/admin/revocations",
        "/admin/logs",
    ] {
        world.operate("GET", path, None).assert_problem(503, "ledger-unavailable");
    }
    let revocation = json!({ "machine": "laptop", "reason": "lost" });
    world.operate("POST", "/admin/revocations", Some(revocation)).assert_problem(503, "ledger-unavailable");
    // Who is nobody hears nothing of it, and what needs no ledger goes on.
    world.worker().look("Bearer x").assert_problem(401, "unauthenticated");
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(world.worker().send("GET", path, &[], None).status, 200, "{path}");
    }
    assert_eq!(model.asked(), 1, "the model is asked without the ledger's leave");

    world.fails(&[]);
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    assert_eq!(world.metric("refusals_total{reason=\"unavailable\"}"), "4");
}

#[test]
fn a_ledger_that_never_answers_is_waited_for_ten_seconds_and_no_longer() {
    let world = World::start(Settings::new().unhurried());
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    world.fails(&["silence"]);
    // One makes the call, the others' messages wait for it or travel along with the next.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                world.analyze("/v1/analyze", "laptop", NO_CV2).assert_problem(503, "ledger-unavailable")
            });
        }
    });
    world.assert_told("no answer within 10000 ms");
    // What hangs does not hold up what comes later.
    world.fails(&[]);
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
}

#[test]
fn without_the_treasury_a_shard_goes_on_with_its_lease_and_no_more() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let settings = Settings::new().unhurried().model_on(model.port());
    let world = World::start(settings.var("DAILY_USD", "0.1").var("MACHINE_DAILY_USD", "1"));
    let worker = world.worker();
    assert_eq!(world.analyze("/v1/analyze", "laptop", &unknown()).status, 200);
    let rest = Overview::at_rest(&worker, &world.settings, PATIENCE);
    let leased = rest.leased();
    let address = enrol::address();
    let work = enrol::solved(&worker, &address);

    world.fails(&["treasury"]);
    let replies: Vec<Reply> = (0..400).map(|_| world.analyze("/v1/analyze", "laptop", &unknown())).collect();
    let refused = replies.iter().position(|reply| reply.status != 200).expect("the lease has an end");
    assert!(refused > 0, "nothing is left of the lease: {:?}", replies[0]);
    let reply = &replies[refused];
    reply.assert_problem(503, "ledger-unavailable");
    assert_eq!(reply.retry_after(), 5);
    assert_eq!(world.line(reply)["level"], "error");
    assert!(model.billed() <= leased, "{} is billed, {leased} was leased", model.billed());
    enrol::post(&worker, &address, "/v1/enroll", &work).assert_problem(503, "ledger-unavailable");
    for (method, path, body) in [
        ("GET", "/admin/metrics", None),
        ("POST", "/admin/revocations", Some(json!({ "machine": "laptop", "reason": "lost" }))),
        ("PUT", "/admin/kill-switch", Some(json!({ "model": "off", "reason": "The bill." }))),
    ] {
        world.operate(method, path, body).assert_problem(503, "ledger-unavailable");
    }

    world.fails(&[]);
    assert_eq!(world.analyze("/v1/analyze", "laptop", &unknown()).status, 200);
    // What was not taken in was not used up.
    assert_eq!(enrol::post(&worker, &address, "/v1/enroll", &work).status, 201);
}

#[test]
fn a_settlement_that_finds_no_ledger_goes_with_the_next_message() {
    let model = Faulty::start();
    let world = World::start(Settings::new().unhurried().model_on(model.port()));
    // What one of these costs that arrives.
    assert_eq!(world.analyze("/v1/analyze", "other", &unknown()).status, 200);
    Overview::at_rest(&world.worker(), &world.settings, PATIENCE);
    let cost = world.spent("other");

    model.hold();
    let reply = std::thread::scope(|scope| {
        let asks = scope.spawn(|| world.analyze("/v1/analyze", "laptop", &unknown()));
        let asked = wait_for(PATIENCE, || (model.asked().len() == 2).then_some(()));
        assert!(asked.is_some(), "the model is not asked");
        world.fails(&["shards"]);
        model.let_go();
        asks.join().expect("an answer")
    });
    assert_eq!(reply.status, 200, "the answer does not wait for the ledger: {reply:?}");
    let line = world.line(&reply);
    assert_eq!(line["level"], "error", "{line}");
    assert!(line["settlement"].as_str().is_some_and(|told| told.starts_with("may be lost")), "{line}");

    world.fails(&[]);
    let taken = wait_for(PATIENCE, || {
        // Another machine's request takes it along.
        assert_eq!(world.analyze("/v1/analyze", "other", NO_CV2).status, 200);
        (world.spent("laptop") == cost).then_some(())
    });
    assert!(taken.is_some(), "{} is spent, {cost} was the cost", world.spent("laptop"));
}

#[test]
fn without_the_cache_the_model_is_asked_and_without_the_log_its_readers_wait() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let settings = Settings::new().unhurried().model_on(model.port()).var("CACHE_TTL_SECONDS", "600");
    let world = World::start(settings);
    world.fails(&["cache", "LOGS_KV"]);
    for asked in 1..=3 {
        let reply = world.analyze("/v1/analyze", "laptop", &unknown());
        assert_eq!((reply.status, &reply.json()["source"]), (200, &json!("model")), "{reply:?}");
        assert_eq!(model.asked(), asked);
    }
    world.assert_metric("answers_total{source=\"model\"}", 3);
    assert_eq!(world.metric("answers_total{source=\"cache\"}"), "0");
    let reply = world.operate("GET", "/admin/logs", None);
    reply.assert_problem(503, "ledger-unavailable");
    assert_eq!(reply.retry_after(), 5);
    world.assert_told("LOGS_KV refused log records, they are kept");
    world.assert_told("LOGS_KV cannot be read");
    let waits = wait_for(PATIENCE, || (world.metric("log_records_waiting") == "3").then_some(()));
    assert!(waits.is_some(), "{} records wait", world.metric("log_records_waiting"));
    assert_eq!(world.metric("log_records_dropped_total"), "0");

    world.fails(&[]);
    let records = || world.operate("GET", "/admin/logs", None).json()["records"].as_array().map(Vec::len);
    assert_eq!(records(), Some(3));
    let left =
        wait_for(Duration::from_secs(400), || (world.metric("log_records_waiting") == "0").then_some(()));
    assert!(left.is_some(), "{} records wait", world.metric("log_records_waiting"));
    assert_eq!(records(), Some(3));
}

#[test]
fn a_revocation_that_a_shard_did_not_hear_of_is_sent_again() {
    let world = World::start(Settings::new().unhurried());
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    let revocation = json!({ "machine": "laptop", "reason": "lost" });
    let revoke = || world.operate("POST", "/admin/revocations", Some(revocation.clone()));
    world.fails(&["shards"]);
    revoke().assert_problem(503, "ledger-unavailable");
    let listed = world.operate("GET", "/admin/revocations", None).json();
    assert_eq!(listed["revocations"][0]["machine"], "laptop", "{listed}");

    world.fails(&[]);
    let reply = revoke();
    assert_eq!((reply.status, &reply.json()["changed"]), (200, &json!(false)), "{reply:?}");
    world.analyze("/v1/analyze", "laptop", NO_CV2).assert_problem(403, "revoked");
}

#[test]
fn without_the_buckets_in_kv_an_isolate_goes_by_what_it_knows() {
    let settings = Settings::new()
        .unhurried()
        .var("LIMIT_STORE", "kv")
        .var("MACHINE_RATE", "1/hour")
        .var("MACHINE_BURST", "3");
    let world = World::start(settings);
    world.fails(&["LIMITS_KV"]);
    for left in [2, 1, 0] {
        let reply = world.analyze("/v1/analyze", "laptop", NO_CV2);
        assert_eq!((reply.status, reply.assert_rate_limit("machine")), (200, left), "{reply:?}");
    }
    world.analyze("/v1/analyze", "laptop", NO_CV2).assert_problem(429, "rate-limited");
    world.assert_told("LIMITS_KV refused a bucket");
}

#[test]
fn a_clock_that_steps_back_or_ahead_gives_nobody_anything_twice() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let settings =
        Settings::new().model_on(model.port()).var("MACHINE_RATE", "3/hour").var("MACHINE_BURST", "3");
    let world = World::start(settings);
    let worker = world.worker();
    let token = world.lasting_token("laptop");
    let ask = || worker.post("/v1/analyze", &token, &request_body(&unknown()));
    let spent = || nano_usd(&worker.look(&token).json()["spend"]["today_usd"]);
    for _ in 0..3 {
        assert_eq!(ask().status, 200);
    }
    // By the right clock: an operator's token is of now.
    let day = || {
        world.outage(&json!({}));
        let usage = world.operate("GET", "/admin/usage", None);
        assert_eq!(usage.status, 200, "{usage:?}");
        usage.json()["day"].clone()
    };
    let (before, fresh, today) = (spent(), world.token("phone"), day());
    let signed = || ToSign::look(world.settings.key(), "tablet").sign(&worker);
    let caught = signed();
    assert_eq!([caught.send(&worker).status, caught.send(&worker).status], [200, 401]);
    assert!(before > 0);
    ask().assert_problem(429, "rate-limited");

    world.outage(&json!({ "clock": -2 * DAY_MS }));
    ask().assert_problem(429, "rate-limited");
    assert_eq!(spent(), before, "a day that was over began again");
    // Made at a time that has not come yet.
    worker.look(&fresh).assert_problem(401, "unauthenticated");
    assert_eq!(day(), today);

    world.outage(&json!({ "clock": 2 * DAY_MS }));
    worker.look(&fresh).assert_problem(401, "unauthenticated");
    assert_eq!(spent(), 0, "two days later is another day");
    assert_eq!(ask().status, 200);
    let later = spent();
    assert!(later > 0);

    // Right again: the day that began too early stays, and the bucket does not fill from it.
    world.outage(&json!({}));
    // Nor is a nonce admitted that the ledger, whose clock stays ahead, could not remember.
    assert_ne!(caught.send(&worker).status, 200);
    signed().send(&worker).assert_problem(503, "ledger-unavailable");
    assert_ne!(day(), today, "operators see that it is another day");
    assert_eq!(spent(), later);
    let admitted = (0..6).filter(|_| ask().status == 200).count();
    assert_eq!(admitted, 2, "of a burst of three one is used");
}

#[test]
fn without_randomness_nothing_is_answered_that_could_be_guessed() {
    let world = World::start(Settings::new().unhurried());
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    world.fails(&["randomness"]);
    let url = world.worker().url("/v1/analyze");
    let token = world.token("laptop");
    let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
    let reply = Reply::of("POST", &url, &headers, Some(&request_body(NO_CV2)));
    assert!(reply.as_ref().is_none_or(|reply| reply.status == 500), "{reply:?}");
    world.assert_told("no randomness");
    world.fails(&[]);
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
}

/// A trap ends the module of its isolate, with all that was under way there. There is no way in that is known to
/// lead to one; this is what holds if there is.
#[test]
fn a_trap_takes_nothing_but_what_is_under_way_and_costs_the_operator_nothing() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port()).var("UPSTREAM_TIMEOUT_MS", "2000");
    let world = World::start(settings);
    let ask = |machine: &str, context: &str| {
        let token = world.token(machine);
        let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
        Reply::of("POST", &world.worker().url("/v1/analyze"), &headers, Some(&request_body(context)))
    };
    // Wherever it happens: in the Worker, and in an object of the ledger.
    for looks in 1..=12 {
        world.outage(&json!({ "traps": looks }));
        let reply = ask("laptop", &unknown());
        assert!(
            reply.as_ref().is_none_or(|reply| [200, 500, 503].contains(&reply.status)),
            "{looks}: {reply:?}"
        );
        let over = world.outage(&json!({}));
        assert_eq!(over.header("x-trapped"), Some("true"), "there are fewer than {looks} looks");
        let next = world.analyze("/v1/analyze", "other", NO_CV2);
        assert_eq!(next.status, 200, "after a trap at look {looks}: {next:?}");
    }
    Overview::at_rest(&world.worker(), &world.settings, PATIENCE);

    // What was being asked of the model is lost to its client, and charged.
    let (asked_before, spent_before) = (model.asked().len(), world.spent("phone"));
    model.hold();
    let lost = std::thread::scope(|scope| {
        let lost = scope.spawn(|| ask("phone", &unknown()));
        let asked = wait_for(PATIENCE, || (model.asked().len() > asked_before).then_some(()));
        assert!(asked.is_some(), "the model is not asked");
        world.outage(&json!({ "traps": 1 }));
        drop(ask("laptop", NO_CV2));
        world.outage(&json!({}));
        world.spent("other");
        model.let_go();
        lost.join().expect("the request ends")
    });
    assert!(lost.as_ref().is_none_or(|reply| reply.status == 500), "{lost:?}");
    assert_eq!(world.analyze("/v1/analyze", "other", NO_CV2).status, 200);
    Overview::at_rest(&world.worker(), &world.settings, PATIENCE);
    let asked = &model.asked()[asked_before..];
    let billed: u64 =
        asked.iter().map(|asked| prices::bill(asked.prompt_tokens, asked.completion_tokens)).sum();
    let charged = world.spent("phone") - spent_before;
    assert!(billed > 0 && charged >= billed, "{charged} is charged, {billed} is billed");
}
