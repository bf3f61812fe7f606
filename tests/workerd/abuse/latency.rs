//! What an honest client notices of each attack: blocks of time with and without it, by turns, so that
//! what else the machine does in these minutes falls on both. The same is measured of a Worker that only answers:
//! what is late there is the runtime's and this machine's.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::arena::Arena;
use super::attacks::{ALL, Attack};
use super::flood::Taken;
use super::honest::{Machine, Seen, all_ask};
use crate::support::project;

/// Honest machines, each with one question a second.
const MACHINES: usize = 34;
/// Blocks of each kind, where `ABUSE_ROUNDS` does not say otherwise.
const ROUNDS: u32 = 6;
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
    let rounds = rounds();
    let mut table = format!(
        "{MACHINES} honest machines, one question a second each, half of them for the model; {rounds} rounds \
         of {} s without and {} s with each attack: {} answers each. Times in ms.\n\
         {HEADINGS}\n",
        BLOCK.as_secs(),
        BLOCK.as_secs(),
        MACHINES as u64 * u64::from(rounds) * BLOCK.as_secs(),
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
    let name = if only.is_empty() {
        "abuse.md".to_owned()
    } else {
        format!("abuse of {}.md", only.replace('/', " "))
    };
    let file = project().join("build").join(name);
    std::fs::write(&file, table).expect("the table is written");
    assert!(missed.is_empty(), "an honest client notices: {missed:?}");
}

const HEADINGS: &str = "| attack | stated | reached | p50 | p50 attacked | p99 | p99 attacked | ratio | holds \
     | within | wrong | core | core attacked | p99 bare | p99 bare attacked | ratio bare | answers to the attack |\n\
     |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|";
/// The Worker that only answers.
const BARE: &str = "bare.mjs";

fn rounds() -> u32 {
    std::env::var("ABUSE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS).max(1)
}

struct Row {
    text: String,
    holds: bool,
}

fn measure(attack: &Attack, times: f64) -> Row {
    let measured = Measured::of(None, attack, times);
    let bare = Measured::of(Some(BARE), attack, times);
    for wrong in measured.wrong().chain(bare.wrong()).take(3) {
        println!("wrong: {wrong}");
    }
    let wrong = measured.wrong().count();
    let holds = measured.ratio() <= MOST && wrong == 0;
    let text = format!(
        "| {} | {} | {} | {} | {} | {} | {} | {:.2} | {} | {} | {wrong} | {} | {} | {} | {} | {:.2} | {} |",
        attack.name,
        attack.stated(),
        reached(attack, &measured.taken),
        millis(&measured.quiet, 50),
        millis(&measured.attacked, 50),
        millis(&measured.quiet, 99),
        millis(&measured.attacked, 99),
        measured.ratio(),
        if holds { "yes" } else { "no" },
        measured.within(),
        part(measured.processor[0], BLOCK),
        part(measured.processor[1], BEFORE + BLOCK),
        millis(&bare.quiet, 99),
        millis(&bare.attacked, 99),
        bare.ratio(),
        measured.taken,
    );
    Row { text, holds }
}

fn millis(seen: &Seen, of_hundred: usize) -> String {
    format!("{:.1}", seen.percentile(of_hundred).as_secs_f64() * 1e3)
}

/// One Worker, with and without the attack.
#[derive(Default)]
struct Measured {
    quiet: Seen,
    attacked: Seen,
    taken: Taken,
    /// Without and with it.
    processor: [Duration; 2],
}

impl Measured {
    fn of(main: Option<&'static str>, attack: &Attack, times: f64) -> Self {
        let arena = Arena::start(main, attack.besides);
        arena.fleet.keep_to_one_core();
        let mut machines = arena.machines(MACHINES);
        // What the first requests of a new process cost is nobody's attack.
        all_ask(&mut machines, Duration::from_secs(2));
        let mut all = Self::default();
        for _ in 0..rounds() {
            let before = arena.fleet.processor_time();
            all.quiet = all.quiet.and(all_ask(&mut machines, BLOCK));
            let between = arena.fleet.processor_time();
            let (during, of_it) = under(attack, &arena, &mut machines, times);
            (all.attacked, all.taken) = (all.attacked.and(during), all.taken.and(&of_it));
            all.processor[0] += between.saturating_sub(before);
            all.processor[1] += arena.fleet.processor_time().saturating_sub(between);
            std::thread::sleep(AFTER);
        }
        all
    }

    fn ratio(&self) -> f64 {
        self.attacked.percentile(99).as_secs_f64() / self.quiet.percentile(99).as_secs_f64()
    }

    /// How many of the answers during the attack were no later than that.
    fn within(&self) -> String {
        let most = self.quiet.percentile(99).mul_f64(MOST);
        let all = &self.attacked.latencies;
        let within = all.iter().filter(|latency| **latency <= most).count();
        format!("{:.1} %", 100.0 * within as f64 / all.len().max(1) as f64)
    }

    fn wrong(&self) -> impl Iterator<Item = &String> {
        self.quiet.wrong.iter().chain(&self.attacked.wrong)
    }
}

/// How much of a core was used in all rounds of a span.
fn part(processor: Duration, span: Duration) -> String {
    format!("{:.0} %", 100.0 * processor.as_secs_f64() / (span * rounds()).as_secs_f64())
}

/// A block during the attack.
fn under(attack: &Attack, arena: &Arena, machines: &mut [Machine], times: f64) -> (Seen, Taken) {
    std::thread::scope(|scope| {
        let attacking = scope.spawn(|| {
            give_way();
            attack.run(arena, BEFORE + BLOCK, times)
        });
        std::thread::sleep(BEFORE);
        let seen = all_ask(machines, BLOCK);
        (seen, attacking.join().expect("the attack ends"))
    })
}

/// Those who attack compute elsewhere. What it takes to send the attack is here taken from the same core as the honest
/// machines and the model, so that these come first: by Linux's niceness, which is a thread's own.
fn give_way() {
    let thread = std::fs::read_link("/proc/thread-self").ok();
    if let Some(number) = thread.as_deref().and_then(Path::file_name) {
        let said = Command::new("renice").args(["-n", "19", "-p"]).arg(number).output();
        assert!(said.is_ok_and(|said| said.status.success()), "renice (of util-linux) is needed");
    }
}

fn reached(attack: &Attack, taken: &Taken) -> String {
    match attack.means {
        super::attacks::Means::Slow(..) => format!("{} opened", taken.connections),
        super::attacks::Means::Flood(..) => format!("{:.0}/s", taken.rate()),
    }
}
