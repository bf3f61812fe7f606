//! `gatectl logs` against a server that pages through a log as the gateway does.

#![cfg(not(target_arch = "wasm32"))]

mod gatectl_support;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gatectl_support::{Request, Server, code, stderr, stdout};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

const START: u64 = 1_795_000_000_000;

/// The `number`th record. Three at a time have the same moment, of different machines.
fn record(number: usize) -> Value {
    let at = UnixMillis::from_millis(START + u64::try_from(number / 3).unwrap() * 1_000);
    json!({ "timestamp": at.rfc3339(), "machine_id": format!("m{}", number % 3), "request_id": format!("r{number}"),
        "plan": "standard", "outcome": "answered", "source": "model", "model": "deepseek-chat",
        "cost_usd": "0.000123", "duration_ms": 1234, "reserved_usd": "0.005", "error_context": "a\u{9b}b" })
}

fn query(request: &Request, name: &str) -> Option<String> {
    let (_, query) = request.line.split_once('?')?;
    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    Some(found.replace("%3A", ":"))
}

/// A page as the gateway gives it, out of these records.
fn page(records: &[Value], request: &Request) -> String {
    let timestamp = |record: &Value| record["timestamp"].as_str().unwrap().to_owned();
    let mut matching: Vec<&Value> = records
        .iter()
        .filter(|record| query(request, "until").is_none_or(|until| timestamp(record) < until))
        .filter(|record| query(request, "from").is_none_or(|from| timestamp(record) >= from))
        .collect();
    matching.sort_by_key(|record| std::cmp::Reverse(timestamp(record)));
    let start: usize =
        query(request, "cursor").map_or(0, |cursor| cursor.strip_prefix("c~").unwrap().parse().unwrap());
    let limit: usize = query(request, "limit").unwrap().parse().unwrap();
    assert!((1..=500).contains(&limit), "{limit}");
    let end = (start + limit).min(matching.len());
    let cursor = (end < matching.len()).then(|| format!("c~{end}"));
    json!({ "records": matching[start..end], "cursor": cursor, "request_id": "r" }).to_string()
}

