//! Reading the environment into [`Settings`]: one function a form, and every fault collected.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::policy::api_base::ApiBase;
use crate::policy::limits::parse_whole;
use crate::policy::names;
use crate::policy::plans::ANONYMOUS;
use crate::policy::prices;
use crate::policy::settings::{Entry, Fault, Provider, RulesMode, Secret, Settings};
use crate::policy::upstreams::{self, Endpoint, Fallback};
use crate::token::keys::Keyring;
use crate::units::NanoUsd;

const USD_FORM: &str = "must be dollars as a plain decimal with at most nine places, like 0.05";

/// Reads every setting.
///
/// # Errors
/// All the faults, in the order of their names.
pub fn read(environment: &BTreeMap<String, Entry>) -> Result<Settings, Vec<Fault>> {
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

pub(super) struct Reader<'a> {
    pub(super) environment: &'a BTreeMap<String, Entry>,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    pub(super) fn fault(&mut self, name: &str, problem: impl Into<String>) {
        self.faults.push(Fault { name: name.to_owned(), problem: problem.into() });
    }

    fn refuse_unknown_names(&mut self) {
        for name in self.environment.keys() {
            if let Some(problem) = names::fault(name) {
                self.fault(name, problem);
            }
        }
    }

    /// The text of a setting. One that is absent takes its default.
    pub(super) fn text<'s>(&'s mut self, name: &str, default: &'s str) -> Option<&'s str> {
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
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        default: &str,
        form: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name, default)?.to_owned();
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, form);
        }
        value
    }

    pub(super) fn whole(&mut self, name: &str, default: &str, least: u64, most: u64) -> Option<u64> {
        let form = format!("must be a whole number from {least} to {most}");
        self.parsed(name, default, &form, |text| {
            parse_whole(text).filter(|value| (least..=most).contains(value))
        })
    }

    pub(super) fn usd(&mut self, name: &str, default: &str) -> Option<NanoUsd> {
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
        let text = self.text(name, "")?.to_owned();
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
        let api_key =
            self.text("API_KEY", "").map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
        let api_key = api_key.and_then(|key| self.header_safe("API_KEY", key));
        let fallbacks = self.fallbacks();
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
        let token_issuer =
            self.parsed("TOKEN_ISSUER", "pip-aide-gateway", name_form, |text| visible_name(text, 128));
        let token_audience =
            self.parsed("TOKEN_AUDIENCE", "pip-aide", name_form, |text| visible_name(text, 128));
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
        let log_error_context =
            self.choice("LOG_ERROR_CONTEXT", "redacted", &[("redacted", true), ("off", false)]);
        let cors_origins = self.parsed(
            "CORS_ORIGINS",
            "",
            "must be origins like https://example.org, separated by commas, or empty",
            parse_origins,
        );
        let enrolment =
            self.choice("ENROLLMENT", "proof_of_work", &[("proof_of_work", true), ("off", false)]);
        let provider = self.provider();
        let buckets_in_kv =
            self.choice("LIMIT_STORE", "durable_object", &[("durable_object", false), ("kv", true)]);
        let (api_base, api_key, model) = (api_base?, api_key?, model?);
        let first =
            api_key.clone().map(|key| Endpoint { name: "API_BASE", api_base: api_base.clone(), model, key });
        let upstreams = first.into_iter().chain(fallbacks?).collect();
        Some(Settings {
            api_base,
            api_key,
            model,
            upstreams,
            limits: limits?,
            buckets_in_kv: buckets_in_kv?,
            anonymous: anonymous?,
            enrolment: enrolment?,
            provider: provider?,
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

    /// The upstreams of the policy whose keys are set.
    fn fallbacks(&mut self) -> Option<Vec<Endpoint>> {
        let mut endpoints = Some(Vec::new());
        for Fallback { name, api_base, model, key } in upstreams::fallbacks() {
            let secret = self.text(key, "").map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()));
            let secret = secret.and_then(|secret| self.header_safe(key, secret));
            // The build has checked both.
            let parts = ApiBase::parse(api_base).zip(prices::find(model));
            match (secret, parts, &mut endpoints) {
                (Some(Some(key)), Some((api_base, model)), Some(endpoints)) => {
                    endpoints.push(Endpoint { name, api_base, model, key });
                }
                (Some(None), ..) => {}
                _ => endpoints = None,
            }
        }
        endpoints
    }

    /// A key goes into a header, where a line break would end it and begin another.
    fn header_safe(&mut self, name: &str, key: Option<String>) -> Option<Option<Secret>> {
        if key.as_ref().is_some_and(|key| !key.bytes().all(|byte| byte.is_ascii_graphic())) {
            self.fault(name, "must be visible ASCII characters without spaces");
            return None;
        }
        Some(key.map(Secret::new))
    }

    /// The three settings of an identity provider: all or none.
    fn provider(&mut self) -> Option<Option<Provider>> {
        let names = ["JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE"];
        let set: Vec<&str> = names
            .into_iter()
            .filter(|name| {
                self.environment.get(*name).is_some_and(|entry| *entry != Entry::Text(String::new()))
            })
            .collect();
        if set.is_empty() {
            return Some(None);
        }
        for name in names.into_iter().filter(|name| !set.contains(name)) {
            self.fault(name, "is missing: an identity provider needs JWKS_URL, JWT_ISSUER and JWT_AUDIENCE");
        }
        let url_form =
            "must be an https URL (http only to a loopback address) without userinfo, query or fragment";
        let jwks_url = self.parsed("JWKS_URL", "https://unset.invalid", url_form, ApiBase::parse);
        let name_form = "must be 1 to 512 visible ASCII characters";
        let issuer = self.parsed("JWT_ISSUER", "-", name_form, |text| visible_name(text, 512));
        let audience = self.parsed("JWT_AUDIENCE", "-", name_form, |text| visible_name(text, 512));
        Some(Some(Provider { jwks_url: jwks_url?.as_str().to_owned(), issuer: issuer?, audience: audience? }))
    }
}

fn visible_name(text: &str, longest: usize) -> Option<String> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    (visible && (1..=longest).contains(&text.len())).then(|| text.to_owned())
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
