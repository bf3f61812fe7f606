//! Pages of the log, out of a KV in memory that lists late and has odd values, and out of shards' own
//! logbooks.
#![cfg(not(target_arch = "wasm32"))]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use pip_aide_gateway::ledger::logbook::Logbook;
use pip_aide_gateway::ledger::logbook::label::Label;
use pip_aide_gateway::ledger::wire::treasury::{Answer, Errand};
use pip_aide_gateway::ledger::wire::{Command, Outcome, Route, Settlement};
use pip_aide_gateway::seams::{Ledger, LedgerUnavailable, Listed, Listing, LogStore, LogUnavailable};
use pip_aide_gateway::stages::oversee::logs::page::{MOST_LISTS, Page, Wanted, page};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn at(millis: u64) -> UnixMillis {
    UnixMillis::from_millis(1_795_401_600_000 + millis)
}

#[derive(Clone)]
struct Kept {
    value: String,
    label: Option<Label>,
    listed: bool,
}

/// KV and the shards.
struct World {
    kv: RefCell<BTreeMap<String, Kept>>,
    books: RefCell<Vec<Logbook>>,
    /// Keys that one listing gives.
    step: usize,
    operations: Cell<usize>,
    /// The most that one page took.
    most: Cell<usize>,
    now: Cell<UnixMillis>,
    sent: Cell<u64>,
}

impl World {
    fn new(shards: usize, step: usize) -> Self {
        let books = RefCell::new(vec![Logbook::default(); shards]);
        Self {
            kv: RefCell::default(),
            books,
            step,
            operations: Cell::new(0),
            most: Cell::new(0),
            now: Cell::new(at(0)),
            sent: Cell::new(0),
        }
    }

    /// A record of a machine comes to a shard; gives its request id.
    fn log(&self, shard: usize, machine: &str, time: UnixMillis, outcome: &str, source: Value) -> String {
        self.sent.set(self.sent.get() + 1);
        let id = format!("r{}", self.sent.get());
        let record = json!({
            "timestamp": time.rfc3339(), "machine_id": machine, "request_id": id, "plan": "standard",
            "outcome": outcome, "source": source, "error_context": format!("of \"{machine}\""),
        });
        let key = format!("{machine}:{}", time.rfc3339());
        self.books.borrow_mut()[shard].add(key, record.to_string(), self.now.get());
        id
    }

    /// A shard's records leave for KV; whether the listings show them yet. Also whether the shard heard
    /// that they arrived.
    fn flush(&self, shard: usize, listed: bool, heard: bool) {
        let book = &mut self.books.borrow_mut()[shard];
        let Some(batch) = book.take_batch(self.now.get()) else { return };
        let kept = Kept { value: batch.value, label: Some(batch.label), listed };
        self.kv.borrow_mut().insert(batch.key, kept);
        if heard {
            book.written(batch.last, self.now.get());
        }
    }

    fn put(&self, key: &str, value: &str) {
        self.kv
            .borrow_mut()
            .insert(key.to_owned(), Kept { value: value.to_owned(), label: None, listed: true });
    }

    fn page(&self, wanted: &Wanted) -> Page {
        self.operations.set(0);
        let page = run(page(wanted, &self, &self)).expect("a page");
        self.most.set(self.most.get().max(self.operations.get()));
        page
    }

    /// All pages, with something that happens between them.
    fn walk(&self, wanted: &Wanted, mut between: impl FnMut(&Self, usize)) -> Vec<Value> {
        let mut wanted = wanted.clone();
        let mut records = Vec::new();
        for number in 0..10_000 {
            let page = self.page(&wanted);
            assert!(page.records.len() <= wanted.limit);
            records.extend(page.records.iter().map(|record| serde_json::from_str::<Value>(record).unwrap()));
            let Some(cursor) = page.cursor else { return records };
            assert_ne!(cursor, wanted.cursor, "no progress");
            wanted.cursor = cursor;
            between(self, number);
        }
        panic!("it never ends");
    }
}

