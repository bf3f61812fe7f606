//! The log as operators read it: every record once, newest first, whoever wrote it and wherever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::support::client::Reply;
use crate::support::credentials::bearer;
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, nano_usd, request_body};
use crate::support::load;
use crate::support::overview::Overview;
use crate::support::wait_for;

const MACHINES: usize = 12;
const REQUESTS: usize = 600;
/// What pip-aide's first server wrote, before any request of these tests.
const OLD: &str = "2025-06-01T10:00:00.000Z";

struct Log {
    worker: Member,
    operator: String,
}

impl Log {
    fn new(worker: Member, settings: &Settings) -> Self {
        Self { worker, operator: bearer(&settings.operator_key().operator_token("reader")) }
    }

    fn ask(&self, query: &str) -> Reply {
        let headers = [("Authorization", self.operator.as_str())];
        self.worker.send("GET", &format!("/admin/logs?{query}"), &headers, None)
    }

    /// All pages.
    #[track_caller]
    fn walk(&self, query: &str, limit: usize) -> Vec<Value> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        for _ in 0..1_000 {
            let reply = self.ask(&format!("{query}&limit={limit}{cursor}"));
            assert_eq!(reply.status, 200, "{reply:?}");
            let page = reply.json();
            assert_eq!(page["request_id"], reply.request_id());
            let shown = page["records"].as_array().expect("records");
            assert!(shown.len() <= limit, "{} of {limit}", shown.len());
            records.extend(shown.iter().cloned());
            match page["cursor"].as_str() {
                Some(text) => cursor = format!("&cursor={text}"),
                None => return records,
            }
        }
        panic!("it never ends: {query}");
    }
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

/// Exactly these, each once, newest first.
#[track_caller]
fn assert_records<'a>(records: &[Value], expected: impl IntoIterator<Item = &'a String>) {
    let ids: BTreeSet<&str> = records.iter().map(|record| text(record, "request_id")).collect();
    let expected: BTreeSet<&str> = expected.into_iter().map(String::as_str).collect();
    assert_eq!(ids.len(), records.len(), "some come twice");
    assert_eq!(
        (ids.difference(&expected).count(), expected.difference(&ids).count()),
        (0, 0),
        "added, missing"
    );
    let times: Vec<&str> = records.iter().map(|record| text(record, "timestamp")).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "newest first");
}

fn put(worker: Member, key: &str, value: &str) {
    let body = json!({ "key": key, "value": value }).to_string();
    let headers = [("Content-Type", "application/json")];
    let reply = Reply::of("POST", &worker.url("/kept"), &headers, Some(body.as_bytes()));
    assert_eq!(reply.map(|reply| reply.status), Some(200));
}

/// What KV holds: key, value and metadata.
pub fn kept(worker: Member) -> Vec<Value> {
    let reply = Reply::of("GET", &worker.url("/kept"), &[], None).expect("an answer");
    reply.json().as_array().cloned().expect("a list")
}

