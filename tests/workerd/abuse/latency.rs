//! What an honest client notices of each attack: blocks of time with and without it, by turns, so that
//! what else the machine does in these minutes falls on both.

use std::fmt::Write as _;
use std::time::Duration;

use super::arena::Arena;
use super::attacks::{ALL, Attack};
use super::flood::Taken;
use super::honest::{Machine, Seen, all_ask};
use crate::support::project;

/// Honest machines, each with one question a second.
const MACHINES: usize = 34;
const ROUNDS: usize = 3;
/// One block.
const BLOCK: Duration = Duration::from_secs(3);
/// How long an attack runs before its block begins.
const BEFORE: Duration = Duration::from_secs(1);
/// Between an attack's end and the next block without it.
const AFTER: Duration = Duration::from_millis(500);
/// How much later a hundredth of an honest client's answers may be.
const MOST: f64 = 2.0;

#[test]
#[ignore = "measures time: make abuse"]
fn an_honest_client_hardly_notices_any_attack() {
    let only = std::env::var("ABUSE_ONLY").unwrap_or_default();
    let times: f64 = std::env::var("ABUSE_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1.0);
    let mut table = format!(
        "{MACHINES} honest machines, one question a second each, half of them for the model; {ROUNDS} rounds \
         of {} s without and {} s with each attack: {} answers each. Times in ms.\n\
         {HEADINGS}\n",
        BLOCK.as_secs(),
        BLOCK.as_secs(),
        MACHINES * ROUNDS * BLOCK.as_secs() as usize,
    );
    print!("{table}");
    let mut missed = Vec::new();
    for attack in ALL.iter().filter(|attack| attack.name.contains(&only)) {
        let row = measure(attack, times);
        println!("{}", row.text);
        let _ = writeln!(table, "{}", row.text);
        if !row.holds {
            missed.push(attack.name);
        }
    }
    let file = project().join("build/abuse.md");
    std::fs::write(&file, table).expect("the table is written");
    assert!(missed.is_empty(), "an honest client notices: {missed:?}");
}

const HEADINGS: &str = "| attack | stated | reached | p50 | p50 attacked | p99 | p99 attacked | ratio | holds \
     | wrong | core | core attacked | answers to the attack |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|";

struct Row {
    text: String,
    holds: bool,
}

fn measure(attack: &Attack, times: f64) -> Row {
    let arena = Arena::start(None, attack.anonymous);
    arena.fleet.keep_to_one_core();
    let mut machines = arena.machines(MACHINES);
    // What the first requests of a new process cost is nobody's attack.
    all_ask(&mut machines, Duration::from_secs(2));
    let (mut quiet, mut attacked, mut taken) = (Seen::default(), Seen::default(), Taken::default());
    let mut processor = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        let before = arena.fleet.processor_time();
        quiet = quiet.and(all_ask(&mut machines, BLOCK));
        let between = arena.fleet.processor_time();
        let (during, of_it) = under(attack, &arena, &mut machines, times);
        (attacked, taken) = (attacked.and(during), taken.and(&of_it));
        processor[0] += between.saturating_sub(before);
        processor[1] += arena.fleet.processor_time().saturating_sub(between);
        std::thread::sleep(AFTER);
    }
    for wrong in quiet.wrong.iter().chain(&attacked.wrong).take(3) {
        println!("wrong: {wrong}");
    }
    let ratio = attacked.percentile(99).as_secs_f64() / quiet.percentile(99).as_secs_f64();
    let wrong = quiet.wrong.len() + attacked.wrong.len();
    let holds = ratio <= MOST && wrong == 0;
    let millis = |seen: &Seen, of_hundred| format!("{:.1}", seen.percentile(of_hundred).as_secs_f64() * 1e3);
    let text = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {ratio:.2} | {} | {wrong} | {} | {} | {taken} |",
        attack.name,
        attack.stated(),
        reached(attack, &taken),
        millis(&quiet, 50),
        millis(&attacked, 50),
        millis(&quiet, 99),
        millis(&attacked, 99),
        if holds { "yes" } else { "no" },
        part(processor[0], BLOCK),
        part(processor[1], BEFORE + BLOCK),
    );
    Row { text, holds }
}

/// How much of a core was used in all rounds of a span.
fn part(processor: Duration, span: Duration) -> String {
    let rounds = u32::try_from(ROUNDS).unwrap_or(1);
    format!("{:.0} %", 100.0 * processor.as_secs_f64() / (span * rounds).as_secs_f64())
}

/// A block during the attack.
fn under(attack: &Attack, arena: &Arena, machines: &mut [Machine], times: f64) -> (Seen, Taken) {
    let port = arena.worker().port();
    std::thread::scope(|scope| {
        let attacking = scope.spawn(|| attack.run(port, &arena.key, BEFORE + BLOCK, times));
        std::thread::sleep(BEFORE);
        let seen = all_ask(machines, BLOCK);
        (seen, attacking.join().expect("the attack ends"))
    })
}

fn reached(attack: &Attack, taken: &Taken) -> String {
    match attack.means {
        super::attacks::Means::Slow(..) => format!("{} opened", taken.connections),
        super::attacks::Means::Flood(..) => format!("{:.0}/s", taken.rate()),
    }
}
