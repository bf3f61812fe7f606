//! `gatectl simulate`: what other settings would have decided about the requests of an exported log,
//! before anything is deployed. The decisions are the ledger's own, at the times of the log.

mod log;
mod replay;
mod report;
mod second_look;
mod tally;

use std::path::PathBuf;

use pip_aide_gateway::policy::settings::{RulesMode, Settings};

use self::log::Log;
use self::report::Report;
use crate::check;
use crate::output::{Answer, Failure};
use crate::terminal::Progress;

/// What to replay, and under which settings.
#[derive(clap::Args)]
pub struct Command {
    /// An exported log: `gatectl logs --export LOG`. Its records may stand in any order
    log: PathBuf,
    /// The proposed settings
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The current settings
    #[arg(long, value_name = "FILE", default_value = "wrangler.toml")]
    against: PathBuf,
    /// The environment [env.NAME] of both; the top level without
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// How many of the machines that lose something are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Write what is decided about each request into this file, a JSON object a line in the log's order
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
}

/// Does it.
pub fn run(command: &Command) -> Result<Answer, Failure> {
    let env = command.env.as_deref();
    let current = check::settings_of(&command.against, env)?;
    let proposed = check::settings_of(&command.config, env)?;
    let mut progress = Progress::new();
    let log = Log::read(&command.log, &mut progress)?;
    let before = replay::run(&log, &current, "the current settings", &mut progress);
    let after = replay::run(&log, &proposed, "the proposed settings", &mut progress);
    let rules = proposed.rules != RulesMode::Off;
    let lost = second_look::run(
        &command.log,
        &log,
        [before.as_slice(), after.as_slice()],
        rules,
        command.requests.as_deref(),
        &mut progress,
    )?;
    let day = proposed.limits.day;
    let report = Report {
        log: &log,
        current: tally::Tally::of(&log, &before, day),
        proposed: tally::Tally::of(&log, &after, day),
        lost,
        top: command.top,
        day,
        notes: notes(&log, &current, &proposed),
    };
    drop(progress);
    Ok(report.answer())
}

/// What the figures do not say.
fn notes(log: &Log, current: &Settings, proposed: &Settings) -> Vec<String> {
    let mut notes = vec![
        "The log has no request that was refused at the time: settings that are looser may let in more than \
         is shown. Nor does it know what clients would have done when refused, such as asking again."
            .to_owned(),
        "Every bucket is full and nothing is spent when the log begins. Answers from the cache count as \
         being there, whatever happened to the request that brought them."
            .to_owned(),
    ];
    let mut count = |count: u64, words: &str| {
        if count > 0 {
            notes.push(format!("{} {words}", crate::table::grouped(count)));
        }
    };
    count(log.unreadable, "lines are no log records of this version and were left out.");
    count(log.repeated, "records stood there twice and were taken once.");
    count(
        log.without_reserved,
        "records do not say what was set aside (reserved_usd): their cost was taken for it, so caps are reached later here than they would have been.",
    );
    count(
        log.nothing_reserved,
        "requests had nothing set aside, because a cap was reached or no model was set up: what they would have cost is not known, and they count as free.",
    );
    count(
        log.unsettled,
        "requests never ended: they count as in flight until their time is up, and are charged in full.",
    );
    let names = [
        ("MODEL", current.model.model == proposed.model.model),
        ("MAX_OUTPUT_TOKENS", current.max_output_tokens == proposed.max_output_tokens),
        ("MAX_CONTEXT_BYTES", current.max_context_bytes == proposed.max_context_bytes),
        ("RULES", current.rules == proposed.rules),
        ("CACHE_TTL_SECONDS", current.cache_ttl_seconds == proposed.cache_ttl_seconds),
        ("UPSTREAM_TIMEOUT_MS", current.upstream_timeout == proposed.upstream_timeout),
    ];
    let changed: Vec<&str> = names.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect();
    if !changed.is_empty() {
        notes.push(format!(
            "{} differ: what a request costs, sets aside and how long it takes is taken from the log all the same.",
            changed.join(", ")
        ));
    }
    if current.buckets_in_kv || proposed.buckets_in_kv {
        notes.push("LIMIT_STORE is kv: buckets are exact here, and let more through there.".to_owned());
    }
    if current.limits.shards > 1 || proposed.limits.shards > 1 {
        notes.push(
            "SHARDS is more than 1: here one object has all machines; several may refuse a little earlier \
             near a plan's or the service's cap."
                .to_owned(),
        );
    }
    notes
}
