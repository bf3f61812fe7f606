//! What the Worker wrote to `LOGS_KV`, read through Wrangler and not through the Worker.

use std::time::Duration;

use serde_json::{Value, json};

use super::gateway::Gateway;
use super::node::Helper;
use super::wait_for;

/// How long a record may take. It is written after the answer, and may be kept for a while to be
/// written together with others.
const PATIENCE: Duration = Duration::from_secs(60);

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

/// Every record there is now.
#[track_caller]
pub fn records(gateway: &Gateway) -> Vec<Record> {
    let mut problem = String::new();
    let records = wait_for(PATIENCE, || match look(gateway) {
        Ok(records) => Some(records),
        // A copy of what is being written can be torn: look again.
        Err(error) => {
            problem = error;
            None
        }
    });
    records.unwrap_or_else(|| panic!("KV cannot be read: {problem}"))
}

/// The only record whose field has this value. Fails when it does not come, or comes twice.
#[track_caller]
pub fn wait_for_record(gateway: &Gateway, field: &str, value: &str) -> Record {
    gateway.note_use();
    let found = wait_for(PATIENCE, || {
        let records = look(gateway).ok()?;
        let found: Vec<_> = records.into_iter().filter(|record| record.fields[field] == value).collect();
        (!found.is_empty()).then_some(found)
    });
    let mut found = found.unwrap_or_else(|| panic!("no log record with {field} {value} came"));
    assert_eq!(found.len(), 1, "log records with {field} {value}: {found:?}");
    found.remove(0)
}

fn look(gateway: &Gateway) -> Result<Vec<Record>, String> {
    static READER: Helper = Helper::new("logs.mjs");
    let copy = super::process::run_folder().join("copy-of-kv");
    let answer = READER.ask(&json!({ "state": gateway.state(), "copy": copy }));
    let entries = answer.as_array().ok_or_else(|| answer.to_string())?;
    Ok(entries
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
        .collect())
}
