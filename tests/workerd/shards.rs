//! Four shards, each with some of the machines and a lease on the caps: to everybody outside they are
//! one ledger.

use std::time::Duration;

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::revocation::rfc3339;
use crate::signed::assert_stranger;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::{bearer, claims, unix_seconds};
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, nano_usd, request_body, usd};
use crate::support::load;
use crate::support::overview::Overview;
use crate::support::signing::ToSign;
use crate::support::{random_word, wait_for};

const MACHINES: usize = 40;

fn machine(number: usize) -> String {
    format!("spread-{number}")
}

fn start(settings: &Settings) -> (Fleet, Member) {
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    (fleet, worker)
}

fn four_shards() -> Settings {
    Settings::new().unhurried().var("SHARDS", "4").var("DAY_STARTS_AT", &day().0)
}

fn analyze(worker: Member, token: &str) -> Reply {
    worker.post("/v1/analyze", &bearer(token), &request_body(NO_CV2))
}

/// How many machines each shard has.
fn spread(worker: Member, settings: &Settings) -> Vec<u64> {
    let look = Overview::of(&worker, settings);
    look.shards().iter().map(|shard| shard["machines"].as_u64().expect("a number")).collect()
}

#[test]
fn machines_are_spread_and_each_has_one_bucket() {
    let settings = four_shards().var("MACHINE_RATE", "1/hour").var("MACHINE_BURST", "3");
    let (_fleet, worker) = start(&settings);
    let mut replies = load::send(worker.port(), MACHINES * 5, 16, |line, number| {
        let authorization = bearer(&settings.key().token(&machine(number % MACHINES)));
        let reply = line.post("/v1/analyze", &authorization, &request_body(NO_CV2)).expect("an answer");
        (number % MACHINES, reply)
    });
    replies.sort_by_key(|(number, _)| *number);
    for of_machine in replies.chunks(5) {
        let admitted = of_machine.iter().filter(|(_, reply)| reply.status == 200).count();
        assert_eq!(admitted, 3, "{of_machine:?}");
    }
    let spread = spread(worker, &settings);
    assert_eq!(spread.len(), 4);
    // By chance a shard of four has none of 40 machines once in 25,000 runs.
    assert!(spread.iter().all(|machines| *machines > 0), "{spread:?}");
    assert_eq!(spread.iter().sum::<u64>(), MACHINES as u64, "{spread:?}");
    for number in 0..MACHINES {
        let reply = worker.look(&bearer(&settings.key().token(&machine(number))));
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["machine_id"], machine(number));
        assert_eq!(reply.json()["rate"]["remaining"], 0, "{reply:?}");
        assert_eq!(reply.assert_rate_limit("machine"), 0);
    }
}

#[test]
fn a_revocation_is_in_force_on_every_shard_with_the_next_request() {
    let settings = four_shards();
    let (fleet, worker) = start(&settings);
    let key = settings.key();
    let issued_at = |number, seconds: u64| {
        let jti = random_word();
        let mut claims = claims(&machine(number));
        (claims["iat"], claims["jti"]) = (json!(seconds), Value::from(jti.clone()));
        (key.sign(&key.header(), &claims), jti)
    };
    let now = unix_seconds();
    let machines: Vec<_> =
        (0..MACHINES).map(|number| (issued_at(number, now), issued_at(number, now - 600))).collect();
    let operator = bearer(&settings.operator_key().operator_token("alice"));
    let change = |target: &Value| {
        let headers = [("Authorization", operator.as_str()), ("Content-Type", "application/json")];
        let reply = worker.send("POST", "/admin/revocations", &headers, Some(target.to_string().as_bytes()));
        assert_eq!(reply.json(), json!({ "changed": true }), "{reply:?}");
    };
    for ((new, _), (old, _)) in &machines {
        assert_eq!(analyze(worker, new).status, 200);
        assert_eq!(analyze(worker, old).status, 200);
    }
    assert!(spread(worker, &settings).iter().all(|machines| *machines > 0));

    // A moment, which concerns the machines of all shards.
    change(&json!({ "issued_before": rfc3339(now - 300), "reason": "leak" }));
    for ((new, _), (old, _)) in &machines {
        analyze(worker, old).assert_problem(403, "revoked");
        assert_eq!(analyze(worker, new).status, 200);
    }
    // Machines and tokens of all shards.
    for (number, ((new, jti), _)) in machines.iter().enumerate() {
        let target = match number % 2 {
            0 => json!({ "machine": machine(number), "reason": "lost" }),
            _ => json!({ "jti": jti, "reason": "lost" }),
        };
        change(&target);
        analyze(worker, new).assert_problem(403, "revoked");
        worker.look(&bearer(new)).assert_problem(403, "revoked");
    }
    let untouched = key.token(&machine(1));
    assert_eq!(analyze(worker, &untouched).status, 200, "another token of a machine with a revoked one");
    fleet.crash();
    fleet.run();
    let worker = fleet.member("worker");
    for ((new, _), (old, _)) in &machines {
        analyze(worker, new).assert_problem(403, "revoked");
        analyze(worker, old).assert_problem(403, "revoked");
    }
    assert_eq!(analyze(worker, &untouched).status, 200);
}

