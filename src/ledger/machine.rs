//! One machine as the ledger knows it.

use crate::ledger::account::Account;

/// A machine's bucket, spend and requests in flight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Theoretical arrival time of the token bucket, nanoseconds since the Unix epoch.
    pub tat: u64,
    /// Spend of the day.
    pub account: Account,
    /// Requests admitted and not yet settled. Not stored: after a restart nothing is in flight that
    /// this object could still settle.
    pub in_flight: u32,
    /// Milliseconds since the epoch of the machine's latest log record.
    pub last_record: u64,
}

impl Machine {
    /// A time for the machine's next log record: now, or just after the one before, so that no
    /// record takes the key of another.
    pub fn next_record(&mut self, now_ms: u64) -> u64 {
        self.last_record = now_ms.max(self.last_record.saturating_add(1));
        self.last_record
    }
}
