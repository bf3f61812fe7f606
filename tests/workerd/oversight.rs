//! What operators are told: usage, machines and metrics, against traffic of which every figure is known.

use std::time::Duration;

use serde_json::{Value, json};

use crate::front_door::NO_CV2;
use crate::peers;
use crate::signed::assert_stranger;
use crate::spend_cap::day;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::{bearer, claims};
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, nano_usd, request_body};
use crate::support::overview::Overview;
use crate::support::signing::ToSign;
use crate::support::{random_word, wait_for};

const MACHINES: usize = 12;
const PROMPT: u64 = 1_000;
const COMPLETION: u64 = 50;

struct World {
    settings: Settings,
    fleet: Fleet,
    model: Biller,
}

impl World {
    fn start() -> Self {
        let model = Biller::start(Count::Always(PROMPT, COMPLETION), &[Deed::Answer]);
        let settings = Settings::new()
            .model_on(model.port())
            .var("RULES", "first")
            .var("CACHE_TTL_SECONDS", "600")
            .var("SHARDS", "4")
            .var("DAY_STARTS_AT", &day().0)
            .var("MACHINE_RATE", "1/hour")
            .var("MACHINE_BURST", "5");
        let fleet = Fleet::start(&[("worker", settings.clone())]);
        Self { settings, fleet, model }
    }

    fn worker(&self) -> Member {
        self.fleet.member("worker")
    }

    fn operator(&self) -> String {
        bearer(&self.settings.operator_key().operator_token("overseer"))
    }

    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        let reply = self.worker().send("GET", path, &[("Authorization", &self.operator())], None);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    }

    fn ask(&self, machine: &str, context: &str) -> Reply {
        let token = bearer(&self.settings.key().token(machine));
        self.worker().post("/v1/analyze", &token, &request_body(context))
    }

    /// Until nothing is in flight and nothing is written down any more.
    fn rest(&self) {
        let look = || Overview::at_rest(&self.worker(), &self.settings, Duration::from_secs(60));
        let mut before = look().operations("rows_written");
        let rest = wait_for(Duration::from_secs(90), || {
            std::thread::sleep(Duration::from_secs(5));
            let now = look().operations("rows_written");
            (std::mem::replace(&mut before, now) == now).then_some(())
        });
        assert!(rest.is_some(), "rows are written again and again");
    }
}

/// An answer from where it should come, and what it cost in nano-dollars.
#[track_caller]
fn cost(reply: &Reply, source: &str) -> u64 {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["source"], source, "{reply:?}");
    nano_usd(&reply.json()["cost_usd"])
}

fn unknown() -> String {
    format!("ERROR: nobody knows {}", random_word())
}

