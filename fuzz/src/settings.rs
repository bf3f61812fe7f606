//! The settings: taken whole and within the ranges that are documented, or refused by their names; and no
//! value, which may be a secret, is ever told.

use std::collections::BTreeMap;

use pip_aide_gateway::policy::names::{self, NAMES, PREFIXES, is_secret, is_setting};
use pip_aide_gateway::policy::settings::{Entry, Fault, Settings};

const KEYS: [(&str, &str); 2] = [
    ("TOKEN_KEYS", "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ("OPERATOR_KEYS", "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"),
];

/// Put behind every value: if a fault repeats a value, it repeats this. Of base64url, so that a key with it
/// may be one.
const MARK: &str = "Zk9Nhidden7Q";

type Environment = BTreeMap<String, Entry>;

/// Lines of `NAME=value`, or `7=value` for the seventh of the names; one without `=` is a setting that is no
/// text. Keys that are not among them are there.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if text.contains(MARK) {
        return;
    }
    let environment = environment(&text);
    let read = Settings::read(&environment);
    let is_unknown =
        |name: &String| PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !is_setting(name);
    match read {
        Ok(settings) => {
            assert!(!environment.keys().any(is_unknown), "{:?}", environment.keys());
            check_ranges(&settings);
        }
        Err(faults) => check_faults(&faults, &environment),
    }
    check_secrecy(&environment);
}

fn environment(text: &str) -> Environment {
    let keys = KEYS.iter().map(|(name, value)| ((*name).to_owned(), Entry::Text((*value).to_owned())));
    let lines = text.lines().take(64).map(|line| match line.split_once('=') {
        Some((name, value)) => (named(name).to_owned(), Entry::Text(value.to_owned())),
        None => (line.to_owned(), Entry::NotText),
    });
    keys.chain(lines).collect()
}

/// A fuzzer changes a number to another number with ease, and a name to another name hardly ever.
fn named(name: &str) -> &str {
    name.parse::<usize>().map_or(name, |number| NAMES[number % NAMES.len()])
}

fn mark(entry: &Entry) -> Entry {
    match entry {
        Entry::Text(text) if !text.is_empty() => Entry::Text(format!("{text}{MARK}")),
        other => other.clone(),
    }
}

/// No fault tells a value, and what is printed of the settings tells no secret.
fn check_secrecy(environment: &Environment) {
    for are_all in [false, true] {
        let marks = |name: &String| are_all || is_secret(name);
        let marked = |(name, entry): (&String, &Entry)| {
            (name.clone(), if marks(name) { mark(entry) } else { entry.clone() })
        };
        match Settings::read(&environment.iter().map(marked).collect()) {
            Ok(settings) => assert!(are_all || !format!("{settings:?}").contains(MARK), "{settings:?}"),
            Err(faults) => {
                let is_told = |fault: &Fault| fault.problem.contains(MARK);
                assert!(!faults.iter().any(is_told), "{faults:?}");
            }
        }
    }
}

/// Each fault is of a setting that is there, or of one that is missing.
fn check_faults(faults: &[Fault], environment: &Environment) {
    assert!(!faults.is_empty());
    assert!(faults.is_sorted(), "{faults:?}");
    for fault in faults {
        let Fault { name, problem } = fault;
        assert!(environment.contains_key(name) || is_setting(name), "{fault}");
        assert!(!problem.is_empty() && !problem.contains('\n'), "{fault}");
        assert_eq!(names::fault(name).is_some(), problem.starts_with("is no setting"), "{fault}");
    }
}

fn check_ranges(settings: &Settings) {
    let within = |name: &str, value: u64, least: u64, most: u64| {
        assert!((least..=most).contains(&value), "{name} is {value}");
    };
    within("TOKEN_TTL_DAYS", settings.token_ttl_days, 1, 3_650);
    within("MAX_BODY_BYTES", settings.max_body_bytes as u64, 1_024, 16_777_216);
    within("MAX_CONTEXT_BYTES", settings.max_context_bytes as u64, 1_024, 262_144);
    within("MAX_OUTPUT_TOKENS", settings.max_output_tokens, 1, 32_768);
    within("UPSTREAM_TIMEOUT_MS", settings.upstream_timeout.as_millis() as u64, 100, 28_000);
    within("CACHE_TTL_SECONDS", settings.cache_ttl_seconds.unwrap_or(1), 1, 31_536_000);
    within("LOG_RETENTION_DAYS", settings.log_retention_days, 1, 3_650);
    within("SHARDS", settings.limits.shards.into(), 1, 48);
    within("ENROLLMENT_DIFFICULTY", settings.limits.enrolment_difficulty.into(), 8, 32);
    assert!(settings.limits.plan("standard").is_some());
    assert!(!settings.anonymous || settings.limits.plan("anonymous").is_some());
    for (name, plan) in &settings.limits.plans {
        within(name, plan.quota.burst().into(), 1, 1_000_000);
        within(name, plan.concurrency.into(), 1, 10_000);
        // The bucket lets the burst through and no more.
        let now = 1_800_000_000_000_000_000;
        let full = plan.quota.level(0, now);
        assert_eq!((full.remaining, full.next_in), (plan.quota.burst(), 0), "{name}");
        assert!(plan.quota.take(plan.quota.empty_at(now), now).is_err(), "{name}");
    }
    let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(is_visible(&settings.token_issuer) && is_visible(&settings.token_audience));
    let addresses = settings.upstreams.iter().map(|endpoint| endpoint.api_base.as_str());
    let provider = settings.provider.iter().map(|provider| provider.jwks_url.as_str());
    for address in addresses.chain([settings.api_base.as_str()]).chain(provider) {
        let is_local = ["http://127.", "http://localhost", "http://[::1]"]
            .iter()
            .any(|begin| address.starts_with(begin));
        assert!(address.starts_with("https://") || is_local, "{address}");
        assert!(is_visible(address) && !address.contains(['@', '?', '#', '\\']), "{address}");
    }
    assert!(settings.upstreams.iter().all(|endpoint| is_visible(endpoint.key.expose())));
    assert!(!settings.token_keys.shares_a_key_with(&settings.operator_keys));
    assert!(settings.cors_origins.iter().all(|origin| origin != "*" && is_visible(origin)));
}
