//! What the model may do wrong: nobody waits for ever, nothing leaks, and what may have cost
//! money is charged.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::support::client::Reply;
use crate::support::faulty::{Fault, Faulty, INNER_ERROR};
use crate::support::gateway::{Gateway, Settings, nano_usd};
use crate::support::logs::wait_for_record;
use crate::support::{prices, random_word, wait_for};

const DEADLINE: Duration = Duration::from_secs(2);

/// A busy machine's delay on top of the deadline. Without a deadline the model takes 40 s.
const SLACK: Duration = Duration::from_secs(15);

static MODEL: LazyLock<Faulty> = LazyLock::new(Faulty::start);
static GATEWAY: LazyLock<Gateway> = LazyLock::new(|| {
    let timeout = DEADLINE.as_millis().to_string();
    Gateway::start(Settings::new().unhurried().model_on(MODEL.port()).var("UPSTREAM_TIMEOUT_MS", &timeout))
});

struct Outcome {
    machine: String,
    word: String,
    reply: Reply,
}

/// Asks for an analysis that goes wrong in this way, and checks what holds however it does.
#[track_caller]
fn ask(fault: Fault, path: &str) -> Outcome {
    let word = random_word();
    let machine = format!("unlucky-{word}");
    let started = Instant::now();
    let reply = GATEWAY.analyze(path, &machine, &format!("ERROR: nobody knows {word} {}", fault.marker()));
    let took = started.elapsed();
    assert!(took < DEADLINE + SLACK, "{fault:?} took {took:?}");
    let key = GATEWAY.api_key();
    let record = wait_for_record(&GATEWAY, "request_id", reply.request_id());
    assert_eq!(record.text("machine_id"), machine);
    for (name, text) in [
        ("the answer", format!("{:?} {}", reply.headers, reply.text())),
        ("the log record", record.fields.to_string()),
        ("the Worker's output", GATEWAY.output()),
    ] {
        assert!(!text.contains(key), "{fault:?}: the provider's key is in {name}");
        assert!(!text.contains(INNER_ERROR), "{fault:?}: the provider's error is in {name}");
    }
    for asked in MODEL.asked_with(&word) {
        assert_eq!(asked.path, "/v1/chat/completions", "{fault:?} made the gateway go elsewhere");
        assert_eq!(asked.authorization.as_deref(), Some(&*format!("Bearer {key}")));
        assert_eq!(asked.completion_tokens, 150, "{asked:?}");
    }
    assert!(!MODEL.asked_with(&word).is_empty(), "{fault:?}: the model was not asked");
    Outcome { machine, word, reply }
}

/// What a machine is charged in the end.
#[track_caller]
fn charged(outcome: &Outcome) -> u64 {
    let record = wait_for_record(&GATEWAY, "request_id", outcome.reply.request_id());
    let cost = nano_usd(&record.fields["cost_usd"]);
    let settled =
        wait_for(Duration::from_secs(20), || (GATEWAY.me(&outcome.machine).spent() == cost).then_some(()));
    assert!(settled.is_some(), "logged {cost}, charged {:?}", GATEWAY.me(&outcome.machine));
    cost
}

/// The most that one call like all of these can cost.
fn full_price() -> u64 {
    static PRICE: LazyLock<u64> = LazyLock::new(|| charged(&ask(Fault::NoUsage, "/analyze_error")));
    *PRICE
}

#[track_caller]
fn assert_fails(fault: Fault, status: u16, slug: &str) -> Outcome {
    let old = ask(fault, "/analyze_error");
    assert_eq!(old.reply.status, 200, "{fault:?}: {}", old.reply.text());
    let suggestion = old.reply.json()["suggestion"].as_str().map(str::to_owned).unwrap_or_default();
    assert!(suggestion.starts_with("UNCERTAIN"), "{fault:?}: {suggestion}");
    let new = ask(fault, "/v1/analyze");
    new.reply.assert_problem(status, slug);
    new
}

#[track_caller]
fn assert_fails_at_full_price(fault: Fault, status: u16, slug: &str, calls: u64) {
    let outcome = assert_fails(fault, status, slug);
    assert_eq!(MODEL.asked_with(&outcome.word).len() as u64, calls, "{fault:?}: calls");
    let price = full_price() * calls;
    assert_eq!(charged(&outcome), price, "{fault:?}: nobody knows what each call cost, so all of it");
}

#[test]
fn a_good_answer_costs_what_it_used() {
    let outcome = ask(Fault::None, "/v1/analyze");
    assert_eq!(outcome.reply.status, 200, "{}", outcome.reply.text());
    let cost = charged(&outcome);
    assert!(cost > 0);
    // This model bills a token a byte, the worst there is, and still no more than was reserved.
    assert!(cost <= full_price(), "{cost} is more than {}", full_price());
    assert_eq!(MODEL.asked_with(&outcome.word).len(), 1, "asked more than once");
}

