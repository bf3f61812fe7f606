//! `gatectl keys`: make keys.

use pip_aide_gateway::token::keys::{is_kid, render_entry};
use serde_json::json;

use crate::edge;
use crate::output::{Answer, Failure};

/// What to do with keys.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print a new random key as `kid=base64url`, the form of TOKEN_KEYS and OPERATOR_KEYS
    New {
        /// The key's name; today's date and a random end by default
        #[arg(long)]
        kid: Option<String>,
    },
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::New { kid } => {
            let (kid, entry) = new_entry(kid)?;
            Ok(Answer::new(entry.clone(), json!({ "kid": kid, "entry": entry })))
        }
    }
}

/// A new key's name and its entry.
fn new_entry(kid: Option<String>) -> Result<(String, String), Failure> {
    let kid = match kid {
        Some(kid) if is_kid(&kid) => kid,
        Some(_) => {
            return Err(Failure::new("--kid takes 1 to 32 letters, digits, '.', '_' or '-'"));
        }
        None => {
            let date: String = edge::now()?.rfc3339().chars().take(10).collect();
            let [first, second] = edge::random()?;
            format!("{date}-{first:02x}{second:02x}")
        }
    };
    let entry = render_entry(&kid, &edge::random()?);
    Ok((kid, entry))
}
