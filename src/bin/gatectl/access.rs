//! The options of every command that asks a running gateway: where it is, and as whom to ask.

use std::time::Duration;

use pip_aide_gateway::token::jwt::{self, NewToken};
use pip_aide_gateway::token::keys::Keyring;
use pip_aide_gateway::token::machine_id::MachineId;

use crate::edge;
use crate::gateway::Gateway;
use crate::output::Failure;
use crate::settings::{KeySource, Ring};
use crate::token::{Expected, read_machine};

/// Life of a token that is made for one request.
const TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Where the gateway is, and who asks.
#[derive(clap::Args)]
pub struct Access {
    /// The gateway's address, such as https://gateway.example
    #[arg(long, value_name = "URL", env = "GATECTL_GATEWAY")]
    gateway: String,
    /// An operator's token; the environment's OPERATOR_TOKEN without it, which keeps it out of the
    /// shell's history. Without either one is made with OPERATOR_KEYS
    #[arg(long)]
    token: Option<String>,
    /// Who the gateway says it was, where a token is made
    #[arg(long, value_name = "NAME", default_value = "operator", value_parser = read_machine)]
    by: MachineId,
    #[command(flatten)]
    expected: Expected,
    #[command(flatten)]
    source: KeySource,
}

impl Access {
    /// The gateway, ready to be asked.
    pub fn open(self) -> Result<Gateway, Failure> {
        let given = match self.token {
            Some(token) => Some(token),
            None => self.source.find("OPERATOR_TOKEN")?,
        };
        let token = match given {
            Some(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                return Err(Failure::new(
                    "the operator's token has no token's form: make one with `gatectl token mint --operator`",
                ));
            }
            Some(token) => Token::Given(token),
            None => {
                let ring = Ring::OperatorKeys;
                let Some(text) = self.source.find(ring.name())? else {
                    return Err(Failure::new(
                        "no operator's token: set OPERATOR_TOKEN or OPERATOR_KEYS, or name a file with --keys-file",
                    ));
                };
                let keyring = self.source.read_ring(ring, &text)?;
                Token::Made { keyring, expected: self.expected, by: self.by }
            }
        };
        Gateway::new(&self.gateway, token)
    }
}

/// What is shown to the gateway.
pub enum Token {
    /// The operator's.
    Given(String),
    /// One made for each request, so that long work does not outlive it.
    Made { keyring: Keyring, expected: Expected, by: MachineId },
}

impl Token {
    /// The token for the next request.
    pub fn show(&self) -> Result<String, Failure> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Made { keyring, expected, by } => {
                let audience = expected.audience(true);
                let new = NewToken { machine: by, plan: None, life: TOKEN_LIFE, random: edge::random()? };
                jwt::mint(keyring, &expected.policy(&audience), &new, edge::now()?)
                    .map(|minted| minted.token)
                    .map_err(|error| Failure::new(error.to_string()))
            }
        }
    }
}
