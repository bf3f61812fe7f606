//! What the attacks are answered, what they cost the storage, and that an honest client has its right
//! answers meanwhile. Short, and without a clock: how late these answers are is in `latency`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::arena::{Arena, Counts, counted, uses};
use super::attacks::{ALL, Attack, Besides};
use super::flood::Taken;
use crate::support::overview::Overview;

/// How long each runs.
const SHORT: Duration = Duration::from_millis(600);
/// At what part of its rate.
const PART: f64 = 0.3;

#[track_caller]
fn assert_answers(attack: &Attack, taken: &Taken) {
    println!("{}: {} sent, {taken}", attack.name, taken.sent);
    assert!(taken.sent > 0, "{}: nothing was sent", attack.name);
    for answer in taken.answers.keys() {
        assert!(attack.answers.contains(&answer.as_str()), "{}: {taken}", attack.name);
    }
}

/// Runs an attack while an honest machine asks one question after the other.
fn beside_an_honest_machine(attack: &Attack, arena: &Arena) -> Taken {
    let mut machine = arena.machines(1).pop().expect("a machine");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                assert_eq!(machine.ask(), Ok(()), "during {}", attack.name);
                std::thread::sleep(Duration::from_millis(500));
            }
            assert_eq!(machine.ask(), Ok(()), "after {}", attack.name);
        });
        let taken = attack.run(arena, SHORT, PART);
        over.store(true, Ordering::SeqCst);
        asking.join().expect("the honest machine has its answers");
        taken
    })
}

#[test]
fn what_is_refused_without_the_ledger_costs_no_storage_whatever_is_sent() {
    let arena = Arena::start(Some("counting.mjs"), Besides::Nobody);
    let worker = arena.worker();
    for attack in ALL.iter().filter(|attack| attack.is_free && attack.besides == Besides::Nobody) {
        let taken = attack.run(&arena, SHORT, PART);
        assert_answers(attack, &taken);
        // Nobody was let in yet, so that not even the ledger's object is there.
        assert_eq!(counted(worker), Counts::new(), "{} is not free", attack.name);
    }
    // That the counters count.
    arena.machines(1);
    let counts = counted(worker);
    assert!(uses(&counts, "ledger.") > 0 && uses(&counts, "fetch") > 0, "{counts:?}");
    let printed = arena.fleet.output();
    assert!(!printed.contains("ncaught") && !printed.contains(r#""level":"error""#), "{printed}");
}

#[test]
fn an_honest_client_has_its_answers_during_each_attack_and_the_attack_its_refusals() {
    let arena = Arena::start(None, Besides::Nobody);
    for attack in ALL.iter().filter(|attack| attack.besides == Besides::Nobody) {
        assert_answers(attack, &beside_an_honest_machine(attack, &arena));
    }
}

#[test]
fn a_flood_of_new_networks_reaches_the_ledger_ten_times_a_second_and_asks_no_model() {
    let arena = Arena::start(None, Besides::Strangers);
    let attack = ALL.iter().find(|attack| attack.besides == Besides::Strangers).expect("it is there");
    let worker = arena.worker();
    arena.machines(1);
    let look = || Overview::at_rest(&worker, &arena.settings, Duration::from_secs(60));
    let (before, asked) = (look(), arena.model.asked());
    let taken = attack.run(&arena, Duration::from_secs(1), PART);
    assert_answers(attack, &taken);
    let after = look();
    let of = |name: &str| after.operations(name) - before.operations(name);
    println!("{} sent: {} rows, {} ledger requests", taken.sent, of("rows_written"), of("requests"));
    let admitted = taken.answers.get("200 rules").copied().unwrap_or(0);
    // Twenty at once, and ten a second for as long as the Worker took over it.
    let most = 20 + 10 * (taken.took.as_secs() + 5);
    assert!((1..=most).contains(&admitted), "{taken}");
    // Admission and settlement of each, and few more for all.
    assert!(of("rows_written") <= 2 * admitted + 10, "{after:?}");
    assert!(of("requests") <= 2 * admitted + 10, "{after:?}");
    assert_eq!(arena.model.asked(), asked, "a rule knows it");
    beside_an_honest_machine(attack, &arena);
}

#[test]
fn forged_tokens_of_a_provider_cost_no_storage_and_few_are_verified() {
    let arena = Arena::start(Some("counting.mjs"), Besides::Provider);
    let attack = ALL.iter().find(|attack| attack.besides == Besides::Provider).expect("it is there");
    let taken = attack.run(&arena, Duration::from_secs(1), PART);
    assert_answers(attack, &taken);
    let verified = taken.answers.get("401 unauthenticated").copied().unwrap_or(0);
    // Fifty at once, and 25 a second for as long as the Worker took over it.
    let most = 50 + 25 * (taken.took.as_secs() + 5);
    assert!((50..=most).contains(&verified) && verified < taken.sent, "{taken}");
    let counts = counted(arena.worker());
    assert_eq!(
        counts.values().sum::<u64>(),
        1,
        "the provider is asked for its keys, and nobody else: {counts:?}"
    );
    beside_an_honest_machine(attack, &arena);
}
