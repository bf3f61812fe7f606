//! How many machines enrolled lately, as far as this isolate has heard: challenges are issued
//! without asking the ledger.

use std::cell::Cell;
use std::time::Duration;

use crate::units::UnixMillis;

/// What was heard this long ago says nothing any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

thread_local! {
    static HEARD: Cell<(u32, UnixMillis)> = const { Cell::new((0, UnixMillis::from_millis(0))) };
}

/// The number last heard.
pub fn lately(now: UnixMillis) -> u32 {
    let (recent, at) = HEARD.get();
    if now.since(at) < FORGOTTEN_AFTER { recent } else { 0 }
}

/// Takes in what the ledger said.
pub fn heard(recent: Option<u32>, now: UnixMillis) {
    if let Some(recent) = recent {
        HEARD.set((recent, now));
    }
}