impl Ledger for &World {
    async fn send(&self, _: &str, _: Command) -> Result<Outcome, LedgerUnavailable> {
        Err(LedgerUnavailable)
    }

    async fn tell(&self, shard: u32, command: Command) -> Result<Outcome, LedgerUnavailable> {
        let Command::Waiting(query) = command else { return Err(LedgerUnavailable) };
        let book = &self.books.borrow()[shard as usize];
        Ok(Outcome::Waiting(book.waiting(&query, self.now.get())))
    }

    async fn settle(&self, _: Settlement) -> Result<(), LedgerUnavailable> {
        Err(LedgerUnavailable)
    }

    async fn treasury(&self, _: Errand) -> Result<Answer, LedgerUnavailable> {
        let shards = self.books.borrow().len().try_into().unwrap();
        Ok(Answer::Route(Route { shards, salt: 0 }))
    }
}

impl LogStore for &World {
    async fn list(&self, from: Option<&str>) -> Result<Listing, LogUnavailable> {
        self.operations.set(self.operations.get() + 1);
        let kv = self.kv.borrow();
        let rest = kv.iter().filter(|(key, kept)| kept.listed && from.is_none_or(|from| key.as_str() > from));
        let keys: Vec<Listed> = rest
            .take(self.step)
            .map(|(key, kept)| Listed { key: key.clone(), label: kept.label.clone() })
            .collect();
        let next = keys.last().filter(|_| keys.len() == self.step).map(|listed| listed.key.clone());
        Ok(Listing { keys, next })
    }

    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, LogUnavailable> {
        self.operations.set(self.operations.get() + keys.len());
        let kv = self.kv.borrow();
        Ok(keys.iter().map(|key| kv.get(*key).map(|kept| kept.value.clone())).collect())
    }
}

fn wanted(limit: usize) -> Wanted {
    Wanted { limit, ..Wanted::default() }
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// Each once, newest first.
#[track_caller]
fn assert_all(records: &[Value], sent: &BTreeSet<String>) {
    let ids: BTreeSet<String> = records.iter().map(|record| text(record, "request_id").to_owned()).collect();
    assert_eq!(ids.len(), records.len(), "some come twice");
    let missing: Vec<_> = sent.difference(&ids).collect();
    assert!(missing.is_empty(), "{} are missing: {missing:?}", missing.len());
    assert_eq!(ids.len(), sent.len(), "some are not of those");
    let times: Vec<&str> = records.iter().map(|record| text(record, "timestamp")).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "newest first: {times:?}");
}

/// A small generator, the same each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

const OUTCOMES: [&str; 3] = ["answered", "upstream-failed", "unsettled"];

struct Sent {
    id: String,
    machine: String,
    outcome: &'static str,
    source: Value,
    at: UnixMillis,
}

/// Traffic of some machines over three shards; each leaves now and then, some records wait at the end.
fn traffic(world: &World, random: &mut Random, records: u64) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut times: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..records {
        let machine = format!("m{}", random.below(9));
        // Settled in another order than admitted, and several in the same millisecond.
        let time = (number * 3).saturating_sub(random.below(40));
        let time = times.get(&machine).map_or(time, |last| time.max(last + 1));
        times.insert(machine.clone(), time);
        let outcome = OUTCOMES[random.below(3) as usize];
        let source = if outcome == "unsettled" {
            Value::Null
        } else {
            json!(["rules", "model"][random.below(2) as usize])
        };
        let shard = machine.bytes().last().map_or(0, usize::from) % 3;
        world.now.set(at(time));
        let id = world.log(shard, &machine, at(time), outcome, source.clone());
        sent.push(Sent { id, machine, outcome, source, at: at(time) });
        if random.below(15) == 0 {
            world.flush(random.below(3) as usize, true, true);
        }
    }
    sent
}

