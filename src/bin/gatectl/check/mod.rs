//! `gatectl check`: all that can be said of a configuration before it runs. The settings are read by
//! the reader that the Worker has, the policies by the parsers that the build has.

mod bindings;
mod document;
mod parsers;
mod policies;
mod report;
mod settings;

use std::path::{Path, PathBuf};

use pip_aide_gateway::policy::settings::Settings;

use self::document::{Document, Scope};
use self::report::Report;
use self::settings::SecretsFile;
use crate::edge;
use crate::output::{Answer, Failure};

/// What to check.
#[derive(clap::Args)]
pub struct Command {
    /// The Worker's configuration
    #[arg(long, value_name = "FILE", default_value = "wrangler.toml")]
    config: PathBuf,
    /// Check the environment [env.NAME] of it; the top level without
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// Also check the secrets in this file of NAME=value lines (such as .dev.vars). No value of it is
    /// printed
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// The folder of the policies; `policies` beside the configuration without it
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// Before a deploy: namespaces whose ids are placeholders are faults too
    #[arg(long)]
    deploy: bool,
}

/// Does it; exit code 1 where something is wrong.
pub fn run(command: &Command) -> Result<Answer, Failure> {
    let text = read(&command.config)?;
    let mut report = Report::new(command.deploy);
    let shown = command.config.display().to_string();
    let document = Document::parse(&shown, &text, &mut report);
    let scope = document.as_ref().and_then(|document| document.scope(command.env.as_deref(), &mut report));
    if let Some(scope) = scope {
        let secrets = command.secrets.as_deref().map(SecretsFile::read).transpose()?;
        let buckets_in_kv = settings::check(&scope, secrets.as_ref(), &mut report);
        bindings::check(&scope, buckets_in_kv, edge::now()?, &mut report);
    }
    let beside = || command.config.parent().unwrap_or(Path::new("")).join("policies");
    policies::check(&command.policies.clone().unwrap_or_else(beside), &mut report);
    Ok(report.answer())
}

/// The settings of a configuration, for those who need them right. Secrets are made up: nothing is
/// signed with them.
pub fn settings_of(config: &Path, env: Option<&str>) -> Result<Settings, Failure> {
    let text = read(config)?;
    let mut report = Report::new(false);
    let shown = config.display().to_string();
    let document = Document::parse(&shown, &text, &mut report);
    let scope: Option<Scope<'_>> = document.as_ref().and_then(|document| document.scope(env, &mut report));
    let settings = match scope {
        Some(scope) => settings::read(&scope, &mut report)?,
        None => None,
    };
    settings.ok_or_else(|| Failure::new(format!("{shown} is not right:\n{}", report.fault_lines())))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))
}
