//! The memory that workerd has, looked at while something goes on.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::fleet::Fleet;

const EVERY: Duration = Duration::from_secs(1);
/// What is compared is the median of so long, for what is in use rises and falls with each collection of garbage.
const WINDOW: Duration = Duration::from_secs(60);
/// How the inspector names the isolate of the Worker and its ledger.
const WORKER: &str = "core:user:worker";

/// Bytes, each with the time since looking began.
type Looks = Vec<(Duration, u64)>;

/// What was seen of it.
pub struct Memory {
    resident: Looks,
    /// What is left on the Worker's heaps after a collection.
    alive: Looks,
}

impl Memory {
    /// Looks every second while `deed` is done. Of an inspected fleet the isolates are made to collect their garbage
    /// all the time. On the platform each has 128 MB; workerd alone has no such limit, and under load lets garbage lie
    /// until it has more than a gigabyte (github.com/cloudflare/workerd/issues/6824).
    pub fn watched(fleet: &Fleet, deed: impl FnOnce()) -> Self {
        let (over, started) = (AtomicBool::new(false), Instant::now());
        let group = fleet.group().expect("they run");
        let looks = |bytes: &dyn Fn() -> Option<u64>| {
            let mut looks = Looks::new();
            while !over.load(Ordering::SeqCst) {
                looks.extend(bytes().map(|bytes| (started.elapsed(), bytes)));
                std::thread::sleep(EVERY);
            }
            looks
        };
        std::thread::scope(|scope| {
            let resident = scope.spawn(|| looks(&|| resident(group)));
            let alive = scope.spawn(|| looks(&|| fleet.collect()?.get(WORKER).copied()));
            // Also when the deed fails, or the looks would never end.
            let looks_end = Over(&over);
            deed();
            drop(looks_end);
            let [resident, alive] = [resident, alive].map(|looks| looks.join().expect("no look panicked"));
            Self { resident, alive }
        })
    }

    /// By which share memory, and what is alive in the Worker's isolate, grew from the minute after `early` to the last.
    pub fn growths(&self, early: Duration) -> [Option<f64>; 2] {
        [&self.resident, &self.alive].map(|looks| {
            let last = looks.last()?.0.checked_sub(WINDOW)?;
            let [early, last] = [median(looks, early)?, median(looks, last)?];
            Some(last as f64 / early as f64 - 1.0)
        })
    }
}

fn median(looks: &Looks, from: Duration) -> Option<u64> {
    let window = from..=from + WINDOW;
    let mut looks: Vec<u64> =
        looks.iter().filter(|(at, _)| window.contains(at)).map(|(_, bytes)| *bytes).collect();
    looks.sort_unstable();
    looks.get(looks.len() / 2).copied()
}

impl Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resident, alive } = self;
        for (what, looks) in [("memory of workerd", resident), ("\nalive in the Worker's isolate", alive)] {
            write!(
                formatter,
                "{what}, looked at {} times, median of each whole minute in MiB:",
                looks.len()
            )?;
            let whole = looks.last().map_or(0, |(at, _)| at.as_secs() / WINDOW.as_secs());
            let medians = (0..whole).filter_map(|minute| median(looks, WINDOW * u32::try_from(minute).ok()?));
            for bytes in medians {
                write!(formatter, " {:.1}", bytes as f64 / f64::from(1 << 20))?;
            }
        }
        Ok(())
    }
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Bytes in memory of the workerd of a process group (Linux, proc(5)).
fn resident(group: u32) -> Option<u64> {
    let stats = std::fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let folder = entry.ok()?.path();
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name of the command, in brackets, may hold anything; after it come state, parent and group.
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let its_group = rest.split_whitespace().nth(2)?.parse() == Ok(group);
        (its_group && name == "workerd").then(|| std::fs::read_to_string(folder.join("status")).ok())?
    });
    let kilobytes = stats.filter_map(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    });
    kilobytes.max().map(|kilobytes| kilobytes << 10)
}
