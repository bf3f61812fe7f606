//! Enrolment, as a client without an account does it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::client::Reply;
use super::door::Door;
use super::random_bytes;

/// A client's address of its own: those of tests that run at once do not meet. Locally, nothing
/// stands before the Worker that would overwrite the header.
pub fn address() -> String {
    let [a, b, c] = random_bytes::<3>();
    format!("10.{a}.{b}.{c}")
}

/// Posts JSON from an address.
#[track_caller]
pub fn post(gateway: &impl Door, address: &str, path: &str, body: &Value) -> Reply {
    post_bytes(gateway, address, path, body.to_string().as_bytes())
}

/// Posts any bytes from an address.
#[track_caller]
pub fn post_bytes(gateway: &impl Door, address: &str, path: &str, body: &[u8]) -> Reply {
    let headers = [("CF-Connecting-IP", address), ("Content-Type", "application/json")];
    gateway.send("POST", path, &headers, Some(body))
}

/// Asks for a challenge.
#[track_caller]
pub fn challenge(gateway: &impl Door, address: &str) -> (String, u32) {
    let reply = post(gateway, address, "/v1/enroll/challenge", &json!({}));
    assert_eq!(reply.status, 200, "{reply:?}");
    let issued = reply.json();
    assert_eq!(issued["algorithm"], "sha-256", "{issued}");
    assert!(issued["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{issued}");
    let challenge = issued["challenge"].as_str().expect("a challenge is text").to_owned();
    let difficulty = issued["difficulty"].as_u64().expect("a difficulty is a number");
    (challenge, u32::try_from(difficulty).expect("a small number"))
}

/// The first number that has as many leading zero bits as asked for, or, for `met` false, has not.
pub fn solve(challenge: &str, difficulty: u32, met: bool) -> String {
    (0_u64..)
        .map(|number| number.to_string())
        .find(|solution| {
            let hash = Sha256::digest(format!("{challenge}.{solution}"));
            let zeros = hash.iter().take_while(|byte| **byte == 0).count();
            let bits = zeros as u32 * 8 + hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
            (bits >= difficulty) == met
        })
        .expect("there is always another number")
}

/// A challenge and its solution, ready to send.
#[track_caller]
pub fn solved(gateway: &impl Door, address: &str) -> Value {
    let (challenge, difficulty) = self::challenge(gateway, address);
    let solution = solve(&challenge, difficulty, true);
    json!({ "challenge": challenge, "solution": solution })
}
