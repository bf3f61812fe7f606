//! The scheduler: objects, isolates, and the messages between them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use pip_aide_gateway::ledger::logbook::Batch;
use pip_aide_gateway::ledger::outbox::{Outbox, Then};
use pip_aide_gateway::ledger::rows;
use pip_aide_gateway::ledger::shard::{Step, Turn};
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand, LeaseRequest};
use pip_aide_gateway::ledger::wire::{
    Admission, Budget, Charge, Command, Credential, Message, Nonce, Outcome, Route, Settlement,
};
use pip_aide_gateway::policy::day::DayStart;
use pip_aide_gateway::policy::limits::{Limits, parse_rate};
use pip_aide_gateway::policy::plans::Plan;
use pip_aide_gateway::units::{NanoUsd, UnixMillis};

use super::book::{Book, DayEnd};
use super::ledger_support::{ENDED, ShardObject, TreasuryObject};
use super::random::Random;
use super::weather::Weather;

const LIFETIME_MS: u64 = 35_000;
/// Half a minute before a spending day ends, so that most runs cross a reset.
const START_MS: u64 = 1_795_478_400_000 - 30_000;
const ISOLATES: u64 = 3;
const WORST: u64 = 100;

/// What happened in a run, so that it can be said that it did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub admitted: u64,
    pub reached: u64,
    pub refused: u64,
    pub replayed: u64,
    pub unsure: u64,
    pub moved: u64,
    pub crashes: u64,
    pub expired: u64,
    pub rode: u64,
    pub dense_without_row: u64,
    pub spilled: u64,
    pub given_back: u64,
    pub days: u64,
    pub held: u64,
    pub orphaned: u64,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        let Self { admitted, reached, refused, replayed, unsure, moved, crashes, .. } = other;
        self.admitted += admitted;
        self.reached += reached;
        self.refused += refused;
        self.replayed += replayed;
        self.unsure += unsure;
        self.moved += moved;
        self.crashes += crashes;
        self.expired += other.expired;
        self.rode += other.rode;
        self.dense_without_row += other.dense_without_row;
        self.spilled += other.spilled;
        self.given_back += other.given_back;
        self.days += other.days;
        self.held += other.held;
        self.orphaned += other.orphaned;
    }

    pub fn assert_everything_happened(&self) {
        let Self { admitted, reached, refused, replayed, unsure, moved, crashes, expired, rode, .. } = *self;
        let Self { dense_without_row, spilled, given_back, days, held, orphaned, .. } = *self;
        let all = [
            admitted,
            reached,
            refused,
            replayed,
            unsure,
            moved,
            crashes,
            expired,
            rode,
            dense_without_row,
            spilled,
            given_back,
            days,
            held,
            orphaned,
        ];
        assert!(all.iter().all(|count| *count > 0), "{self:?}");
    }
}

/// A request of a client.
struct Request {
    id: String,
    subject: String,
    plan: &'static str,
    worst: u64,
    nonce: Option<Nonce>,
    isolate: usize,
    /// What the provider bills, and what the gateway learns of it.
    bill: u64,
    charge: Charge,
    /// Where it was admitted, by the first answer that said so.
    admitted: Option<Admitted>,
    settled: bool,
}

#[derive(Clone, Copy)]
struct Admitted {
    shard: u32,
    day: DayEnd,
    reserved: bool,
}

struct Isolate {
    route: Option<Route>,
    outbox: Outbox,
}

#[derive(Clone)]
struct Origin {
    isolate: usize,
    request: Option<usize>,
    tries: u32,
}

/// A reply that is held until what it says is durable.
struct Held {
    outcome: Outcome,
    settled: Vec<Settlement>,
    origin: Origin,
}

/// A step that waits for the treasury in an object's memory.
#[derive(Clone)]
struct Waiting {
    message: Message,
    origin: Origin,
    asked: u32,
}

