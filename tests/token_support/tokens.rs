//! Tokens of every kind, written by hand: JSON as it is given, and a MAC over it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::jwt::{self, Claims, TokenPolicy};
use pip_aide_gateway::token::keys::{Keyring, render_entry};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};
use sha2::Sha256;

pub const KEY: [u8; 32] = [1; 32];
pub const OLD_KEY: [u8; 32] = [2; 32];
pub const NOW: u64 = 1_800_000_000;
pub const HEADER: &str = r#"{"alg":"HS256","typ":"JWT","kid":"new"}"#;

pub const POLICY: TokenPolicy<'_> =
    TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };

pub fn ring() -> Keyring {
    Keyring::parse(&format!("{},{}", render_entry("new", &KEY), render_entry("old", &OLD_KEY))).unwrap()
}

pub fn now() -> UnixMillis {
    UnixMillis::from_seconds(NOW)
}

pub fn verify(token: &str) -> Result<Claims, Denied> {
    jwt::verify(token, &ring(), &POLICY, now())
}

pub fn claims() -> Value {
    json!({
        "iss": "pip-aide-gateway", "aud": "pip-aide", "sub": "machine-1",
        "iat": NOW - 60, "exp": NOW + 3_600, "jti": "token-1",
    })
}

/// The usual claims with one of them set to something else.
pub fn with(name: &str, value: Value) -> String {
    let mut claims = claims();
    claims[name] = value;
    claims.to_string()
}

pub fn input(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

pub fn hs256(key: &[u8], input: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(input.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub fn seal_with(key: &[u8], header: &str, claims: &str) -> String {
    let input = input(header, claims);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(hs256(key, &input)))
}

/// A token with a right MAC: what is refused in it is refused for another reason.
pub fn seal(header: &str, claims: &str) -> String {
    seal_with(&KEY, header, claims)
}
