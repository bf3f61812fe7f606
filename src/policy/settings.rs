//! The settings: `[vars]` and secrets, read once an isolate into types that cannot be wrong.
//!
//! Any fault refuses the whole: a limit that is misspelt and therefore off is worse than a service
//! that says it is misconfigured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::policy::day::DayStart;
use crate::policy::limits::{Limits, parse_rate, parse_whole};
use crate::policy::plans::{ANONYMOUS, PLANS, Plan, Plans, STANDARD};
use crate::policy::prices::{self, ModelPrice};
use crate::policy::upstream::ApiBase;
use crate::token::keys::Keyring;
use crate::units::NanoUsd;

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
    /// `MACHINE_*`, `PLAN_*`, `DAILY_USD`, `DAY_STARTS_AT`.
    pub limits: Limits,
    /// `ANONYMOUS`: whether clients without a credential are let in on their own plan.
    pub anonymous: bool,
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

/// Beginnings of names that are ours. A name that begins so and is not a setting is a mistake.
const PREFIXES: [&str; 20] = [
    "ANONYMOUS", "API_", "CACHE_", "CORS_", "DAILY_", "DAY_", "ENROLLMENT", "JWKS_", "JWT_", "LIMIT_", "LOG_",
    "MACHINE_", "MAX_", "MODEL", "OPERATOR_", "PLAN_", "RULES", "SHARDS", "TOKEN_", "UPSTREAM_",
];

/// Settings that stand alone; `PLAN_<NAME>_*` come besides.
const NAMES: [&str; 32] = [
    "ANONYMOUS", "API_BASE", "API_KEY", "CACHE_TTL_SECONDS", "CORS_ORIGINS", "DAILY_USD", "DAY_STARTS_AT",
    "ENROLLMENT", "ENROLLMENT_DIFFICULTY", "JWKS_URL", "JWT_AUDIENCE", "JWT_ISSUER", "LIMIT_STORE",
    "LOG_ERROR_CONTEXT", "LOG_RETENTION_DAYS", "MACHINE_BURST", "MACHINE_CONCURRENCY", "MACHINE_DAILY_USD",
    "MACHINE_RATE", "MAX_BODY_BYTES", "MAX_CONTEXT_BYTES", "MAX_OUTPUT_TOKENS", "MODEL", "OPERATOR_KEYS", "RULES",
    "SHARDS", "TOKEN_AUDIENCE", "TOKEN_ISSUER", "TOKEN_KEYS", "TOKEN_TTL_DAYS", "UPSTREAM_TIMEOUT_MS",
    // The standard plan's cap on all of its machines together; its other limits are MACHINE_*.
    "PLAN_STANDARD_TOTAL_DAILY_USD",
];

/// The parts of a plan's settings, longest first so that `_TOTAL_DAILY_USD` is not taken for
/// `_DAILY_USD` of a plan called `x_total`.
const PLAN_PARTS: [&str; 5] = ["_TOTAL_DAILY_USD", "_DAILY_USD", "_CONCURRENCY", "_BURST", "_RATE"];

const RATE_FORM: &str = "must be N/second, N/minute, N/hour or N/day";
const USD_FORM: &str = "must be dollars as a plain decimal with at most nine places, like 0.05";

impl Settings {
    /// Reads the environment. Every fault is found, not only the first.
    ///
    /// # Errors
    /// All the faults, in the order of their names.
    pub fn read(environment: &BTreeMap<String, Entry>) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { environment, faults: Vec::new() };
        reader.refuse_unknown_names();
        let settings = reader.settings();
        let mut faults = reader.faults;
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => {
                faults.sort();
                faults.dedup();
                Err(faults)
            }
        }
    }
}

