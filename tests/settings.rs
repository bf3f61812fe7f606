//! Settings: the defaults of the contract, and every way to get one wrong.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::time::Duration;

use pip_aide_gateway::policy::settings::{Entry, RulesMode, Settings};

const KEY_A: &str = "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const KEY_B: &str = "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn environment(changes: &[(&str, &str)]) -> BTreeMap<String, Entry> {
    let required = [("TOKEN_KEYS", KEY_A), ("OPERATOR_KEYS", KEY_B)];
    let entries = required.iter().chain(changes);
    entries.map(|(name, value)| ((*name).to_owned(), Entry::Text((*value).to_owned()))).collect()
}

fn faults(changes: &[(&str, &str)]) -> Vec<String> {
    Settings::read(&environment(changes)).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = Settings::read(&environment(&[])).unwrap();
    assert_eq!(settings.api_base.chat_completions(), "https://api.deepseek.com/v1/chat/completions");
    assert_eq!(settings.model.model, "deepseek-chat");
    assert!(settings.api_key.is_none());
    let plan = settings.limits.plan("standard").unwrap();
    assert_eq!((plan.quota.count(), plan.quota.window_seconds(), plan.quota.burst()), (6, 60, 3));
    assert_eq!((plan.machine_daily.to_string().as_str(), plan.concurrency), ("0.05", 2));
    assert_eq!(plan.total_daily, None);
    assert!(settings.limits.plan("anonymous").is_some_and(|plan| plan.total_daily.is_some()));
    assert_eq!(settings.limits.service_daily.to_string(), "5");
    assert!(!settings.anonymous);
    assert_eq!(
        (settings.token_issuer.as_str(), settings.token_audience.as_str()),
        ("pip-aide-gateway", "pip-aide")
    );
    assert_eq!(settings.token_ttl_days, 30);
    assert_eq!((settings.max_body_bytes, settings.max_context_bytes), (1_048_576, 16_384));
    assert_eq!(settings.max_output_tokens, 150);
    assert_eq!(settings.upstream_timeout, Duration::from_secs(25));
    assert_eq!(settings.rules, RulesMode::First);
    assert_eq!(settings.cache_ttl_seconds, Some(86_400));
    assert_eq!(settings.log_retention_days, 30);
    assert!(settings.log_error_context);
    assert!(settings.cors_origins.is_empty());
}