#[test]
fn an_answer_without_usage_costs_all_that_it_can() {
    let asked = MODEL.asked_with(&ask(Fault::NoUsage, "/v1/analyze").word);
    let bill: u64 =
        asked.iter().map(|asked| prices::bill(asked.prompt_tokens, asked.completion_tokens)).sum();
    assert!(full_price() >= bill, "{} is charged, but it may have cost {bill}", full_price());
}

#[test]
fn blank_lines_before_the_answer_are_no_failure() {
    let outcome = ask(Fault::BlankThenAnswer, "/v1/analyze");
    assert_eq!(outcome.reply.status, 200, "{}", outcome.reply.text());
    assert_eq!(outcome.reply.json()["source"], "model");
}

#[test]
fn silence_ends_at_the_deadline() {
    assert_fails_at_full_price(Fault::Hang, 504, "upstream-timeout", 1);
}

#[test]
fn blank_lines_for_ever_end_at_the_deadline() {
    assert_fails_at_full_price(Fault::BlankForever, 504, "upstream-timeout", 1);
}

#[test]
fn garbage_is_a_failure_at_full_price() {
    assert_fails_at_full_price(Fault::Garbage, 502, "upstream-failed", 1);
}

#[test]
fn an_answer_cut_short_is_a_failure_at_full_price() {
    assert_fails_at_full_price(Fault::Cut, 502, "upstream-failed", 2);
}

#[test]
fn a_hang_up_is_a_failure_at_full_price() {
    assert_fails_at_full_price(Fault::HangUp, 502, "upstream-failed", 2);
}

#[test]
fn a_server_error_is_a_failure_at_full_price() {
    assert_fails_at_full_price(Fault::ServerError, 502, "upstream-failed", 2);
}

#[test]
fn too_many_requests_costs_nothing_and_is_tried_again_when_the_model_said() {
    let outcome = assert_fails(Fault::TooMany, 502, "upstream-failed");
    assert_eq!(charged(&outcome), 0);
    // It says to wait a second, of which there is time for one within the two of the deadline.
    assert_eq!(MODEL.asked_with(&outcome.word).len(), 2);
}

#[test]
fn what_passes_is_tried_again_and_every_call_is_paid_for() {
    for (fault, price) in [(Fault::ErrorOnce, full_price()), (Fault::TooManyOnce, 0)] {
        let outcome = ask(fault, "/v1/analyze");
        assert_eq!(outcome.reply.status, 200, "{fault:?}: {}", outcome.reply.text());
        assert_eq!(outcome.reply.json()["source"], "model");
        assert_eq!(MODEL.asked_with(&outcome.word).len(), 2, "{fault:?}");
        let cost = charged(&outcome);
        assert!(cost > price && cost <= price + full_price(), "{fault:?}: {cost}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    assert_fails(Fault::Redirect, 502, "upstream-failed");
    let elsewhere = MODEL.asked().into_iter().find(|asked| asked.path != "/v1/chat/completions");
    assert!(elsewhere.is_none(), "the key went elsewhere: {elsewhere:?}");
}

#[test]
fn fifty_megabytes_are_not_read() {
    assert_fails_at_full_price(Fault::Huge, 502, "upstream-failed", 1);
}

#[test]
fn a_page_in_place_of_json_is_a_failure() {
    assert_fails_at_full_price(Fault::WrongType, 502, "upstream-failed", 1);
}

#[test]
fn an_answer_without_choices_costs_what_it_says() {
    for fault in [Fault::NoChoices, Fault::EmptyContent] {
        let outcome = assert_fails(fault, 502, "upstream-failed");
        // It is useless, but the model says what it cost, and no provider refunds that.
        assert!(charged(&outcome) > 0, "{fault:?}");
        assert_eq!(MODEL.asked_with(&outcome.word).len(), 1, "{fault:?} is paid for once");
    }
}

#[test]
fn a_model_that_is_not_there_is_a_failure() {
    let port = crate::support::process::free_port();
    let gateway = Gateway::start(Settings::new().unhurried().model_on(port));
    let old = gateway.analyze("/analyze_error", "alone", "ERROR: nobody knows this");
    assert_eq!(old.status, 200, "{}", old.text());
    assert!(
        old.json()["suggestion"].as_str().is_some_and(|text| text.starts_with("UNCERTAIN")),
        "{}",
        old.text()
    );
    gateway
        .analyze("/v1/analyze", "alone", "ERROR: nobody knows this")
        .assert_problem(502, "upstream-failed");
    drop(gateway);

    let gateway = Gateway::start(Settings::new().unhurried().model_on(port).var("RULES", "fallback"));
    let reply = gateway.analyze("/v1/analyze", "alone", crate::front_door::NO_CV2);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["source"], "rules", "a rule answers when the model cannot");
}
