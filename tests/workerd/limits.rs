//! Rate and concurrency, as a machine meets them.

use std::io::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;

use crate::abuse::requests::{head, request};
use crate::front_door::NO_CV2;
use crate::support::credentials::{bearer, claims};
use crate::support::door::Door as _;
use crate::support::faulty::Faulty;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::overview::Overview;
use crate::support::{random_word, raw, wait_for};

/// One an hour, so that no bucket fills while a test runs.
static SLOW: LazyLock<Gateway> =
    LazyLock::new(|| Gateway::start(Settings::new().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "3")));

#[test]
fn a_burst_and_no_more_is_admitted() {
    let machine = format!("burst-{}", random_word());
    let authorization = bearer(&SLOW.key().token(&machine));
    for left in [2, 1, 0] {
        let reply = SLOW.post("/analyze_error", &authorization, &request_body(NO_CV2));
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.assert_rate_limit("machine"), left);
    }
    for path in ["/analyze_error", "/v1/analyze"] {
        let reply = SLOW.post(path, &authorization, &request_body(NO_CV2));
        reply.assert_problem(429, "rate-limited");
        assert!((3_000..=3_600).contains(&reply.retry_after()), "{reply:?}");
        assert_eq!(reply.assert_rate_limit("machine"), 0);
    }
    let other = SLOW.analyze("/analyze_error", &format!("other-{}", random_word()), NO_CV2);
    assert_eq!(other.status, 200, "another machine has a bucket of its own");
}

#[test]
fn who_has_to_wait_hears_so_before_a_short_body_comes_and_the_connection_goes_on() {
    let settings = Settings::new().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "1");
    let token = bearer(&settings.key().token("waits"));
    let fleet = Fleet::start(&[("worker", settings)]);
    let worker = fleet.member("worker");
    let asked = || worker.post("/v1/analyze", &token, &request_body(NO_CV2)).status;
    assert_eq!([asked(), asked()], [200, 429]);
    let headers = [("Authorization", token.as_str())];
    for length in [100, 16_384] {
        for is_late in [false, true] {
            let mut stream = raw::connect(worker.port());
            let mut send = |bytes: &[u8]| stream.write_all(bytes).expect("it is taken");
            send(
                format!("{}Content-Length: {length}\r\n\r\n", head("POST", "/v1/analyze", &headers))
                    .as_bytes(),
            );
            let body = vec![b' '; length];
            if !is_late {
                send(&body);
            }
            let limited = raw::read(&stream).expect("an answer");
            limited.assert_problem(429, "rate-limited");
            let mut send = |bytes: &[u8]| stream.write_all(bytes).expect("it is taken");
            if is_late {
                send(&body);
            }
            send(&request("GET", "/v1/me", &headers, b""));
            let me = raw::read(&stream).unwrap_or_else(|| panic!("{length}, {is_late}: no second answer"));
            assert_eq!((me.status, &me.json()["machine_id"]), (200, &json!("waits")), "{length}, {is_late}");
        }
    }
}

#[test]
fn a_burst_at_once_is_no_larger() {
    let machine = format!("at-once-{}", random_word());
    let authorization = bearer(&SLOW.key().token(&machine));
    let replies: Vec<_> = std::thread::scope(|scope| {
        let ask = || SLOW.post("/v1/analyze", &authorization, &request_body(NO_CV2)).status;
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    // Two in flight at once are allowed, so some of the three may have been refused for that.
    let admitted = replies.iter().filter(|status| **status == 200).count();
    assert!((1..=3).contains(&admitted), "{replies:?}");
    assert!(replies.iter().all(|status| [200, 429].contains(status)), "{replies:?}");
}

#[test]
fn a_third_request_in_flight_is_refused_until_one_ends() {
    let model = Faulty::start();
    let gateway =
        Gateway::start(Settings::new().unhurried().var("MACHINE_CONCURRENCY", "2").model_on(model.port()));
    let machine = format!("in-flight-{}", random_word());
    let authorization = bearer(&gateway.key().token(&machine));
    let ask = || gateway.post("/v1/analyze", &authorization, &request_body("ERROR: nobody knows"));
    model.hold();
    std::thread::scope(|scope| {
        let first = [scope.spawn(ask), scope.spawn(ask)];
        wait_for(Duration::from_secs(20), || (model.asked().len() == 2).then_some(()))
            .expect("two are in flight");
        let third = ask();
        third.assert_problem(429, "rate-limited");
        assert!(third.retry_after() >= 1, "{third:?}");
        let neighbour = scope.spawn(|| gateway.analyze("/v1/analyze", "neighbour", "ERROR: nobody knows"));
        wait_for(Duration::from_secs(20), || (model.asked().len() == 3).then_some(()))
            .expect("another machine is not held up");
        model.let_go();
        for thread in first {
            assert_eq!(thread.join().expect("an answer").status, 200);
        }
        assert_eq!(neighbour.join().expect("an answer").status, 200);
    });
    let again = wait_for(Duration::from_secs(20), || (ask().status == 200).then_some(()));
    assert!(again.is_some(), "a place is free again");
}

#[test]
fn a_plan_that_is_not_configured_is_forbidden() {
    let machine = format!("planless-{}", random_word());
    let mut claims = claims(&machine);
    claims["plan"] = json!("nowhere");
    let authorization = bearer(&SLOW.key().sign(&SLOW.key().header(), &claims));
    let question = request_body(NO_CV2);
    SLOW.post("/v1/analyze", &authorization, &question).assert_problem(403, "forbidden");
    SLOW.look(&authorization).assert_problem(403, "forbidden");
}

#[test]
fn a_machine_looks_twenty_times_at_once_and_others_do_not_notice() {
    let settings = Settings::new();
    let gateway = Gateway::start(settings.clone());
    let look = |machine: &str| gateway.look(&bearer(&gateway.key().token(machine)));
    let asked = || {
        let look = Overview::of(&gateway, &settings);
        look.shards().iter().filter_map(|shard| shard["operations"]["requests"].as_u64()).sum::<u64>()
    };
    let before = asked();
    let replies: Vec<_> = (0..200).map(|_| look("looker")).collect();
    let seen = replies.iter().filter(|reply| reply.status == 200).count();
    // Ten more in a minute, which a slow machine may take.
    assert!((20..=40).contains(&seen), "{seen}");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.assert_problem(429, "rate-limited");
        assert!((1..=6).contains(&reply.retry_after()), "{reply:?}");
    }
    let cost = asked() - before;
    assert!(cost <= seen as u64 + 10, "{cost} requests to the ledger for {seen} looks");
    assert_eq!(look("another").status, 200);
    assert_eq!(gateway.analyze("/v1/analyze", "looker", NO_CV2).status, 200, "a look takes no token");
}
