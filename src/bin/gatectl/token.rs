//! `gatectl token`: make tokens and look into them.

use std::time::Duration;

use pip_aide_gateway::token::jwt::{self, Minted, NewToken, TokenPolicy, operator_audience};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use crate::edge;
use crate::output::{Answer, Failure};
use crate::settings::{KeySource, Ring};

const SECONDS_PER_DAY: u64 = 86_400;

/// What to do with tokens.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Print a new token for a machine
    Mint {
        /// The machine's id: 1 to 64 letters, digits, '.', '_' or '-'
        #[arg(long, value_name = "ID", value_parser = read_machine)]
        machine: MachineId,
        /// The plan it puts the machine on; the default plan without it
        #[arg(long)]
        plan: Option<String>,
        /// How many days it lives; all that the settings allow without it
        #[arg(long, value_name = "N")]
        days: Option<u64>,
        /// Make an operator's token, with OPERATOR_KEYS
        #[arg(long)]
        operator: bool,
        #[command(flatten)]
        expected: Expected,
        #[command(flatten)]
        source: KeySource,
    },
    /// Show what a token says and whether it verifies (exit code 1 when it does not)
    Inspect {
        /// The token; read from standard input without it, which keeps it out of the shell's history
        token: Option<String>,
        #[command(flatten)]
        expected: Expected,
        #[command(flatten)]
        source: KeySource,
    },
}

/// What the gateway is set to expect of tokens.
#[derive(clap::Args)]
pub struct Expected {
    /// The gateway's TOKEN_ISSUER
    #[arg(long, env = "TOKEN_ISSUER", default_value = "pip-aide-gateway")]
    issuer: String,
    /// The gateway's TOKEN_AUDIENCE (clients' and, with "/operator" behind it, operators')
    #[arg(long, env = "TOKEN_AUDIENCE", default_value = "pip-aide")]
    audience: String,
    /// The gateway's TOKEN_TTL_DAYS
    #[arg(long, env = "TOKEN_TTL_DAYS", default_value_t = 30, value_name = "DAYS")]
    ttl_days: u64,
}

impl Expected {
    /// Whom a client's or an operator's token is for.
    pub fn audience(&self, operator: bool) -> String {
        if operator { operator_audience(&self.audience) } else { self.audience.clone() }
    }

    /// What a token for that audience must carry.
    pub fn policy<'a>(&'a self, audience: &'a str) -> TokenPolicy<'a> {
        TokenPolicy { issuer: &self.issuer, audience, ttl_days: self.ttl_days }
    }
}

/// Reads a machine's id from the command line.
pub fn read_machine(text: &str) -> Result<MachineId, String> {
    MachineId::parse(text).map_err(|error| error.to_string())
}

/// Does it.
pub fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Mint { machine, plan, days, operator, expected, source } => {
            let audience = expected.audience(operator);
            let keyring = source.keyring(ring(operator))?;
            let policy = expected.policy(&audience);
            let life = Duration::from_secs(days.unwrap_or(expected.ttl_days).saturating_mul(SECONDS_PER_DAY));
            let new = NewToken { machine: &machine, plan: plan.as_deref(), life, random: edge::random()? };
            let minted = jwt::mint(&keyring, &policy, &new, edge::now()?)
                .map_err(|error| Failure::new(error.to_string()))?;
            Ok(minted_answer(minted, operator))
        }
        Command::Inspect { token, expected, source } => {
            let token = match token {
                Some(token) => token,
                None => edge::stdin()?,
            };
            inspect(&token, &expected, &source, edge::now()?)
        }
    }
}

const fn ring(operator: bool) -> Ring {
    if operator { Ring::OperatorKeys } else { Ring::TokenKeys }
}

fn minted_answer(Minted { token, claims }: Minted, operator: bool) -> Answer {
    let kind = if operator { "operator" } else { "client" };
    let expires_at = claims.expires_at.rfc3339();
    let plan = claims.plan.as_deref().unwrap_or("the default plan");
    Answer {
        note: Some(format!(
            "{kind} token of {} on {plan}, signed with {}, good until {expires_at}; jti {}",
            claims.machine, claims.kid, claims.jti
        )),
        json: json!({
            "token": token, "kind": kind, "machine_id": claims.machine, "plan": claims.plan,
            "expires_at": expires_at, "jti": claims.jti, "kid": claims.kid,
        }),
        text: token,
        is_no: false,
    }
}

/// What a token says, and what the gateway would say to it, as a client's and as an operator's.
fn inspect(token: &str, expected: &Expected, source: &KeySource, now: UnixMillis) -> Result<Answer, Failure> {
    let peek = jwt::peek(token).map_err(|denied| Failure::new(format!("not a token: {denied}")))?;
    let mut verdicts = Vec::new();
    for operator in [false, true] {
        let ring = ring(operator);
        let Some(text) = source.find(ring.name())? else { continue };
        let keyring = source.read_ring(ring, &text)?;
        let audience = expected.audience(operator);
        let kind = if operator { "operator" } else { "client" };
        verdicts.push((kind, jwt::verify(token, &keyring, &expected.policy(&audience), now)));
    }
    if verdicts.is_empty() {
        return Err(Failure::new(
            "neither TOKEN_KEYS nor OPERATOR_KEYS is set: set one, or name a file with --keys-file .dev.vars",
        ));
    }
    let verifies_as = verdicts.iter().find(|(_, verdict)| verdict.is_ok()).map(|(kind, _)| *kind);
    let causes: serde_json::Map<String, Value> = verdicts
        .iter()
        .filter_map(|(kind, verdict)| {
            verdict.as_ref().err().map(|denied| ((*kind).to_owned(), denied.as_str().into()))
        })
        .collect();
    let verdict = match verifies_as {
        Some(kind) => format!("verifies as a {kind} token"),
        None => {
            let causes: Vec<String> =
                causes.iter().map(|(kind, cause)| format!("as a {kind} token: {cause}")).collect();
            format!("does NOT verify ({})", causes.join("; "))
        }
    };
    // Written anew, so that no byte of a stranger's token reaches the terminal unescaped.
    let (header, claims) = (as_json(&peek.header), as_json(&peek.claims));
    Ok(Answer {
        text: format!("header {header}\nclaims {claims}\n{verdict}"),
        note: None,
        json: json!({
            "header": header, "claims": claims,
            "verifies_as": verifies_as, "refused_because": causes,
        }),
        is_no: verifies_as.is_none(),
    })
}

/// A part of the token as JSON; as a text when it is none.
fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}
