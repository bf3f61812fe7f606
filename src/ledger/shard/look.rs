//! How a machine stands, and how the shard does.

use super::admit::{ask_first, nanos_until, refused, reply, standing};
use super::{Shard, Turn};
use crate::ledger::bucket::Level;
use crate::ledger::fund::Fund;
use crate::ledger::replay::{self, Verdict};
use crate::ledger::wire::state::{FundState, ShardState};
use crate::ledger::wire::{Command, Credential, Outcome, Refusal};
use crate::policy::limits::Limits;
use crate::units::UnixMillis;

/// The members of [`Command::Look`].
pub(super) struct Look {
    pub(super) subject: String,
    pub(super) plan: String,
    pub(super) credential: Credential,
    pub(super) level: Option<Level>,
}

impl Shard {
    /// A signed question counts as admitted once like any other.
    pub(super) fn look(
        &mut self,
        limits: &Limits,
        look: Look,
        of: u32,
        asked: u32,
        now: UnixMillis,
    ) -> (Turn, bool) {
        let Some(plan) = limits.plan(&look.plan) else {
            return reply(Outcome::UnknownPlan);
        };
        if let Some(request) = self.term_request(limits, now) {
            let Look { subject, plan, credential, level } = look;
            return ask_first(request, Command::Look { subject, plan, credential, level }, asked);
        }
        if let Some(route) = self.moved(of) {
            return reply(Outcome::Moved(route));
        }
        if self.revocations.cover(&look.subject, &look.credential) {
            return reply(Outcome::Revoked);
        }
        let today = self.spending_day();
        let mut write = false;
        // A machine that was never seen leaves nothing behind by being looked at.
        let mut machine = self.machines.get(&look.subject).cloned().unwrap_or_default();
        machine.roll(today);
        if let Some(nonce) = &look.credential.nonce {
            match machine.nonces.check(nonce, self.horizon, now) {
                Verdict::Replayed => return reply(Outcome::Replayed),
                Verdict::Unsure => return reply(Outcome::Unavailable),
                Verdict::New => machine.nonces.remember(nonce),
                Verdict::Full(until) => {
                    let standing = standing(&machine, &look.plan, plan, limits, look.level, now);
                    return reply(refused(Refusal::Rate(nanos_until(until, now)), standing));
                }
            }
            machine.seen = now.millis();
            self.machines.insert(look.subject, machine.clone());
            self.is_dirty = true;
            write = replay::remembered_until(nonce) > self.stored_horizon;
        }
        let standing = standing(&machine, &look.plan, plan, limits, look.level, now);
        (Turn::Reply(Outcome::Standing(standing)), write)
    }

    /// For operators.
    pub(super) fn state(&self, now: UnixMillis) -> ShardState {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let (log_records, log_dropped) = self.logbook.counts();
        let funds = self.funds.iter().map(|(pool, fund)| {
            let Fund { account, .. } = fund;
            let (used, spent) = (account.used(), account.posted());
            (pool.clone(), FundState { day: account.day(), used, spent, leased: fund.lease() })
        });
        ShardState {
            shard: self.index,
            epoch: self.epoch,
            now,
            shards: self.term.map_or(0, |term| term.route.shards),
            machines: count(self.machines.len()),
            open: count(self.by_deadline.len()),
            funds: funds.collect(),
            log_records,
            log_dropped,
            dense: self.pace.is_dense(now),
            operations: crate::ledger::wire::state::Operations::default(),
        }
    }
}
