use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;
use crate::analysis::{facts, redact};
use crate::ledger::bucket::Level;
use crate::ledger::wire::{Budget, Standing};
use crate::policy::prices;
use crate::policy::settings::Entry;
use crate::policy::upstreams::Endpoint;
use crate::seams::Failed;
use crate::stages::admit::MOST_BILLED;
use crate::stages::breaker::Breakers;

const NOW: UnixMillis = UnixMillis::from_seconds(1_795_000_000);
const GOOD: &str = r#"{"choices":[{"message":{"content":"{\"commands\":[\"pip install numpy\"]}"}}],"usage":{"prompt_tokens":100,"completion_tokens":10}}"#;
const NO_USAGE: &str = r#"{"choices":[{"message":{"content":"{\"commands\":[\"pip install numpy\"]}"}}]}"#;

/// What an upstream does, once: how long it takes and how that ends.
type Turn = (u64, Result<&'static str, Failed>);

struct Script {
    turns: RefCell<Vec<Turn>>,
    asked: RefCell<Vec<&'static str>>,
    pauses: RefCell<Vec<Duration>>,
    clock: Cell<UnixMillis>,
    breakers: RefCell<Breakers>,
}

impl Script {
    fn new(turns: &[Turn]) -> Self {
        Self {
            turns: RefCell::new(turns.to_vec()),
            asked: RefCell::default(),
            pauses: RefCell::default(),
            clock: Cell::new(NOW),
            breakers: RefCell::default(),
        }
    }

    fn wait(&self, span: Duration) {
        self.clock.set(self.clock.get().plus(span));
    }
}

impl Upstream for Script {
    async fn ask(&self, to: &Endpoint, body: String, deadline: Duration) -> Result<Vec<u8>, Failed> {
        assert!(body.contains(to.model.model), "each is asked for its own model");
        self.asked.borrow_mut().push(to.name);
        let (millis, outcome) = self.turns.borrow_mut().remove(0);
        let takes = Duration::from_millis(millis);
        self.wait(takes.min(deadline));
        if takes > deadline {
            Err(UpstreamError::Timeout.into())
        } else {
            outcome.map(|body| body.as_bytes().to_vec())
        }
    }

    async fn pause(&self, span: Duration) {
        self.pauses.borrow_mut().push(span);
        self.wait(span);
    }

    fn breakers(&self) -> &RefCell<Breakers> {
        &self.breakers
    }
}

fn settings(fallback: bool) -> Settings {
    let mut entries = vec![
        ("TOKEN_KEYS", "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("OPERATOR_KEYS", "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
        ("API_KEY", "not-a-key"),
        ("MODEL", "deepseek-flash"),
    ];
    entries.extend(fallback.then_some(("API_KEY_OPENAI", "not-a-key-either")));
    let entries = entries.into_iter().map(|(name, value)| (name.to_owned(), Entry::Text(value.to_owned())));
    Settings::read(&BTreeMap::from_iter(entries)).unwrap()
}

/// What one call of the n-th upstream can cost.
fn bound(settings: &Settings, place: usize) -> NanoUsd {
    let deadline = NOW.plus(settings.upstream_timeout);
    call_bound(settings, settings.upstreams[place].model, 1_000, NOW, deadline)
}

fn ticket(settings: &Settings) -> Ticket {
    let worst = (0..settings.upstreams.len()).map(|place| bound(settings, place)).max().unwrap();
    let standing = Standing {
        plan: "standard".to_owned(),
        rate_count: 6,
        rate_window: 60,
        burst: 3,
        level: Level { remaining: 3, next_in: 0 },
        in_flight: 1,
        concurrency: 2,
        spent: NanoUsd::ZERO,
        cap: NanoUsd::ZERO,
        now: NOW,
        resets_at: NOW,
    };
    Ticket {
        request_id: "r".to_owned(),
        budget: Budget::Reserved,
        worst: worst.saturating_mul(MOST_BILLED),
        deadline: NOW.plus(settings.upstream_timeout),
        context_bytes: 1_000,
        record_at: NOW,
        shard: 0,
        bucket: None,
        standing,
    }
}

fn ask_script(settings: &Settings, script: &Script) -> Asked {
    let mut ticket = ticket(settings);
    ticket.deadline = script.clock.get().plus(settings.upstream_timeout);
    let text = redact::redact("Command: pip install numpy");
    let facts = facts::read(&text);
    let mut future = pin!(ask(&facts, &text, &ticket, settings, script, "0123", || script.clock.get()));
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(asked) = future.as_mut().poll(&mut context) else { panic!("it waits for nothing") };
    assert!(asked.cost <= ticket.worst, "never more than was set aside");
    assert_eq!(
        asked.charge,
        if asked.cost == NanoUsd::ZERO { Charge::Nothing } else { Charge::Actual(asked.cost) }
    );
    assert!(script.clock.get() <= ticket.deadline, "never past the deadline");
    asked
}

fn fails(error: UpstreamError) -> Turn {
    (10, Err(error.into()))
}

#[test]
fn each_model_is_asked_as_it_wants_to_be() {
    for (model, form) in [
        ("deepseek-flash", r#""max_tokens":150,"temperature":0,"thinking":{"type":"disabled"}"#),
        ("gpt-4o-mini", r#""max_tokens":150,"temperature":0"#),
        ("gpt-5-nano", r#""max_completion_tokens":150"#),
    ] {
        let request = ChatRequest::new(prices::find(model).unwrap(), &[], 150);
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(text, format!(r#"{{"model":"{model}","messages":[],{form},"stream":false}}"#));
    }
}

#[test]
fn a_call_is_charged_by_what_is_known_of_it() {
    use UpstreamError::{Connection, Refused, Status, Timeout, TooLarge};
    let settings = settings(false);
    let one = bound(&settings, 0);
    let used = settings.model.dearest(NOW, NOW).cost(100, 0, 10);
    let two = one.saturating_mul(2);
    let nothing = NanoUsd::ZERO;
    for (turns, calls, cost, result) in [
        (vec![(10, Ok(GOOD))], 1, used, None),
        (vec![(10, Ok(NO_USAGE))], 1, one, None),
        (vec![(10, Ok("garbage"))], 1, one, Some(UpstreamError::Unusable)),
        (vec![fails(TooLarge)], 1, one, Some(TooLarge)),
        (vec![fails(Status(307))], 1, one, Some(Status(307))),
        (vec![(99_000, Ok(GOOD))], 1, one, Some(Timeout)),
        (vec![fails(Refused(401))], 1, nothing, Some(Refused(401))),
        // Asked again: what may have been billed is paid for, each time, and only as often as reserved.
        (vec![fails(Status(500)), (10, Ok(GOOD))], 2, one.saturating_add(used), None),
        (vec![fails(Connection), (10, Ok(NO_USAGE))], 2, two, None),
        (vec![fails(Connection), fails(Status(502))], 2, two, Some(Status(502))),
        (vec![fails(Status(429)), fails(Status(429))], 2, two, Some(Status(429))),
        (vec![fails(Status(500)), (99_000, Ok(GOOD))], 2, two, Some(Timeout)),
        // A refusal costs nothing, however often.
        (vec![fails(Refused(429)); 4], 4, nothing, Some(Refused(429))),
        (vec![fails(Refused(429)), fails(Refused(429)), fails(Refused(429)), (10, Ok(GOOD))], 4, used, None),
        (
            vec![fails(Refused(429)), fails(Status(500)), fails(Refused(429)), fails(Status(500))],
            4,
            two,
            Some(Status(500)),
        ),
    ] {
        let script = Script::new(&turns);
        let asked = ask_script(&settings, &script);
        assert_eq!(script.asked.borrow().len(), calls, "{turns:?}");
        assert_eq!((asked.cost, asked.result.err()), (cost, result), "{turns:?}");
    }
}

#[test]
fn the_upstream_says_when_to_come_back() {
    let settings = settings(false);
    let busy = |seconds| {
        (
            10,
            Err(Failed {
                error: UpstreamError::Refused(429),
                retry_after: Some(Duration::from_secs(seconds)),
            }),
        )
    };
    let script = Script::new(&[busy(3), (10, Ok(GOOD))]);
    assert!(ask_script(&settings, &script).result.is_ok());
    let pauses = script.pauses.borrow();
    assert!(matches!(pauses.as_slice(), [pause] if *pause >= Duration::from_secs(3)), "{pauses:?}");
    // Longer than there is time for: not at all.
    let script = Script::new(&[busy(60)]);
    assert_eq!(ask_script(&settings, &script).result.err(), Some(UpstreamError::Refused(429)));
    assert!(script.pauses.borrow().is_empty());
}

#[test]
fn the_next_upstream_answers_for_one_that_fails() {
    let settings = settings(true);
    assert_eq!(settings.upstreams.len(), 2);
    for failure in [UpstreamError::Connection, UpstreamError::Status(503), UpstreamError::Refused(402)] {
        let script = Script::new(&[fails(failure), (10, Ok(GOOD))]);
        let asked = ask_script(&settings, &script);
        assert!(asked.result.is_ok(), "{failure:?}");
        assert_eq!(
            (asked.model, script.asked.borrow().as_slice()),
            (Some("gpt-4o-mini"), &["API_BASE", "openai"][..])
        );
        assert!(script.pauses.borrow().is_empty(), "another one need not be waited for");
        let used = settings.upstreams[1].model.dearest(NOW, NOW).cost(100, 0, 10);
        let before = if failure == UpstreamError::Refused(402) { NanoUsd::ZERO } else { bound(&settings, 0) };
        assert_eq!(asked.cost, before.saturating_add(used), "at its own price");
    }
    // An answer that cannot be used was paid for, and another would be paid for too.
    let script = Script::new(&[(10, Ok("garbage"))]);
    assert!(ask_script(&settings, &script).result.is_err());
}

#[test]
fn an_upstream_that_always_fails_is_left_alone_and_costs_nothing() {
    let settings = settings(false);
    let script = Script::new(&vec![fails(UpstreamError::Connection); 40]);
    for _ in 0..5 {
        assert_eq!(ask_script(&settings, &script).result.err(), Some(UpstreamError::Connection));
    }
    assert_eq!(script.asked.borrow().len(), 10);
    let asked = ask_script(&settings, &script);
    assert_eq!(
        (asked.result.err(), asked.cost, asked.model),
        (Some(UpstreamError::Resting), NanoUsd::ZERO, None)
    );
    assert_eq!(script.asked.borrow().len(), 10, "not asked");
    script.wait(Duration::from_secs(31));
    ask_script(&settings, &script);
    assert_eq!(script.asked.borrow().len(), 11, "tried once");
}

#[test]
fn what_was_not_set_aside_is_not_spent() {
    let settings = settings(true);
    let text = redact::redact("Command: pip install numpy");
    let facts = facts::read(&text);
    for (worst, calls) in [(0, 0), (1, 1)] {
        let script = Script::new(&vec![fails(UpstreamError::Status(500)); 9]);
        let dearest = bound(&settings, 0).max(bound(&settings, 1));
        let ticket = Ticket { worst: dearest.saturating_mul(worst), ..ticket(&settings) };
        let mut future = pin!(ask(&facts, &text, &ticket, &settings, &script, "0", || script.clock.get()));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(asked) = future.as_mut().poll(&mut context) else { panic!("it waits for nothing") };
        assert!(asked.cost <= ticket.worst);
        assert_eq!(script.asked.borrow().len(), calls);
    }
}
