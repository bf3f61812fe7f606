//! The service's cap when every process dies again and again, under load and with a model that fails:
//! the bill is never over the cap, and what the crashes took of the cap for nothing is bounded.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::Duration;

use crate::shards::Untold;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, request_body, usd};
use crate::support::load::Line;
use crate::support::overview::Overview;
use crate::support::{random_bytes, wait_for};

const CRASHES: u64 = 20;
const AT_ONCE: usize = 32;
const MACHINES: usize = 50;
const CONTEXT: &str = "ERROR: nobody knows this";

/// Reservations that the cap pays for: so few that most crashes come when little or nothing is left of
/// it, and so many that the first ones come when there is.
const PAID_FOR: u64 = 4_000;

/// What may be written down ahead of need in dense traffic, in reservations: 64 requests of a machine,
/// each with as much again as margin (`ledger/shard/snapshot.rs`, `ledger/shard/admit.rs`).
pub const AHEAD: u64 = 64 * 2;

/// In turn. Half of the time the model is well.
const DEEDS: [Deed; 12] = [
    Deed::Answer,
    Deed::NoUsage,
    Deed::Answer,
    Deed::Fail,
    Deed::Answer,
    Deed::HangUp,
    Deed::Answer,
    Deed::Hang,
    Deed::Answer,
    Deed::Fail,
    Deed::Answer,
    Deed::NoUsage,
];

#[test]
fn through_twenty_crashes_the_bill_is_never_over_the_cap() {
    let mut random = Random::new();
    let Untold { charged, reserved } = Untold::measure(CONTEXT);
    let cap = reserved * PAID_FOR;
    let model = Biller::start(Count::Most, &DEEDS);
    let settings = Settings::new()
        .unhurried()
        .var("DAY_STARTS_AT", &day().0)
        .var("DAILY_USD", &usd(cap))
        .var("MACHINE_DAILY_USD", &usd(cap))
        .var("UPSTREAM_TIMEOUT_MS", "1500")
        .model_on(model.port());
    let fleet = Fleet::start(&[("worker", settings.clone())]);
    let crowd = Crowd::to(&settings);
    std::thread::scope(|scope| {
        crowd.port.store(fleet.member("worker").port(), Ordering::SeqCst);
        for number in 0..AT_ONCE {
            let crowd = &crowd;
            scope.spawn(move || crowd.ask(number));
        }
        // The crowd goes home also when a check fails.
        let _home = GoesHome(&crowd);
        for _ in 0..CRASHES {
            crowd.wait_for_answers(1 + random.below(200));
            std::thread::sleep(Duration::from_millis(random.below(1_000)));
            fleet.crash();
            assert!(model.billed() <= cap, "the model bills {} of {cap}", model.billed());
            fleet.run();
            crowd.port.store(fleet.member("worker").port(), Ordering::SeqCst);
        }
        crowd.reached.store(0, Ordering::SeqCst);
        let spent = wait_for(Duration::from_secs(120), || {
            (crowd.reached.load(Ordering::SeqCst) >= 500).then_some(())
        });
        assert!(spent.is_some(), "the cap is not reached: {crowd:?}");
    });

    let worker = fleet.member("worker");
    let rest = Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    let (billed, used, restarts) = (model.billed(), rest.used(), rest.total("restarts"));
    // What the gateway had to count, had no process died: what the model told it, and in full what it
    // could not know, call by call.
    let known = model.told() + model.untold() * charged;
    // A crash leaves behind at most the reservations that were open, for it is not known what became of
    // them, and what was written down ahead. Each is counted in full from then on.
    let bound = restarts * (AT_ONCE as u64 + AHEAD) * reserved;
    let stranded = used.saturating_sub(known);
    println!(
        "{} requests through {restarts} restarts: of {cap} nano-dollars the model bills {billed}, the ledger counts \
         {used}: {} for outcomes that nobody told and {stranded} stranded by crashes, {} each, at most {bound} in all",
        model.asked(),
        known - billed,
        stranded / restarts.max(1)
    );
    assert!(restarts >= CRASHES, "{restarts} restarts");
    assert!(billed <= used && used <= cap, "the model bills {billed}, the ledger counts {used} of {cap}");
    assert!(known <= used, "{known} is to be counted, {used} is");
    assert!(stranded <= bound, "{stranded} stranded, at most {bound} are to be");
    // Nobody was of another plan, and nothing of another plan's cap is gone.
    let other = &rest.shards()[0]["funds"]["plan/trusted"]["used_usd"];
    assert_eq!(other, "0", "{rest:?}");
    // What those that were open at the end had too much came back when nobody asked any more.
    let left = (AT_ONCE as u64 + 2) * reserved;
    assert!(used > cap - left, "there was money, but no answer: {used} of {cap}");
}

/// Clients that ask without end, wherever the Worker listens.
#[derive(Debug)]
struct Crowd {
    port: AtomicU16,
    home: AtomicBool,
    tokens: Vec<String>,
    answers: AtomicU64,
    /// Answers that the service's cap is reached.
    reached: AtomicU64,
}

struct GoesHome<'a>(&'a Crowd);

impl Drop for GoesHome<'_> {
    fn drop(&mut self) {
        self.0.home.store(true, Ordering::SeqCst);
    }
}

impl Crowd {
    fn to(settings: &Settings) -> Self {
        let token = |number| bearer(&settings.key().token(&format!("crowd-{number}")));
        Self {
            port: AtomicU16::new(0),
            home: AtomicBool::new(false),
            tokens: (0..MACHINES).map(token).collect(),
            answers: AtomicU64::new(0),
            reached: AtomicU64::new(0),
        }
    }

    fn ask(&self, number: usize) {
        let body = request_body(CONTEXT);
        let mut turn = number;
        let mut port = self.port.load(Ordering::SeqCst);
        let mut line = Line::to(port);
        while !self.home.load(Ordering::SeqCst) {
            turn += AT_ONCE + 1;
            match line.post("/v1/analyze", &self.tokens[turn % MACHINES], &body) {
                Some(reply) => self.note(&reply),
                // It has just died, or is not up yet.
                None => std::thread::sleep(Duration::from_millis(50)),
            }
            let now = self.port.load(Ordering::SeqCst);
            if now != port {
                (port, line) = (now, Line::to(now));
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn note(&self, reply: &Reply) {
        self.answers.fetch_add(1, Ordering::SeqCst);
        match reply.status {
            200 => {}
            429 => {
                reply.assert_problem(429, "spend-cap-reached");
                self.reached.fetch_add(1, Ordering::SeqCst);
            }
            502 => drop(reply.assert_problem(502, "upstream-failed")),
            504 => drop(reply.assert_problem(504, "upstream-timeout")),
            _ => drop(reply.assert_problem(503, "ledger-unavailable")),
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

/// Random numbers from a seed that is printed (xorshift64).
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from_le_bytes(random_bytes())).max(1);
        println!("CRASH_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
