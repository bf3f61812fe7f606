//! The end of a request: what it cost, or that nobody knows.

use serde_json::json;

use super::leases::plan_pool;
use super::{Reservation, Shard};
use crate::ledger::fund::SERVICE;
use crate::ledger::logbook::departed::REMEMBERED;
use crate::ledger::wire::{Charge, Settlement};
use crate::units::{NanoUsd, UnixMillis};

impl Shard {
    /// Ends a reservation. One that is not open was settled before, has expired, or was lost in a
    /// crash: in each case it is already charged, and stays so.
    pub(super) fn settle(&mut self, settlement: Settlement, now: UnixMillis) {
        let Settlement { id, subject, charge, epoch, record_at, record, .. } = settlement;
        let is_open = self.open.get(&id).is_some_and(|open| open.subject == subject);
        let reservation = if is_open { self.open.remove(&id) } else { None };
        if let Some(reservation) = &reservation {
            let charged = match charge {
                Charge::Nothing => NanoUsd::ZERO,
                Charge::Actual(cost) => cost,
                Charge::Full => reservation.amount,
            };
            self.by_deadline.remove(&(reservation.deadline, id));
            self.close(reservation, charged);
        }
        // What a crash took is charged; its record arrives all the same, perhaps for the second time. In
        // this epoch, though, one that is not open has its record.
        let key = record_key(&subject, record_at);
        let may_be_lost = epoch < self.epoch && now.since(record_at) < REMEMBERED;
        let is_new = reservation.is_some() || (may_be_lost && !self.logbook.knows(&key));
        if let Some(record) = record.filter(|_| is_new) {
            self.logbook.add(key, record, now);
        }
    }

    /// Charges in full what was not settled in time, and says so in the log.
    pub(super) fn expire(&mut self, now: UnixMillis) {
        while let Some(entry) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).cloned() {
            self.by_deadline.remove(&entry);
            if let Some(reservation) = self.open.remove(&entry.1) {
                self.close(&reservation, reservation.amount);
                let record = unsettled(&entry.1, &reservation);
                self.logbook.add(record_key(&reservation.subject, reservation.record_at), record, now);
            }
        }
    }

    fn close(&mut self, reservation: &Reservation, charged: NanoUsd) {
        let Reservation { subject, plan, pooled, amount, day, stored, .. } = reservation;
        self.is_dirty = true;
        // After a crash the stored reservation is open again, and a settlement that comes a second time
        // gives this back: until the next write, nothing else may count on it.
        let given_back = if *stored { amount.saturating_sub(charged) } else { NanoUsd::ZERO };
        if let Some(machine) = self.machines.get_mut(subject) {
            machine.in_flight = machine.in_flight.saturating_sub(1);
            machine.account.settle(*day, *amount, charged);
            machine.stored.1 = machine.stored.1.saturating_sub(given_back);
        }
        let plan = pooled.then(|| plan_pool(plan));
        for pool in plan.as_deref().into_iter().chain([SERVICE]) {
            if let Some(fund) = self.funds.get_mut(pool) {
                fund.account.settle(*day, *amount, charged);
                fund.stored.1 = fund.stored.1.saturating_sub(given_back);
            }
        }
    }
}

fn record_key(subject: &str, at: UnixMillis) -> String {
    format!("{subject}:{}", at.rfc3339())
}

/// The log record of a request whose end nobody told.
fn unsettled(id: &str, reservation: &Reservation) -> String {
    json!({
        "timestamp": reservation.record_at.rfc3339(),
        "machine_id": reservation.subject,
        "reported_machine_id": null,
        "request_id": id,
        "plan": reservation.plan,
        "auth": null,
        "outcome": "unsettled",
        "source": null,
        "model": null,
        "usage": null,
        "cost_usd": reservation.amount.to_string(),
        "reserved_usd": reservation.amount.to_string(),
        "duration_ms": null,
    })
    .to_string()
}