/// Sends what is counted below; gives what it cost, and what of it the first machine spent.
fn traffic(world: &World) -> (u64, u64) {
    let worker = world.worker();
    let name = |number: usize| format!("seen-{number}");
    let common = unknown();
    let (mut spent, mut of_first) = (0, 0);
    for number in 0..MACHINES {
        assert_eq!(cost(&world.ask(&name(number), NO_CV2), "rules"), 0);
        let source = if number == 0 { "model" } else { "cache" };
        let cost_of_both = cost(&world.ask(&name(number), &common), source)
            + cost(&world.ask(&name(number), &unknown()), "model");
        spent += cost_of_both;
        of_first += if number == 0 { cost_of_both } else { 0 };
    }
    // Two machines empty their buckets.
    for number in 0..2 {
        for _ in 0..2 {
            cost(&world.ask(&name(number), NO_CV2), "rules");
        }
        for _ in 0..2 {
            world.ask(&name(number), NO_CV2).assert_problem(429, "rate-limited");
        }
    }
    // Strangers, and what cannot be read.
    for _ in 0..3 {
        assert_stranger(&worker.post("/v1/analyze", "Bearer nonsense", &request_body(NO_CV2)));
    }
    let token = bearer(&world.settings.key().token("clumsy"));
    for body in [&b"{"[..], br#"{"error_context":7}"#] {
        worker.post("/v1/analyze", &token, body).assert_problem(400, "malformed-request");
    }
    let plain = [("Authorization", token.as_str()), ("Content-Type", "text/plain")];
    worker.send("POST", "/v1/analyze", &plain, Some(b"{}")).assert_problem(415, "unsupported-media-type");
    // A machine out of use, a nonce that comes again.
    let revoke = |machine: &str| {
        let body = json!({ "machine": machine, "reason": "it was lost" }).to_string();
        let reply = worker.post("/admin/revocations", &world.operator(), body.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
    };
    revoke("gone");
    world.ask("gone", NO_CV2).assert_problem(403, "revoked");
    let signed = ToSign::analysis(world.settings.key(), "signs").sign(&worker);
    cost(&signed.send(&worker), "rules");
    assert_stranger(&signed.send(&worker));
    // Another plan.
    let mut of_builder = claims("builder");
    of_builder["plan"] = json!("trusted");
    let key = world.settings.key();
    let token = bearer(&key.sign(&key.header(), &of_builder));
    spent += cost(&worker.post("/v1/analyze", &token, &request_body(&unknown())), "model");
    // And every shard writes down what came before.
    for number in 0..MACHINES {
        cost(&world.ask(&format!("late-{number}"), NO_CV2), "rules");
    }
    revoke("seen-5");
    (spent, of_first)
}

#[test]
fn every_request_is_in_usage_machines_and_metrics_once_also_after_a_crash() {
    let world = World::start();
    let (spent, of_first) = traffic(&world);
    world.rest();
    assert!(spent >= world.model.billed() && spent > 0, "{spent}");
    let usage = world.get("/admin/usage").json();
    let today = &usage["days"][0];
    let sources = json!({ "rules": 29, "cache": 11, "model": 14, "none": 0 });
    assert_eq!((&today["requests"], &today["sources"]), (&json!(54), &sources), "{usage}");
    assert_eq!(world.model.asked(), 14);
    let outcomes = json!({
        "answered": 54, "uncertain": 0, "spend-cap-reached": 0, "upstream-failed": 0, "upstream-timeout": 0,
        "unsettled": 0,
    });
    assert_eq!(today["outcomes"], outcomes, "{usage}");
    let refusals = json!({
        "unauthenticated": 3, "malformed": 3, "revoked": 1, "forbidden": 0, "replayed": 1, "rate-limited": 4,
        "concurrency": 0, "unavailable": 0, "spend-cap-reached": 0,
    });
    assert_eq!(today["refusals"], refusals, "{usage}");
    assert_eq!(today["tokens"], json!({ "input": 14 * PROMPT, "output": 14 * COMPLETION }), "{usage}");
    assert_eq!(nano_usd(&today["spent_usd"]), spent, "{usage}");
    assert_eq!(nano_usd(&usage["service"]["spent_usd"]), spent, "{usage}");
    assert_eq!(usage["service"]["reserved_usd"], "0", "{usage}");
    assert_eq!((&usage["service"]["cap_usd"], &usage["model"]), (&json!("5"), &json!("on")), "{usage}");
    let plans = usage["plans"].as_array().expect("plans");
    let of_plan = |name: &str| plans.iter().find(|plan| plan["plan"] == name).expect("the plan");
    let (standard, trusted) = (of_plan("standard"), of_plan("trusted"));
    assert_eq!((&standard["requests"], &standard["cap_usd"]), (&json!(53), &Value::Null), "{usage}");
    assert_eq!((&trusted["requests"], &trusted["cap_usd"]), (&json!(1), &json!("2")), "{usage}");
    assert_eq!(nano_usd(&standard["spent_usd"]) + nano_usd(&trusted["spent_usd"]), spent, "{usage}");
    assert_eq!(usage["days"].as_array().map(Vec::len), Some(1), "{usage}");

    assert_machines(&world, of_first);
    assert_metrics(&world, spent);
    world.rest();
    world.fleet.crash();
    world.fleet.run();
    let after = world.get("/admin/usage?days=1").json();
    assert_eq!((&after["days"], &after["service"]), (&usage["days"], &usage["service"]), "after a crash");
    assert_eq!(after["plans"], usage["plans"], "after a crash");
    assert_machines(&world, of_first);
}

#[track_caller]
fn assert_machines(world: &World, of_first: u64) {
    let list = |query: &str| {
        let list = world.get(&format!("/admin/machines{query}")).json();
        assert_eq!(list["complete"], true, "{list}");
        list["machines"].as_array().expect("machines").clone()
    };
    let by_spend = list("?limit=100");
    // Twice twelve, the one that signs, and the builder.
    assert_eq!(by_spend.len(), 2 * MACHINES + 2, "{by_spend:?}");
    assert_eq!(by_spend[0]["machine_id"], "seen-0", "{by_spend:?}");
    assert_eq!(nano_usd(&by_spend[0]["spent_usd"]), of_first, "{by_spend:?}");
    assert!(by_spend.iter().all(|machine| machine["in_flight"] == 0 && machine["reserved_usd"] == "0"));
    let amounts: Vec<u64> = by_spend.iter().map(|machine| nano_usd(&machine["spent_usd"])).collect();
    assert!(amounts.is_sorted_by(|one, next| one >= next), "{amounts:?}");
    let requests: u64 = by_spend.iter().filter_map(|machine| machine["requests"].as_u64()).sum();
    assert_eq!(requests, 54, "{by_spend:?}");
    let by_requests = list("?order=requests&limit=2");
    let told: Vec<_> = by_requests.iter().map(|one| (&one["machine_id"], &one["requests"])).collect();
    assert_eq!(told, [(&json!("seen-0"), &json!(5)), (&json!("seen-1"), &json!(5))]);
    let by_moment = list("?order=seen");
    assert_eq!(by_moment.len(), 20, "the default");
    assert_eq!(by_moment[0]["machine_id"], format!("late-{}", MACHINES - 1), "{by_moment:?}");

    let detail = world.get("/admin/machines/seen%2D5").json();
    assert_eq!((&detail["machine_id"], &detail["requests"]), (&json!("seen-5"), &json!(3)), "{detail}");
    assert_eq!(
        (&detail["plan"], &detail["revoked"]["by"]),
        (&json!("standard"), &json!("overseer")),
        "{detail}"
    );
    assert_eq!(detail["revoked"]["reason"], "it was lost", "{detail}");
    let builder = world.get("/admin/machines/builder").json();
    assert_eq!((&builder["plan"], &builder["revoked"]), (&json!("trusted"), &Value::Null), "{builder}");
    for nobody in ["gone", "never", "a%20b", "%ff", "a%2Fb"] {
        let path = format!("/admin/machines/{nobody}");
        let reply = world.worker().send("GET", &path, &[("Authorization", &world.operator())], None);
        reply.assert_problem(404, "not-found");
    }
}

/// A page of metrics, as Prometheus' client reads it.
struct Page(Vec<Value>);

impl Page {
    fn read(world: &World) -> Self {
        let reply = world.get("/admin/metrics");
        assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4"), "{reply:?}");
        let families = peers::python("metrics.py", &json!(reply.text()));
        Self(families.as_array().expect("families").clone())
    }

    /// A sample, by what it is called without the prefix and its one label.
    #[track_caller]
    fn value(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let labels = label.map_or_else(|| json!({}), |(label, value)| json!({ label: value }));
        let name = format!("pip_aide_gateway_{name}");
        let samples = self.0.iter().filter_map(|family| family["samples"].as_array()).flatten();
        let mut found = samples.filter(|sample| sample[0] == name.as_str() && sample[1] == labels);
        let value = found.next().and_then(|sample| sample[2].as_f64());
        assert!(found.next().is_none(), "{name} {labels} twice");
        value.unwrap_or_else(|| panic!("there is no {name} {labels}: {:?}", self.0))
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
#[track_caller]
fn assert_metrics(world: &World, spent: u64) {
    let page = Page::read(world);
    for family in &page.0 {
        assert!(family["help"].as_str().is_some_and(|help| !help.is_empty()), "{family}");
        let samples = family["samples"].as_array().expect("samples");
        let is_counter = family["type"] == "counter";
        let totals =
            samples.iter().filter(|sample| sample[0].as_str().is_some_and(|name| name.ends_with("_total")));
        assert_eq!(totals.count(), if is_counter { samples.len() } else { 0 }, "{family}");
        assert!(["counter", "gauge", "histogram"].iter().any(|kind| family["type"] == *kind), "{family}");
    }
    for (outcome, count) in [("answered", 54.0), ("uncertain", 0.0), ("unsettled", 0.0)] {
        assert_eq!(page.value("requests_total", Some(("outcome", outcome))), count, "{outcome}");
    }
    for (source, count) in [("rules", 29.0), ("cache", 11.0), ("model", 14.0), ("none", 0.0)] {
        assert_eq!(page.value("answers_total", Some(("source", source))), count, "{source}");
    }
    assert_eq!(page.value("answers_ratio", Some(("source", "rules"))), 0.537);
    for (reason, count) in [("unauthenticated", 3.0), ("rate-limited", 4.0), ("replayed", 1.0)] {
        assert_eq!(page.value("refusals_total", Some(("reason", reason))), count, "{reason}");
    }
    assert_eq!(page.value("plan_requests_total", Some(("plan", "trusted"))), 1.0);
    assert_eq!(page.value("tokens_total", Some(("direction", "input"))), (14 * PROMPT) as f64);
    let usd = spent as f64 / 1e9;
    for (name, label) in [("charged_usd_total", None), ("spent_usd", Some(("cap", "service")))] {
        assert!((page.value(name, label) - usd).abs() < 1e-12, "{name}");
    }
    assert_eq!(page.value("cap_usd", Some(("cap", "service"))), 5.0);
    assert_eq!(page.value("cap_usd", Some(("cap", "plan:trusted"))), 2.0);
    assert_eq!(page.value("reserved_usd", Some(("cap", "service"))), 0.0);
    assert_eq!(page.value("model_enabled", None), 1.0);
    assert_eq!(page.value("shards", None), 4.0);
    assert_eq!(page.value("request_duration_seconds_count", None), 54.0);
    let histogram = page.0.iter().find(|family| family["type"] == "histogram").expect("a histogram");
    let buckets: Vec<f64> = histogram["samples"]
        .as_array()
        .expect("samples")
        .iter()
        .filter(|sample| sample[0].as_str().is_some_and(|name| name.ends_with("_bucket")))
        .filter_map(|sample| sample[2].as_f64())
        .collect();
    assert!(buckets.is_sorted() && buckets.len() == 13 && buckets.last() == Some(&54.0), "{buckets:?}");
    assert_eq!(page.value("operations_allowance", Some(("operation", "rows_written"))), 100_000.0);
}

#[test]
fn what_is_asked_of_the_platform_is_counted_as_the_platform_counts_it() {
    let world = World::start();
    for number in 0..MACHINES {
        cost(&world.ask(&format!("m{number}"), NO_CV2), "rules");
    }
    world.rest();
    let used = |usage: &Value, name: &str| {
        let allowances = usage["allowances"].as_array().expect("allowances");
        let of =
            allowances.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {usage}"));
        of["used"].as_u64().expect("a number")
    };
    let look = Overview::of(&world.worker(), &world.settings);
    let first = world.get("/admin/usage").json();
    let treasury = |name: &str| look.0["treasury"]["operations"][name].as_u64().expect("a number");
    let counted = |name: &str| look.operations(name) + treasury(name);
    assert_eq!(used(&first, "rows written"), counted("rows_written"), "{first} {look:?}");
    // Asking the treasury and four shards anew.
    assert_eq!(used(&first, "ledger requests"), counted("requests") + 5, "{first} {look:?}");
    assert_eq!(used(&first, "rows read"), counted("rows_read"), "{first} {look:?}");
    assert_eq!(used(&first, "kv writes"), counted("kv_writes"), "{first} {look:?}");
    // The log was not looked at, and no bucket is in KV.
    assert_eq!((used(&first, "kv reads"), used(&first, "kv lists")), (0, 0), "{first}");
    assert_eq!(world.get("/admin/logs").json()["records"].as_array().map(Vec::len), Some(MACHINES));
    assert!(counted("rows_written") >= 2 && counted("rows_read") >= 2, "{look:?}");
    for _ in 0..3 {
        assert_eq!(world.worker().send("GET", "/healthz", &[], None).status, 200);
    }
    let second = world.get("/admin/usage").json();
    assert_eq!(used(&second, "worker requests"), used(&first, "worker requests") + 5);
    assert_eq!(used(&second, "kv lists"), 1, "{second}");
    assert!(used(&second, "kv reads") >= 1, "{second}");
    assert!(used(&first, "worker requests") >= MACHINES as u64 + 2);
}

#[test]
fn the_routes_take_what_they_say_and_only_from_operators() {
    let world = World::start();
    let operator = world.operator();
    let client = bearer(&world.settings.key().token("client"));
    let worker = world.worker();
    for path in
        ["/admin/usage", "/admin/machines", "/admin/machines/x", "/admin/kill-switch", "/admin/metrics"]
    {
        worker.send("GET", path, &[("Authorization", &client)], None).assert_problem(403, "forbidden");
        assert_stranger(&worker.send("GET", path, &[], None));
        let post = worker.send("POST", path, &[("Authorization", &operator)], Some(b"{}"));
        post.assert_problem(405, "method-not-allowed");
        let head = worker.send("HEAD", path, &[("Authorization", &operator)], None);
        assert_eq!(head.status, if path.ends_with("/x") { 404 } else { 200 }, "{path}");
    }
    for (path, accepted) in [
        ("/admin/usage?days=0", "1 to 31"),
        ("/admin/usage?days=32", "1 to 31"),
        ("/admin/usage?days=", "1 to 31"),
        ("/admin/usage?days=1&days=1", "1 to 31"),
        ("/admin/usage?day=1", "1 to 31"),
        ("/admin/machines?limit=101", "1 to 100"),
        ("/admin/machines?order=name", "spent, requests or seen"),
        ("/admin/machines?order=spent%", "spent, requests or seen"),
        ("/admin/machines/x?limit=1", "no parameters"),
        ("/admin/kill-switch?x", "no parameters"),
        ("/admin/metrics?format=json", "no parameters"),
    ] {
        let reply = worker.send("GET", path, &[("Authorization", &operator)], None);
        let problem = reply.assert_problem(400, "malformed-request");
        assert!(
            problem["detail"].as_str().is_some_and(|detail| detail.contains(accepted)),
            "{path}: {problem}"
        );
    }
    assert_eq!(world.get("/admin/usage?days=31").json()["days"].as_array().map(Vec::len), Some(1));
}
