//! A crash of every process, and a start on the same storage.

use std::time::Duration;

use crate::front_door::NO_CV2;
use crate::shards::Untold;
use crate::support::credentials::bearer;
use crate::support::faulty::{Fault, Faulty};
use crate::support::gateway::{Gateway, Settings, request_body, usd};
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
