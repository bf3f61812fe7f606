//! The ledger's objects under any sequence of messages, crashes and alarms, held against a book of what the
//! provider may bill.

use std::collections::{BTreeMap, BTreeSet};

use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Message, Nonce, Outcome, Revocation, Settlement, Target,
    usage,
};
use pip_aide_gateway::policy::day::Day;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

use super::choice;
use super::objects::support::{ENDED, Objects};
use super::objects::{MACHINE_CAP, POOL_CAP, SERVICE_CAP, check_objects, limits};

/// A minute before a spending day ends.
const START_MS: u64 = 1_795_478_400_000 - 60_000;
/// No clock is behind by more.
const BEHIND_MS: u64 = 5_000;
const AMOUNTS: [u64; 8] = [0, 1, 40, 100, 250, 999, 5_000, u64::MAX];
const LIFETIMES_MS: [u64; 4] = [0, 1_000, 35_000, u64::MAX];
const PAUSES_MS: [u64; 8] = [0, 1, 40, 1_500, 36_000, 660_000, 21_600_000, 86_400_000];
const SUBJECTS: [&str; 4] = ["a", "b", "c", "d"];
const PLANS: [&str; 4] = ["standard", "pool", "pool", "nobody's"];
const STEP_BYTES: usize = 4;

/// The first byte is how many shards there are; then four bytes are a step: what, and three that say more.
/// Whatever they are, no cap is passed, no nonce admitted twice, and an answer that is asked for twice is
/// the same.
pub fn ledger(data: &[u8]) {
    let Some((shards, steps)) = choice(data, 4) else {
        return;
    };
    let mut world = World::new(u32::from(shards) + 1);
    for step in steps.chunks_exact(STEP_BYTES).take(96) {
        world.step(step[0], [step[1], step[2], step[3]]);
        world.check_book();
    }
    check_objects(&mut world.objects, world.now);
    // Storage says no less than memory did.
    world.objects.crash();
    check_objects(&mut world.objects, world.now);
    world.check_book();
}

/// What was set aside for a request, until something else is known of it.
struct Request {
    subject: &'static str,
    plan: &'static str,
    shard: u32,
    /// The end of its spending day, which stands for the day.
    day: UnixMillis,
    owed: u64,
}

struct World {
    objects: Objects,
    latest_ms: u64,
    now: UnixMillis,
    requests: Vec<Request>,
    nonces: BTreeSet<(&'static str, u64)>,
    revision: u64,
}

impl World {
    fn new(shards: u32) -> Self {
        Self {
            objects: Objects::new(limits(shards)),
            latest_ms: START_MS,
            now: UnixMillis::from_millis(START_MS),
            requests: Vec::new(),
            nonces: BTreeSet::new(),
            revision: 0,
        }
    }

    fn step(&mut self, what: u8, [first, second, third]: [u8; 3]) {
        match what.wrapping_sub(b'0') % 14 {
            0..=3 => self.admit(first, second, third),
            4..=6 => self.settle(usize::from(first) << 8 | usize::from(second), third),
            7 | 8 => {
                self.latest_ms += PAUSES_MS[usize::from(first % 8)];
                // A clock may be behind, but not by more than clocks are.
                let behind = u64::from(second) * BEHIND_MS / 255;
                self.now = UnixMillis::from_millis(self.latest_ms - behind);
            }
            9 => self.crash(first),
            10 => self.keep_house(first, second),
            11 => self.look(first, second),
            12 => self.revoke(first, second),
            _ => self.ask(first, second),
        }
    }

    /// A nonce of the present five minutes, where there is one.
    fn nonce(&self, byte: u8) -> Option<Nonce> {
        let window_ms = 300_000;
        let window = self.now.millis() / window_ms;
        let fresh_until = UnixMillis::from_millis((window + 1) * window_ms);
        (byte & 0x08 != 0).then(|| Nonce { hash: window * 8 + u64::from(byte >> 5), fresh_until })
    }