fn log_of(count: usize) -> Server {
    let records: Vec<Value> = (0..count).map(record).collect();
    Server::start(move |request| (200, page(&records, request)))
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gatectl-logs-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The numbers of the records in an export, in its order.
fn numbers(text: &str) -> Vec<usize> {
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.map(|record| record["request_id"].as_str().unwrap()[1..].parse().unwrap()).collect()
}

#[test]
fn the_newest_records_are_shown_with_all_filters() {
    let server = log_of(3);
    let output = server.gatectl(&[
        "logs",
        "--machine",
        "net~1",
        "--plan",
        "standard",
        "--outcome",
        "answered",
        "--source",
        "model",
        "--from",
        "2026-01-31T00:00:00Z",
        "--until",
        "2027-01-31T00:00:00Z",
        "--limit",
        "7",
    ]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(
        server.requests()[0].line,
        "GET /admin/logs?machine=net~1&plan=standard&outcome=answered&source=model&\
         from=2026-01-31T00%3A00%3A00.000Z&until=2027-01-31T00%3A00%3A00.000Z&limit=7"
    );
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        lines[0],
        "TIME                      MACHINE  PLAN      OUTCOME   SOURCE  MODEL            COST $     MS  REQUEST"
    );
    assert_eq!(
        lines[1],
        format!(
            "{}  m0       standard  answered  model   deepseek-chat  0.000123  1,234  r0",
            record(0)["timestamp"].as_str().unwrap()
        )
    );

    // As many as are asked for, over several pages.
    let server = log_of(2_000);
    let output = server.gatectl(&["logs", "--limit", "1200", "--json"]);
    let answer: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!((answer["records"].as_array().unwrap().len(), &answer["more"]), (1_200, &Value::Bool(true)));
    assert_eq!(server.requests().len(), 3);
    let output = server.gatectl(&["logs"]);
    assert_eq!(stdout(&output).lines().count(), 51);
    assert!(stderr(&output).contains("there are more"));
    assert_eq!(stdout(&log_of(0).gatectl(&["logs"])), "no record matches\n");
    for wrong in [
        &["logs", "--from", "yesterday"][..],
        &["logs", "--limit", "0"],
        &["logs", "--follow", "--export", "x"],
        &["logs", "--resume"],
    ] {
        assert_eq!(code(&server.gatectl(wrong)), 2, "{wrong:?}");
    }
}

#[test]
fn an_export_has_every_record_once() {
    let folder = folder("export");
    let server = log_of(1_234);
    let file = folder.join("log.ndjson");
    let output = server.gatectl(&["logs", "--export", file.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), format!("1,234 records in {}\n", file.display()));
    let text = std::fs::read_to_string(&file).unwrap();
    let mut found = numbers(&text);
    assert!(
        !text.contains('\u{9b}')
            && serde_json::from_str::<Value>(text.lines().next().unwrap()).unwrap()["error_context"]
                == "a\u{9b}b"
    );
    found.sort_unstable();
    assert_eq!(found, (0..1_234).collect::<Vec<_>>());
    assert!(!folder.join("log.ndjson.partial").exists());
    // The same on standard output, and nothing else there; no progress where there is no terminal.
    for arguments in [&["logs", "--export", "-"][..], &["logs", "--export", "-", "--json"]] {
        let output = server.gatectl(arguments);
        assert_eq!(stdout(&output), text);
        assert!(!stderr(&output).contains('\r'), "{}", stderr(&output));
    }
}

#[test]
fn an_interrupted_export_goes_on() {
    let folder = folder("resume");
    let file = folder.join("log.ndjson");
    let partial = folder.join("log.ndjson.partial");
    let records: Vec<Value> = (0..1_700).map(record).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let server = Server::start(move |request| match counted.fetch_add(1, Ordering::SeqCst) {
        2 => (500, String::new()),
        _ => (200, page(&records, request)),
    });
    let arguments = ["logs", "--export", file.to_str().unwrap()];
    let output = server.gatectl(&arguments);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--resume goes on"), "{}", stderr(&output));
    assert!(!file.exists());
    let text = std::fs::read_to_string(&partial).unwrap();
    assert_eq!(numbers(&text).len(), 1_000);
    // A line that was cut off is taken out again.
    std::fs::write(&partial, format!("{text}{{\"timestamp\":\"2026")).unwrap();
    let output = server.gatectl(&[&arguments[..], &["--resume"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let found = numbers(&std::fs::read_to_string(&file).unwrap());
    let mut sorted = found.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..1_700).collect::<Vec<_>>(), "{found:?}");
    // The pages before were not asked for again.
    assert_eq!(asked.load(Ordering::SeqCst), 3 + 2);

    let output = server.gatectl(&[&arguments[..], &["--resume"]].concat());
    assert!(code(&output) == 2 && stderr(&output).contains("without --resume"), "{}", stderr(&output));
}

#[test]
fn following_shows_each_record_once_late_ones_too() {
    let log: Arc<Mutex<Vec<Value>>> = Arc::new(Mutex::new((0..30).map(record).collect()));
    let asked = Arc::new(AtomicUsize::new(0));
    let (served, counted) = (Arc::clone(&log), Arc::clone(&asked));
    let server = Server::start(move |request| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let mut log = served.lock().unwrap();
        match number {
            // After three questions for what is there: one that finds two more, one that finds one that
            // is earlier than these, and one that fails.
            3 => log.extend([record(33), record(36)]),
            4 => log.push(record(31)),
            5 => return (503, String::new()),
            6 => log.push(record(39)),
            _ => {}
        }
        (200, page(&log, request))
    });
    let mut command = server.command(&["logs", "--follow", "--limit", "4", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut found: Vec<usize> = lines.take(8).flat_map(|line| numbers(&line)).collect();
    child.kill().unwrap();
    let said = child.wait_with_output().unwrap().stderr;
    assert!(String::from_utf8(said).unwrap().contains("trying again"));
    // Of the first ones, those of the oldest moment come in any order.
    let news = found.split_off(4);
    assert_eq!(news, [33, 36, 31, 39]);
    found.sort_unstable();
    assert!(found.iter().all(|number| (24..30).contains(number)), "{found:?}");
}
