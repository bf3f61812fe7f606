//! What published libraries are asked to mint, and what one of them minted.

#[path = "peers.rs"]
pub mod peers;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pip_aide_gateway::token::jwks::Jwks;
use pip_aide_gateway::token::jwt::TokenPolicy;
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

pub const KEY: [u8; 32] = [5; 32];
pub const NOW: u64 = 1_800_000_000;
pub const OURS: TokenPolicy<'_> =
    TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };
pub const THEIRS: TokenPolicy<'_> =
    TokenPolicy { issuer: "https://idp.example/", audience: "https://gateway.example", ttl_days: 30 };

pub fn now() -> UnixMillis {
    UnixMillis::from_seconds(NOW)
}

pub fn foreign() -> Value {
    json!({
        "iss": THEIRS.issuer, "aud": THEIRS.audience, "sub": "user|1", "iat": NOW - 60, "exp": NOW + 3_600,
    })
}

pub fn changed(name: &str, value: Value) -> Value {
    let mut claims = foreign();
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

pub fn asked() -> Value {
    let client = json!({
        "iss": OURS.issuer, "aud": OURS.audience, "sub": "machine-1", "plan": "pro", "jti": "a-b",
        "iat": NOW, "exp": NOW + 30 * 86_400, "nbf": NOW,
    });
    let variants: BTreeMap<&str, Value> = BTreeMap::from([
        ("good", foreign()),
        ("several audiences", changed("aud", json!(["https://idp.example/userinfo", THEIRS.audience]))),
        ("with an id", changed("jti", json!("x1"))),
        ("another subject", changed("sub", json!("user|2"))),
        ("a machine's name", changed("sub", json!("machine-1"))),
        ("a plan", changed("plan", json!("unlimited"))),
        ("no audience", changed("aud", Value::Null)),
        ("another audience", changed("aud", json!(["a", "b"]))),
        ("a mixed audience", changed("aud", json!([THEIRS.audience, 1]))),
        ("no issuer", changed("iss", Value::Null)),
        ("another issuer", changed("iss", json!("https://idp.example"))),
        ("no subject", changed("sub", Value::Null)),
        ("an empty subject", changed("sub", json!(""))),
        ("a long subject", changed("sub", json!("x".repeat(256)))),
        ("no end", changed("exp", Value::Null)),
        ("ended", changed("exp", json!(NOW - 30))),
        ("no beginning", changed("iat", Value::Null)),
        ("to come", changed("iat", json!(NOW + 31))),
        ("not yet", changed("nbf", json!(NOW + 31))),
        ("too long a life", changed("exp", json!(NOW + 31 * 86_400))),
        ("a bad id", changed("jti", json!("a b"))),
    ]);
    json!({"secret": URL_SAFE_NO_PAD.encode(KEY), "kid": "k", "client": client, "foreign": variants})
}

pub fn pyjwt() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(|| peers::python("mint.py", &asked()))
}

pub fn jose() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(|| peers::node("mint.mjs", &asked()))
}

pub fn key_set(made: &Value) -> Jwks {
    Jwks::parse(json!({"keys": made["keys"]}).to_string().as_bytes()).unwrap()
}

pub fn token<'a>(made: &'a Value, name: &str) -> &'a str {
    made["tokens"][name].as_str().unwrap_or_else(|| panic!("no token {name}"))
}

/// The public key of that name, to be changed.
pub fn public(kid: &str) -> Value {
    let keys = pyjwt()["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap().clone()
}
