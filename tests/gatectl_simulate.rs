//! `gatectl simulate` on logs whose decisions can be worked out by hand, and on a large one.

#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

/// The first second of a day in UTC.
const MORNING: u64 = 1_795_478_400_000;

/// A request: milliseconds after the morning, machine, plan, duration, reserved, cost, in micro-dollars.
type Row<'a> = (u64, &'a str, &'a str, u64, u64, u64);

fn usd(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn record(number: usize, &(at, machine, plan, duration, reserved, cost): &Row<'_>) -> Value {
    json!({
        "timestamp": UnixMillis::from_millis(MORNING + at).rfc3339(), "machine_id": machine,
        "reported_machine_id": null, "request_id": format!("r{number}"), "plan": plan, "auth": "bearer",
        "outcome": "answered", "source": if cost > 0 { "model" } else { "rules" }, "model": "deepseek-chat",
        "usage": null, "cost_usd": usd(cost), "reserved_usd": usd(reserved), "duration_ms": duration,
    })
}

fn records(rows: &[Row<'_>]) -> Vec<Value> {
    rows.iter().enumerate().map(|(number, row)| record(number, row)).collect()
}

/// A folder with the current settings, which refuse nothing of the logs here, and proposed ones.
struct Case(PathBuf);

impl Case {
    fn new(name: &str, log: &[Value], proposed: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gatectl-simulate-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let loose = "MACHINE_RATE = '1000/second'\nMACHINE_BURST = '1000'\nMACHINE_CONCURRENCY = '100'\n\
                     MACHINE_DAILY_USD = '1000'\nDAILY_USD = '10000'\nPLAN_TRUSTED_RATE = '1000/second'\n\
                     PLAN_TRUSTED_BURST = '1000'\nPLAN_TRUSTED_CONCURRENCY = '100'\nPLAN_TRUSTED_DAILY_USD = '1000'\n\
                     PLAN_TRUSTED_TOTAL_DAILY_USD = '10000'\nANONYMOUS = 'limited'\n";
        let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
        for line in loose.lines().chain(proposed.lines()) {
            let (name, value) = line.split_once('=').unwrap();
            settings.insert(name.trim(), value.trim());
        }
        let proposed: String = settings.iter().map(|(name, value)| format!("{name} = {value}\n")).collect();
        std::fs::write(folder.join("wrangler.toml"), format!("[vars]\n{loose}")).unwrap();
        std::fs::write(folder.join("proposed.toml"), format!("[vars]\n{proposed}")).unwrap();
        let log: String = log.iter().map(|record| format!("{record}\n")).collect();
        std::fs::write(folder.join("log.ndjson"), log).unwrap();
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gatectl"))
            .args(["simulate", "log.ndjson", "--config", "proposed.toml"])
            .args(arguments)
            .current_dir(&self.0)
            .env_clear()
            .output()
            .unwrap()
    }

    fn report(&self) -> Value {
        let output = self.run(&["--json"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What the proposal decides about each request, by its number.
    fn decisions(&self) -> Vec<String> {
        let output = self.run(&["--requests", "requests.ndjson"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(self.0.join("requests.ndjson")).unwrap();
        let decided: BTreeMap<usize, String> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .inspect(|request| assert_eq!(request["current"], "admitted", "{request}"))
            .map(|request| {
                let number = request["request_id"].as_str().unwrap()[1..].parse().unwrap();
                (number, request["proposed"].as_str().unwrap().to_owned())
            })
            .collect();
        decided.into_values().collect()
    }
}

const A: &str = "admitted";

#[test]
fn each_limit_decides_as_it_would_have() {
    let m = |at, duration, reserved, cost| (at, "m", "standard", duration, reserved, cost);
    for (name, rows, proposed, expected) in [
        (
            "burst",
            vec![
                m(0, 9, 1, 1),
                m(1, 9, 1, 1),
                m(2, 9, 1, 1),
                m(10_001, 9, 1, 1),
                m(10_002, 9, 1, 1),
                (10_002, "n", "standard", 9, 1, 1),
            ],
            "MACHINE_RATE = '6/minute'\nMACHINE_BURST = '2'",
            vec![A, A, "rate-limited", A, "rate-limited", A],
        ),
        (
            // The second is there while the first is under way, the third when it has just ended.
            "concurrency",
            vec![
                m(0, 1_000, 1, 1),
                m(999, 1_000, 1, 1),
                m(1_000, 1_000, 1, 1),
                (1_001, "n", "standard", 9, 1, 1),
            ],
            "MACHINE_CONCURRENCY = '1'",
            vec![A, "concurrency", A, A],
        ),
        (
            // Ten dollars set aside, one spent: the next fits when that is known, and not before.
            "machine-cap",
            vec![
                m(0, 1_000, 10_000_000, 1_000_000),
                m(500, 100, 10_000_000, 1_000_000),
                m(1_500, 100, 10_000_000, 1_000_000),
                m(2_000, 100, 10_000_000, 1_000_000),
                m(86_400_000, 100, 10_000_000, 1_000_000),
            ],
            "MACHINE_DAILY_USD = '11'",
            vec![A, "machine-cap", A, "machine-cap", A],
        ),
        (
            "plan-cap",
            vec![
                (0, "a", "trusted", 10, 100, 100),
                (100, "b", "trusted", 10, 100, 100),
                (200, "c", "trusted", 10, 100, 100),
                (300, "c", "standard", 10, 100, 100),
            ],
            "PLAN_TRUSTED_TOTAL_DAILY_USD = '0.00025'",
            vec![A, A, "plan-cap", A],
        ),
        (
            "service-cap",
            vec![
                (0, "a", "trusted", 10, 100, 100),
                (100, "b", "standard", 10, 100, 50),
                (200, "c", "trusted", 10, 100, 100),
                (300, "c", "standard", 10, 50, 50),
            ],
            "DAILY_USD = '0.0002'",
            vec![A, A, "service-cap", A],
        ),
        (
            // A day that begins at noon: the cap is new then.
            "day",
            vec![m(0, 1, 100, 100), m(1_000, 1, 100, 100), m(43_200_000, 1, 100, 100)],
            "MACHINE_DAILY_USD = '0.0001'\nDAY_STARTS_AT = '12:00Z'",
            vec![A, "machine-cap", A],
        ),
    ] {
        let mut log = records(&rows);
        assert_eq!(Case::new(name, &log, proposed).decisions(), expected, "{name}");
        // The order of the file does not matter.
        log.reverse();
        assert_eq!(Case::new(name, &log, proposed).decisions(), expected, "{name}, the newest first");
        log.rotate_left(2);
        assert_eq!(Case::new(name, &log, proposed).decisions(), expected, "{name}, in any order");
    }
}

#[test]
fn credentials_that_would_not_count_and_plans_that_are_gone_are_told() {
    let mut log = records(&[
        (0, "net~203.0.113.7", "standard", 9, 1, 1),
        (1, "m", "gold", 9, 1, 1),
        (2, "jwt~x", "standard", 9, 1, 1),
    ]);
    log[0]["auth"] = "anonymous".into();
    log[2]["auth"] = "foreign".into();
    let case = Case::new("credentials", &log, "ANONYMOUS = 'off'");
    let report = case.report();
    assert_eq!(report["proposed"]["refused"]["unauthenticated"], 2, "{report}");
    // The provider is not among the current settings either.
    assert_eq!(report["current"]["refused"]["unauthenticated"], 1, "{report}");
    assert_eq!(
        (&report["proposed"]["refused"]["unknown-plan"], &report["current"]["refused"]["unknown-plan"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn the_report_has_spend_machines_and_what_it_cannot_know() {
    let text = "Command: pip install cv2\nExit Code: 1\n--- stderr ---\nERROR: Could not find a version that satisfies the requirement cv2 (from versions: none)\nERROR: No matching distribution found for cv2";
    let mut log = records(&[
        (0, "m", "standard", 10, 2_000_000, 1_000_000),
        (100, "m", "standard", 10, 2_000_000, 1_000_000),
        (200, "m", "standard", 10, 2_000_000, 1_000_000),
        (300, "m", "standard", 10, 2_000_000, 0),
        (86_400_000, "m", "standard", 10, 2_000_000, 1_000_000),
        (400, "n", "standard", 10, 2_000_000, 500_000),
    ]);
    log[1]["error_context"] = text.into();
    log[2]["error_context"] = "ERROR: nobody knows this".into();
    let case = Case::new("report", &log, "MACHINE_DAILY_USD = '2'");
    let report = case.report();
    assert_eq!((&report["requests"], &report["machines"]), (&json!(6), &json!(2)));
    assert_eq!(report["current"]["spent_usd"], "4.5");
    // The second and the third have no room, nor has the one that a rule answered, which needs none.
    assert_eq!(report["proposed"]["cap_reached"]["machine"], 3, "{report}");
    assert_eq!(
        (&report["proposed"]["lost_model"], &report["proposed"]["spent_usd"]),
        (&json!(2), &json!("2.5"))
    );
    assert_eq!(
        report["lost_by_the_proposal"],
        json!({ "requests": 2, "with_a_rule": 1, "without_a_rule": 1, "not_known": 0 })
    );
    let machines = json!([{ "machine_id": "m", "current": { "refused": 0, "without_model": 0 }, "proposed": { "refused": 0, "without_model": 2 } }]);
    assert_eq!(report["machines_that_lose_most"], machines);
    let spend: Vec<String> = report["spend"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| {
            format!(
                "{} {} {} {}",
                day["day_started_at"].as_str().unwrap(),
                day["logged_usd"],
                day["current"]["spent_usd"],
                day["proposed"]["spent_usd"]
            )
        })
        .collect();
    assert_eq!(
        spend,
        ["2026-11-24T00:00:00.000Z \"3.5\" \"3.5\" \"1.5\"", "2026-11-25T00:00:00.000Z \"1\" \"1\" \"1\""]
    );
    assert!(report["notes"][0].as_str().unwrap().contains("no request that was refused at the time"));

    let output = case.run(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "6 requests of 2 machines, from 2026-11-24T00:00:00.000Z to 2026-11-25T00:00:00.000Z",
        "                                       CURRENT  PROPOSED",
        "admitted without money: machine's cap        0         3",
        "spent $                                    4.5       2.5",
        "2 requests lose the model by the proposal: a rule answers 1 of them, no rule 1.",
        "m                              0         0         0         2",
        "2026-11-24T00:00:00.000Z  standard         5         5       3.5        3.5         1.5",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
    }

    // Without reserved_usd the cost is taken, and that is said; so are lines that are no records.
    for record in &mut log {
        record.as_object_mut().unwrap().remove("reserved_usd");
    }
    log.push(json!({ "error": "x" }));
    log.push(log[0].clone());
    let report =
        Case::new("report", &log, "MACHINE_DAILY_USD = '2'\nMODEL = 'gpt-4o-mini'\nSHARDS = '4'").report();
    assert_eq!(report["proposed"]["lost_model"], 1, "{report}");
    let notes = report["notes"].to_string();
    for words in [
        "1 lines are no log records",
        "1 records stood there twice",
        "6 records do not say what was set aside",
        "MODEL differ",
        "SHARDS is more than 1",
    ] {
        assert!(notes.contains(words), "no {words:?} in {notes}");
    }
    assert!(!report["notes"].to_string().contains("LIMIT_STORE"));
}

#[test]
fn what_cannot_be_simulated_is_said() {
    let log = records(&[(0, "m", "standard", 9, 1, 1)]);
    let fails = |case: &Case, arguments: &[&str], words: &str| {
        let output = case.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{words}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(words), "{text}");
    };
    fails(&Case::new("fails", &log, "MACHINE_RATE = '6'"), &[], "MACHINE_RATE = \"6\" must be N/second");
    fails(
        &Case::new("fails", &log, "RULES = 'off'"),
        &["--against", "nowhere.toml"],
        "cannot read nowhere.toml",
    );
    fails(&Case::new("fails", &log, "RULES = 'off'"), &["--env", "staging"], "env.staging is no environment");
    fails(&Case::new("fails", &[json!({})], "RULES = 'off'"), &[], "has no log records");
}

/// Run with `cargo test --release --test gatectl_simulate -- --ignored --nocapture`.
#[test]
#[ignore = "prints how long it takes"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn a_large_log_takes_so_long() {
    let text = "Command: pip install something\nExit Code: 1\n--- stderr ---\n".to_owned()
        + &"ERROR: a line of a failed compilation, as they are\n".repeat(25);
    let log: Vec<Value> = (0..100_000_u64)
        .map(|number| {
            // Thirty days, fifty machines, bursts of three.
            let at = number / 3 * 77_760 + number % 3 * 40;
            let machine = format!("machine-{}", number / 3 * 7919 % 50);
            let plan = if number / 3 * 7919 % 50 < 40 { "standard" } else { "trusted" };
            let cost = if number % 2 == 0 { 150 + number % 100 } else { 0 };
            let mut record =
                record(usize::try_from(number).unwrap(), &(at, &machine, plan, 1_500, 5_000, cost));
            // No two alike: the rules are asked about each.
            record["error_context"] = format!("{text}{number}").into();
            record
        })
        .collect();
    let proposed = "MACHINE_RATE = '2/minute'\nMACHINE_BURST = '2'\nMACHINE_CONCURRENCY = '3'\nMACHINE_DAILY_USD = '0.007'\nDAILY_USD = '0.2'";
    let case = Case::new("large", &log, proposed);
    let began = std::time::Instant::now();
    let output = case.run(&["--json", "--requests", "requests.ndjson"]);
    let took = began.elapsed();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bytes = std::fs::metadata(case.0.join("log.ndjson")).unwrap().len();
    println!(
        "{} records, {} MB, {} ms: {} -> {}",
        report["requests"],
        bytes / 1_000_000,
        took.as_millis(),
        report["current"],
        report["proposed"]
    );
    println!("{}", report["lost_by_the_proposal"]);
    assert_eq!(report["requests"], 100_000);
}