#[test]
fn pages_of_several_shards_add_up_to_what_was_sent() {
    let settings = Settings::new().unhurried().var("SHARDS", "4");
    let fleet = Fleet::start_behind(Some("observed.mjs"), &[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    let log = Log::new(worker, &settings);
    let old_id = "0b0e6e8c-9f0a-4a52-8f0e-6a1c0d0f7b11".to_owned();
    let entry = json!({
        "timestamp": OLD, "machine_id": "0x1badcafe", "request_id": old_id,
        "error_context": "Command: pip install --index-url https://bob:hunter2hunter2@pypi.example.com/simple x",
    });
    put(worker, &format!("0x1badcafe:{OLD}"), &entry.to_string());
    put(worker, &format!("a:b:{OLD}"), "no JSON");

    let tokens: Vec<String> =
        (0..MACHINES).map(|number| bearer(&settings.key().token(&format!("logged-{number}")))).collect();
    let sent = load::send(worker.port(), REQUESTS, 16, |line, number| {
        let context = if number % 3 == 0 { "ERROR: nobody knows this" } else { NO_CV2 };
        let reply = line.post("/v1/analyze", &tokens[number % MACHINES], &request_body(context));
        let reply = reply.expect("an answer");
        assert_eq!(reply.status, 200, "{reply:?}");
        (number % MACHINES, number % 3 == 0, reply.request_id().to_owned())
    });
    Overview::at_rest(&worker, &settings, Duration::from_secs(60));
    let ids = |which: &dyn Fn(usize, bool) -> bool| -> BTreeSet<String> {
        sent.iter()
            .filter(|(machine, unknown, _)| which(*machine, *unknown))
            .map(|(.., id)| id.clone())
            .collect()
    };
    let all = ids(&|_, _| true);
    assert_eq!(all.len(), REQUESTS);

    // While some still wait in the shards, perhaps; then when all are in KV; then after a crash.
    let check = |log: &Log| {
        for limit in [37, 500] {
            let records = log.walk("", limit);
            let (ours, others) = records.split_at(records.len() - 2);
            assert_records(ours, &all);
            let places: BTreeMap<&str, &Value> =
                others.iter().map(|record| (text(record, "machine_id"), record)).collect();
            assert_eq!(text(places["0x1badcafe"], "request_id"), old_id);
            assert!(!places["0x1badcafe"].to_string().contains("hunter2"), "{places:?}");
            assert_eq!(places["a:b"], &json!({ "machine_id": "a:b", "timestamp": OLD, "text": "no JSON" }));
        }
        assert_records(&log.walk("machine=logged-7", 11), &ids(&|machine, _| machine == 7));
        assert_records(&log.walk("outcome=uncertain", 100), &ids(&|_, unknown| unknown));
        assert_records(
            &log.walk("machine=logged-3&outcome=answered&plan=standard&source=rules", 5),
            &ids(&|machine, unknown| machine == 3 && !unknown),
        );
        assert_records(&log.walk("machine=0x1badcafe", 5), [&old_id]);
        assert!(log.walk("plan=trusted", 50).is_empty() && log.walk("machine=nobody", 50).is_empty());
        // A span of time: everything from the record in the middle on, and everything before it.
        let records = log.walk("", 500);
        let middle = text(&records[REQUESTS / 2], "timestamp").to_owned();
        let split = |newer: bool| {
            records.iter().filter(move |record| (text(record, "timestamp") >= middle.as_str()) == newer)
        };
        for (query, newer) in [("from", true), ("until", false)] {
            let middle = text(&records[REQUESTS / 2], "timestamp");
            let found = log.walk(&format!("{query}={middle}"), 50);
            let expected: Vec<&str> = split.clone()(newer).map(|record| text(record, "timestamp")).collect();
            assert_eq!(found.iter().map(|record| text(record, "timestamp")).collect::<Vec<_>>(), expected);
        }
        for record in &records[..REQUESTS] {
            assert!(
                nano_usd(&record["reserved_usd"]) == 0 && record["error_context"].is_string(),
                "{record}"
            );
        }
    };
    check(&log);
    let waits = || Overview::of(&worker, &settings).shards().iter().any(|shard| shard["log"]["waiting"] != 0);
    let gone = wait_for(Duration::from_secs(60), || (!waits()).then_some(()));
    assert!(gone.is_some(), "records stay: {:?}", Overview::of(&worker, &settings));
    check(&log);

    // Each batch tells its machines and times, and its metadata is no more than KV takes.
    let batches = kept(worker);
    assert!(batches.len() > 4, "{} batches", batches.len());
    for batch in batches.iter().filter(|batch| text(batch, "key").starts_with("logged-")) {
        let lines: Vec<Value> =
            text(batch, "value").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let label = &batch["metadata"];
        assert_eq!(label["count"], lines.len(), "{label}");
        assert!(label.to_string().len() <= 1_024, "{label}");
    }

    fleet.crash();
    fleet.run();
    check(&Log::new(fleet.member("worker"), &settings));
}

#[test]
fn a_record_that_still_waits_is_shown_and_who_is_no_operator_sees_nothing() {
    // KV takes one write a minute at most of a batch whose turn has not come: the first leaves at once.
    let settings = Settings::new().unhurried();
    let fleet = Fleet::start_behind(Some("observed.mjs"), &[("worker", settings.clone())]);
    let worker = fleet.member("worker");
    let log = Log::new(worker, &settings);
    assert_eq!(log.walk("", 50), Vec::<Value>::new());
    let token = bearer(&settings.key().token("alone"));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let reply = worker.post("/v1/analyze", &token, &request_body(NO_CV2));
        ids.push(reply.request_id().to_owned());
        // It is settled after the answer.
        let seen = wait_for(Duration::from_secs(20), || (log.walk("", 2).len() == ids.len()).then_some(()));
        assert!(seen.is_some(), "{:?}", log.ask(""));
        assert_records(&log.walk("", 2), &ids);
    }
    for wrong in ["limit=0", "limit=501", "from=now", "outcome=good", "cursor=x", "page=2", "limit=1&limit=1"]
    {
        let problem = log.ask(wrong).assert_problem(400, "malformed-request");
        assert!(text(&problem, "detail").contains("1 to 500"), "{problem}");
    }
    worker.send("GET", "/admin/logs", &[], None).assert_problem(401, "unauthenticated");
    worker.send("GET", "/admin/logs", &[("Authorization", &token)], None).assert_problem(403, "forbidden");
    let operator = [("Authorization", log.operator.as_str())];
    worker.send("POST", "/admin/logs", &operator, None).assert_problem(405, "method-not-allowed");
    assert_eq!(worker.send("HEAD", "/admin/logs", &operator, None).status, 200);
}
