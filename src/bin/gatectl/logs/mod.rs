//! `gatectl logs`: the log, filtered; followed; or taken out as NDJSON.

mod export;
mod follow;

use std::path::PathBuf;

use pip_aide_gateway::units::UnixMillis;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Access;
use crate::gateway::{Gateway, with_query};
use crate::output::{Answer, Failure};
use crate::revoke::{read_moment, read_name};
use crate::table::{Align, Table};
use crate::terminal::{Paint, plain};

/// Most records that the gateway gives at once.
const MOST_AT_ONCE: usize = 500;

/// What to show.
#[derive(clap::Args)]
pub struct Command {
    #[command(flatten)]
    filter: Filter,
    /// How many records, the newest first; 50 without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "export")]
    limit: Option<u32>,
    /// Go on and show records as they come, the oldest first, until interrupted
    #[arg(long, conflicts_with_all = ["export", "until"])]
    follow: bool,
    /// Write everything that the filters match into this file, a JSON object a line; `-` is standard
    /// output
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Go on where an interrupted export into the same file ended
    #[arg(long, requires = "export")]
    resume: bool,
    #[command(flatten)]
    access: Access,
}

/// Which records.
#[derive(clap::Args, Clone)]
pub struct Filter {
    /// Only this machine's, by the name that the log shows
    #[arg(long, value_name = "ID", value_parser = read_name)]
    machine: Option<String>,
    /// Only those on this plan
    #[arg(long, value_name = "NAME", value_parser = read_name)]
    plan: Option<String>,
    /// Only those that ended so, such as answered, uncertain, spend-cap-reached, upstream-failed
    #[arg(long, value_name = "OUTCOME", value_parser = read_name)]
    outcome: Option<String>,
    /// Only those whose record names it: rules, cache or model, or none for those that name nobody
    #[arg(long, value_name = "SOURCE", value_parser = read_name)]
    source: Option<String>,
    /// From this moment on, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = read_moment)]
    from: Option<UnixMillis>,
    /// Before this moment
    #[arg(long, value_name = "RFC3339", value_parser = read_moment)]
    until: Option<UnixMillis>,
}

impl Filter {
    /// One page of what matches.
    fn page(&self, gateway: &Gateway, limit: usize, cursor: Option<&str>) -> Result<Page, Failure> {
        let moment = |moment: Option<UnixMillis>| moment.map(UnixMillis::rfc3339);
        let parameters = [
            ("machine", self.machine.clone()),
            ("plan", self.plan.clone()),
            ("outcome", self.outcome.clone()),
            ("source", self.source.clone()),
            ("from", moment(self.from)),
            ("until", moment(self.until)),
            ("limit", Some(limit.clamp(1, MOST_AT_ONCE).to_string())),
            ("cursor", cursor.map(str::to_owned)),
        ];
        Ok(gateway.get::<Page>(&with_query("/admin/logs", &parameters))?.0)
    }
}

/// A page of the log, the newest record first.
#[derive(Deserialize)]
struct Page {
    records: Vec<Value>,
    cursor: Option<String>,
}

/// Does it.
pub fn run(command: Command, as_json: bool) -> Result<Answer, Failure> {
    let gateway = command.access.open()?;
    if let Some(file) = &command.export {
        return export::run(&gateway, command.filter, file, command.resume);
    }
    if command.follow {
        return follow::run(&gateway, command.filter, command.limit.unwrap_or(10), as_json);
    }
    let wanted = usize::try_from(command.limit.unwrap_or(50)).unwrap_or(usize::MAX);
    let (records, is_all) = newest(&gateway, &command.filter, wanted)?;
    let json = json!({ "records": records, "more": !is_all });
    if records.is_empty() {
        return Ok(Answer::new("no record matches".to_owned(), json));
    }
    let note = (!is_all).then(|| "there are more: --limit shows more of them, --export all".to_owned());
    Ok(Answer { text: table(&records, Paint::of_stdout()), note, json, is_no: false })
}

/// The newest records, at most so many, and whether these are all.
fn newest(gateway: &Gateway, filter: &Filter, wanted: usize) -> Result<(Vec<Value>, bool), Failure> {
    let mut records: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = filter.page(gateway, wanted.saturating_sub(records.len()), cursor.as_deref())?;
        records.extend(page.records);
        cursor = page.cursor;
        let is_all = cursor.is_none();
        if is_all || records.len() >= wanted {
            let has_cut = records.len() > wanted;
            records.truncate(wanted);
            return Ok((records, is_all && !has_cut));
        }
    }
}

fn table(records: &[Value], paint: Paint) -> String {
    let head = vec![
        ("TIME", Align::Left),
        ("MACHINE", Align::Left),
        ("PLAN", Align::Left),
        ("OUTCOME", Align::Left),
        ("SOURCE", Align::Left),
        ("MODEL", Align::Left),
        ("COST $", Align::Right),
        ("MS", Align::Right),
        ("REQUEST", Align::Left),
    ];
    let mut table = Table::new(head);
    for record in records {
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("-");
        let duration = record.get("duration_ms").and_then(Value::as_u64);
        table.row([
            text("timestamp").into(),
            text("machine_id").into(),
            text("plan").into(),
            text("outcome").into(),
            text("source").into(),
            text("model").into(),
            text("cost_usd").into(),
            duration.map_or_else(|| "-".into(), Into::into),
            text("request_id").into(),
        ]);
    }
    table.render(paint)
}

/// A record in one line, for those who follow.
fn line(record: &Value) -> String {
    let text = |name: &str| plain(record.get(name).and_then(Value::as_str).unwrap_or("-"));
    let duration = record.get("duration_ms").and_then(Value::as_u64);
    let duration = duration.map_or_else(|| "-".to_owned(), |millis| format!("{millis} ms"));
    format!(
        "{}  {:<24}  {:<10}  {:<17}  {:<5}  ${:<11}  {:>9}  {}",
        text("timestamp"),
        text("machine_id"),
        text("plan"),
        text("outcome"),
        text("source"),
        text("cost_usd"),
        duration,
        text("request_id")
    )
}

/// What a record is known by: no two have all three alike.
fn key(record: &Value) -> [String; 3] {
    ["timestamp", "machine_id", "request_id"]
        .map(|name| record.get(name).and_then(Value::as_str).unwrap_or_default().to_owned())
}
