//! The settings: `[vars]` and secrets, read once an isolate into types that cannot be wrong.
//!
//! Any fault refuses the whole: a limit that is misspelt and therefore off is worse than a service
//! that says it is misconfigured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::policy::api_base::ApiBase;
use crate::policy::limits::Limits;
use crate::policy::prices::ModelPrice;
use crate::policy::reader;
use crate::policy::upstreams::Endpoint;
use crate::token::keys::Keyring;

/// One entry of the Worker's environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A string.
    Text(String),
    /// A number, a flag or a table: settings are strings.
    NotText,
}

/// Something wrong with one setting. It holds no value: values may be secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The setting's name.
    pub name: String,
    /// What is wrong and what is accepted.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.problem)
    }
}

/// A string that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Where its keys are published (RFC 7517).
    pub jwks_url: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that its tokens must hold.
    pub audience: String,
}

/// When rules answer: `RULES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RulesMode {
    /// A certain rule answers without asking the model, any rule when the model cannot be asked.
    First,
    /// Rules answer only when the model cannot be asked.
    Fallback,
    /// Rules never answer.
    Off,
}

/// Every setting of the contract's section 5.
#[derive(Debug)]
pub struct Settings {
    /// `API_BASE`.
    pub api_base: ApiBase,
    /// `API_KEY`; without it only rules answer.
    pub api_key: Option<Secret>,
    /// `MODEL`, with its prices.
    pub model: &'static ModelPrice,
    /// Every upstream that has a key, in the order in which they are asked.
    pub upstreams: Vec<Endpoint>,
    /// `MACHINE_*`, `PLAN_*`, `DAILY_USD`, `DAY_STARTS_AT`.
    pub limits: Limits,
    /// `LIMIT_STORE`: whether the buckets are in KV.
    pub buckets_in_kv: bool,
    /// `ANONYMOUS`: whether clients without a credential are let in on their own plan.
    pub anonymous: bool,
    /// `ENROLLMENT`: whether machines may enrol themselves.
    pub enrolment: bool,
    /// `JWKS_URL`, `JWT_ISSUER`, `JWT_AUDIENCE`: whose tokens count besides our own.
    pub provider: Option<Provider>,
    /// `TOKEN_KEYS`.
    pub token_keys: Keyring,
    /// `OPERATOR_KEYS`.
    pub operator_keys: Keyring,
    /// `TOKEN_ISSUER`.
    pub token_issuer: String,
    /// `TOKEN_AUDIENCE`.
    pub token_audience: String,
    /// `TOKEN_TTL_DAYS`.
    pub token_ttl_days: u64,
    /// `MAX_BODY_BYTES`.
    pub max_body_bytes: usize,
    /// `MAX_CONTEXT_BYTES`.
    pub max_context_bytes: usize,
    /// `MAX_OUTPUT_TOKENS`.
    pub max_output_tokens: u64,
    /// `UPSTREAM_TIMEOUT_MS`.
    pub upstream_timeout: Duration,
    /// `RULES`.
    pub rules: RulesMode,
    /// `CACHE_TTL_SECONDS`; `None` is off.
    pub cache_ttl_seconds: Option<u64>,
    /// `LOG_RETENTION_DAYS`.
    pub log_retention_days: u64,
    /// `LOG_ERROR_CONTEXT`: whether the redacted text is kept.
    pub log_error_context: bool,
    /// `CORS_ORIGINS`.
    pub cors_origins: Vec<String>,
}

impl Settings {
    /// Reads the environment. Every fault is found, not only the first.
    ///
    /// # Errors
    /// All the faults, in the order of their names.
    pub fn read(environment: &BTreeMap<String, Entry>) -> Result<Self, Vec<Fault>> {
        reader::read(environment)
    }
}
