//! The ledger without storage: the same decisions, and nothing written down. For those who ask what
//! other settings would have decided, of more requests than could be written down one by one.

use std::collections::HashMap;

use super::{MOST_MACHINES_AT_ONCE, Shard, Turn};
use crate::ledger::machine::Machine;
use crate::ledger::treasury::Treasury;
use crate::ledger::wire::treasury::{Errand, LeaseRequest};
use crate::ledger::wire::{Admission, Command, Outcome, Settlement};
use crate::policy::limits::Limits;
use crate::units::UnixMillis;

/// One shard with its treasury, and the machines that a shard would have put away.
#[derive(Debug)]
pub struct Rehearsal {
    limits: Limits,
    shard: Shard,
    treasury: Treasury,
    at_rest: HashMap<String, Machine>,
}

impl Rehearsal {
    /// An empty ledger under these limits. All machines are in one shard, whatever `SHARDS` says:
    /// which of several one would be in depends on a number that nobody knows outside of the ledger.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let limits = Limits { shards: 1, ..limits.clone() };
        let shard = Shard { epoch: 1, ..Shard::default() };
        Self { limits, shard, treasury: Treasury::default(), at_rest: HashMap::new() }
    }

    /// May this request go on at `now`, and may it spend? Moments must not step back.
    pub fn admit(&mut self, admission: Admission, now: UnixMillis) -> Outcome {
        let now = self.shard.tell_time(now);
        self.shard.active_at = now;
        self.shard.expire(now);
        self.wake(&admission.subject);
        let mut admission = admission;
        let mut asked = 0;
        // As the object does it: the treasury is asked where the shard needs it, and then again.
        loop {
            let (turn, _) = self.shard.admit(&self.limits, admission, 1, asked, now);
            match turn {
                Turn::Reply(outcome) => {
                    // What storage would have to know of it.
                    let _ = self.shard.journal.cover();
                    if let Some(ahead) = self.shard.ask_ahead(&self.limits, now) {
                        self.ask(ahead, now);
                    }
                    return outcome;
                }
                Turn::Ask(request, Command::Admit(again)) => {
                    admission = again;
                    asked = asked.saturating_add(1);
                    self.ask(request, now);
                }
                Turn::Ask(..) => return Outcome::Unavailable,
            }
        }
    }

    /// The end of a request.
    pub fn settle(&mut self, settlement: Settlement, now: UnixMillis) {
        let now = self.shard.tell_time(now);
        self.shard.expire(now);
        self.wake(&settlement.subject);
        self.shard.settle(settlement, now);
    }

    fn ask(&mut self, request: LeaseRequest, now: UnixMillis) {
        // Neither a row nor a revocation is ever read here, so none can be unreadable.
        if let Ok(step) = self.treasury.step(&self.limits, Errand::Lease(request), 1, now) {
            let _ = self.shard.answered(&self.limits, step.answer, now);
        }
    }

    /// Takes a machine out of those at rest, and puts others there where the shard has too many.
    fn wake(&mut self, subject: &str) {
        if let Some(machine) = self.at_rest.remove(subject) {
            self.shard.machines.insert(subject.to_owned(), machine);
        }
        if self.shard.machines.len() >= MOST_MACHINES_AT_ONCE {
            let (today, now) = (self.shard.spending_day(), self.shard.clock);
            let idle = |name: &str, machine: &Machine| machine.in_flight == 0 && name != subject;
            self.at_rest.extend(self.shard.machines.extract_if(|name, machine| idle(name, machine)));
            self.at_rest.retain(|_, machine| !machine.is_blank(today, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::day::DayStart;
    use crate::units::NanoUsd;

    #[test]
    fn machines_are_put_at_rest_where_there_are_too_many() {
        let limits = Limits {
            plans: [].into(),
            service_daily: NanoUsd::ZERO,
            day: DayStart::parse("00:00Z").unwrap(),
            enrolment_difficulty: 18,
            shards: 1,
        };
        for (count, at_rest) in [(2_047, 0), (2_048, 2_045)] {
            let mut rehearsal = Rehearsal::new(&limits);
            rehearsal.shard.clock = UnixMillis::from_seconds(1_800_014_400);
            let machine = Machine { tat: u64::MAX, ..Machine::default() };
            rehearsal.shard.machines.extend((3..count).map(|number| (number.to_string(), machine.clone())));
            for (name, machine) in [
                ("asks", machine.clone()),
                ("in flight", Machine { in_flight: 1, ..machine }),
                ("as good as new", Machine::default()),
            ] {
                rehearsal.shard.machines.insert(name.to_owned(), machine);
            }
            rehearsal.wake("asks");
            assert_eq!(rehearsal.at_rest.len(), at_rest, "{count}");
            assert!(["asks", "in flight"].iter().all(|name| rehearsal.shard.machines.contains_key(*name)));
            assert!(!rehearsal.at_rest.contains_key("as good as new"));
        }
    }
}