#[test]
fn what_is_wrong_is_named_with_what_is_accepted() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("MACHINE_RATES", "6/minute")], "MACHINE_RATES: is no setting; did you mean MACHINE_RATE?"),
        (&[("DAYLY_USD", "1")], "DAYLY_USD: is no setting; did you mean DAILY_USD?"),
        (&[("DATABASE_URL", "x"), ("REGION", "x"), ("PORT", "1"), ("LOGGER", "x")], ""),
        (&[("ENROLMENT", "off")], "ENROLMENT: is no setting; did you mean ENROLLMENT?"),
        (&[("DALIY_USD", "1")], "DALIY_USD: is no setting; did you mean DAILY_USD?"),
        (&[("daily_usd", "1")], "daily_usd: is no setting; did you mean DAILY_USD?"),
        (
            &[("Log_Error_Context", "off")],
            "Log_Error_Context: is no setting; did you mean LOG_ERROR_CONTEXT?",
        ),
        (&[("DAILY_USDD", "1")], "DAILY_USDD: is no setting; did you mean DAILY_USD?"),
        (
            &[("PLAN_STANDARD_RATE", "6/minute")],
            "PLAN_STANDARD_RATE: is no setting: plan standard is set by MACHINE_RATE",
        ),
        (&[("MACHINE_RATE", "6 per minute")], "MACHINE_RATE: must be N/second"),
        (&[("MACHINE_RATE", "0/minute")], "MACHINE_RATE: must be N/second"),
        (&[("MACHINE_RATE", "06/minute")], "MACHINE_RATE: must be N/second"),
        (&[("MACHINE_RATE", "6/minutes")], "MACHINE_RATE: must be N/second"),
        (&[("MACHINE_BURST", "0")], "MACHINE_BURST: must be a whole number from 1"),
        (&[("MACHINE_DAILY_USD", "-1")], "MACHINE_DAILY_USD: must be dollars"),
        (&[("MACHINE_DAILY_USD", "")], "MACHINE_DAILY_USD: must be dollars"),
        (&[("DAILY_USD", "1e3")], "DAILY_USD: must be dollars"),
        (&[("DAILY_USD", "NaN")], "DAILY_USD: must be dollars"),
        (&[("DAY_STARTS_AT", "00:00")], "DAY_STARTS_AT: must be HH:MM and Z"),
        (&[("MODEL", "gpt-imaginary")], "MODEL: has no price"),
        (&[("MODEL", "")], "MODEL: has no price"),
        (&[("API_BASE", "http://api.deepseek.com/v1")], "API_BASE: must be an https URL"),
        (&[("API_KEY", "a b")], "API_KEY: must be visible ASCII"),
        (&[("API_KEY", "a\r\nX: b")], "API_KEY: must be visible ASCII"),
        (&[("TOKEN_KEYS", "")], "TOKEN_KEYS: is missing"),
        (&[("TOKEN_KEYS", "a=AAAA")], "TOKEN_KEYS: "),
        (&[("OPERATOR_KEYS", "")], "OPERATOR_KEYS: is missing"),
        (&[("OPERATOR_KEYS", KEY_A)], "OPERATOR_KEYS: must not share a key"),
        (&[("TOKEN_TTL_DAYS", "0")], "TOKEN_TTL_DAYS: must be a whole number"),
        (&[("UPSTREAM_TIMEOUT_MS", "28001")], "UPSTREAM_TIMEOUT_MS: must be a whole number"),
        (&[("MAX_BODY_BYTES", "1 MB")], "MAX_BODY_BYTES: must be a whole number"),
        (&[("RULES", "FIRST")], "RULES: must be one of: first, fallback, off"),
        (&[("ANONYMOUS", "on")], "ANONYMOUS: must be one of: off, limited"),
        (&[("ENROLLMENT", "on")], "ENROLLMENT: must be one of"),
        (&[("LOG_ERROR_CONTEXT", "full")], "LOG_ERROR_CONTEXT: must be one of: redacted, off"),
        (&[("LOG_RETENTION_DAYS", "0")], "LOG_RETENTION_DAYS: must be a whole number"),
        (&[("CORS_ORIGINS", "*")], "CORS_ORIGINS: must be origins"),
        (&[("PLAN_GOLD_RATE", "1/minute")], "PLAN_GOLD_BURST: is missing"),
        (&[("PLAN_ANONYMOUS_RATE", "often")], "PLAN_ANONYMOUS_RATE: must be N/second"),
        (&[("PLAN_ANONYMOUS_TOTAL_DAILY_USD", "x")], "PLAN_ANONYMOUS_TOTAL_DAILY_USD: must be dollars"),
    ];
    for (changes, begins) in cases {
        let found = faults(changes);
        if begins.is_empty() {
            assert!(found.is_empty(), "a name that is not like ours is not ours: {found:?}");
        } else {
            assert!(found.iter().any(|fault| fault.starts_with(begins)), "{changes:?}: {found:?}");
        }
        // These are secrets, so no fault repeats them.
        for (_, value) in changes.iter().filter(|(name, _)| name.contains("KEY")) {
            assert!(value.len() < 3 || found.iter().all(|fault| !fault.contains(value)), "{found:?}");
        }
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let found =
        faults(&[("RULES", "x"), ("MODEL", "x"), ("DAILY_USD", "x"), ("MACHINE_RATE", "x"), ("LOG_X", "x")]);
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn a_setting_that_is_not_a_string_is_a_fault() {
    let mut environment = environment(&[]);
    environment.insert("MACHINE_BURST".to_owned(), Entry::NotText);
    environment.insert("LOGS_KV".to_owned(), Entry::NotText);
    let faults = Settings::read(&environment).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].name, "MACHINE_BURST");
}