#[test]
fn a_nonce_is_admitted_once_on_whichever_shard() {
    let settings = four_shards();
    let (_fleet, worker) = start(&settings);
    for number in 0..MACHINES {
        let signed = ToSign::analysis(settings.key(), &machine(number)).sign(&worker);
        assert_eq!(signed.send(&worker).status, 200);
        assert_stranger(&signed.send(&worker));
    }
    assert!(spread(worker, &settings).iter().all(|machines| *machines > 0));
}

/// Requests of one machine that its cap pays for.
const PAID_FOR: u64 = 4;

#[test]
fn another_number_of_shards_waits_for_the_next_day() {
    let model = Biller::start(Count::Most, &[Deed::NoUsage]);
    let context = "ERROR: nobody knows this";
    let Untold { charged: one, reserved } = Untold::measure(context);
    // Room for the last request, whose reservation is larger than its charge. The service's cap pays
    // for three quarters of what the machines' do: enough for what a crash may strand on four shards.
    let (cap, all) = (one * (PAID_FOR - 1) + reserved, one * PAID_FOR * MACHINES as u64 * 3 / 4 + one / 2);
    let settings =
        four_shards().var("MACHINE_DAILY_USD", &usd(cap)).var("DAILY_USD", &usd(all)).model_on(model.port());
    let (fleet, worker) = start(&settings);
    // Each in turn, when all is settled that came before.
    let ask = |worker: Member, machines: std::ops::Range<usize>, each: u64| {
        let round = |_| {
            let answered = load::send(worker.port(), machines.len(), 8, |line, number| {
                let authorization = bearer(&settings.key().token(&machine(machines.start + number)));
                let reply =
                    line.post("/v1/analyze", &authorization, &request_body(context)).expect("an answer");
                if reply.status != 200 {
                    reply.assert_problem(429, "spend-cap-reached");
                }
                u64::from(reply.status == 200)
            });
            Overview::at_rest(&worker, &settings, Duration::from_secs(60));
            answered.into_iter().sum::<u64>()
        };
        (0..each).map(round).sum::<u64>()
    };
    let spent = |worker: Member, number| {
        nano_usd(&worker.look(&bearer(&settings.key().token(&machine(number)))).json()["spend"]["today_usd"])
    };

    // Ten machines spend all that is theirs, ten more a part.
    assert_eq!(ask(worker, 0..10, PAID_FOR + 2), 10 * PAID_FOR);
    // What one shard has leased and not spent, another has to do without until it is given back.
    let part = ask(worker, 10..20, PAID_FOR - 1);
    assert!(part >= 10 * (PAID_FOR - 1) - 4, "{part}");
    let spent_before: Vec<u64> = (0..20).map(|number| spent(worker, number)).collect();
    assert!((0..10).all(|number| spent_before[number] == PAID_FOR * one), "{spent_before:?}");
    fleet.set(&[("worker", settings.clone().var("SHARDS", "2"))]);
    fleet.crash();
    fleet.run();
    let worker = fleet.member("worker");
    assert_eq!(ask(worker, 0..10, 3), 0, "a machine spends its cap twice");
    for (number, before) in spent_before.iter().enumerate() {
        assert!(spent(worker, number) >= *before, "what machine {number} spent is forgotten");
    }
    let look = Overview::of(&worker, &settings);
    assert_eq!(look.shards().len(), 4, "{look:?}");
    assert_eq!(look.0["treasury"]["shards"], 4, "{look:?}");
    // All machines ask for more than the service's cap has left.
    let before = model.asked();
    ask(worker, 10..MACHINES, PAID_FOR + 2);
    let (asked, used) =
        (model.asked(), Overview::at_rest(&worker, &settings, Duration::from_secs(60)).used());
    println!("{asked} requests of {} that the service's cap pays for", all / one);
    assert!(asked * one <= all, "{asked} requests, each for {one}, of {all}");
    assert!(asked > before, "nothing is admitted after the crash: {asked} requests, {used} of {all}");
    assert!(used <= all && used >= asked * one, "{used} of {all}");
    assert!((10..20).all(|number| spent(worker, number) <= cap));
}

/// What the ledger makes of a request whose usage nobody tells.
#[derive(Clone, Copy, Debug)]
pub struct Untold {
    /// What it is charged in the end: one call of the model, in full.
    pub charged: u64,
    /// What is set aside for it at first: the calls that may become necessary.
    pub reserved: u64,
}

impl Untold {
    /// Measured on a Worker of its own.
    pub fn measure(context: &str) -> Self {
        let model = Biller::start(Count::Most, &[Deed::NoUsage, Deed::Hang]);
        let settings = Settings::new().unhurried().model_on(model.port());
        let (_fleet, worker) = start(&settings);
        let token = bearer(&settings.key().token("measure"));
        let ask = || worker.post("/v1/analyze", &token, &request_body(context));
        assert_eq!(ask().status, 200);
        let charged = Overview::at_rest(&worker, &settings, Duration::from_secs(20)).used();
        assert!(charged >= model.billed() && charged > 0, "{charged}");
        std::thread::scope(|scope| {
            scope.spawn(ask);
            let held = wait_for(Duration::from_secs(20), || (model.asked() == 2).then_some(()));
            assert!(held.is_some(), "the model is not asked");
            let reserved = Overview::of(&worker, &settings).used() - charged;
            assert!(reserved >= charged, "{reserved}");
            Self { charged, reserved }
        })
    }
}
