//! The end of a request: what it cost, or that nobody knows.

use serde_json::json;

use super::journal::Orphan;
use super::leases::plan_pool;
use super::{Reservation, Shard};
use crate::ledger::fund::SERVICE;
use crate::ledger::wire::Settlement;
use crate::ledger::wire::ended::Ended;
use crate::units::{NanoUsd, UnixMillis};

impl Shard {
    /// Ends a reservation. One that is not open was settled before, has expired, or was lost in a
    /// crash: in each case it is already charged, and stays so. In the last, its record is still to come.
    pub(super) fn settle(&mut self, settlement: Settlement, now: UnixMillis) {
        let Settlement { id, subject, charge, record, ended, .. } = settlement;
        let is_open = self.open.get(&id).is_some_and(|open| open.subject == subject);
        let is_orphan = self.orphans.get(&id).is_some_and(|orphan| orphan.subject == subject);
        let orphan = if is_orphan { self.orphans.remove(&id) } else { None };
        if let Some(orphan) = &orphan {
            self.by_deadline.remove(&(orphan.deadline, id.clone()));
            let charged = charge.of(orphan.amount).min(orphan.amount);
            self.count_orphan(&orphan.subject, &orphan.plan, ended.as_ref(), charged);
        }
        let reservation = if is_open { self.open.remove(&id) } else { None };
        if let Some(reservation) = &reservation {
            self.by_deadline.remove(&(reservation.deadline, id));
            self.close(reservation, charge.of(reservation.amount), ended.as_ref());
        }
        // One that the network doubled may have expired and been admitted again, with a time of its own: by the
        // time that the settlement names, its record would take the place of the first.
        let of_orphan = orphan.map(|orphan| orphan.record_at);
        let record_at = reservation.map(|reservation| reservation.record_at).or(of_orphan);
        if let (Some(record), Some(record_at)) = (record, record_at) {
            self.logbook.add(record_key(&subject, record_at), record, now);
        }
    }

    /// Charges in full what was not settled in time, and says so in the log.
    pub(super) fn expire(&mut self, now: UnixMillis) {
        while let Some(entry) = self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).cloned() {
            self.by_deadline.remove(&entry);
            if let Some(reservation) = self.open.remove(&entry.1) {
                self.close(&reservation, reservation.amount, None);
                let Reservation { subject, plan, amount, record_at, .. } = reservation;
                let record = unsettled(&entry.1, &subject, &plan, amount, record_at);
                self.logbook.add(record_key(&subject, record_at), record, now);
            }
            if let Some(Orphan { id, subject, plan, amount, record_at, .. }) = self.orphans.remove(&entry.1) {
                let record = unsettled(&id, &subject, &plan, amount, record_at);
                self.logbook.add(record_key(&subject, record_at), record, now);
                self.count_orphan(&subject, &plan, None, amount);
            }
        }
    }

    /// Counts a request of which a crash took the reservation, as the log has it. In the accounts all that
    /// was set aside for it is gone.
    fn count_orphan(&mut self, subject: &str, plan: &str, ended: Option<&Ended>, charged: NanoUsd) {
        self.is_dirty = true;
        self.tallies.end(None, plan, ended, charged);
        if let Some(machine) = self.machines.get_mut(subject) {
            machine.requests = machine.requests.saturating_add(1);
        }
    }

    fn close(&mut self, reservation: &Reservation, charged: NanoUsd, ended: Option<&Ended>) {
        let Reservation { subject, plan, pooled, amount, day, stored, .. } = reservation;
        self.is_dirty = true;
        self.tallies.end(Some(*day), plan, ended, charged.min(*amount));
        // After a crash the stored reservation is open again, and a settlement that comes a second time
        // gives this back: until the next write, nothing else may count on it.
        let given_back = if *stored { amount.saturating_sub(charged) } else { NanoUsd::ZERO };
        if let Some(machine) = self.machines.get_mut(subject) {
            machine.in_flight = machine.in_flight.saturating_sub(1);
            machine.account.settle(*day, *amount, charged);
            machine.stored.1 = machine.stored.1.saturating_sub(given_back);
            if machine.account.day() == *day {
                machine.requests = machine.requests.saturating_add(1);
            }
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
fn unsettled(id: &str, subject: &str, plan: &str, amount: NanoUsd, record_at: UnixMillis) -> String {
    json!({
        "timestamp": record_at.rfc3339(),
        "machine_id": subject,
        "reported_machine_id": null,
        "request_id": id,
        "plan": plan,
        "auth": null,
        "outcome": "unsettled",
        "source": null,
        "model": null,
        "usage": null,
        "cost_usd": amount.to_string(),
        "reserved_usd": amount.to_string(),
        "duration_ms": null,
    })
    .to_string()
}