    fn admit(&mut self, who: u8, amount: u8, how: u8) {
        let subject = SUBJECTS[usize::from(who % 4)];
        let plan = PLANS[usize::from(who >> 2) % 4];
        let nonce = self.nonce(how);
        let credential = Credential { issued_at: self.now, jti: None, nonce: nonce.clone() };
        let admission = Admission {
            id: format!("r{}", self.requests.len()),
            subject: subject.to_owned(),
            plan: plan.to_owned(),
            credential,
            worst: NanoUsd::from_nanos(AMOUNTS[usize::from(amount % 8)]),
            lifetime_ms: LIFETIMES_MS[usize::from(how % 4)],
            level: None,
        };
        let command = Command::Admit(admission.clone());
        let outcome = self.objects.send(subject, command.clone(), self.now);
        let again = (how & 0x10 != 0).then(|| self.objects.send(subject, command, self.now));
        let Outcome::Admitted { budget, shard, standing, record_at } = outcome else {
            return;
        };
        // One whose time is over was closed when it came again.
        if let Some(again) = again.filter(|_| admission.lifetime_ms > 0) {
            let is_same = matches!(&again, Outcome::Admitted { budget: b, record_at: r, .. } if (*b, *r) == (budget, record_at));
            assert!(is_same, "{again:?}");
        }
        if let Some(nonce) = nonce {
            assert!(self.nonces.insert((subject, nonce.hash)), "{subject} has used {nonce:?} before");
        }
        assert!(standing.spent <= standing.cap, "{standing:?}");
        let owed = if budget == Budget::Reserved { admission.worst.nanos() } else { 0 };
        self.requests.push(Request { subject, plan, shard, day: standing.resets_at, owed });
    }

    fn settle(&mut self, which: usize, how: u8) {
        let Some(which) = which.checked_rem(self.requests.len()) else {
            return;
        };
        let cost = AMOUNTS[usize::from(how >> 2) % 8];
        let charge = match how % 4 {
            0 => Charge::Nothing,
            1 => Charge::Full,
            _ => Charge::Actual(NanoUsd::from_nanos(cost)),
        };
        let request = &mut self.requests[which];
        let is_own = how & 0x20 == 0;
        let settlement = Settlement {
            id: format!("r{which}"),
            subject: if is_own { request.subject } else { "somebody" }.to_owned(),
            charge,
            shard: request.shard,
            record: (how & 0x40 != 0).then(|| "{}".to_owned()),
            ended: (how & 0x80 != 0).then_some(ENDED),
        };
        // What is said first counts, for the provider as well. Nobody else has a say.
        if is_own {
            request.owed = charge.of(NanoUsd::from_nanos(request.owed)).nanos().min(request.owed);
        }
        self.objects.settle(settlement, self.now);
    }

    fn crash(&mut self, which: u8) {
        match which % 4 {
            0 => self.objects.treasury.treasury = None,
            1 => self.objects.crash(),
            _ => {
                let shard = u32::from(which >> 2) % self.objects.limits.shards;
                self.objects.shard(shard).crash();
            }
        }
    }

    /// What a shard does unasked.
    fn keep_house(&mut self, which: u8, what: u8) {
        let (limits, now) = (self.objects.limits.clone(), self.now);
        let shard = u32::from(which) % limits.shards;
        let object = self.objects.shard(shard);
        match what % 4 {
            0 => {
                if let Some(request) = object.tick(&limits, now).ask {
                    self.objects.lease(request, now);
                }
            }
            1 => drop(object.tidy(now)),
            2 => object.flush(),
            _ => {
                let last = u64::from(what >> 3);
                drop(object.batch_ended(last, what & 4 == 0, now));
            }
        }
    }

