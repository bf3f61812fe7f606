//! Tokens written by hand: no library lends itself to the wrong ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::credentials::Key;

/// The bytes of a key.
pub fn bytes(key: &Key) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(&key.secret).expect("a key is base64url")
}

/// The first two parts of a token, from JSON as it is given.
pub fn input(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// The MAC of HS256.
pub fn hs256(key: &[u8], input: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(input.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A token with a right MAC: what is refused in it is refused for another reason.
pub fn seal(key: &[u8], header: &str, claims: &str) -> String {
    sign(key, &input(header, claims))
}

/// The same over two parts that are encoded already.
pub fn sign(key: &[u8], input: &str) -> String {
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(hs256(key, input)))
}

/// These claims with one set to something else, or without it.
pub fn changed(claims: &Value, name: &str, value: Option<Value>) -> Value {
    let mut changed = claims.clone();
    let members = changed.as_object_mut().expect("claims are an object");
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    changed
}
