//! The service's cap under load: what the model bills is never more, and hardly less.

use std::time::Duration;

use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, nano_usd, request_body, usd};
use crate::support::load;
use crate::support::overview::Overview;
use crate::support::prices;

const REQUESTS: usize = 20_000;
const AT_ONCE: usize = 64;
const MACHINES: usize = 200;
/// Requests that the cap pays for, at what each costs in the end.
const PAID_FOR: u64 = 5_000;

/// What the model counts for each request. Its prompt may be some 4,500 tokens and its answer 150, and
/// it may be asked twice, so that about eight times as much is set aside: 0.2 % of the cap.
const PROMPT: u64 = 1_000;
const COMPLETION: u64 = 50;

#[test]
fn with_one_shard_a_flood_spends_the_cap_and_no_more() {
    flood(1);
}

#[test]
fn with_four_shards_a_flood_spends_the_cap_and_no_more() {
    flood(4);
}

fn flood(shards: usize) {
    let model = Biller::start(Count::Always(PROMPT, COMPLETION), &[Deed::Answer]);
    let each = prices::bill(PROMPT, COMPLETION);
    let cap = each * PAID_FOR;
    let settings = Settings::new()
        .unhurried()
        .var("SHARDS", &shards.to_string())
        .var("DAY_STARTS_AT", &day().0)
        .var("DAILY_USD", &usd(cap))
        .var("MACHINE_DAILY_USD", &usd(cap))
        .model_on(model.port());
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    let tokens: Vec<String> =
        (0..MACHINES).map(|number| bearer(&settings.key().token(&format!("flood-{number}")))).collect();
    let body = request_body("ERROR: nobody knows this");
    let replies = load::send(worker.port(), REQUESTS, AT_ONCE, |line, number| {
        let resent = line.resent;
        let reply = line.post("/v1/analyze", &tokens[number % MACHINES], &body);
        let reply = reply.unwrap_or_else(|| panic!("request {number} got no answer"));
        (Told::of(&reply), line.resent - resent)
    });
    let resent: u64 = replies.iter().map(|(_, resent)| resent).sum();
    let replies: Vec<Told> = replies.into_iter().map(|(told, _)| told).collect();

    let (billed, asked) = (model.billed(), model.asked());
    println!(
        "{shards} shards: the model bills {billed} of {cap} nano-dollars for {asked} requests ({resent} resent)"
    );
    assert_eq!(replies.len(), REQUESTS);
    assert!(billed <= cap, "the model bills {billed} of {cap}");
    assert!(billed >= cap / 100 * 98, "only {billed} of {cap} is spent: refusals without a reason");
    // Every request was either paid for or refused for want of money; the answer of one that had to
    // be sent anew may have been lost.
    let paid = replies.iter().filter(|told| matches!(told, Told::Paid(_))).count() as u64;
    assert!((asked.saturating_sub(resent)..=asked).contains(&paid), "{paid} of {asked} came back");
    let told: u64 = replies.iter().map(|told| if let Told::Paid(cost) = told { *cost } else { 0 }).sum();
    assert_eq!(told, paid * each, "clients are told what the model bills");

    let rest = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    // An object that the platform put to sleep in between counts what it had written down ahead.
    let same = if rest.total("restarts") == 0 { rest.used() == billed } else { rest.used() >= billed };
    assert!(same, "the ledger's books are not the model's, {billed}: {rest:?}");
    assert!(rest.leased() <= cap, "{rest:?}");
    assert_eq!(rest.shards().len(), shards);
    assert_eq!(rest.total("machines"), MACHINES as u64, "{rest:?}");
    assert!(!fleet.output().contains("rror"), "{}", fleet.output());
}

enum Told {
    /// The model answered, for these nano-dollars.
    Paid(u64),
    /// The service's cap is reached.
    CapReached,
}

impl Told {
    fn of(reply: &Reply) -> Self {
        if reply.status == 200 {
            return Self::Paid(nano_usd(&reply.json()["cost_usd"]));
        }
        reply.assert_problem(429, "spend-cap-reached");
        Self::CapReached
    }
}
