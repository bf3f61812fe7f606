//! A wrong setting stops everything but the two routes that tell of it.

use std::time::Duration;

use crate::front_door::NO_CV2;
use crate::support::credentials::{Key, bearer};
use crate::support::gateway::{Gateway, Settings, request_body};
use crate::support::{random_word, wait_for};

/// Starts the Worker so and checks that it names the setting, keeps the value to itself and
/// serves nobody.
#[track_caller]
fn assert_refuses(name: &str, value: &str, settings: Settings) {
    let gateway = Gateway::start(settings);
    let alive = gateway.send("GET", "/healthz", &[], None);
    assert_eq!(alive.status, 200, "{name}: {}", alive.text());
    let ready = gateway.send("GET", "/readyz", &[], None);
    assert_eq!(ready.status, 503, "{name} is wrong, but: {}", ready.text());
    ready.retry_after();
    assert!(ready.text().contains(name), "{name} is not named: {}", ready.text());
    if !value.is_empty() {
        assert!(!ready.text().contains(value), "the value of {name} is told: {}", ready.text());
    }
    let authorization = bearer(&gateway.key().token("anyone"));
    for path in ["/analyze_error", "/v1/analyze"] {
        let reply = gateway.post(path, &authorization, &request_body(NO_CV2));
        reply.assert_problem(503, "misconfigured");
        reply.retry_after();
        assert!(!reply.text().contains(name), "a client is told of {name}: {}", reply.text());
    }
    let me = gateway.send("GET", "/v1/me", &[("Authorization", &authorization)], None);
    me.assert_problem(503, "misconfigured");
    gateway.send("GET", "/admin/metrics", &[], None).assert_problem(503, "misconfigured");
    gateway.post("/v1/enroll/challenge", &authorization, b"{}").assert_problem(503, "misconfigured");
    let words = format!("misconfigured: {name}");
    let told = wait_for(Duration::from_secs(20), || gateway.console().contains(&words).then_some(()));
    assert!(told.is_some(), "the log does not name {name}");
    assert!(value.is_empty() || !gateway.console().contains(value), "the log has the value of {name}");
}

/// With a model that could be asked, so that a wrong setting of it matters.
fn settings() -> Settings {
    Settings::new().secret("API_KEY", &format!("sk-{}", random_word()))
}

#[test]
fn a_name_that_is_not_ours_but_looks_it() {
    for name in ["MACHINE_RATES", "UPSTREAM_TIMEOUT", "PLAN_TEAM_DAYLY_USD"] {
        assert_refuses(name, "", settings().var(name, "6/minute"));
    }
}

#[test]
fn a_value_that_cannot_be() {
    for (name, value) in [
        ("MACHINE_RATE", "6/fortnight"),
        ("MACHINE_DAILY_USD", "-0.05"),
        ("DAY_STARTS_AT", "25:61Z"),
        ("UPSTREAM_TIMEOUT_MS", "29999"),
        ("RULES", "sometimes"),
    ] {
        assert_refuses(name, value, settings().var(name, value));
    }
}

#[test]
fn a_model_that_costs_nobody_knows_what_or_is_asked_in_the_clear() {
    assert_refuses("MODEL", "model-without-a-price", settings().var("MODEL", "model-without-a-price"));
    let clear = "http://models.example.com/v1";
    assert_refuses("API_BASE", clear, settings().var("API_BASE", clear));
}

#[test]
fn keys_that_are_missing_short_or_repeated() {
    assert_refuses("TOKEN_KEYS", "", settings().without_secret("TOKEN_KEYS"));
    let key = Key::random("a");
    let short = format!("a={}", &key.secret[..40]);
    assert_refuses("TOKEN_KEYS", &key.secret[..40], settings().secret("TOKEN_KEYS", &short));
    let twice = format!("a={0},b={0}", key.secret);
    assert_refuses("TOKEN_KEYS", &key.secret, settings().secret("TOKEN_KEYS", &twice));
}

#[test]
fn a_bucket_store_that_is_not_bound() {
    assert_refuses("LIMITS_KV", "", settings().var("LIMIT_STORE", "kv"));
}
