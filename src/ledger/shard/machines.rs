//! The shard's machines: those that leave memory, and all of them as operators see them.

use super::{Shard, Turn};
use crate::ledger::machine::Machine;
use crate::ledger::rows::{self, Row, Unreadable};
use crate::ledger::wire::usage::{MachineDetail, MachineState, Machines, Order, ShardUsage};
use crate::ledger::wire::{Command, Message, Outcome, Target};
use crate::policy::day::Day;
use crate::policy::limits::Limits;
use crate::units::UnixMillis;

/// Machines in memory and in the main row. Beyond it those at rest longest get rows of their own.
const MOST_MACHINES: usize = 512;
/// How many stay when there are too many: moving them one by one would cost a row each.
const MACHINES_AFTER_SPILL: usize = 384;

/// Rows of machines beyond the main row that are read for a list.
pub const MOST_LISTED: usize = 2_000;

/// Rows of machines beyond the main row that were read for a list.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    machines: Vec<(String, Machine)>,
    is_cut: bool,
}

impl Shard {
    /// Makes room in memory. Those that are as good as new are dropped, others get rows.
    pub(super) fn spill(&mut self, now: UnixMillis) -> Result<Vec<Row>, Unreadable> {
        if self.machines.len() <= MOST_MACHINES {
            return Ok(Vec::new());
        }
        let today = self.spending_day();
        let count = self.machines.len();
        self.machines.retain(|_, machine| !machine.is_blank(today, now));
        let surplus = self.machines.len().saturating_sub(MACHINES_AFTER_SPILL);
        let mut idle: Vec<(u64, String)> = self
            .machines
            .iter()
            .filter(|(_, machine)| machine.in_flight == 0)
            .map(|(subject, machine)| (machine.seen, subject.clone()))
            .collect();
        if self.machines.len() > MOST_MACHINES {
            idle.sort_unstable();
            idle.truncate(surplus);
        } else {
            idle.clear();
        }
        let mut rows = Vec::new();
        for (_, subject) in idle {
            if let Some(machine) = self.machines.remove(&subject) {
                rows.push(rows::machine_row(&subject, &machine)?);
                self.has_spilled = true;
            }
        }
        self.is_dirty |= self.machines.len() != count;
        Ok(rows)
    }

    /// Whether a message needs rows of machines beyond the main row, in any order: up to [`MOST_LISTED`]
    /// and one more, to be given to [`Shard::load_listed`] before the step.
    #[must_use]
    pub fn lists_machines(&self, message: &Message) -> bool {
        self.has_spilled && matches!(message.command, Some(Command::Machines { .. }))
    }

    /// Takes in rows of machines for a list. Memory knows better of a machine that is there.
    pub fn load_listed(&mut self, stored: Vec<(String, String)>) -> Result<(), Unreadable> {
        let is_cut = stored.len() > MOST_LISTED;
        let mut machines = Vec::new();
        for (key, value) in stored.into_iter().take(MOST_LISTED) {
            if let Some(subject) = key.strip_prefix(rows::MACHINE)
                && !self.machines.contains_key(subject)
            {
                machines.push((subject.to_owned(), rows::read_machine(&value)?));
            }
        }
        self.listed = Listed { machines, is_cut };
        Ok(())
    }

    /// The machines of today that have the most of something.
    pub(super) fn list(&mut self, limits: &Limits, order: Order, limit: u32, now: UnixMillis) -> Outcome {
        let day = self.spending_day().max(limits.day.day_of(now));
        let Listed { machines: listed, is_cut } = std::mem::take(&mut self.listed);
        let all = self.machines.iter().chain(listed.iter().map(|(subject, machine)| (subject, machine)));
        let of_today = all.filter(|(_, machine)| machine.account.day() == day);
        let states = of_today.map(|(subject, machine)| state(subject, machine, day));
        let is_active =
            |state: &MachineState| state.requests > 0 || state.in_flight > 0 || state.spent.nanos() > 0;
        let machines = order.first(states.filter(is_active), limit);
        Outcome::Machines(Machines { day, machines, complete: !is_cut })
    }

    /// One machine.
    pub(super) fn detail(
        &mut self,
        limits: &Limits,
        subject: String,
        of: u32,
        asked: u32,
        now: UnixMillis,
    ) -> (Turn, bool) {
        if let Some(request) = self.term_request(limits, now) {
            return super::admit::ask_first(request, Command::Machine { subject }, asked);
        }
        if let Some(route) = self.moved(of) {
            return super::admit::reply(Outcome::Moved(route));
        }
        let today = self.spending_day();
        let machine = self.machines.get(&subject).filter(|machine| machine.seen > 0);
        let machine = machine.map(|machine| state(&subject, machine, today));
        let revocation = self.revocations.get(&Target::Machine(subject)).cloned();
        super::admit::reply(Outcome::Machine(Box::new(MachineDetail { machine, revocation })))
    }

    /// What was counted since a day.
    pub(super) fn usage(&self, since: Day, now: UnixMillis) -> Outcome {
        let (tallies, asked) = (self.tallies.since(since), self.tallies.asked);
        Outcome::Usage(Box::new(ShardUsage { state: self.state(now), tallies, asked }))
    }
}

fn state(subject: &str, machine: &Machine, today: Day) -> MachineState {
    let mut machine = machine.clone();
    machine.roll(today);
    let spent = machine.account.posted();
    MachineState {
        subject: subject.to_owned(),
        plan: machine.plan().to_owned(),
        requests: machine.requests,
        spent,
        reserved: machine.account.used().saturating_sub(spent),
        in_flight: machine.in_flight,
        seen: UnixMillis::from_millis(machine.seen),
    }
}
