//! `gatectl kill-switch`: whether the model may be asked.

use serde::Deserialize;
use serde_json::json;

use crate::access::Access;
use crate::gateway::{Gateway, Method};
use crate::output::{Answer, Failure};
use crate::terminal::{Colour, Paint, plain};

const PATH: &str = "/admin/kill-switch";

/// What to do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Stop every call of the model at once; rules and answers given before still serve
    Off {
        /// Why; kept and shown
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        access: Box<Access>,
    },
    /// Let the model be asked again
    On {
        #[command(flatten)]
        access: Box<Access>,
    },
    /// Show whether the model may be asked, since when, and who said why
    Status {
        #[command(flatten)]
        access: Box<Access>,
    },
}

#[derive(Deserialize)]
struct State {
    model: String,
    since: Option<String>,
    by: Option<String>,
    reason: Option<String>,
    changed: Option<bool>,
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    let (access, body) = match command {
        Command::Off { reason, .. } if reason.trim().is_empty() => {
            return Err(Failure::new("--reason takes the reason in words"));
        }
        Command::Off { reason, access } => (access, Some(json!({ "model": "off", "reason": reason }))),
        Command::On { access } => (access, Some(json!({ "model": "on" }))),
        Command::Status { access } => (access, None),
    };
    let method = if body.is_some() { Method::Put } else { Method::Get };
    let json = access.open()?.send(method, PATH, body.as_ref())?;
    let state: State = serde_json::from_value(json.clone()).map_err(|_| Gateway::not_one())?;
    if let Some(wanted) = body.as_ref().and_then(|body| body.get("model")?.as_str())
        && state.model != wanted
    {
        return Err(Failure::new(format!(
            "the gateway says that the model is {} still",
            plain(&state.model)
        )));
    }
    Ok(Answer::new(text(&state, Paint::of_stdout()), json))
}

fn text(state: &State, paint: Paint) -> String {
    let is_on = state.model == "on";
    let word = paint.colour(if is_on { Colour::Green } else { Colour::Red }, &plain(&state.model));
    let part = |before: &str, part: &Option<String>| {
        part.as_ref().map(|text| format!("{before}{}", plain(text))).unwrap_or_default()
    };
    let since = part(" since ", &state.since);
    let by = part(", by ", &state.by);
    let reason = part(": ", &state.reason);
    let already = if state.changed == Some(false) { " (as it was already)" } else { "" };
    format!("the model is {word}{since}{by}{reason}{already}")
}