#[allow(clippy::large_enum_variant, reason = "few wait at a time")]
enum Event {
    Arrive,
    ToShard { message: Message, origin: Origin },
    FromShard { outcome: Option<Outcome>, settled: Vec<Settlement>, origin: Origin, shard: u32 },
    ToTreasury { request: LeaseRequest, life: u64, waiting: Option<Waiting> },
    FromTreasury { shard: u32, life: u64, answer: Option<Answer>, waiting: Option<Waiting> },
    Upstream { request: usize },
    KeepPromise { isolate: usize, shard: u32 },
    Alarm { shard: u32, at: UnixMillis },
    Tidy { shard: u32, life: u64 },
    Flush { shard: u32, life: u64 },
    Kv { shard: u32, life: u64, batch: Batch, ok: bool },
}

pub struct World {
    random: Random,
    weather: Weather,
    limits: Limits,
    now_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    next_event: u64,
    shards: Vec<ShardObject>,
    /// Counts the crashes of each shard: what an old life is told reaches nobody.
    lives: Vec<u64>,
    held: Vec<Vec<Held>>,
    treasury: TreasuryObject,
    isolates: Vec<Isolate>,
    requests: Vec<Request>,
    kv: BTreeMap<String, String>,
    /// Of each reservation, by request and time of its record: day, moment, and how often the shard had woken up.
    days: BTreeMap<(String, UnixMillis), (DayEnd, UnixMillis, u64)>,
    /// By shard: its main row as it was last read, and after how many writes.
    read: Vec<(u64, serde_json::Value)>,
    book: Book,
    pub tally: Tally,
}

fn plan(machine_daily: u64, total_daily: Option<u64>) -> Plan {
    Plan {
        quota: parse_rate("30/minute", 4).unwrap(),
        concurrency: 3,
        machine_daily: NanoUsd::from_nanos(machine_daily),
        total_daily: total_daily.map(NanoUsd::from_nanos),
    }
}