fn ids<'a>(sent: impl Iterator<Item = &'a Sent>) -> BTreeSet<String> {
    sent.map(|sent| sent.id.clone()).collect()
}

#[test]
fn pages_add_up_to_what_was_sent_whatever_their_size_and_filter() {
    for seed in 0..20 {
        let mut random = Random(seed);
        let world = World::new(3, 7);
        let sent = traffic(&world, &mut random, 400);
        assert!(world.books.borrow().iter().any(|book| !book.is_empty()), "some wait");
        for limit in [1, 7, 50, 500] {
            assert_all(&world.walk(&wanted(limit), |_, _| {}), &ids(sent.iter()));
            let of_machine = Wanted { machine: Some("m3".to_owned()), ..wanted(limit) };
            let expected = ids(sent.iter().filter(|sent| sent.machine == "m3"));
            assert_all(&world.walk(&of_machine, |_, _| {}), &expected);
            let failed = Wanted { outcome: Some("upstream-failed"), source: Some("model"), ..wanted(limit) };
            let expected =
                ids(sent.iter().filter(|sent| sent.outcome == "upstream-failed" && sent.source == "model"));
            assert_all(&world.walk(&failed, |_, _| {}), &expected);
            let none = Wanted { source: Some("none"), plan: Some("standard".to_owned()), ..wanted(limit) };
            assert_all(&world.walk(&none, |_, _| {}), &ids(sent.iter().filter(|sent| sent.source.is_null())));
            let between = Wanted { from: at(300), until: Some(at(700)), ..wanted(limit) };
            let expected = ids(sent.iter().filter(|sent| sent.at >= at(300) && sent.at < at(700)));
            assert!(expected.len() > 50);
            assert_all(&world.walk(&between, |_, _| {}), &expected);
        }
        assert!(world.walk(&Wanted { plan: Some("other".to_owned()), ..wanted(9) }, |_, _| {}).is_empty());
    }
}

#[test]
fn what_leaves_the_shards_between_pages_is_neither_lost_nor_shown_twice() {
    for seed in 0..50 {
        let mut random = Random(seed);
        let world = World::new(3, 7);
        let sent = traffic(&world, &mut random, 200);
        // Not listed yet, or not known to have arrived: then they are in KV and still wait.
        let records = world.walk(&wanted(5), |world, number| {
            world.flush(number % 3, number % 2 == 0, number % 4 < 2);
            world.log(0, "late", at(100_000 + number as u64), "answered", Value::Null);
        });
        assert_all(&records, &ids(sent.iter()));
    }
}

#[test]
fn what_kv_does_not_list_yet_is_found_and_what_it_does_not_have_yet_is_passed_over() {
    let world = World::new(1, 1_000);
    let hidden = world.log(0, "m", at(1), "answered", Value::Null);
    world.flush(0, false, true);
    let waits = world.log(0, "m", at(2), "answered", Value::Null);
    assert_all(&world.walk(&wanted(10), |_, _| {}), &BTreeSet::from([hidden.clone(), waits.clone()]));
    let gone = world.kv.borrow_mut().pop_first().unwrap();
    assert_all(&world.walk(&wanted(10), |_, _| {}), &BTreeSet::from([waits.clone()]));
    world.kv.borrow_mut().insert(gone.0, Kept { listed: true, ..gone.1 });
    // Listed as well: once.
    assert_all(&world.walk(&wanted(10), |_, _| {}), &BTreeSet::from([hidden, waits]));
}

#[test]
fn a_machines_records_are_found_without_reading_everything() {
    let world = World::new(1, 1_000);
    for number in 0..300_u64 {
        let machine = if number % 100 == 0 { "wanted".to_owned() } else { format!("m{number}") };
        world.log(0, &machine, at(number), "answered", Value::Null);
        world.flush(0, true, true);
    }
    // The logbook tells of batches that left lately: not what is looked at here.
    world.now.set(at(600_000));
    let of_machine = Wanted { machine: Some("wanted".to_owned()), ..wanted(50) };
    assert_eq!(world.page(&of_machine).records.len(), 3);
    assert!(world.most.get() <= 1 + 3 + 3, "{} operations", world.most.get());
}

