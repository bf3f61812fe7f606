//! The ledger's objects in memory, as `shell::ledger` runs them: what is written is durable before a
//! reply leaves, a crash takes everything else.
#![allow(dead_code)]

use std::collections::BTreeMap;

use pip_aide_gateway::ledger::logbook::Batch;
use pip_aide_gateway::ledger::rows::{self, Row};
use pip_aide_gateway::ledger::shard::{MOST_LISTED, Shard, Step, Turn};
use pip_aide_gateway::ledger::treasury::Treasury;
use pip_aide_gateway::ledger::wire::ended::{Ended, Ending, Source};
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand, LeaseRequest};
use pip_aide_gateway::ledger::wire::{Command, Message, Outcome, Route, Settlement};
use pip_aide_gateway::policy::limits::Limits;
use pip_aide_gateway::units::UnixMillis;

/// The end of a request that the model answered, for the counters.
pub const ENDED: Ended =
    Ended { outcome: Ending::Answered, source: Some(Source::Model), tokens: (400, 50), ms: 1_800 };

/// Stored rows.
pub type Rows = BTreeMap<String, String>;

fn persist(stored: &mut Rows, rows: Vec<Row>) {
    for row in rows {
        match row.value {
            Some(value) => stored.insert(row.key, value),
            None => stored.remove(&row.key),
        };
    }
}

/// A shard's object.
#[derive(Default)]
pub struct ShardObject {
    pub stored: Rows,
    pub shard: Option<Shard>,
    /// What was asked of the platform.
    pub rows_written: u64,
    /// Rows of the journal, which is there for the log.
    pub journal_rows: u64,
    pub alarm: Option<UnixMillis>,
    /// For KV; and those of which a restored shard does not know whether KV has them.
    pub batches: Vec<Batch>,
    pub unsure: Vec<Batch>,
    /// Whether it should be tidied some seconds later.
    pub is_ahead: bool,
    /// How often it woke up.
    pub restored: u64,
    /// Rows of the journal that were taken in.
    pub replayed: u64,
}

impl ShardObject {
    pub fn awake(&mut self) -> &mut Shard {
        let (stored, unsure, replayed) = (&self.stored, &mut self.unsure, &mut self.replayed);
        let restored = &mut self.restored;
        self.shard.get_or_insert_with(|| {
            *restored += 1;
            let mut shard = Shard::restore(stored.get(rows::SHARD).map(String::as_str)).unwrap();
            for key in shard.also_needed() {
                shard.load(&key, stored.get(&key).map(String::as_str)).unwrap();
            }
            while shard.replay(stored.get(&shard.journal_key()).map(String::as_str)).unwrap() {
                *replayed += 1;
            }
            for (key, value) in stored.iter().filter(|(key, _)| key.starts_with(rows::REVOKED)) {
                shard.load(key, Some(value)).unwrap();
            }
            unsure.extend(shard.unsure_batch());
            shard
        })
    }

    fn commit(&mut self, rows: Vec<Row>) {
        let of_journal = rows.iter().filter(|row| row.key.starts_with(rows::JOURNAL)).count() as u64;
        self.journal_rows += of_journal;
        self.rows_written += rows.len() as u64 - of_journal;
        persist(&mut self.stored, rows);
    }

    /// One step. `None`: the process died before its rows were durable, and nothing left it.
    pub fn step(
        &mut self,
        limits: &Limits,
        message: Message,
        asked: u32,
        now: UnixMillis,
        crash: bool,
    ) -> Option<Step> {
        self.awake();
        let shard = self.shard.as_mut()?;
        for key in shard.missing(limits, &message) {
            shard.load(&key, self.stored.get(&key).map(String::as_str)).unwrap();
        }
        if shard.lists_machines(&message) {
            let machines = self.stored.iter().filter(|(key, _)| key.starts_with(rows::MACHINE));
            let machines = machines.take(MOST_LISTED + 1);
            shard.load_listed(machines.map(|(key, value)| (key.clone(), value.clone())).collect()).unwrap();
        }
        if asked == 0 {
            shard.note_call(now);
        }
        let mut step = shard.step(limits, message, asked, now).unwrap();
        if crash {
            self.crash();
            return None;
        }
        self.commit(std::mem::take(&mut step.rows));
        self.after(&step);
        Some(step)
    }

    /// What replies that are held wait for.
    pub fn flush(&mut self) {
        let row = self.shard.as_mut().and_then(|shard| shard.flush().unwrap());
        self.commit(row.into_iter().collect());
    }

    fn after(&mut self, step: &Step) {
        if let Some(at) = step.alarm {
            self.alarm = Some(at);
            self.rows_written += 1;
        }
        self.is_ahead |= step.is_ahead;
        self.batches.extend(step.batch.clone());
    }

    pub fn answered(&mut self, limits: &Limits, answer: Answer, now: UnixMillis) {
        if let Some(shard) = &mut self.shard {
            let rows = shard.answered(limits, answer, now).unwrap();
            self.commit(rows);
        }
    }

    pub fn tick(&mut self, limits: &Limits, now: UnixMillis) -> Step {
        self.alarm = None;
        self.awake();
        let shard = self.shard.as_mut().unwrap();
        let mut step = shard.tick(limits, now).unwrap();
        self.commit(std::mem::take(&mut step.rows));
        self.sweep();
        self.after(&step);
        step
    }

    /// Some seconds after dense traffic.
    pub fn tidy(&mut self, now: UnixMillis) -> Option<Step> {
        let step = self.shard.as_mut()?.tidy(now).unwrap()?;
        self.is_ahead = false;
        Some(self.carry_out(step))
    }