fn plan_of(subject: &str) -> &'static str {
    if subject.ends_with(['1', '4', '7']) { "pool" } else { "standard" }
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> Self {
        let cap = weather.cap_requests * WORST;
        let plans = [("standard", plan(10 * WORST, None)), ("pool", plan(6 * WORST, Some(cap / 3)))];
        let limits = Limits {
            plans: plans.map(|(name, plan)| (name.to_owned(), plan)).into(),
            service_daily: NanoUsd::from_nanos(cap),
            day: DayStart::parse("00:00Z").unwrap(),
            enrolment_difficulty: 18,
            shards: weather.shards,
        };
        let shards = 4;
        Self {
            random: Random::new(seed),
            limits,
            now_ms: START_MS,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_event: 0,
            shards: (0..shards).map(|_| ShardObject::default()).collect(),
            lives: vec![0; shards],
            held: (0..shards).map(|_| Vec::new()).collect(),
            treasury: TreasuryObject::default(),
            isolates: (0..ISOLATES).map(|_| Isolate { route: None, outbox: Outbox::default() }).collect(),
            requests: Vec::new(),
            kv: BTreeMap::new(),
            days: BTreeMap::new(),
            read: vec![(0, serde_json::Value::Null); shards],
            book: Book::default(),
            tally: Tally::default(),
            weather,
        }
    }

    pub fn run(&mut self) {
        self.at(0, Event::Arrive);
        while let Some(Reverse((at, number))) = self.queue.pop() {
            self.now_ms = self.now_ms.max(at);
            let event = self.events.remove(&number).expect("an event has one turn");
            self.happen(event);
            self.book.check_caps(&self.limits, plan_of);
        }
        self.book.check_rate(&self.limits);
        self.check_end();
    }

    fn at(&mut self, after_ms: u64, event: Event) {
        let number = self.next_event;
        self.next_event += 1;
        self.events.insert(number, event);
        self.queue.push(Reverse((self.now_ms + after_ms, number)));
    }

    /// Sends over the network: late, and in bad weather later, twice, or not at all.
    fn send(&mut self, event: impl Fn() -> Event, lost: Option<Event>) {
        if self.random.chance(self.weather.lose) {
            if let Some(lost) = lost {
                self.at(1_000, lost);
            }
            return;
        }
        let times = 1 + u64::from(self.random.chance(self.weather.double));
        for _ in 0..times {
            let late = self.random.chance(self.weather.late);
            // No request lives longer than the half minute that `waitUntil` is given.
            let delay = if late { self.random.below(40_000) } else { 1 + self.random.below(20) };
            self.at(delay, event());
        }
    }

    /// An object's clock, off by as much as the weather allows.
    fn clock(&mut self) -> UnixMillis {
        let off = self.random.below(2 * self.weather.clock_ms + 1);
        UnixMillis::from_millis(self.now_ms + off - self.weather.clock_ms)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive => self.arrive(),
            Event::ToShard { message, origin } => self.reach_shard(message, origin, 0),
            Event::FromShard { outcome, settled, origin, shard } => {
                self.hear_shard(outcome, settled, origin, shard);
            }
            Event::ToTreasury { request, life, waiting } => self.reach_treasury(request, life, waiting),
            Event::FromTreasury { shard, life, answer, waiting } => {
                self.hear_treasury(shard, life, answer, waiting);
            }
            Event::Upstream { request } => self.settle(request),
            Event::KeepPromise { isolate, shard } => {
                let settled = self.isolates[isolate].outbox.keep_promise(shard);
                self.flush(isolate, shard, settled);
            }
            Event::Alarm { shard, at } => self.ring(shard, at),
            Event::Tidy { shard, life } => self.tidy(shard, life),
            Event::Flush { shard, life } => self.flush_journal(shard, life),
            Event::Kv { shard, life, batch, ok } => {
                if ok {
                    self.kv.insert(batch.key, batch.value);
                }
                let index = shard as usize;
                let now = self.clock();
                if self.lives[index] == life
                    && let Some(step) = self.shards[index].batch_ended(batch.last, ok, now)
                {
                    self.check_storage(index);
                    self.after(index, &step);
                }
            }
        }
    }

    /// A client sends a request to some isolate.
    fn arrive(&mut self) {
        let number = self.requests.len();
        if (number as u64) < self.weather.requests {
            let pause = self.random.below(self.weather.pause_ms) + 1;
            self.at(pause, Event::Arrive);
        }
        let subject = format!("m{}", self.random.below(self.weather.machines));
        let signed = self.random.chance(self.weather.signed);
        // Now and then somebody sends again what was sent before.
        let replay = signed && self.random.chance(150);
        // Only what is fresh gets past the isolate.
        let is_fresh = |nonce: &Nonce| nonce.fresh_until.millis() >= self.now_ms;
        let fresh = |request: &&Request| request.nonce.as_ref().is_some_and(is_fresh);
        let before = replay.then(|| self.requests.iter().rev().find(fresh)).flatten();
        let (subject, nonce) = match before {
            Some(before) => (before.subject.clone(), before.nonce.clone()),
            None if signed => {
                // Clients' clocks are off by up to five minutes.
                let created = self.now_ms + self.random.below(600_000) - 300_000;
                let nonce =
                    Nonce { hash: number as u64, fresh_until: UnixMillis::from_millis(created + 300_000) };
                (subject, Some(nonce))
            }
            None => (subject, None),
        };
        let worst = 1 + self.random.below(2 * WORST);
        let (bill, charge) = match self.random.below(10) {
            0 => (self.random.below(worst + 1), Charge::Full),
            1 => (0, Charge::Nothing),
            _ => {
                let bill = self.random.below(worst + 1);
                (bill, Charge::Actual(NanoUsd::from_nanos(bill)))
            }
        };
        if Some(number as u64) == self.weather.reshard_at {
            // The operator spreads the machines otherwise; some isolates go by that at once.
            self.limits.shards = 1 + u32::try_from(self.random.below(4)).unwrap();
            let route = Route { shards: self.limits.shards, salt: 0x5a17 };
            self.isolates.iter_mut().step_by(2).for_each(|isolate| isolate.route = Some(route));
        }
        let isolate = usize::try_from(self.random.below(ISOLATES)).unwrap();
        if self.random.chance(self.weather.crash / 4) {
            // What it held is lost.
            self.isolates[isolate] = Isolate { route: None, outbox: Outbox::default() };
        }
        let plan = plan_of(&subject);
        self.requests.push(Request {
            id: format!("r{number}"),
            subject,
            plan,
            worst,
            nonce,
            isolate,
            bill,
            charge,
            admitted: None,
            settled: false,
        });
        self.ask(Origin { isolate, request: Some(number), tries: 0 });
    }

    fn ask(&mut self, origin: Origin) {
        let now = UnixMillis::from_millis(self.now_ms);
        let isolate = &mut self.isolates[origin.isolate];
        // An isolate that has heard nothing goes by its settings; the treasury tells it the salt.
        let route = *isolate.route.get_or_insert_with(|| {
            match self.treasury.step(&self.limits, Errand::Route, now, false) {
                Some(Answer::Route(route)) => route,
                other => panic!("{other:?}"),
            }
        });
        let request = &self.requests[origin.request.expect("of a request")];
        let to = route.shard_of(&request.subject);
        let settled = isolate.outbox.ride(to, now);
        self.tally.rode += settled.len() as u64;
        let command = Command::Admit(Admission {
            id: request.id.clone(),
            subject: request.subject.clone(),
            plan: request.plan.to_owned(),
            credential: Credential { nonce: request.nonce.clone(), ..Credential::default() },
            worst: NanoUsd::from_nanos(request.worst),
            lifetime_ms: LIFETIME_MS,
            level: None,
        });
        self.call(
            Message { to, of: route.shards, settled, command: Some(command), ..Message::default() },
            origin,
        );
    }

    fn call(&mut self, message: Message, origin: Origin) {
        let failed = Event::FromShard {
            outcome: None,
            settled: message.settled.clone(),
            origin: origin.clone(),
            shard: message.to,
        };
        self.send(|| Event::ToShard { message: message.clone(), origin: origin.clone() }, Some(failed));
    }

    /// A message arrives at a shard, which may crash before or after it has written.
    fn reach_shard(&mut self, message: Message, origin: Origin, asked: u32) {
        let index = message.to as usize;
        let now = self.clock();
        let settled = message.settled.clone();
        let shard = message.to;
        for settlement in &settled {
            self.hear_settlement(settlement);
        }
        let crashes_before = self.random.chance(self.weather.crash);
        let rows_before = self.shards[index].rows_written;
        let (to, of) = (message.to, message.of);
        let step = self.shards[index].step(&self.limits, message, asked, now, crashes_before);
        let Some(step) = step else {
            return self.crashed(index, settled, origin);
        };
        let is_admitted =
            matches!(step.turn, Turn::Reply(Outcome::Admitted { budget: Budget::Reserved, .. }));
        if let (Turn::Reply(Outcome::Admitted { record_at, standing, .. }), Some(number)) =
            (&step.turn, origin.request)
        {
            // Answered again for the same reservation, the first word counts.
            let id = self.requests[number].id.clone();
            let restored = self.shards[index].restored;
            self.days.entry((id, *record_at)).or_insert((standing.resets_at, standing.now, restored));
        }
        self.tally.dense_without_row +=
            u64::from(is_admitted && rows_before == self.shards[index].rows_written);
        self.check_storage(index);
        if self.random.chance(self.weather.crash) {
            // What it wrote is durable, what it had to say is not heard.
            return self.crashed(index, settled, origin);
        }
        self.after(index, &step);
        match step.turn {
            Turn::Reply(outcome) if step.is_held => {
                self.tally.held += 1;
                if self.held[index].is_empty() {
                    self.at(2, Event::Flush { shard, life: self.lives[index] });
                }
                self.held[index].push(Held { outcome, settled, origin });
            }
            Turn::Reply(outcome) => self.reply(shard, Held { outcome, settled, origin }),
            Turn::Ask(request, command) => {
                let message = Message { to, of, command: Some(command), ..Message::default() };
                let waiting = Waiting { message, origin, asked: asked + 1 };
                self.ask_treasury(index, request, Some(waiting));
            }
        }
    }

    fn reply(&mut self, shard: u32, held: Held) {
        let Held { outcome, settled, origin } = held;
        let failed =
            Event::FromShard { outcome: None, settled: settled.clone(), origin: origin.clone(), shard };
        let heard = || Event::FromShard {
            outcome: Some(outcome.clone()),
            settled: settled.clone(),
            origin: origin.clone(),
            shard,
        };
        self.send(heard, Some(failed));
    }

    fn crashed(&mut self, index: usize, settled: Vec<Settlement>, origin: Origin) {
        self.crash(index);
        let shard = u32::try_from(index).unwrap();
        self.at(5, Event::FromShard { outcome: None, settled, origin, shard });
    }

    /// The object dies, and with it what it had to say.
    fn crash(&mut self, index: usize) {
        self.tally.crashes += 1;
        self.lives[index] += 1;
        self.shards[index].crash();
        self.check_storage(index);
        let shard = u32::try_from(index).unwrap();
        for Held { settled, origin, .. } in std::mem::take(&mut self.held[index]) {
            self.at(5, Event::FromShard { outcome: None, settled, origin, shard });
        }
    }

    /// Makes durable what is held, and lets it go; the object may crash before or in between.
    fn flush_journal(&mut self, shard: u32, life: u64) {
        let index = shard as usize;
        if self.lives[index] != life {
            return;
        }
        if self.random.chance(self.weather.crash) {
            return self.crash(index);
        }
        self.shards[index].flush();
        if self.random.chance(self.weather.crash) {
            return self.crash(index);
        }
        for held in std::mem::take(&mut self.held[index]) {
            self.reply(shard, held);
        }
    }

    /// Starts what a step asks for besides its reply.
    fn after(&mut self, index: usize, step: &Step) {
        let shard = u32::try_from(index).unwrap();
        if let Some(at) = step.alarm {
            // Late, twice, or never.
            let due = at.millis().saturating_sub(self.now_ms);
            if !self.random.chance(self.weather.lose) {
                self.at(due, Event::Alarm { shard, at });
            }
            if self.random.chance(self.weather.double) {
                let late = self.random.below(90_000);
                self.at(due + late, Event::Alarm { shard, at });
            }
        }
        if let Some(request) = step.ask.clone() {
            self.tally.given_back += u64::from(request.holds_only && request.number.1 > 1);
            self.ask_treasury(index, request, None);
        }
        let life = self.lives[index];
        for batch in std::mem::take(&mut self.shards[index].unsure) {
            // The restored object looks whether KV has it; it may not see it yet.
            let seen = !self.random.chance(self.weather.lose);
            let is_there =
                seen && self.kv.get(&batch.key).is_some_and(|value| value.starts_with(&batch.value));
            let now = self.clock();
            self.shards[index].awake().batch_ended(batch.last, is_there, now);
        }
        if std::mem::take(&mut self.shards[index].is_ahead) {
            self.at(3_000, Event::Tidy { shard, life });
        }
        for batch in std::mem::take(&mut self.shards[index].batches) {
            let ok = !self.random.chance(self.weather.lose);
            let delay = 1 + self.random.below(200);
            self.at(delay, Event::Kv { shard, life, batch, ok });
        }
        self.tally.spilled +=
            u64::from(self.shards[index].stored.keys().any(|key| key.starts_with(rows::MACHINE)));
    }

    fn ask_treasury(&mut self, index: usize, request: LeaseRequest, waiting: Option<Waiting>) {
        let life = self.lives[index];
        let shard = request.shard;
        let failed = Event::FromTreasury { shard, life, answer: None, waiting: waiting.clone() };
        let event = || Event::ToTreasury { request: request.clone(), life, waiting: waiting.clone() };
        self.send(event, Some(failed));
    }

    fn reach_treasury(&mut self, request: LeaseRequest, life: u64, waiting: Option<Waiting>) {
        let now = self.clock();
        let shard = request.shard;
        let crashes = self.random.chance(self.weather.crash);
        let answer = self.treasury.step(&self.limits, Errand::Lease(request), now, crashes);
        self.tally.crashes += u64::from(crashes);
        self.check_leases();
        let failed = Event::FromTreasury { shard, life, answer: None, waiting: waiting.clone() };
        if answer.is_none() {
            return self.at(5, failed);
        }
        let event = || Event::FromTreasury { shard, life, answer: answer.clone(), waiting: waiting.clone() };
        self.send(event, Some(failed));
    }

    fn hear_treasury(&mut self, shard: u32, life: u64, answer: Option<Answer>, waiting: Option<Waiting>) {
        let index = shard as usize;
        if self.lives[index] != life {
            // The object that asked is gone, and with it the request that waited.
            if let Some(Waiting { message, origin, .. }) = waiting {
                self.at(1, Event::FromShard { outcome: None, settled: message.settled, origin, shard });
            }
            return;
        }
        let now = self.clock();
        let is_answered = answer.is_some();
        if let Some(answer) = answer {
            self.shards[index].answered(&self.limits, answer, now);
        }
        match waiting {
            Some(Waiting { message, origin, asked }) if is_answered => {
                self.reach_shard(message, origin, asked)
            }
            Some(Waiting { origin, .. }) => {
                let outcome = Some(Outcome::Unavailable);
                self.at(1, Event::FromShard { outcome, settled: Vec::new(), origin, shard });
            }
            None => {}
        }
    }

    /// An isolate hears what became of its call, perhaps twice.
    fn hear_shard(&mut self, outcome: Option<Outcome>, settled: Vec<Settlement>, origin: Origin, shard: u32) {
        let Some(outcome) = outcome else {
            // It does not know whether the settlements arrived: they are sent again.
            return self.isolates[origin.isolate].outbox.put_back(shard, settled);
        };
        let Some(number) = origin.request else {
            return;
        };
        match outcome {
            Outcome::Admitted { budget, record_at, shard, standing } => {
                let (day, at, restored) = self.days[&(self.requests[number].id.clone(), record_at)];
                let request = &mut self.requests[number];
                if request.admitted.is_some() {
                    return;
                }
                let reserved = budget == Budget::Reserved;
                request.admitted = Some(Admitted { shard, day, reserved });
                let (subject, plan, worst) = (request.subject.clone(), request.plan, request.worst);
                if let Some(nonce) = &request.nonce {
                    let is_new = self.book.nonces.insert((subject.clone(), nonce.hash));
                    assert!(is_new, "the nonce of {} was admitted twice", self.requests[number].id);
                }
                self.tally.admitted += 1;
                self.tally.reached += u64::from(!reserved);
                assert!(standing.in_flight <= standing.concurrency, "too many in flight");
                self.book
                    .admissions
                    .entry((shard, subject.clone()))
                    .or_default()
                    .push((at.millis(), restored));
                if reserved {
                    // From here on it may be billed.
                    self.book.note(day, shard, plan, &subject, i64::try_from(worst).unwrap());
                    self.check_storage(shard as usize);
                }
                let long = self.random.chance(self.weather.late);
                let takes = self.random.below(if long { 60_000 } else { 2_000 });
                self.at(takes, Event::Upstream { request: number });
            }
            Outcome::Moved(route) => {
                self.tally.moved += 1;
                self.isolates[origin.isolate].route = Some(route);
                if origin.tries < 3 {
                    self.ask(Origin { tries: origin.tries + 1, ..origin });
                }
            }
            Outcome::Refused { .. } => self.tally.refused += 1,
            Outcome::Replayed => {
                let nonce = self.requests[number].nonce.as_ref().expect("it was signed").hash;
                let earlier =
                    self.requests.iter().filter(|one| one.nonce.as_ref().is_some_and(|n| n.hash == nonce));
                assert!(earlier.count() > 1 || !self.weather.is_calm(), "an honest request is no replay");
                self.tally.replayed += 1;
            }
            Outcome::Unavailable => self.tally.unsure += 1,
            other => panic!("{other:?}"),
        }
    }

    /// The upstream has answered, or not: the isolate settles.
    fn settle(&mut self, number: usize) {
        let request = &self.requests[number];
        let Some(Admitted { shard, reserved, .. }) = request.admitted else {
            return;
        };
        let settlement = Settlement {
            id: request.id.clone(),
            subject: request.subject.clone(),
            charge: if reserved { request.charge } else { Charge::Nothing },
            shard,
            record: Some(format!("{{\"request_id\":\"{}\"}}", request.id)),
            ended: Some(ENDED),
        };
        let isolate = request.isolate;
        let now = UnixMillis::from_millis(self.now_ms);
        match self.isolates[isolate].outbox.add(settlement, now) {
            Then::Nothing => {}
            Then::Send => {
                let settled = self.isolates[isolate].outbox.take(shard);
                self.flush(isolate, shard, settled);
            }
            Then::SendLater => self.at(200, Event::KeepPromise { isolate, shard }),
        }
    }

    fn flush(&mut self, isolate: usize, shard: u32, settled: Vec<Settlement>) {
        if !settled.is_empty() {
            let of = self.isolates[isolate].route.map_or(self.limits.shards, |route| route.shards);
            let origin = Origin { isolate, request: None, tries: 0 };
            self.call(Message { to: shard, of, settled, ..Message::default() }, origin);
        }
    }

    /// From the moment at which a settlement has reached the ledger, only its charge is owed.
    fn hear_settlement(&mut self, settlement: &Settlement) {
        let number: usize = settlement.id[1..].parse().unwrap();
        let request = &mut self.requests[number];
        if std::mem::replace(&mut request.settled, true) {
            return;
        }
        let Some(Admitted { shard, day, reserved: true, .. }) = request.admitted else {
            return;
        };
        // An unknown outcome is owed in full, whatever the provider bills.
        let owed = if request.charge == Charge::Full { request.worst } else { request.bill };
        let change = i64::try_from(owed).unwrap() - i64::try_from(request.worst).unwrap();
        let (plan, subject) = (request.plan, request.subject.clone());
        self.book.note(day, shard, plan, &subject, change);
    }

    fn ring(&mut self, shard: u32, at: UnixMillis) {
        let index = shard as usize;
        let now = self.clock().max(at);
        let step = self.shards[index].tick(&self.limits, now);
        self.check_storage(index);
        if self.random.chance(self.weather.crash) {
            self.crash(index);
            // The platform tries an alarm again that has failed.
            return self.at(2_000, Event::Alarm { shard, at });
        }
        self.after(index, &step);
    }

    fn tidy(&mut self, shard: u32, life: u64) {
        let index = shard as usize;
        if self.lives[index] != life {
            return;
        }
        let now = self.clock();
        match self.shards[index].tidy(now) {
            Some(step) => {
                self.check_storage(index);
                self.after(index, &step);
            }
            None => self.at(3_000, Event::Tidy { shard, life }),
        }
    }

    /// What storage says is gone covers all that may be billed: at any moment everything else may
    /// be lost.
    fn check_storage(&mut self, index: usize) {
        let object = &self.shards[index];
        let Some(main) = object.stored.get(rows::SHARD) else {
            return;
        };
        if self.read[index].0 != object.rows_written {
            self.read[index] = (object.rows_written, serde_json::from_str(main).unwrap());
        }
        let main = &self.read[index].1;
        let fund = &main["funds"]["service"];
        let stored_day =
            self.limits.day.end_of(serde_json::from_value(fund["day"].clone()).unwrap_or_default());
        let shard = u32::try_from(index).unwrap();
        let owed = self.book.of_shard.get(&(stored_day, shard)).copied().unwrap_or(0);
        let gone = fund["gone"].as_u64().unwrap_or(0);
        assert!(gone >= owed, "shard {shard}: {owed} may be billed, storage knows of {gone}");
        let lease = fund["lease"].as_u64().unwrap_or(0);
        assert!(gone <= lease, "shard {shard}: {gone} gone of {lease} leased");
        if let Some(last) = self.book.of_service.keys().next_back()
            && stored_day > *last
        {
            self.tally.days += 1;
        }
        for (subject, machine) in main["machines"].as_object().into_iter().flatten() {
            let day = self.limits.day.end_of(serde_json::from_value(machine["day"].clone()).unwrap());
            let owed = self.book.of_machine.get(&(day, subject.clone())).copied().unwrap_or(0);
            let gone = machine["gone"].as_u64().unwrap();
            assert!(gone >= owed, "{subject}: {owed} may be billed, storage knows of {gone}");
        }
    }

    /// What is leased to all shards together is at most the cap.
    fn check_leases(&self) {
        let Some(books) = self.treasury.stored.get(rows::TREASURY) else {
            return;
        };
        let books: serde_json::Value = serde_json::from_str(books).unwrap();
        for (pool, cap) in [
            ("service", self.limits.service_daily),
            ("plan/pool", self.limits.plan("pool").unwrap().total_daily.unwrap()),
        ] {
            let granted = books["granted"][pool].as_object().into_iter().flatten();
            let sum: u64 = granted.map(|(_, lease)| lease.as_u64().unwrap()).sum();
            assert!(sum <= cap.nanos(), "{sum} of {pool} is leased, the cap is {cap}");
            // No shard holds more than the treasury knows of.
            for (shard, object) in self.shards.iter().enumerate() {
                let Some(main) = object.stored.get(rows::SHARD) else { continue };
                let main: serde_json::Value = serde_json::from_str(main).unwrap();
                let fund = &main["funds"][pool];
                if fund["day"] == books["day"] {
                    let held = fund["lease"].as_u64().unwrap_or(0);
                    let granted = books["granted"][pool][shard.to_string()].as_u64().unwrap_or(0);
                    assert!(held <= granted, "shard {shard} holds {held} of {pool}, {granted} is granted");
                }
            }
        }
    }

    /// Each admitted request ended once; in calm weather to the last nano-dollar.
    fn check_end(&mut self) {
        let end = UnixMillis::from_millis(self.now_ms + 2_000_000);
        for index in 0..self.shards.len() {
            // The alarm rings until nothing waits for it any more.
            for round in 0..8 {
                let step = self.shards[index]
                    .tick(&self.limits.clone(), end.plus(std::time::Duration::from_secs(1_000 * round)));
                if let Some(request) = step.ask {
                    let answer =
                        self.treasury.step(&self.limits, Errand::Lease(request), end, false).unwrap();
                    self.shards[index].answered(&self.limits, answer, end);
                }
                for batch in std::mem::take(&mut self.shards[index].unsure) {
                    let is_there =
                        self.kv.get(&batch.key).is_some_and(|value| value.starts_with(&batch.value));
                    self.shards[index].awake().batch_ended(batch.last, is_there, end);
                }
                for batch in std::mem::take(&mut self.shards[index].batches) {
                    self.kv.insert(batch.key.clone(), batch.value.clone());
                    self.shards[index].awake().batch_ended(batch.last, true, end);
                }
            }
            // What KV has is taken out of the row with the next write.
            self.shards[index].tidy(end);
            self.check_storage(index);
            let Some(main) = self.shards[index].stored.get(rows::SHARD) else { continue };
            let main: serde_json::Value = serde_json::from_str(main).unwrap();
            assert_eq!(main["open"], serde_json::json!([]), "a reservation has no end");
            assert_eq!(main["log"]["entries"], serde_json::json!([]), "a record has not left");
            let fund = &main["funds"]["service"];
            let day = self.limits.day.end_of(serde_json::from_value(fund["day"].clone()).unwrap_or_default());
            // Of the day that the shard is in: what it spent on the day before is not stored any more.
            let owed = self.book.of_shard.get(&(day, u32::try_from(index).unwrap())).copied().unwrap_or(0);
            if self.weather.is_calm() {
                assert_eq!(fund["gone"].as_u64(), Some(owed), "in calm weather nothing is stranded");
            }
        }
        self.tally.orphaned = self.shards.iter().map(|shard| shard.replayed).sum();
        self.check_log();
    }

    /// Each admitted request has a record in the log, and no more than one.
    fn check_log(&mut self) {
        for value in self.kv.values() {
            for line in value.lines() {
                let record: serde_json::Value = serde_json::from_str(line).unwrap();
                let id = record["request_id"].as_str().unwrap().to_owned();
                self.tally.expired += u64::from(record["outcome"] == "unsettled");
                *self.book.logged.entry(id).or_default() += 1;
            }
        }
        // An admission that the network doubles is two to the ledger, if the first has ended meanwhile.
        if self.weather.double == 0 && self.weather.late == 0 {
            for (id, times) in &self.book.logged {
                assert_eq!(*times, 1, "records of {id} in the log");
            }
        }
        for request in self.requests.iter().filter(|request| request.admitted.is_some()) {
            assert!(self.book.logged.contains_key(&request.id), "the record of {} is missing", request.id);
        }
    }
}
