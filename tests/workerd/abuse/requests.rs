//! Requests as bytes, and credentials made by the thousand: with the project's own code, since a
//! helper that is asked for each would be the slowest part of the attack. That these are what independent
//! libraries make is shown elsewhere (`minted`, `signed`).

use std::time::Duration;

use pip_aide_gateway::token::jwt::{NewToken, TokenPolicy, mint};
use pip_aide_gateway::token::keys::Keyring;
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{Message, SignatureHeaders, sign};
use pip_aide_gateway::units::UnixMillis;
use serde_json::json;

use crate::support::credentials::{Key, bearer, unix_seconds};
use crate::support::random_bytes;

/// Where the tests' requests say that they go.
const HOST: &str = "gateway.example";

/// A request, whole.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = head(method, path, headers).into_bytes();
    if method == "POST" {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Its first lines, without the framing and the empty line.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {HOST}\r\n");
    if method == "POST" {
        head.push_str("Content-Type: application/json\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// A question, with the network that the platform would tell.
pub fn analysis(headers: &[(&str, &str)], error_context: &str) -> Vec<u8> {
    let body = json!({ "machine_id": "0x1badcafe", "error_context": error_context }).to_string();
    request("POST", "/v1/analyze", headers, body.as_bytes())
}

/// `Authorization` of a machine, on a plan of its own or on the standard one.
pub fn token(key: &Key, machine: &str, plan: Option<&str>) -> String {
    let ring = Keyring::parse(&key.setting()).expect("a ring");
    let policy = TokenPolicy { issuer: "pip-aide-gateway", audience: "pip-aide", ttl_days: 30 };
    let machine = MachineId::parse(machine).expect("a machine's name");
    let life = Duration::from_secs(3_600);
    let new = NewToken { machine: &machine, plan, life, random: random_bytes() };
    let minted = mint(&ring, &policy, &new, UnixMillis::from_seconds(unix_seconds()));
    bearer(&minted.expect("a token").token)
}

/// The headers of a signed `GET /v1/me`.
pub fn signature(key: &Key, machine: &str, nonce: &str) -> SignatureHeaders {
    let ring = Keyring::parse(&key.setting()).expect("a ring");
    let message = Message {
        method: "GET",
        scheme: "http",
        authority: HOST,
        path: "/v1/me",
        query: None,
        header: |_: &str| None::<String>,
        has_body: false,
    };
    let machine = MachineId::parse(machine).expect("a machine's name");
    sign(&message, b"", &ring, &machine, nonce, UnixMillis::from_seconds(unix_seconds()))
        .expect("a signature")
}

/// An IPv4 address for each number, of which 16 million differ.
pub fn network(number: u64) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}
