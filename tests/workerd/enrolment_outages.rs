//! Enrolment while what it does not ask fails, and while the clock is set ahead and back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Reply;
use crate::support::enrol::{address, challenge, post, solve, solved};
use crate::support::fleet::Fleet;
use crate::support::gateway::Settings;
use crate::support::wait_for;
use crate::support::world::World;
use crate::unasked::{silent, with_all};

const MINUTE_MS: i64 = 60_000;

fn easy(settings: Settings) -> Settings {
    settings.var("ENROLLMENT_DIFFICULTY", "8")
}

#[test]
fn an_enrolment_asks_the_ledger_and_nothing_else() {
    use crate::support::door::Door as _;

    let (model, provider) = silent();
    let settings = easy(with_all(&model, &provider)).var("LIMIT_STORE", "kv");
    let fleet = Fleet::start_behind(Some("counting.mjs"), &[("worker", settings)]);
    let (worker, home) = (fleet.member("worker"), address());
    let mut counts = BTreeMap::<String, u64>::new();
    let mut count = || -> bool {
        let told = Reply::of("GET", &worker.url("/counted"), &[], None).expect("the counter answers").json();
        let told: BTreeMap<String, u64> = serde_json::from_value(told).expect("counts by name");
        counts.extend(told.clone());
        told.is_empty()
    };
    let (challenge, difficulty) = challenge(&worker, &home);
    assert!(count(), "a challenge asks for something");
    let body = json!({ "challenge": challenge, "solution": solve(&challenge, difficulty, true) });
    assert_eq!(post(&worker, &home, "/v1/enroll", &body).status, 201);
    // Until nothing is done after it, either.
    let rest = wait_for(Duration::from_secs(90), || {
        let is_quiet = count();
        std::thread::sleep(Duration::from_secs(1));
        is_quiet.then_some(())
    });
    assert!(rest.is_some(), "the Worker does not come to rest");
    assert!(counts.contains_key("ledger.exchange"), "{counts:?}");
    let others = counts.keys().filter(|name| {
        !["ledger.", "object", "sql.", "storage."].iter().any(|prefix| name.starts_with(prefix))
    });
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(model.asked().is_empty() && provider.asked().is_empty());
}

#[test]
fn a_clock_that_is_set_ahead_or_back_ends_a_challenge_and_there_and_back_counts_one_again() {
    let world = World::start(easy(Settings::new().unhurried()));
    let (worker, home) = (world.worker(), address());
    let enroll = |body: &Value| post(&worker, &home, "/v1/enroll", body);
    let used = solved(&worker, &home);
    let unused = solved(&worker, &home);
    assert_eq!(enroll(&used).status, 201);
    enroll(&used).assert_problem(403, "forbidden");

    world.outage(&json!({ "clock": -2 * MINUTE_MS }));
    enroll(&unused).assert_problem(403, "forbidden");
    world.outage(&json!({ "clock": 7 * MINUTE_MS }));
    enroll(&unused).assert_problem(403, "forbidden");
    // An enrolment by a clock that is ahead: the treasury forgets what has ended by it.
    assert_eq!(enroll(&solved(&worker, &home)).status, 201);
    world.outage(&json!({}));
    assert_eq!(enroll(&used).status, 201, "what was forgotten counts once more");
    enroll(&used).assert_problem(403, "forbidden");
    assert_eq!(enroll(&unused).status, 201, "what was not used still counts");
}
