//! The ledger's books, its log and the model's own books, held against each other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display};
use std::time::Duration;

use serde_json::Value;

use crate::shards::Untold;
use crate::support::biller::Calls;
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::Fleet;
use crate::support::gateway::{Settings, nano_usd};
use crate::support::overview::Overview;
use crate::support::{prices, wait_for};

/// What the ledger and its log hold when nothing is open and nothing waits.
pub struct Books {
    look: Overview,
    /// What `charged_usd_total` says, in nano-dollars.
    counted: u64,
    records: HashMap<String, Record>,
    /// Ids of requests that have more than one record.
    twice: Vec<String>,
}

struct Record {
    outcome: String,
    has_usage: bool,
    cost: u64,
    reserved: u64,
}

impl Books {
    /// Waits for that, and reads them.
    pub fn at_rest(fleet: &Fleet, settings: &Settings) -> Self {
        let worker = fleet.member("worker");
        let waiting = |look: &Overview| -> u64 {
            look.shards().iter().filter_map(|shard| shard["log"]["waiting"].as_u64()).sum()
        };
        // Each batch that left only because it was full is one of KV's allowance, of which there is one in 96 seconds.
        let look = wait_for(Duration::from_secs(900), || {
            let look = Overview::of(&worker, settings);
            (waiting(&look) == 0 && look.total("open_reservations") == 0).then_some(look)
        });
        let look = look.unwrap_or_else(|| panic!("no rest: {:?}", Overview::of(&worker, settings)));
        for shard in look.shards() {
            assert_eq!(shard["log"]["dropped"], 0, "{look:?}");
        }
        let authorization = bearer(&settings.operator_key().operator_token("overseer"));
        let metrics = worker.send("GET", "/admin/metrics", &[("Authorization", &authorization)], None).text();
        let mut books = Self { look, counted: counted(&metrics), records: HashMap::new(), twice: Vec::new() };
        let mut cursor = String::new();
        loop {
            let page =
                Reply::of("GET", &worker.url(&format!("/log?{cursor}")), &[], None).expect("the log").json();
            for value in page["values"].as_array().expect("a list").iter().filter_map(Value::as_str) {
                value.lines().for_each(|line| books.enter(line));
            }
            let Some(next) = page["cursor"].as_str() else { return books };
            cursor = format!("cursor={next}");
        }
    }

    fn enter(&mut self, line: &str) {
        let fields: Value = serde_json::from_str(line).expect("a record is JSON");
        let text =
            |name: &str| fields[name].as_str().unwrap_or_else(|| panic!("no {name}: {line}")).to_owned();
        let record = Record {
            outcome: text("outcome"),
            has_usage: !fields["usage"].is_null(),
            cost: nano_usd(&fields["cost_usd"]),
            reserved: nano_usd(&fields["reserved_usd"]),
        };
        let id = text("request_id");
        if self.records.insert(id.clone(), record).is_some() {
            self.twice.push(id);
        }
    }

    fn charged(&self) -> u64 {
        self.records.values().map(|record| record.cost).sum()
    }

    /// What is used of the cap, but was charged to nobody: a crash took it.
    fn stranded(&self) -> u64 {
        let (used, charged) = (self.look.used(), self.charged());
        used.checked_sub(charged)
            .unwrap_or_else(|| panic!("{used} is used, but {charged} charged: {:?}", self.look))
    }

    /// What was answered is in the log, and nothing twice.
    #[track_caller]
    pub fn assert_each_once(&self, answered: &HashSet<String>) {
        let missing: Vec<&String> = answered.iter().filter(|id| !self.records.contains_key(*id)).collect();
        let count = missing.len();
        assert!(missing.is_empty(), "{count} of {} are not in the log: {missing:.300?}", answered.len());
        assert!(self.twice.is_empty(), "more than once in the log: {:.300?}", self.twice);
    }

    /// What crashes took is bounded: a crash leaves behind at most what was open, for it is not known what became
    /// of it, and what was written down ahead of need, `ahead` reservations a shard.
    #[track_caller]
    pub fn assert_little_is_stranded(&self, open: u64, ahead: u64, full: Untold) {
        let bound = self.look.total("restarts") * (open + ahead) * full.reserved;
        assert!(self.stranded() <= bound, "{} are stranded, at most {bound} are to be", self.stranded());
    }

    /// Without a crash nothing is used that was not charged.
    #[track_caller]
    pub fn assert_nothing_stranded_since(&self, before: &Self) {
        assert_eq!(self.look.total("restarts"), before.look.total("restarts"), "somebody crashed");
        assert_eq!(self.stranded(), before.stranded(), "stranded, in nano-dollars");
    }

    /// Every call that the model took on is in the record of its request, at the price of what the model
    /// told, in full where it told nothing, and of all that was set aside where nobody knows the end.
    #[track_caller]
    pub fn assert_agrees(
        &self,
        calls: &HashMap<String, Calls>,
        (prompt, completion): (u64, u64),
        full: Untold,
    ) {
        assert_eq!(self.counted, self.charged(), "what the ledger counted and what its log says");
        let told = prices::bill(prompt, completion);
        let unknown: Vec<&String> = calls.keys().filter(|id| !self.records.contains_key(*id)).collect();
        assert!(
            unknown.is_empty(),
            "{} requests were billed that the log does not have: {unknown:.300?}",
            unknown.len()
        );
        for (id, record) in &self.records {
            let made = calls.get(id).map_or(0, |calls| calls.made);
            let expected = if record.outcome == "unsettled" {
                record.reserved
            } else if record.has_usage {
                (made.saturating_sub(1)) * full.charged + told
            } else {
                made * full.charged
            };
            let Record { outcome, has_usage, cost, reserved } = record;
            assert_eq!(
                *cost, expected,
                "{id}, {outcome}, usage {has_usage}, {made} calls, {reserved} set aside, {full:?}"
            );
            assert!(expected <= *reserved, "{id}: {expected} of {reserved}");
        }
    }
}

fn counted(metrics: &str) -> u64 {
    let samples = metrics.lines().filter_map(|line| line.strip_prefix("pip_aide_gateway_charged_usd_total"));
    samples
        .map(|sample| {
            let (_, value) = sample.rsplit_once(' ').expect("a sample has a value");
            nano_usd(&Value::from(value))
        })
        .sum()
}

impl Display for Books {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut outcomes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for record in self.records.values() {
            let (count, cost) = outcomes.entry(&record.outcome).or_default();
            *count += 1;
            *cost += record.cost;
        }
        let restarts = self.look.total("restarts");
        write!(
            formatter,
            "{} records, {} nano-dollars charged, {} stranded by {restarts} restarts:",
            self.records.len(),
            self.charged(),
            self.stranded()
        )?;
        outcomes
            .iter()
            .try_for_each(|(outcome, (count, cost))| write!(formatter, " {count} {outcome}, {cost};"))
    }
}
