//! A crash of every process, and a start on the same storage.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::shards::Untold;
use crate::support::credentials::bearer;
use crate::support::faulty::{Fault, Faulty};
use crate::support::gateway::{Gateway, Settings, request_body, usd};
use crate::support::world::World;
use crate::support::{random_word, wait_for};

#[test]
fn the_bucket_outlives_a_crash() {
    let gateway = Gateway::start(Settings::new().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "3"));
    let authorization = bearer(&gateway.key().token("crash-bucket"));
    let ask = || gateway.post("/analyze_error", &authorization, &request_body(NO_CV2));
    for _ in 0..3 {
        assert_eq!(ask().status, 200);
    }
    ask().assert_problem(429, "rate-limited");
    gateway.crash();
    gateway.run();
    ask().assert_problem(429, "rate-limited");
}

#[test]
fn the_spend_outlives_a_crash_even_of_a_request_in_flight() {
    let model = Faulty::start();
    let unlimited = Settings::new().unhurried().model_on(model.port());
    let gateway = Gateway::start(unlimited.clone());
    let context = format!("ERROR: nobody knows this {}", Fault::NoUsage.marker());
    gateway.analyze("/v1/analyze", "crash-spend", &context);
    let Untold { charged, reserved } = Untold::measure(&context);
    wait_for(Duration::from_secs(20), || (gateway.me("crash-spend").spent() == charged).then_some(()))
        .expect("a request without usage is charged for one call");
    gateway.crash();
    gateway.run();
    assert!(gateway.me("crash-spend").spent() >= charged, "what was spent before the crash is forgotten");
    drop(gateway);

    // A day's money pays for one and a half: the first is in flight when everything dies.
    let gateway = Gateway::start(unlimited.var("MACHINE_DAILY_USD", &usd(reserved + reserved / 2)));
    let machine = format!("in-flight-{}", random_word());
    model.hold();
    std::thread::scope(|scope| {
        let before = model.asked().len();
        let authorization = bearer(&gateway.key().token(&machine));
        let url = gateway.url("/v1/analyze");
        let body = request_body(&context);
        scope.spawn(move || {
            let headers = [("Authorization", &*authorization), ("Content-Type", "application/json")];
            crate::support::client::Reply::of("POST", &url, &headers, Some(&body))
        });
        wait_for(Duration::from_secs(20), || (model.asked().len() > before).then_some(()))
            .expect("the model is asked");
        gateway.crash();
    });
    model.let_go();
    gateway.run();
    let asked = model.asked().len();
    gateway.analyze("/v1/analyze", &machine, &context).assert_problem(429, "spend-cap-reached");
    assert_eq!(model.asked().len(), asked, "nothing more is sent");
}

/// Spoils every row of the objects' databases whose key this is, while nothing runs.
#[track_caller]
fn spoil(storage: &Path, key: &str) -> usize {
    const PROGRAM: &str = "
import pathlib, sqlite3, sys
storage, key = sys.argv[1:]
spoilt = 0
for path in pathlib.Path(storage).rglob('*.sqlite'):
    with sqlite3.connect(path) as rows:
        if rows.execute(\"SELECT 1 FROM sqlite_master WHERE name = 'state'\").fetchone():
            spoilt += rows.execute(\"UPDATE state SET value = '{}' WHERE key = ?\", [key]).rowcount
print(spoilt)
";
    let program = Command::new("python3").args(["-c", PROGRAM]).arg(storage).arg(key).output();
    let said = program.expect("Python runs");
    assert!(said.status.success(), "{said:?}");
    String::from_utf8_lossy(&said.stdout).trim().parse().expect("a number of rows")
}

#[test]
fn a_stored_row_that_cannot_be_read_lets_nobody_in_and_a_restart_is_counted() {
    let world = World::start(Settings::new().unhurried());
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    let restores = "shard_restores_total{shard=\"0\"}";
    let before: u64 = world.metric(restores).parse().expect("a number");
    world.fleet.crash();
    world.fleet.run();
    assert_eq!(world.analyze("/v1/analyze", "laptop", NO_CV2).status, 200);
    world.assert_metric(restores, before + 1);

    world.fleet.crash();
    assert_eq!(spoil(&world.fleet.storage(), "shard"), 1);
    world.fleet.run();
    for machine in ["laptop", "phone"] {
        let reply = world.analyze("/v1/analyze", machine, NO_CV2);
        reply.assert_problem(503, "ledger-unavailable");
        assert_eq!((reply.retry_after(), &world.line(&reply)["level"]), (5, &json!("error")));
    }
    world.assert_told("a stored row cannot be read");
    world.operate("GET", "/admin/metrics", None).assert_problem(503, "ledger-unavailable");
}