#[test]
fn a_page_that_finds_little_ends_within_its_bounds_and_goes_on() {
    let world = World::new(1, 1_000);
    for number in 0..2_000_u64 {
        let outcome = if number % 700 == 0 { "unsettled" } else { "answered" };
        world.log(0, &format!("m{number}"), at(number), outcome, Value::Null);
        world.flush(0, true, true);
    }
    world.now.set(at(600_000));
    let rare = Wanted { outcome: Some("unsettled"), ..wanted(50) };
    let first = world.page(&rare);
    assert!(first.records.len() < 3 && first.cursor.is_some(), "{first:?}");
    assert_eq!(world.walk(&rare, |_, _| {}).len(), 3);
    assert!(world.most.get() <= 700, "{} operations", world.most.get());
}

#[test]
fn a_moment_that_many_batches_cover_is_read_whole() {
    let world = World::new(1, 1_000);
    for number in 0..700_u64 {
        world.log(0, &format!("a{number}"), at(number), "answered", Value::Null);
        world.log(0, &format!("b{number}"), at(10_000 + number), "answered", Value::Null);
        world.flush(0, true, true);
    }
    world.now.set(at(600_000));
    // All batches have records on both sides of this moment.
    let before = Wanted { until: Some(at(5_000)), ..wanted(500) };
    assert_eq!(world.walk(&before, |_, _| {}).len(), 700);
    assert!(world.most.get() <= 1_000, "{} operations", world.most.get());
}

#[test]
fn more_keys_than_a_page_lists_are_shown_in_parts() {
    let world = World::new(1, 2);
    let keys = 2 * MOST_LISTS as u64 + 51;
    for number in 0..keys {
        world.log(0, &format!("m{}", number % 10), at(number), "answered", Value::Null);
        world.flush(0, true, true);
    }
    world.now.set(at(600_000));
    let waits = world.log(0, "m1", at(keys), "answered", Value::Null);
    let records = world.walk(&wanted(20), |_, _| {});
    let ids: BTreeSet<&str> = records.iter().map(|record| text(record, "request_id")).collect();
    assert_eq!((ids.len() as u64, records.len() as u64), (keys + 1, keys + 1));
    assert_eq!(text(&records[0], "request_id"), waits);
    assert!(world.most.get() <= 400, "{} operations", world.most.get());
    let since = Wanted { from: at(keys - 20), ..wanted(7) };
    assert_eq!(world.walk(&since, |_, _| {}).len(), 21);
}

const OLD: &str = "2025-06-01T10:00:00.000Z";

#[test]
fn what_the_old_server_wrote_is_shown_without_its_secrets() {
    let world = World::new(1, 1_000);
    let id = "0b0e6e8c-9f0a-4a52-8f0e-6a1c0d0f7b11";
    let entry = |context: &str| json!({ "timestamp": OLD, "machine_id": "0x1badcafe", "error_context": context, "request_id": id });
    let context = "Command: pip install --index-url https://bob:hunter2hunter2@pypi.example.com/simple x";
    world.put(&format!("0x1badcafe:{OLD}"), &entry(context).to_string());
    let shown = world.walk(&wanted(10), |_, _| {});
    let [record] = shown.as_slice() else { panic!("{shown:?}") };
    assert_eq!((text(record, "timestamp"), text(record, "machine_id")), (OLD, "0x1badcafe"));
    assert_eq!(text(record, "request_id"), id);
    assert!(text(record, "error_context").contains("pip install"), "{record}");
    assert!(!record.to_string().contains("hunter2"), "{record}");
    for (filter, count) in [
        (Wanted { machine: Some("0x1badcafe".to_owned()), ..wanted(10) }, 1),
        (Wanted { machine: Some("0x1badcaf".to_owned()), ..wanted(10) }, 0),
        (Wanted { source: Some("none"), ..wanted(10) }, 1),
        (Wanted { plan: Some("standard".to_owned()), ..wanted(10) }, 0),
        (Wanted { until: UnixMillis::parse_rfc3339(OLD), ..wanted(10) }, 0),
        (Wanted { from: UnixMillis::parse_rfc3339(OLD).unwrap(), ..wanted(10) }, 1),
    ] {
        assert_eq!(world.walk(&filter, |_, _| {}).len(), count, "{filter:?}");
    }
}