    fn look(&mut self, who: u8, how: u8) {
        let subject = SUBJECTS[usize::from(who % 4)];
        let plan = PLANS[usize::from(who >> 2) % 4].to_owned();
        let nonce = self.nonce(how);
        let credential = Credential { issued_at: self.now, jti: None, nonce: nonce.clone() };
        let command = Command::Look { subject: subject.to_owned(), plan, credential, level: None };
        if let (Outcome::Standing(standing), Some(nonce)) =
            (self.objects.send(subject, command, self.now), nonce)
        {
            assert!(self.nonces.insert((subject, nonce.hash)), "{subject} has used {nonce:?} before");
            assert!(standing.spent <= standing.cap, "{standing:?}");
        }
    }

    /// Takes a machine or the model out of use, or gives it back, and tells the shards.
    fn revoke(&mut self, who: u8, how: u8) {
        let subject = SUBJECTS[usize::from(who % 4)];
        let target = if how & 2 == 0 { Target::Machine(subject.to_owned()) } else { Target::Model };
        let is_revoked = how & 1 == 0;
        let revocation = Revocation {
            target: target.clone(),
            at: self.now,
            by: "boss".to_owned(),
            reason: "fuzzed".to_owned(),
        };
        let errand = match is_revoked {
            true => Errand::Revoke(revocation.clone()),
            false => Errand::Restore { target: target.clone() },
        };
        let Answer::Changed { revision, shards, .. } = self.objects.treasury(errand, self.now) else {
            panic!("the change is not made");
        };
        assert!(revision >= self.revision, "{revision}");
        self.revision = revision;
        for to in shards {
            let command = match is_revoked {
                true => Command::Revoke { revocation: revocation.clone(), revision },
                false => Command::Restore { target: target.clone(), revision },
            };
            let of = self.objects.limits.shards;
            let message = Message { to, of, command: Some(command), ..Message::default() };
            assert_eq!(self.objects.exchange(message, self.now), Outcome::Changed);
        }
        if target == Target::Model || !is_revoked {
            return;
        }
        // From then on it is not admitted.
        let (before, now) = (self.requests.len(), self.now);
        self.admit(who & 0x03, 2, 2);
        assert_eq!(self.requests.len(), before, "{subject} is revoked at {now:?}");
    }

    fn ask(&mut self, which: u8, what: u8) {
        let (of, to) = (self.objects.limits.shards, u32::from(which) % self.objects.limits.shards);
        let command = match what % 4 {
            0 => Command::State,
            1 => Command::Usage { since: Day::from_number(u64::from(what) << 8) },
            2 => Command::Machines { order: usage::Order::Spent, limit: u32::from(what >> 2) },
            _ => Command::Machine { subject: SUBJECTS[usize::from(which % 4)].to_owned() },
        };
        let outcome =
            self.objects.exchange(Message { to, of, command: Some(command), ..Message::default() }, self.now);
        let machines = match outcome {
            Outcome::Machines(machines) => machines.machines,
            Outcome::Machine(detail) => detail.machine.into_iter().collect(),
            _ => Vec::new(),
        };
        for machine in machines {
            let used = machine.spent.nanos() + machine.reserved.nanos();
            assert!(used <= MACHINE_CAP, "{machine:?}");
        }
    }

    /// For every cap and day: what may be billed is at most the cap.
    fn check_book(&self) {
        let mut owed: BTreeMap<(UnixMillis, &str, &str), u64> = BTreeMap::new();
        for Request { subject, plan, day, owed: amount, .. } in &self.requests {
            for (kind, name) in [("service", ""), ("plan", *plan), ("machine", *subject)] {
                *owed.entry((*day, kind, name)).or_default() += amount;
            }
        }
        for ((day, kind, name), owed) in owed {
            let cap = match (kind, name) {
                ("service", _) => SERVICE_CAP,
                ("plan", "pool") => POOL_CAP,
                ("plan", _) => u64::MAX,
                _ => MACHINE_CAP,
            };
            assert!(owed <= cap, "{kind} {name} owes {owed} of {cap} on {day:?}");
        }
    }
}
