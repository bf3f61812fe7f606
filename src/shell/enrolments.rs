//! How many machines enrolled lately, as far as this isolate has heard: challenges are issued
//! without asking the ledger.

use std::cell::Cell;
use std::time::Duration;

use crate::units::UnixMillis;

/// What was heard this long ago says nothing any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);
/// What was heard this long ago is no reason to refuse anybody: the ledger is asked again.
const FRESH_FOR: Duration = Duration::from_secs(1);

thread_local! {
    static HEARD: Cell<(u32, UnixMillis)> = const { Cell::new((0, UnixMillis::from_millis(0))) };
}

/// The number last heard.
pub fn lately(now: UnixMillis) -> u32 {
    let (recent, at) = HEARD.get();
    if now.since(at) < FORGOTTEN_AFTER { recent } else { 0 }
}

/// The same, heard a moment ago.
pub fn just_now(now: UnixMillis) -> Option<u32> {
    let (recent, at) = HEARD.get();
    (now >= at && now.since(at) < FRESH_FOR).then_some(recent)
}

/// Takes in what the ledger said.
pub fn heard(recent: Option<u32>, now: UnixMillis) {
    if let Some(recent) = recent {
        HEARD.set((recent, now));
    }
}
