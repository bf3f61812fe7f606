//! `gatectl revoke`: take credentials out of use on a running gateway, take that back, list it.

use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use crate::access::Access;
use crate::edge;
use crate::gateway::{Gateway, Method};
use crate::output::{Answer, Failure};
use crate::terminal::plain;

const PATH: &str = "/admin/revocations";

/// What to take out of use, and where.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["machine", "jti", "issued_before", "list"]))]
pub struct Command {
    /// Everything of this machine: tokens, also those to come, and signed requests. An identity
    /// provider's subject (jwt~...) and a network (net~...) go by the names that the log shows
    #[arg(long, value_name = "ID", value_parser = read_name)]
    machine: Option<String>,
    /// One token, by its id: `gatectl token inspect` shows it
    #[arg(long, value_name = "ID", value_parser = read_name)]
    jti: Option<String>,
    /// Everything issued before this moment, such as 2026-01-31T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = read_moment)]
    issued_before: Option<UnixMillis>,
    /// Show what is out of use, since when, by whom and why
    #[arg(long, conflicts_with_all = ["reason", "take_back"])]
    list: bool,
    /// Why; kept and listed
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "take_back"])]
    reason: Option<String>,
    /// Put it in use again (exit code 1 when it was not out of use)
    #[arg(long, conflicts_with = "reason")]
    take_back: bool,
    #[command(flatten)]
    access: Access,
}

/// What a revocation is about.
enum Target {
    Machine(String),
    Jti(String),
    IssuedBefore(UnixMillis),
}

impl Target {
    /// The member of the request's body, and its value.
    fn member(&self) -> (&'static str, String) {
        match self {
            Self::Machine(machine) => ("machine", machine.clone()),
            Self::Jti(jti) => ("jti", jti.clone()),
            Self::IssuedBefore(moment) => ("issued_before", moment.rfc3339()),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Machine(machine) => format!("machine {machine}"),
            Self::Jti(jti) => format!("token {jti}"),
            Self::IssuedBefore(moment) => format!("what was issued before {}", moment.rfc3339()),
        }
    }
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    let now = edge::now()?;
    if command.issued_before.is_some_and(|moment| moment > now) {
        return Err(Failure::new(
            "--issued-before is in the future: until then every new credential would be refused as well",
        ));
    }
    let target = target(&command);
    let gateway = command.access.open()?;
    let Some(target) = target else {
        return list(&gateway.send(Method::Get, PATH, None)?);
    };
    let (member, value) = target.member();
    let mut body = json!({ member: value });
    let method = match command.reason {
        Some(reason) if reason.trim().is_empty() => {
            return Err(Failure::new("--reason takes the reason in words"));
        }
        Some(reason) => {
            if let Some(members) = body.as_object_mut() {
                members.insert("reason".to_owned(), reason.into());
            }
            Method::Post
        }
        None => Method::Delete,
    };
    let answer = gateway.send(method, PATH, Some(&body))?;
    let changed = answer.get("changed").and_then(Value::as_bool).ok_or_else(Gateway::not_one)?;
    Ok(changed_answer(&target, method == Method::Post, changed))
}

fn target(command: &Command) -> Option<Target> {
    let machine = command.machine.clone().map(Target::Machine);
    let jti = command.jti.clone().map(Target::Jti);
    machine.or(jti).or(command.issued_before.map(Target::IssuedBefore))
}

fn changed_answer(target: &Target, revoked: bool, changed: bool) -> Answer {
    let (member, value) = target.member();
    let words = target.words();
    let text = match (revoked, changed) {
        (true, true) => format!("{words} is out of use"),
        (true, false) => format!("{words} was out of use already; the first reason stands"),
        (false, true) => format!("{words} is in use again"),
        (false, false) => format!("{words} was not out of use"),
    };
    Answer {
        text,
        note: None,
        json: json!({ member: value, "revoked": revoked, "changed": changed }),
        is_no: !revoked && !changed,
    }
}

fn list(answer: &Value) -> Result<Answer, Failure> {
    let revocations = answer.get("revocations").and_then(Value::as_array).ok_or_else(Gateway::not_one)?;
    let lines: Option<Vec<String>> = revocations.iter().map(list_line).collect();
    let lines = lines.ok_or_else(Gateway::not_one)?;
    let text = if lines.is_empty() { "nothing is out of use".to_owned() } else { lines.join("\n") };
    Ok(Answer::new(text, json!({ "revocations": revocations })))
}

/// One revocation, its parts separated by tabs; `None` when it has no form that is known.
fn list_line(revocation: &Value) -> Option<String> {
    let text = |name| revocation.get(name).and_then(Value::as_str);
    let (kind, value) =
        ["machine", "jti", "issued_before"].into_iter().find_map(|name| Some((name, text(name)?)))?;
    let parts = [kind, value, text("at")?, text("by")?, text("reason")?];
    Some(parts.map(plain).join("\t"))
}

/// Reads a machine's name or a token's id: what the gateway takes.
pub fn read_name(text: &str) -> Result<String, String> {
    let fits = (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err("1 to 128 ASCII characters without spaces".to_owned()) }
}

/// Reads a moment.
pub fn read_moment(text: &str) -> Result<UnixMillis, String> {
    UnixMillis::parse_rfc3339(text).ok_or_else(|| "RFC 3339 in UTC, such as 2026-01-31T00:00:00Z".to_owned())
}
