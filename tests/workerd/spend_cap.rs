//! The caps hold when everybody asks at once.

use std::sync::LazyLock;
use std::time::Duration;

use crate::front_door::NO_CV2;
use crate::support::aimock::Aimock;
use crate::support::client::Reply;
use crate::support::credentials::{bearer, unix_seconds};
use crate::support::faulty::{Asked, Fault, Faulty};
use crate::support::gateway::{Gateway, Settings, nano_usd, request_body, usd};
use crate::support::{prices, random_word, wait_for};

const REQUESTS: usize = 64;
const HALF_A_DAY: u64 = 43_200;

/// A context of always the same length, so that all reservations are alike.
fn context(word: &str) -> String {
    format!("ERROR: nobody knows {word} {}", Fault::NoUsage.marker())
}

/// What the model would bill at least for all that it was asked.
fn bill(asked: &[Asked]) -> u64 {
    asked.iter().map(|asked| prices::bill(asked.prompt_tokens, asked.completion_tokens)).sum()
}

/// What one request for [`context`] reserves: twice what is charged when the model tells no usage,
/// since a second call may be needed.
fn reservation() -> u64 {
    static RESERVATION: LazyLock<u64> = LazyLock::new(|| {
        let model = Faulty::start();
        let gateway = Gateway::start(Settings::new().unhurried().model_on(model.port()));
        gateway.analyze("/v1/analyze", "measure", &context(&random_word()));
        let charged = wait_for(Duration::from_secs(20), || {
            Some(gateway.me("measure").spent()).filter(|spent| *spent > 0)
        })
        .expect("an answer without usage is charged");
        let billed = bill(&model.asked());
        assert!(
            charged >= billed && model.asked().len() == 1,
            "charged {charged}, but the bill may be {billed}"
        );
        2 * charged
    });
    *RESERVATION
}

/// A day that does not end while a test runs, and when it ends.
pub fn day() -> (String, u64) {
    let middle = unix_seconds() + HALF_A_DAY;
    let minute = middle / 60 % (24 * 60);
    (format!("{:02}:{:02}Z", minute / 60, minute % 60), middle / 60 * 60)
}

/// Sends all requests at once and holds the model's answers back until every other request is
/// refused, so that nothing is settled while they are judged.
fn all_at_once(gateway: &Gateway, model: &Faulty, machines: &[String]) -> Vec<Reply> {
    model.hold();
    let tokens: Vec<String> = machines.iter().map(|machine| bearer(&gateway.key().token(machine))).collect();
    let answered = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..REQUESTS)
            .map(|index| {
                let (token, answered) = (&tokens[index % tokens.len()], &answered);
                scope.spawn(move || {
                    let reply = gateway.post("/v1/analyze", token, &request_body(&context(&random_word())));
                    answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    reply
                })
            })
            .collect();
        let all = wait_for(Duration::from_secs(20), || {
            let judged = model.asked().len() + answered.load(std::sync::atomic::Ordering::SeqCst);
            (judged >= REQUESTS).then_some(())
        });
        model.let_go();
        assert!(all.is_some(), "a request is neither refused nor forwarded");
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

#[track_caller]
fn assert_that_the_cap_held(replies: &[Reply], model: &Faulty, cap: u64, resets_at: u64, started: u64) {
    let asked = model.asked();
    let billed = bill(&asked);
    assert!(billed <= cap, "the model bills {billed} of {cap} for {} requests", asked.len());
    // Ten, but for a price that doubles at this very moment.
    assert!(asked.len() >= 5, "only {} requests of ten that there is money for", asked.len());
    let refused: Vec<_> = replies.iter().filter(|reply| reply.status == 429).collect();
    assert_eq!(refused.len(), REQUESTS - asked.len(), "every other one is refused");
    for reply in refused {
        reply.assert_problem(429, "spend-cap-reached");
        let earliest = resets_at - unix_seconds();
        let retry_after = reply.retry_after();
        assert!(
            (earliest.saturating_sub(1)..=resets_at - started + 1).contains(&retry_after),
            "Retry-After is {retry_after}, the day ends in {earliest}"
        );
    }
}