struct Reader<'a> {
    environment: &'a BTreeMap<String, Entry>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn fault(&mut self, name: &str, problem: impl Into<String>) {
        self.faults.push(Fault { name: name.to_owned(), problem: problem.into() });
    }

    fn refuse_unknown_names(&mut self) {
        let ours = |name: &&String| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let known = |name: &str| NAMES.contains(&name) || plan_part(name).is_some();
        let unknown: Vec<&String> =
            self.environment.keys().filter(ours).filter(|name| !known(name.as_str())).collect();
        for name in unknown {
            let nearest = NAMES.iter().min_by_key(|candidate| distance(name, candidate));
            let hint = nearest.filter(|candidate| distance(name, candidate) <= 3);
            let hint = hint.map_or_else(String::new, |candidate| format!("; did you mean {candidate}?"));
            let problem = match name.strip_prefix("PLAN_STANDARD_") {
                Some(part) => format!("plan standard is set by MACHINE_{part}"),
                None => format!("there is no such setting{hint}"),
            };
            self.fault(name, problem);
        }
    }

    /// The text of a setting. One that is absent takes its default.
    fn text<'s>(&'s mut self, name: &str, default: &'s str) -> Option<&'s str> {
        match self.environment.get(name) {
            None => Some(default),
            Some(Entry::Text(text)) => Some(text),
            Some(Entry::NotText) => {
                self.fault(name, "must be a string: write the value in quotes");
                None
            }
        }
    }

    /// A setting in the form that `parse` takes.
    fn parsed<T>(&mut self, name: &str, default: &str, form: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name, default)?.to_owned();
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, form);
        }
        value
    }

    fn whole(&mut self, name: &str, default: &str, least: u64, most: u64) -> Option<u64> {
        let form = format!("must be a whole number from {least} to {most}");
        self.parsed(name, default, &form, |text| parse_whole(text).filter(|value| (least..=most).contains(value)))
    }

    fn usd(&mut self, name: &str, default: &str) -> Option<NanoUsd> {
        self.parsed(name, default, USD_FORM, NanoUsd::parse_usd)
    }

    fn choice<T: Copy>(&mut self, name: &str, default: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let form = format!("must be one of: {}", names.join(", "));
        self.parsed(name, default, &form, |text| {
            choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
        })
    }

    fn keyring(&mut self, name: &str) -> Option<Keyring> {
        let Some(text) = self.text(name, "").map(str::to_owned) else {
            return None;
        };
        if text.is_empty() {
            self.fault(name, "is missing: set it with `wrangler secret put`, in the form kid=base64url");
            return None;
        }
        match Keyring::parse(&text) {
            Ok(keyring) => Some(keyring),
            Err(error) => {
                self.fault(name, error.to_string());
                None
            }
        }
    }

    fn settings(&mut self) -> Option<Settings> {
        // Every reader is called before the first `?`, so that all faults are told at once.
        let api_base = self.parsed(
            "API_BASE",
            "https://api.deepseek.com/v1",
            "must be an https URL (http only to a loopback address) without userinfo, query or fragment",
            ApiBase::parse,
        );
        let api_key = self.text("API_KEY", "").map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        let api_key = api_key.and_then(|key| self.header_safe(key));
        let model = self.parsed(
            "MODEL",
            "deepseek-chat",
            "has no price in policies/prices.toml: add it there, or set a model that has one",
            prices::find,
        );
        let limits = self.limits();
        let anonymous = self.choice("ANONYMOUS", "off", &[("off", false), ("limited", true)]);
        if anonymous == Some(true) && limits.as_ref().is_some_and(|limits| limits.plan(ANONYMOUS).is_none()) {
            self.fault("ANONYMOUS", "policies/plans.toml has no plan anonymous");
        }
        let token_keys = self.keyring("TOKEN_KEYS");
        let operator_keys = self.keyring("OPERATOR_KEYS");
        if let (Some(tokens), Some(operators)) = (&token_keys, &operator_keys)
            && tokens.shares_a_key_with(operators)
        {
            self.fault("OPERATOR_KEYS", "must not share a key with TOKEN_KEYS");
        }
        let name_form = "must be 1 to 128 visible ASCII characters";
        let token_issuer = self.parsed("TOKEN_ISSUER", "pip-aide-gateway", name_form, visible_name);
        let token_audience = self.parsed("TOKEN_AUDIENCE", "pip-aide", name_form, visible_name);
        let token_ttl_days = self.whole("TOKEN_TTL_DAYS", "30", 1, 3_650);
        let max_body_bytes = self.whole("MAX_BODY_BYTES", "1048576", 1_024, 16_777_216);
        let max_context_bytes = self.whole("MAX_CONTEXT_BYTES", "16384", 1_024, 262_144);
        let max_output_tokens = self.whole("MAX_OUTPUT_TOKENS", "150", 1, 32_768);
        // Below the 30 s that `waitUntil` is given, so that settling outlives a client that hangs up.
        let upstream_timeout_ms = self.whole("UPSTREAM_TIMEOUT_MS", "25000", 100, 28_000);
        let rules = self.choice(
            "RULES",
            "first",
            &[("first", RulesMode::First), ("fallback", RulesMode::Fallback), ("off", RulesMode::Off)],
        );
        let cache_ttl_seconds = self.whole("CACHE_TTL_SECONDS", "86400", 0, 31_536_000);
        let log_retention_days = self.whole("LOG_RETENTION_DAYS", "30", 1, 3_650);
        let log_error_context = self.choice("LOG_ERROR_CONTEXT", "redacted", &[("redacted", true), ("off", false)]);
        let cors_origins = self.parsed(
            "CORS_ORIGINS",
            "",
            "must be origins like https://example.org, separated by commas, or empty",
            parse_origins,
        );
        self.reserved_settings();
        Some(Settings {
            api_base: api_base?,
            api_key: api_key?,
            model: model?,
            limits: limits?,
            anonymous: anonymous?,
            token_keys: token_keys?,
            operator_keys: operator_keys?,
            token_issuer: token_issuer?,
            token_audience: token_audience?,
            token_ttl_days: token_ttl_days?,
            max_body_bytes: usize::try_from(max_body_bytes?).ok()?,
            max_context_bytes: usize::try_from(max_context_bytes?).ok()?,
            max_output_tokens: max_output_tokens?,
            upstream_timeout: Duration::from_millis(upstream_timeout_ms?),
            rules: rules?,
            cache_ttl_seconds: cache_ttl_seconds.map(|seconds| (seconds > 0).then_some(seconds))?,
            log_retention_days: log_retention_days?,
            log_error_context: log_error_context?,
            cors_origins: cors_origins?,
        })
    }

    /// `API_KEY` goes into a header, where a line break would end it and begin another.
    fn header_safe(&mut self, key: Option<String>) -> Option<Option<Secret>> {
        if key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.fault("API_KEY", "must be visible ASCII characters without spaces");
            return None;
        }
        Some(key.map(Secret))
    }

    /// Settings whose defaults are in force and whose other values this version cannot honour yet.
    /// They are refused, not ignored.
    fn reserved_settings(&mut self) {
        let later = "this version supports only";
        self.parsed("LIMIT_STORE", "durable_object", &format!("{later} durable_object"), |text| {
            (text == "durable_object").then_some(())
        });
        self.parsed("SHARDS", "1", &format!("{later} 1"), |text| (text == "1").then_some(()));
        self.choice("ENROLLMENT", "proof_of_work", &[("proof_of_work", ()), ("off", ())]);
        self.whole("ENROLLMENT_DIFFICULTY", "18", 8, 32);
        for name in ["JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"] {
            self.parsed(name, "", &format!("{later} leaving it unset"), |text| text.is_empty().then_some(()));
        }
    }

    fn limits(&mut self) -> Option<Limits> {
        let standard = PlanNames {
            rate: "MACHINE_RATE".to_owned(),
            burst: "MACHINE_BURST".to_owned(),
            daily_usd: "MACHINE_DAILY_USD".to_owned(),
            concurrency: "MACHINE_CONCURRENCY".to_owned(),
            total_daily_usd: "PLAN_STANDARD_TOTAL_DAILY_USD".to_owned(),
        };
        let standard_defaults =
            PlanDefaults { rate: "6/minute", burst: "3", daily_usd: "0.05", concurrency: "2", total_daily_usd: None };
        let mut plans = Plans::new();
        let mut whole = true;
        let mut add = |name: &str, plan: Option<Plan>| match plan {
            Some(plan) => drop(plans.insert(name.to_owned(), plan)),
            None => whole = false,
        };
        add(STANDARD, self.plan(&standard, Some(&standard_defaults)));
        let mut names: Vec<String> = PLANS.iter().map(|plan| plan.name.to_owned()).collect();
        names.extend(self.environment.keys().filter_map(|name| plan_part(name)).map(|(plan, _)| plan));
        names.sort();
        names.dedup();
        for name in names {
            let shipped = PLANS.iter().find(|plan| plan.name == name).map(|plan| PlanDefaults {
                rate: plan.rate,
                burst: plan.burst,
                daily_usd: plan.daily_usd,
                concurrency: plan.concurrency,
                total_daily_usd: plan.total_daily_usd,
            });
            add(&name, self.plan(&PlanNames::of(&name), shipped.as_ref()));
        }
        let service_daily = self.usd("DAILY_USD", "5.00");
        let day = self.parsed(
            "DAY_STARTS_AT",
            "00:00Z",
            "must be HH:MM and Z or an offset, like 00:00Z or 00:00+08:00",
            DayStart::parse,
        );
        whole.then_some(Limits { plans, service_daily: service_daily?, day: day? })
    }

    fn plan(&mut self, names: &PlanNames, defaults: Option<&PlanDefaults>) -> Option<Plan> {
        if defaults.is_none() {
            for name in [&names.rate, &names.burst, &names.daily_usd, &names.concurrency] {
                if !self.environment.contains_key(name) {
                    self.fault(name, "is missing: a plan that policies/plans.toml does not have needs all four");
                }
            }
        }
        // Where a default is missing the fault above stands already, whatever is read here.
        let fallback =
            PlanDefaults { rate: "1/day", burst: "1", daily_usd: "0", concurrency: "1", total_daily_usd: None };
        let defaults = defaults.unwrap_or(&fallback);
        let burst = self.whole(&names.burst, defaults.burst, 1, 1_000_000);
        let concurrency = self.whole(&names.concurrency, defaults.concurrency, 1, 10_000);
        let machine_daily = self.usd(&names.daily_usd, defaults.daily_usd);
        let total_text = self.text(&names.total_daily_usd, defaults.total_daily_usd.unwrap_or("")).map(str::to_owned);
        let total_daily = match total_text.as_deref() {
            Some("") => Some(None),
            Some(_) => self.usd(&names.total_daily_usd, defaults.total_daily_usd.unwrap_or("")).map(Some),
            None => None,
        };
        let burst = u32::try_from(burst?).ok()?;
        let quota = self.parsed(&names.rate, defaults.rate, RATE_FORM, |text| parse_rate(text, burst));
        Some(Plan {
            quota: quota?,
            concurrency: u32::try_from(concurrency?).ok()?,
            machine_daily: machine_daily?,
            total_daily: total_daily?,
        })
    }
}