#[test]
fn plans_come_from_the_file_and_from_settings() {
    let settings = Settings::read(&environment(&[
        ("PLAN_ANONYMOUS_BURST", "9"),
        ("PLAN_BIG_TOTAL_RATE", "1/second"),
        ("PLAN_BIG_TOTAL_BURST", "2"),
        ("PLAN_BIG_TOTAL_DAILY_USD", "3"),
        ("PLAN_STANDARD_TOTAL_DAILY_USD", "4"),
    ]));
    // `PLAN_BIG_TOTAL_DAILY_USD` is the total of a plan `big`, not the cap of a plan `big_total`.
    let names: Vec<String> = settings.unwrap_err().iter().map(|fault| fault.name.clone()).collect();
    assert!(names.contains(&"PLAN_BIG_RATE".to_owned()), "{names:?}");
    let settings = Settings::read(&environment(&[
        ("PLAN_ANONYMOUS_BURST", "9"),
        ("PLAN_GOLD_RATE", "1/second"),
        ("PLAN_GOLD_BURST", "2"),
        ("PLAN_GOLD_DAILY_USD", "3"),
        ("PLAN_GOLD_CONCURRENCY", "4"),
        ("PLAN_STANDARD_TOTAL_DAILY_USD", "4"),
    ]))
    .unwrap();
    assert_eq!(settings.limits.plan("anonymous").unwrap().quota.burst(), 9);
    let gold = settings.limits.plan("gold").unwrap();
    assert_eq!((gold.quota.burst(), gold.machine_daily.to_string().as_str(), gold.concurrency), (2, "3", 4));
    assert_eq!(settings.limits.plan("standard").unwrap().total_daily.unwrap().to_string(), "4");
}

#[test]
fn settings_print_no_secret() {
    let secret = "sk-very-secret-indeed";
    let settings = Settings::read(&environment(&[("API_KEY", secret)])).unwrap();
    let printed = format!("{settings:?}");
    assert!(!printed.contains(secret) && !printed.contains("AAAAAAAA") && !printed.contains("AQEBAQEB"));
}

#[test]
fn an_upstream_is_asked_only_where_its_key_is_set() {
    let names = |changes: &[(&str, &str)]| -> Vec<&str> {
        Settings::read(&environment(changes)).unwrap().upstreams.iter().map(|to| to.name).collect()
    };
    assert_eq!(names(&[]), Vec::<&str>::new());
    assert_eq!(names(&[("API_KEY", "k")]), ["API_BASE"]);
    assert_eq!(names(&[("API_KEY_OPENAI", "k")]), ["openai"]);
    assert_eq!(
        names(&[("API_KEY_DEEPSEEK", "k"), ("API_KEY_OPENAI", "k"), ("API_KEY", "k")]),
        ["API_BASE", "openai", "deepseek"]
    );
    assert_eq!(names(&[("API_KEY_OPENAI", "")]), Vec::<&str>::new());
    let all = [("API_KEY_DEEPSEEK", "third"), ("API_KEY_OPENAI", "second"), ("API_KEY", "first")];
    let own = [("API_BASE", "https://models.example/v1"), all[0], all[1], all[2]];
    let settings = Settings::read(&environment(&own)).unwrap();
    let with_keys: Vec<(String, &str)> =
        settings.upstreams.iter().map(|to| (to.api_base.chat_completions(), to.key.expose())).collect();
    let expected = [
        ("https://models.example/v1/chat/completions", "first"),
        ("https://api.openai.com/v1/chat/completions", "second"),
        ("https://api.deepseek.com/v1/chat/completions", "third"),
    ];
    assert_eq!(with_keys, expected.map(|(address, key)| (address.to_owned(), key)), "each its own key");
    assert_eq!(
        faults(&[("API_KEY_OPENAI", "a\nb")]),
        ["API_KEY_OPENAI: must be visible ASCII characters without spaces"]
    );
    assert_eq!(faults(&[("API_KEY_NOBODY", "k")]), ["API_KEY_NOBODY: is no setting"]);
}