#[test]
fn one_machine_never_spends_more_than_its_cap() {
    let cap = reservation() * 10 + reservation() / 2;
    let (day, resets_at) = day();
    let model = Faulty::start();
    let settings = Settings::new().unhurried().var("DAY_STARTS_AT", &day).var("MACHINE_DAILY_USD", &usd(cap));
    let gateway = Gateway::start(settings.model_on(model.port()));
    let machine = format!("greedy-{}", random_word());
    let started = unix_seconds();
    let replies = all_at_once(&gateway, &model, std::slice::from_ref(&machine));
    assert_that_the_cap_held(&replies, &model, cap, resets_at, started);
    assert!(gateway.me(&machine).spent() <= cap, "{:?}", gateway.me(&machine));

    let asked = model.asked().len();
    let other = gateway.analyze("/v1/analyze", "modest", &context(&random_word()));
    assert_eq!(other.status, 200, "another machine has a cap of its own: {}", other.text());
    assert_eq!(model.asked().len(), asked + 1);
}

#[test]
fn all_machines_together_never_spend_more_than_the_services_cap() {
    let cap = reservation() * 10 + reservation() / 2;
    let (day, resets_at) = day();
    let model = Faulty::start();
    let settings = Settings::new()
        .unhurried()
        .var("DAY_STARTS_AT", &day)
        .var("DAILY_USD", &usd(cap))
        .var("MACHINE_DAILY_USD", "1");
    let gateway = Gateway::start(settings.model_on(model.port()));
    let machines: Vec<String> = (0..8).map(|index| format!("crowd-{index}-{}", random_word())).collect();
    let started = unix_seconds();
    let replies = all_at_once(&gateway, &model, &machines);
    assert_that_the_cap_held(&replies, &model, cap, resets_at, started);
    // What was set aside for second calls that were not needed comes back, and is all that there is.
    let newcomers: Vec<Reply> = (0..14)
        .map(|number| {
            // A settlement may wait a moment for the next admission to ride with.
            std::thread::sleep(Duration::from_millis(400));
            gateway.analyze("/v1/analyze", &format!("newcomer-{number}"), &context(&random_word()))
        })
        .collect();
    newcomers.last().expect("some").assert_problem(429, "spend-cap-reached");
    let billed = bill(&model.asked());
    assert!(billed <= cap, "the model bills {billed} of {cap}");
}

#[test]
fn what_was_reserved_and_not_used_can_be_spent() {
    let cap = reservation() * 2;
    let model = Aimock::start("```\npip install opencv-python\n```\n", 20, 5);
    let gateway = Gateway::start(
        Settings::new().unhurried().var("MACHINE_DAILY_USD", &usd(cap)).model_on(model.port()),
    );
    let mut spent = 0;
    for _ in 0..12 {
        let text = context(&random_word());
        // A reservation ends a moment after its answer.
        let reply = wait_for(Duration::from_secs(20), || {
            Some(gateway.analyze("/v1/analyze", "thrifty", &text)).filter(|reply| reply.status == 200)
        })
        .expect("a reservation comes back when its request is settled");
        spent += nano_usd(&reply.json()["cost_usd"]);
    }
    assert_eq!(model.journal().len(), 12);
    assert!(spent < cap);
    let settled =
        wait_for(Duration::from_secs(20), || (gateway.me("thrifty").spent() == spent).then_some(()));
    assert!(settled.is_some(), "told {spent}, but {:?}", gateway.me("thrifty"));
}

#[test]
fn rules_answer_when_the_cap_is_reached() {
    let model = Faulty::start();
    let settings = Settings::new().unhurried().model_on(model.port());
    let gateway = Gateway::start(settings.var("RULES", "fallback").var("MACHINE_DAILY_USD", "0.000000001"));
    let reply = gateway.analyze("/v1/analyze", "poor", NO_CV2);
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.json()["source"], "rules", "{}", reply.text());
    assert_eq!(reply.json()["cost_usd"], "0", "{}", reply.text());
    let unknown = gateway.analyze("/v1/analyze", "poor", "ERROR: nobody knows this");
    unknown.assert_problem(429, "spend-cap-reached");
    assert!(model.asked().is_empty(), "there is no money to ask the model");
}
