//! Every request that was answered is in the log, and once: under load, while every process dies again and
//! again, and while KV refuses to write.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::front_door::NO_CV2;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, request_body};
use crate::support::load::{self, Line};
use crate::support::overview::Overview;
use crate::support::{random_bytes, wait_for};

const MACHINES: usize = 50;
const REQUESTS: usize = 10_000;
const CRASHES: u64 = 12;

/// What `LOGS_KV` holds when nothing waits for it any more: how often each request is in it.
struct Log {
    times: BTreeMap<String, u64>,
    writes: u64,
    refused: u64,
}

impl Log {
    #[track_caller]
    fn at_rest(worker: Member, settings: &Settings) -> Self {
        let rest = wait_for(Duration::from_secs(240), || {
            let look = Overview::of(&worker, settings);
            let waiting: u64 =
                look.shards().iter().filter_map(|shard| shard["log"]["waiting"].as_u64()).sum();
            (waiting == 0 && look.total("open_reservations") == 0).then_some(look)
        });
        let rest = rest.unwrap_or_else(|| panic!("records wait: {:?}", Overview::of(&worker, settings)));
        for shard in rest.shards() {
            assert_eq!(shard["log"]["dropped"], 0, "{rest:?}");
        }
        let told = Reply::of("GET", &worker.url("/log"), &[], None).expect("the module answers").json();
        let count = |name: &str| told[name].as_u64().expect("a count");
        let mut times = BTreeMap::new();
        for value in told["values"].as_array().expect("a list").iter().filter_map(Value::as_str) {
            for line in value.lines() {
                let record: Value = serde_json::from_str(line).expect("a record is JSON");
                let id = record["request_id"].as_str().expect("a record names its request").to_owned();
                *times.entry(id).or_default() += 1;
            }
        }
        Self { times, writes: count("writes"), refused: count("refused") }
    }

    #[track_caller]
    fn assert_each_once(&self, answered: &[String]) {
        let missing = answered.iter().filter(|id| !self.times.contains_key(*id)).count();
        let twice: Vec<&String> =
            self.times.iter().filter(|(_, times)| **times > 1).map(|(id, _)| id).collect();
        assert_eq!(missing, 0, "of {} answered requests {missing} are not in the log", answered.len());
        assert!(twice.is_empty(), "{} requests are in the log more than once: {twice:?}", twice.len());
    }
}

fn id_of(reply: &Reply) -> String {
    reply.header("x-request-id").expect("every answer has an id").to_owned()
}

fn tokens(settings: &Settings) -> Vec<String> {
    (0..MACHINES).map(|number| bearer(&settings.key().token(&format!("logged-{number}")))).collect()
}

/// Asks so often, so many at a time. Gives the ids of what was answered.
fn ask(worker: Member, tokens: &[String], requests: usize, at_once: usize) -> Vec<String> {
    let body = request_body(NO_CV2);
    load::send(worker.port(), requests, at_once, |line, number| {
        let reply = line.post("/v1/analyze", &tokens[number % MACHINES], &body).expect("an answer");
        assert_eq!(reply.status, 200, "{reply:?}");
        id_of(&reply)
    })
}

