//! What fails between the answer and its record: the upstream and the provider of identities that went away, the clock
//! that was set back, and another version's settings that are wrong.

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::spend_cap::day;
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::faulty::Faulty;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, nano_usd, request_body};
use crate::support::overview::Overview;
use crate::support::provider::{Answer, Provider, claims};
use crate::support::wait_for;
use crate::support::world::{PATIENCE, World, unknown};
use crate::unasked::with_all;

/// An analysis by this `Authorization` that the model is asked for, which fails as `fail` does before it answers.
#[track_caller]
fn answered_while(world: &World, model: &Faulty, authorization: &str, fail: impl FnOnce()) -> Reply {
    let before = model.asked().len();
    model.hold();
    std::thread::scope(|scope| {
        let asks =
            scope.spawn(|| world.worker().post("/v1/analyze", authorization, &request_body(&unknown())));
        let asked = wait_for(PATIENCE, || (model.asked().len() > before).then_some(()));
        assert!(asked.is_some(), "the model is not asked");
        fail();
        model.let_go();
        asks.join().expect("an answer")
    })
}

/// Checks that the settlement of this answer was not taken, and that the operator is told.
#[track_caller]
fn assert_unsettled(world: &World, reply: &Reply) {
    assert_eq!(reply.status, 200, "the answer does not wait for the ledger: {reply:?}");
    let line = world.line(reply);
    assert_eq!(line["level"], "error", "{line}");
    assert!(line["settlement"].as_str().is_some_and(|told| told.starts_with("may be lost")), "{line}");
}

/// Checks that the next message takes along what was not settled, and that a machine is charged what it costs.
#[track_caller]
fn assert_taken_along(world: &World, authorization: &str, reply: &Reply) {
    let cost = nano_usd(&reply.json()["cost_usd"]);
    assert!(cost > 0, "{reply:?}");
    let spent = || nano_usd(&world.worker().look(authorization).json()["spend"]["today_usd"]);
    let taken = wait_for(PATIENCE, || {
        assert_eq!(world.analyze("/v1/analyze", "other", NO_CV2).status, 200);
        (spent() == cost).then_some(())
    });
    assert!(taken.is_some(), "{} is spent, {cost} was the cost", spent());
    assert_eq!(world.records(&[reply])[0]["cost_usd"], reply.json()["cost_usd"]);
}

#[test]
fn what_was_answered_is_settled_and_logged_when_upstream_and_provider_are_gone() {
    let (model, provider) = (Faulty::start(), Provider::start(Answer::Keys));
    let kid = provider.key("rsa", "RS256", true);
    let world = World::start(with_all(&model, &provider));
    let token = bearer(&provider.token(&kid, &json!({}), &claims("user")));
    let reply = answered_while(&world, &model, &token, || world.fails(&["shards"]));
    assert_unsettled(&world, &reply);
    drop((model, provider));
    world.fails(&[]);
    assert_taken_along(&world, &token, &reply);
}

#[test]
fn a_clock_that_is_set_back_between_two_requests_loses_neither_record() {
    let world = World::start(Settings::new().unhurried());
    let token = world.lasting_token("laptop");
    let ask = || {
        let reply = world.worker().post("/v1/analyze", &token, &request_body(NO_CV2));
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    };
    let before = ask();
    world.outage(&json!({ "clock": -3_600_000 }));
    let behind = [ask(), ask()];
    world.outage(&json!({}));
    let after = ask();
    let records = world.records(&[&before, &behind[0], &behind[1], &after]);
    // Machine and moment are a record's key.
    let keys: Vec<_> = records.iter().map(|record| record["timestamp"].as_str().expect("a moment")).collect();
    assert!(keys.windows(2).all(|two| two[0] < two[1]), "{keys:?}");
    assert!(records.iter().all(|record| record["machine_id"] == "laptop"), "{records:?}");
}

#[test]
fn a_clock_that_jumps_ahead_ends_what_is_open_and_a_late_settlement_gives_nothing_back() {
    let model = Faulty::start();
    let world = World::start(Settings::new().unhurried().model_on(model.port()).var("RULES", "first"));
    let token = world.token("laptop");
    let reply = answered_while(&world, &model, &token, || {
        world.outage(&json!({ "clock": 600_000 }));
        // By the ledger's clock it is over: all that was set aside is charged.
        assert_eq!(world.analyze("/v1/analyze", "other", NO_CV2).status, 200);
        world.assert_metric("requests_total{outcome=\"unsettled\"}", 1);
    });
    let charged = world.spent("laptop");
    Overview::at_rest(&world.worker(), &world.settings, PATIENCE);
    assert_eq!(world.analyze("/v1/analyze", "other", NO_CV2).status, 200);
    assert_eq!(world.spent("laptop"), charged);
    let record = &world.records(&[&reply])[0];
    assert_eq!(record["outcome"], "unsettled", "{record}");
    let cost = reply.json()["cost_usd"].as_str().map(|_| nano_usd(&reply.json()["cost_usd"]));
    assert!(charged > 0 && cost.is_none_or(|cost| cost < charged), "{charged} is charged: {reply:?}");
    world.assert_metric("requests_total{outcome=\"unsettled\"}", 1);
}

#[test]
fn a_ledger_of_wrong_settings_takes_no_settlement_until_they_are_right() {
    let model = Faulty::start();
    let settings = Settings::new()
        .unhurried()
        .model_on(model.port())
        .var("RULES", "first")
        .var("DAY_STARTS_AT", &day().0);
    // The objects are the first one's, of a version of its own.
    let members = [("ledger", settings.clone()), ("worker", settings.clone())];
    let fleet = Fleet::start_behind(Some("outages.mjs"), &members);
    let world = World { fleet, settings };
    // Another version's module: settings are read once. A trap ends the one before, at the clock, or where it tells of
    // what is wrong.
    let roll_out = |settings: serde_json::Value| {
        world.outage_of("ledger", &json!({ "settings": settings, "traps": 1 }));
        let url = world.fleet.member("ledger").url("/v1/me");
        drop(Reply::of("GET", &url, &[("Authorization", &world.token("laptop"))], None));
        world.outage_of("ledger", &json!({ "settings": settings }));
    };
    let token = world.token("laptop");
    let reply = answered_while(&world, &model, &token, || roll_out(json!({ "MACHINE_RATE": "6/fortnight" })));
    assert_unsettled(&world, &reply);
    world.assert_told("ledger: ");
    world.analyze("/v1/analyze", "other", NO_CV2).assert_problem(503, "ledger-unavailable");

    roll_out(json!({}));
    assert_taken_along(&world, &token, &reply);
    Overview::at_rest(&world.worker(), &world.settings, PATIENCE);
}
