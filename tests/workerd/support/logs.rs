//! What the Worker wrote to `LOGS_KV`, read through Wrangler and not through the Worker.

use std::process::Command;

use serde_json::Value;

use super::gateway::Gateway;
use super::{project, support_file};

/// One log record.
#[derive(Clone, Debug)]
pub struct Record {
    /// The KV key under which it stands, alone or with others.
    pub key: String,
    /// When KV drops it, in seconds since the epoch.
    pub expiration: Option<u64>,
    /// Whether it is the first record under its key.
    pub first: bool,
    pub fields: Value,
}

impl Record {
    /// A field that must be text.
    #[track_caller]
    pub fn text(&self, name: &str) -> &str {
        self.fields[name].as_str().unwrap_or_else(|| panic!("{name} is no text: {self:?}"))
    }
}

/// Every record, once there are at least `count` of them. Fails when they do not come.
#[track_caller]
pub fn wait_for_records(gateway: &Gateway, count: usize) -> Vec<Record> {
    let records = look(gateway, count, 40);
    assert!(records.len() >= count, "{} of {count} log records came: {records:?}", records.len());
    records
}

/// The record of one request. Fails when it does not come.
#[track_caller]
pub fn wait_for_record(gateway: &Gateway, request_id: &str) -> Record {
    let mut wanted = 1;
    for _ in 0..20 {
        let records = look(gateway, wanted, 5);
        wanted = records.len() + 1;
        let mut of_request = records.into_iter().filter(|record| record.fields["request_id"] == request_id);
        if let Some(record) = of_request.next() {
            assert!(of_request.next().is_none(), "two log records of request {request_id}");
            return record;
        }
    }
    panic!("no log record of request {request_id} came");
}

fn look(gateway: &Gateway, count: usize, seconds: u32) -> Vec<Record> {
    let output = Command::new("node")
        .arg(support_file("logs.mjs"))
        .arg(gateway.state())
        .args([count.to_string(), seconds.to_string()])
        .current_dir(project())
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_LOG_PATH", gateway.state())
        .output()
        .expect("node starts");
    assert!(output.status.success(), "KV was not read: {}", String::from_utf8_lossy(&output.stderr));
    let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("KV was not read ({error}): {}", String::from_utf8_lossy(&output.stdout))
    });
    entries
        .iter()
        .flat_map(|entry| {
            let value = entry["value"].as_str().expect("a value is text");
            value.lines().filter(|line| !line.trim().is_empty()).enumerate().map(|(index, line)| Record {
                key: entry["key"].as_str().expect("a key is text").to_owned(),
                expiration: entry["expiration"].as_u64(),
                first: index == 0,
                fields: serde_json::from_str(line)
                    .unwrap_or_else(|error| panic!("a record is no JSON ({error}): {line}")),
            })
        })
        .collect()
}