#[test]
fn ten_thousand_requests_are_in_the_log_once_each_by_few_writes() {
    let settings = Settings::new().unhurried().var("DAY_STARTS_AT", &day().0);
    let fleet = Fleet::start_behind(Some("kv-outage.mjs"), &[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    let answered = ask(worker, &tokens(&settings), REQUESTS, 32);
    let log = Log::at_rest(worker, &settings);
    println!("{} requests by {MACHINES} machines: {} KV writes", answered.len(), log.writes);
    assert_eq!(answered.len(), REQUESTS);
    log.assert_each_once(&answered);
    assert!(log.writes <= 1_000, "{} KV writes", log.writes);
}

#[test]
fn a_minute_without_kv_loses_nothing() {
    let settings = Settings::new().unhurried().var("DAY_STARTS_AT", &day().0);
    let fleet = Fleet::start_behind(Some("kv-outage.mjs"), &[("worker", settings.clone())]);
    let (worker, tokens) = (fleet.member("worker"), tokens(&settings));
    let outage = |method| {
        let reply = Reply::of(method, &worker.url("/outage"), &[], None);
        assert_eq!(reply.expect("the module answers").status, 204);
    };
    let mut answered = ask(worker, &tokens, 500, 16);
    outage("POST");
    // For a minute, in busy and in quiet times.
    for round in 0..12 {
        answered.extend(ask(worker, &tokens, 150, 1 + 5 * (round % 3)));
        std::thread::sleep(Duration::from_secs(5));
    }
    outage("DELETE");
    answered.extend(ask(worker, &tokens, 500, 16));
    let log = Log::at_rest(worker, &settings);
    println!("{} requests: {} KV writes, {} of them refused", answered.len(), log.writes, log.refused);
    log.assert_each_once(&answered);
    assert!(log.refused > 0, "there was no outage");
}

#[test]
fn what_was_answered_is_in_the_log_once_through_twelve_crashes() {
    let model = Biller::start(Count::Always(100, 50), &[Deed::Answer]);
    let settings = Settings::new()
        .unhurried()
        .var("DAY_STARTS_AT", &day().0)
        .var("DAILY_USD", "50")
        .var("MACHINE_DAILY_USD", "10")
        .var("UPSTREAM_TIMEOUT_MS", "1500")
        .model_on(model.port());
    let fleet = Fleet::start_behind(Some("kv-outage.mjs"), &[("worker", settings.clone())]);
    let crowd = Crowd { tokens: tokens(&settings), ..Crowd::default() };
    std::thread::scope(|scope| {
        crowd.port.store(fleet.member("worker").port(), Ordering::SeqCst);
        for number in 0..16 {
            let crowd = &crowd;
            scope.spawn(move || crowd.ask(number));
        }
        // The crowd goes home also when a check fails.
        let _home = GoesHome(&crowd);
        for _ in 0..CRASHES {
            crowd.wait_for_answers(20 + u64::from(random_bytes::<1>()[0]));
            std::thread::sleep(Duration::from_millis(u64::from(random_bytes::<1>()[0])));
            fleet.crash();
            fleet.run();
            crowd.port.store(fleet.member("worker").port(), Ordering::SeqCst);
        }
        crowd.wait_for_answers(100);
    });
    let log = Log::at_rest(fleet.member("worker"), &settings);
    let answered = crowd.answered.into_inner().expect("nobody panicked");
    println!("{} answers through {CRASHES} crashes, {} requests in the log", answered.len(), log.times.len());
    log.assert_each_once(&answered);
}

/// Clients that ask without end, wherever the Worker listens.
#[derive(Default)]
struct Crowd {
    port: AtomicU16,
    home: AtomicBool,
    tokens: Vec<String>,
    answers: AtomicU64,
    /// The ids of what was answered.
    answered: Mutex<Vec<String>>,
}

struct GoesHome<'a>(&'a Crowd);

impl Drop for GoesHome<'_> {
    fn drop(&mut self) {
        self.0.home.store(true, Ordering::SeqCst);
    }
}

impl Crowd {
    /// A rule answers every other request, the model the rest.
    fn ask(&self, number: usize) {
        let mut port = self.port.load(Ordering::SeqCst);
        let mut line = Line::to(port);
        let mut turn = number;
        while !self.home.load(Ordering::SeqCst) {
            turn += 17;
            let unknown = format!("ERROR: nobody knows this {turn}");
            let body = request_body(if turn.is_multiple_of(2) { NO_CV2 } else { &unknown });
            match line.post("/v1/analyze", &self.tokens[turn % MACHINES], &body) {
                Some(reply) if reply.status == 200 => {
                    self.answers.fetch_add(1, Ordering::SeqCst);
                    self.answered.lock().expect("nobody panicked").push(id_of(&reply));
                }
                // It is busy with starting, or has just died.
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
            let now = self.port.load(Ordering::SeqCst);
            if now != port {
                (port, line) = (now, Line::to(now));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn wait_for_answers(&self, count: u64) {
        let before = self.answers.load(Ordering::SeqCst);
        let answered = wait_for(Duration::from_secs(120), || {
            (self.answers.load(Ordering::SeqCst) >= before + count).then_some(())
        });
        assert!(answered.is_some(), "nobody is answered");
    }
}
