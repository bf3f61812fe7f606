//! One machine as the ledger knows it.

use crate::ledger::account::Account;
use crate::ledger::replay::Nonces;

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
    /// The ledger's clock when the machine was admitted last, milliseconds since the epoch. Stored,
    /// so that the clock does not go back over a restart either.
    pub seen: u64,
    /// Milliseconds since the epoch of the machine's latest log record.
    pub last_record: u64,
    /// Nonces of signed requests that could still be fresh.
    pub nonces: Nonces,
}

impl Machine {
    /// A time for the machine's next log record: now, or just after the one before, so that no
    /// record takes the key of another.
    pub fn next_record(&mut self, now_ms: u64) -> u64 {
        self.last_record = now_ms.max(self.last_record.saturating_add(1));
        self.last_record
    }
}