    /// KV's answer to a batch, and what follows from it.
    pub fn batch_ended(&mut self, last: u64, written: bool, now: UnixMillis) -> Option<Step> {
        let shard = self.shard.as_mut()?;
        shard.batch_ended(last, written, now);
        let step = shard.next_batch(now).unwrap()?;
        Some(self.carry_out(step))
    }

    fn carry_out(&mut self, mut step: Step) -> Step {
        self.commit(std::mem::take(&mut step.rows));
        self.after(&step);
        step
    }

    /// As the object's SQL does it, some rows at a time.
    fn sweep(&mut self) {
        let Some(stale) = self.shard.as_ref().and_then(Shard::stale) else {
            return;
        };
        let (today, rested, now) = (stale.before, stale.at_rest_since.millis(), stale.now.millis());
        let is_stale = |value: &str| {
            let value: serde_json::Value = serde_json::from_str(value).unwrap();
            let number = |name: &str| value[name].as_u64().unwrap();
            number("day") < today.number() && number("seen") <= rested && number("tat") / 1_000_000 < now
        };
        let stale =
            self.stored.iter().filter(|(key, value)| key.starts_with(rows::MACHINE) && is_stale(value));
        let stale: Vec<String> = stale.map(|(key, _)| key.clone()).take(500).collect();
        for key in &stale {
            self.stored.remove(key);
        }
        self.rows_written += stale.len() as u64;
        if stale.len() < 500 {
            self.shard.as_mut().unwrap().has_swept(today);
        }
    }

    pub fn crash(&mut self) {
        self.shard = None;
        self.unsure.clear();
        self.is_ahead = false;
    }
}

/// The treasury's object.
#[derive(Default)]
pub struct TreasuryObject {
    pub stored: Rows,
    pub treasury: Option<Treasury>,
    pub rows_written: u64,
    pub requests: u64,
}

impl TreasuryObject {
    pub fn step(&mut self, limits: &Limits, errand: Errand, now: UnixMillis, crash: bool) -> Option<Answer> {
        let stored = &self.stored;
        let treasury = self.treasury.get_or_insert_with(|| {
            let mut treasury = Treasury::default();
            for (key, value) in stored {
                treasury.load(key, value).unwrap();
            }
            treasury
        });
        self.requests += 1;
        let step = treasury.step(limits, errand, 0x5a17, now).unwrap();
        if crash {
            self.treasury = None;
            return None;
        }
        self.rows_written += step.rows.len() as u64;
        persist(&mut self.stored, step.rows);
        Some(step.answer)
    }
}

/// All objects, with a network on which nothing is lost or late.
pub struct Objects {
    pub limits: Limits,
    pub shards: BTreeMap<u32, ShardObject>,
    pub treasury: TreasuryObject,
}

impl Objects {
    pub fn new(limits: Limits) -> Self {
        Self { limits, shards: BTreeMap::new(), treasury: TreasuryObject::default() }
    }

    pub fn shard(&mut self, shard: u32) -> &mut ShardObject {
        self.shards.entry(shard).or_default()
    }

    pub fn treasury(&mut self, errand: Errand, now: UnixMillis) -> Answer {
        self.treasury.step(&self.limits, errand, now, false).unwrap()
    }

    pub fn lease(&mut self, request: LeaseRequest, now: UnixMillis) {
        let shard = request.shard;
        let answer = self.treasury(Errand::Lease(request), now);
        self.shards.entry(shard).or_default().answered(&self.limits, answer, now);
    }

    /// One message, as the shell carries it out.
    pub fn exchange(&mut self, mut message: Message, now: UnixMillis) -> Outcome {
        let (to, of) = (message.to, message.of);
        for asked in 0..=2 {
            let step =
                self.shards.entry(to).or_default().step(&self.limits, message, asked, now, false).unwrap();
            if step.is_held {
                self.shard(to).flush();
            }
            if let Some(request) = step.ask {
                self.lease(request, now);
            }
            match step.turn {
                Turn::Reply(outcome) => return outcome,
                Turn::Ask(request, command) => {
                    self.lease(request, now);
                    message = Message { to, of, command: Some(command), ..Message::default() };
                }
            }
        }
        Outcome::Unavailable
    }

    /// A command to the shard of a subject, wherever that is today.
    pub fn send(&mut self, subject: &str, command: Command, now: UnixMillis) -> Outcome {
        let mut route = match self.treasury(Errand::Route, now) {
            Answer::Route(route) => route,
            other => panic!("{other:?}"),
        };
        loop {
            match self.send_by(route, subject, command.clone(), now) {
                Outcome::Moved(moved) => route = moved,
                outcome => return outcome,
            }
        }
    }

    /// The same by what a Worker thinks that it knows.
    pub fn send_by(&mut self, route: Route, subject: &str, command: Command, now: UnixMillis) -> Outcome {
        let (to, of) = (route.shard_of(subject), route.shards);
        self.exchange(Message { to, of, command: Some(command), ..Message::default() }, now)
    }

    pub fn settle(&mut self, settlement: Settlement, now: UnixMillis) {
        let (to, of) = (settlement.shard, self.limits.shards);
        let outcome = self.exchange(Message { to, of, settled: vec![settlement], ..Message::default() }, now);
        assert_eq!(outcome, Outcome::Settled);
    }

    pub fn crash(&mut self) {
        self.treasury.treasury = None;
        self.shards.values_mut().for_each(ShardObject::crash);
    }
}