/// The names of one plan's settings.
struct PlanNames {
    rate: String,
    burst: String,
    daily_usd: String,
    concurrency: String,
    total_daily_usd: String,
}

impl PlanNames {
    fn of(plan: &str) -> Self {
        let name = |part: &str| format!("PLAN_{}{part}", plan.to_ascii_uppercase());
        Self {
            rate: name("_RATE"),
            burst: name("_BURST"),
            daily_usd: name("_DAILY_USD"),
            concurrency: name("_CONCURRENCY"),
            total_daily_usd: name("_TOTAL_DAILY_USD"),
        }
    }
}

struct PlanDefaults {
    rate: &'static str,
    burst: &'static str,
    daily_usd: &'static str,
    concurrency: &'static str,
    total_daily_usd: Option<&'static str>,
}

/// The plan (in lower case) and the part of a name `PLAN_<NAME>_<PART>`. Not for `standard`, whose
/// limits have names of their own.
fn plan_part(name: &str) -> Option<(String, &'static str)> {
    let rest = name.strip_prefix("PLAN_")?;
    let (plan, part) = PLAN_PARTS.iter().find_map(|part| Some((rest.strip_suffix(part)?, *part)))?;
    let characters = plan.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let plan = plan.to_ascii_lowercase();
    (characters && (1..=32).contains(&plan.len()) && plan != STANDARD).then_some((plan, part))
}

fn visible_name(text: &str) -> Option<String> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=128).contains(&text.len())).then(|| text.to_owned())
}

fn parse_origins(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(str::trim).map(parse_origin).collect()
}

/// An origin as browsers send it: scheme, host and port, nothing after, and never `*`.
fn parse_origin(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let plain = authority.bytes().all(|byte| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
    });
    (matches!(scheme, "https" | "http") && plain && !authority.is_empty()).then(|| text.to_owned())
}

/// Edits between two names (Levenshtein), for suggestions.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, left_byte) in left.bytes().enumerate() {
        let mut before = index;
        let mut current = index.saturating_add(1);
        let mut next = vec![current];
        for (right_byte, above) in right.bytes().zip(row.iter().skip(1)) {
            let change = before.saturating_add(usize::from(left_byte != right_byte));
            before = *above;
            current = change.min(above.saturating_add(1)).min(current.saturating_add(1));
            next.push(current);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
