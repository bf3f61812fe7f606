//! What requests cost of the platform's allowances, as the ledger's objects count it themselves
//! (`GET /admin/ledger`): rows written with the alarms that were set, requests with the alarms that
//! rang, writes to KV.

use std::time::Duration;

use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, request_body};
use crate::support::load;
use crate::support::overview::Overview;

/// A context of some hundred bytes, as most are; its record is about as long.
const CONTEXT: &str = "Command: pip install cv2\nExit Code: 1\n--- stderr ---\n\
    ERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)\n\
    ERROR: No matching distribution found for cv2\n";

/// Operations of all objects since the look before.
#[derive(Debug)]
struct Cost {
    rows: u64,
    ledger: u64,
    kv: u64,
    treasury: u64,
}

impl Cost {
    /// From one look to another, less what looking takes of itself: one request a shard.
    fn between(before: &Overview, after: &Overview) -> Self {
        let of = |name: &str| after.operations(name) - before.operations(name);
        let looks = after.shards().len() as u64;
        let treasury = |look: &Overview| look.0["treasury"]["operations"]["rows_written"].as_u64();
        let in_treasury = treasury(after).unwrap_or(0).saturating_sub(treasury(before).unwrap_or(0));
        Self {
            rows: of("rows_written") + in_treasury,
            ledger: of("requests") + of("treasury_requests") - looks,
            kv: of("kv_writes"),
            treasury: of("treasury_requests"),
        }
    }

    /// For each of `requests`.
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn each(operations: u64, requests: usize) -> f64 {
        operations as f64 / requests as f64
    }
}

fn start(model: &Biller) -> (Fleet, Settings) {
    let settings = Settings::new()
        .unhurried()
        .var("DAY_STARTS_AT", &day().0)
        .var("DAILY_USD", "1000")
        .var("MACHINE_DAILY_USD", "10")
        .model_on(model.port());
    (Fleet::start(&[("worker", settings.clone())]), settings)
}

#[test]
fn a_request_now_and_then_costs_two_rows() {
    const REQUESTS: usize = 12;
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let (fleet, settings) = start(&model);
    let worker = fleet.member("worker");
    let authorization = bearer(&settings.key().token("now-and-then"));
    let before = Overview::of(&worker, &settings);
    for _ in 0..REQUESTS {
        let reply = worker.post("/v1/analyze", &authorization, &request_body(CONTEXT));
        assert_eq!(reply.status, 200, "{reply:?}");
        std::thread::sleep(Duration::from_secs(3));
    }
    let after = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    let cost = Cost::between(&before, &after);
    println!("{REQUESTS} requests, three seconds apart: {cost:?}");
    assert_eq!(after.total("restarts"), before.total("restarts"), "the counts began anew: {after:?}");
    assert_eq!(model.asked(), REQUESTS as u64);
    assert!(cost.rows >= 1, "what is spent has to be written: {cost:?}");
    // Admission and settlement; and once an alarm, the day's lease, and the day itself.
    assert!(cost.rows <= 2 * REQUESTS as u64 + 3, "{cost:?}");
    // Admission and settlement, and the treasury at the beginning.
    assert!(cost.ledger >= REQUESTS as u64, "{cost:?}");
    assert!(Cost::each(cost.ledger - cost.treasury, REQUESTS) <= 2.0 && cost.treasury <= 3, "{cost:?}");
    assert!(Cost::each(cost.kv, REQUESTS) <= 1.0, "{cost:?}");
}

#[test]
fn dense_traffic_costs_a_row_a_call_and_little_more_than_one_ledger_request() {
    const REQUESTS: usize = 4_000;
    const MACHINES: usize = 50;
    let model = Biller::start(Count::Always(1_000, 50), &[Deed::Answer]);
    let (fleet, settings) = start(&model);
    let worker = fleet.member("worker");
    let tokens: Vec<String> =
        (0..MACHINES).map(|number| bearer(&settings.key().token(&format!("dense-{number}")))).collect();
    let run = |requests: usize| {
        load::send(worker.port(), requests, 16, |line, number| {
            let reply = line.post("/v1/analyze", &tokens[number % MACHINES], &request_body(CONTEXT));
            assert_eq!(reply.expect("an answer").status, 200);
        });
    };
    // The first ones find nothing leased and nothing written ahead.
    run(200);
    let before = Overview::of(&worker, &settings);
    run(REQUESTS);
    let after = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    let cost = Cost::between(&before, &after);
    let log = &after.shards()[0]["log"];
    println!("{REQUESTS} requests at once over {MACHINES} machines: {cost:?}, records {log}");
    assert_eq!(after.total("restarts"), before.total("restarts"), "the counts began anew: {after:?}");
    assert_eq!(log["dropped"], 0, "{log}");
    // A row of the journal for all that come in one call; and few more, also for the records.
    let beyond_journal = cost.rows.saturating_sub(cost.ledger);
    assert!(cost.rows >= 1 && Cost::each(beyond_journal, REQUESTS) <= 0.2, "{cost:?}");
    assert!(Cost::each(cost.ledger, REQUESTS) <= 1.2, "{cost:?}");
    assert!(cost.kv >= 1 && Cost::each(cost.kv, REQUESTS) <= 0.1, "{cost:?}");
}
