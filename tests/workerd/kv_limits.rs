//! `LIMIT_STORE` is `kv`: buckets are in `LIMITS_KV`, spend stays in the ledger.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use crate::front_door::NO_CV2;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, nano_usd, request_body};
use crate::support::overview::Overview;
use crate::support::{random_word, wait_for};

/// A write to KV that was made.
#[derive(Clone, Debug, Deserialize)]
struct Write {
    namespace: String,
    key: String,
    /// Milliseconds since the epoch.
    at: u64,
}

/// When each bucket was written, as the module before the Worker saw it.
fn writes(worker: Member) -> BTreeMap<String, Vec<u64>> {
    let reply = Reply::of("GET", &worker.url("/written"), &[], None).expect("the counter answers");
    let all: Vec<Write> = serde_json::from_value(reply.json()).expect("a list of writes");
    let mut by_key: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for write in all.into_iter().filter(|write| write.namespace == "LIMITS_KV") {
        by_key.entry(write.key).or_default().push(write.at);
    }
    by_key
}

/// How often each thing was used since this was last asked.
fn counted(worker: Member) -> BTreeMap<String, u64> {
    let reply = Reply::of("GET", &worker.url("/counted"), &[], None).expect("the counter answers");
    serde_json::from_value(reply.json()).expect("counts by name")
}

fn settings(rate: &str, burst: &str) -> Settings {
    Settings::new()
        .unhurried()
        .var("LIMIT_STORE", "kv")
        .var("DAY_STARTS_AT", &day().0)
        .var("MACHINE_RATE", rate)
        .var("MACHINE_BURST", burst)
}

fn start(settings: &Settings) -> Fleet {
    Fleet::start_behind(Some("counting.mjs"), &[("worker", settings.clone())])
}

fn analyze(worker: Member, settings: &Settings, machine: &str) -> Reply {
    worker.post("/v1/analyze", &bearer(&settings.key().token(machine)), &request_body(NO_CV2))
}

#[test]
fn a_burst_is_admitted_and_refusals_after_it_cost_no_ledger_request() {
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let settings = settings("1/hour", "3").model_on(model.port());
    let fleet = start(&settings);
    let worker = fleet.member("worker");
    assert_eq!(worker.send("GET", "/readyz", &[], None).status, 200);
    let machine = format!("kv-{}", random_word());
    for left in [2, 1, 0] {
        let reply = analyze(worker, &settings, &machine);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.assert_rate_limit("machine"), left);
    }
    // The ledger knows of the money, and of nothing that goes with the bucket.
    let rest = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    assert_eq!(rest.used(), model.billed(), "{rest:?}");
    let me = worker.look(&bearer(&settings.key().token(&machine)));
    assert_eq!(me.status, 200, "{me:?}");
    assert_eq!(me.json()["rate"]["remaining"], 0, "{me:?}");
    assert_eq!(nano_usd(&me.json()["spend"]["today_usd"]), model.billed(), "{me:?}");

    let quiet = wait_for(Duration::from_secs(60), || {
        std::thread::sleep(Duration::from_secs(1));
        counted(worker).is_empty().then_some(())
    });
    assert!(quiet.is_some(), "the Worker does not come to rest");
    for _ in 0..10 {
        let reply = analyze(worker, &settings, &machine);
        reply.assert_problem(429, "rate-limited");
        assert!((3_000..=3_600).contains(&reply.retry_after()), "{reply:?}");
        assert_eq!(reply.assert_rate_limit("machine"), 0);
    }
    let mut cost = counted(worker);
    // Whoever has waited half a minute for quiet looks again at what other places wrote.
    let reads = cost.remove("kv.get").unwrap_or(0);
    assert!(reads <= 1 && cost.is_empty(), "ten refusals cost {reads} reads and {cost:?}");
    let other = analyze(worker, &settings, &format!("other-{}", random_word()));
    assert_eq!(other.assert_rate_limit("machine"), 2, "another machine has a bucket of its own");
    assert_eq!(model.asked(), 4);
}

#[test]
fn a_key_is_written_at_most_once_a_second() {
    // More than any machine that runs this test can send.
    let settings = settings("100000/second", "1000000");
    let fleet = start(&settings);
    let worker = fleet.member("worker");
    let tokens: Vec<String> =
        (0..3).map(|number| bearer(&settings.key().token(&format!("often-{number}")))).collect();
    // Until each was written three times, and so for some seconds.
    let written = wait_for(Duration::from_secs(120), || {
        std::thread::scope(|scope| {
            for token in &tokens {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let reply = worker.post("/v1/analyze", token, &request_body(NO_CV2));
                        assert_eq!(reply.status, 200, "{reply:?}");
                    }
                });
            }
        });
        let writes = writes(worker);
        (writes.len() == 3 && writes.values().all(|moments| moments.len() >= 3)).then_some(writes)
    });
    let written = written.unwrap_or_else(|| panic!("buckets are not written: {:?}", writes(worker)));
    for (key, mut moments) in written {
        moments.sort_unstable();
        let closest = moments.windows(2).map(|pair| pair[1] - pair[0]).min().expect("several writes");
        assert!(closest >= 1_000, "{key} is written twice within {closest} ms: {moments:?}");
    }
    assert!(!fleet.output().contains("LIMITS_KV"), "{}", fleet.output());
}

#[test]
fn what_was_written_of_a_bucket_outlives_a_crash() {
    let settings = settings("1/hour", "3");
    let fleet = start(&settings);
    let worker = fleet.member("worker");
    let machine = format!("crash-{}", random_word());
    for count in 1..=3 {
        let reply = analyze(worker, &settings, &machine);
        assert_eq!(reply.status, 200, "{reply:?}");
        // So slowly that each admission is written; in between no write is due.
        let written = wait_for(Duration::from_secs(20), || {
            (writes(worker).values().map(Vec::len).sum::<usize>() == count).then_some(())
        });
        assert!(written.is_some(), "the {count}th admission is not written: {:?}", writes(worker));
        std::thread::sleep(Duration::from_millis(2_500));
    }
    fleet.crash();
    fleet.run();
    let worker = fleet.member("worker");
    let reply = analyze(worker, &settings, &machine);
    reply.assert_problem(429, "rate-limited");
    assert_eq!(reply.assert_rate_limit("machine"), 0);
    assert_eq!(analyze(worker, &settings, "another").assert_rate_limit("machine"), 2);
}