#[test]
fn odd_values_are_shown_as_far_as_they_go() {
    let world = World::new(1, 3);
    let secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD";
    let long = format!("{{\"error_context\":\"{}\"}}", "a line of text\\n".repeat(20_000));
    let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let values = [
        (format!("a:b:{OLD}"), r#"{"machine_id":"a:b"}"#.to_owned()),
        (format!("7:{OLD}"), json!({ "machine_id": 7, "error_context": { "token": secret } }).to_string()),
        (format!("x:{OLD}"), format!("no JSON, but a key {secret}\nand another line")),
        (format!("empty:{OLD}"), String::new()),
        (format!("list:{OLD}"), r#"["a"]"#.to_owned()),
        (format!("nested:{OLD}"), nested),
        (format!("long:{OLD}"), long),
        ("no-time".to_owned(), "{}".to_owned()),
        (format!("pretty:{OLD}"), serde_json::to_string_pretty(&json!({ "plan": "p" })).unwrap()),
        (format!("lines:{OLD}"), "{\"n\":1}\n{\"n\":2}\n\n{\"n\":3}\n".to_owned()),
        (format!("half:{OLD}"), "{\"n\":1}\n{\"n\":".to_owned()),
    ];
    for (key, value) in &values {
        world.put(key, value);
    }
    for limit in [1, 2, 100] {
        let shown = world.walk(&wanted(limit), |_, _| {});
        // Three lines, and one of each of the others.
        assert_eq!(shown.len(), values.len() + 2, "a page has {limit}");
        let by = |machine: &str| -> Vec<&Value> {
            shown.iter().filter(|record| record["machine_id"] == machine).collect()
        };
        for record in &shown {
            assert!(record.is_object(), "{record}");
            assert!(!record.to_string().contains(secret), "{record}");
            assert!(record.to_string().len() < 20_000, "{} bytes", record.to_string().len());
        }
        assert_eq!(by("a:b"), [&json!({ "machine_id": "a:b", "timestamp": OLD })]);
        assert_eq!(
            (by("no-time").len(), by("lines").len(), by("pretty")[0]["plan"].as_str()),
            (1, 3, Some("p"))
        );
        assert_eq!(by("half")[0]["text"], "{\"n\":1}\n{\"n\":");
        assert_eq!(by("empty")[0]["text"], "");
        assert!(text(by("x")[0], "text").contains("another line"));
        assert_eq!(shown.last().unwrap()["machine_id"], "no-time", "what has no time comes last");
        let seven = shown.iter().find(|record| record["machine_id"] == 7).expect("a number stays one");
        assert!(seven["error_context"].is_object());
    }
}

#[test]
fn a_label_that_tells_another_time_than_its_records_hides_none() {
    let world = World::new(1, 1_000);
    world.log(0, "m", at(5), "answered", Value::Null);
    world.log(0, "m", at(6), "answered", Value::Null);
    world.flush(0, true, true);
    world.now.set(at(600_000));
    let key = format!("m:{}", at(5).rfc3339());
    world.kv.borrow_mut().get_mut(&key).unwrap().label = Some(Label::of([key.as_str()].into_iter()));
    assert_eq!(world.walk(&wanted(1), |_, _| {}).len(), 2);
}
