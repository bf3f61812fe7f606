//! Client tokens, minted by an independent library.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::node::Helper;
use super::{random_bytes, random_word};

/// One entry of `TOKEN_KEYS`.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    pub secret: String,
}

impl Key {
    /// A new random key.
    pub fn random(kid: &str) -> Self {
        Self { kid: kid.to_owned(), secret: URL_SAFE_NO_PAD.encode(random_bytes::<32>()) }
    }

    /// As it stands in the setting.
    pub fn setting(&self) -> String {
        format!("{}={}", self.kid, self.secret)
    }

    /// The JOSE header of tokens signed with this key.
    pub fn header(&self) -> Value {
        json!({ "alg": "HS256", "typ": "JWT", "kid": self.kid })
    }

    /// A token that the contract accepts.
    pub fn token(&self, machine: &str) -> String {
        self.sign(&self.header(), &claims(machine))
    }

    /// An operator's token, if this is a key for such.
    pub fn operator_token(&self, name: &str) -> String {
        let mut claims = claims(name);
        claims["aud"] = Value::from("pip-aide/operator");
        self.sign(&self.header(), &claims)
    }

    /// A token with any header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        static MINTER: Helper = Helper::new("mint.mjs");
        let token = MINTER.ask(&json!({ "header": header, "claims": claims, "key": self.secret }));
        token.as_str().expect("a token is text").to_owned()
    }
}

/// Claims that the contract accepts with the default settings.
pub fn claims(machine: &str) -> Value {
    let now = unix_seconds();
    json!({
        "iss": "pip-aide-gateway",
        "aud": "pip-aide",
        "sub": machine,
        "iat": now,
        "exp": now + 3_600,
        "jti": random_word(),
    })
}

/// A token that is not signed at all.
pub fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none", "typ": "JWT" })), part(claims))
}

/// `Authorization: Bearer`.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// `Authorization: Basic`, with the token for a password.
pub fn basic(name: &str, token: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{token}")))
}

/// The wall clock.
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}
