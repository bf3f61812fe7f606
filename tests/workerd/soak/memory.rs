//! The memory that workerd has, looked at while something goes on.

use std::fmt::{self, Display};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::fleet::Fleet;

const EVERY: Duration = Duration::from_secs(1);
/// What is compared is the median of so long, for what is in use rises and falls with each collection of garbage.
const WINDOW: Duration = Duration::from_secs(60);

/// Looks, each with its time since the first.
pub struct Memory(Vec<(Duration, u64)>);

impl Memory {
    /// Looks every second while `deed` is done.
    pub fn watched(fleet: &Fleet, deed: impl FnOnce()) -> Self {
        let (over, started) = (AtomicBool::new(false), Instant::now());
        let group = fleet.group().expect("they run");
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut looks = Vec::new();
                while !over.load(Ordering::SeqCst) {
                    looks.extend(resident(group).map(|bytes| (started.elapsed(), bytes)));
                    std::thread::sleep(EVERY);
                }
                Self(looks)
            });
            // Also when the deed fails, or the watcher would never end.
            let watch_ends = Over(&over);
            deed();
            drop(watch_ends);
            watcher.join().expect("the watcher did not panic")
        })
    }

    /// Bytes in the minute after `warm`, and in the last minute.
    pub fn compared(&self, warm: Duration) -> Option<(u64, u64)> {
        let end = self.0.last()?.0;
        Some((self.median(warm, warm + WINDOW)?, self.median(end.checked_sub(WINDOW)?, end)?))
    }

    fn median(&self, from: Duration, until: Duration) -> Option<u64> {
        let mut looks: Vec<u64> =
            self.0.iter().filter(|(at, _)| (from..=until).contains(at)).map(|(_, bytes)| *bytes).collect();
        looks.sort_unstable();
        looks.get(looks.len() / 2).copied()
    }
}

impl Display for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("memory of workerd, median of each minute in MiB:")?;
        for minute in 0.. {
            let from = WINDOW * minute;
            let Some(bytes) = self.median(from, from + WINDOW) else { return Ok(()) };
            write!(formatter, " {}", bytes >> 20)?;
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
