//! Requests signed by published clients of RFC 9421, which share no code with us or each other.

#![cfg(not(target_arch = "wasm32"))]

#[path = "token_support/peers.rs"]
mod peers;

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::keys::{Keyring, Purpose, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{Message, SignedBy, verify_head};
use pip_aide_gateway::units::UnixMillis;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Deserialize)]
struct Sent {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    fn verify(&self, ring: &Keyring) -> Result<SignedBy, Denied> {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = location.split_at(location.find('/').unwrap());
        let body = STANDARD.decode(&self.body).unwrap();
        let message = Message {
            method: &self.method,
            scheme,
            authority,
            path,
            query,
            header: |name: &str| {
                self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            },
            has_body: !body.is_empty(),
        };
        verify_head(&message, ring, now())?.verify_body(&body)
    }
}

#[expect(clippy::disallowed_methods, reason = "the clients sign with the clock of this machine")]
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    UnixMillis::from_millis(u64::try_from(since.as_millis()).unwrap())
}

fn ring() -> Keyring {
    Keyring::parse(&render_entry("k-1", &[9; 32])).unwrap()
}

/// Asks a client to sign, takes what it would send, and then changes it.
fn check(sign: impl Fn(&Value) -> Value, clients: usize) {
    let machine = MachineId::parse("machine_1.x").unwrap();
    let secret = ring().signing().subkey(Purpose::RequestSigning { machine: &machine }).reveal_secret();
    let body = json!({"error_context": "r\u{e9}sum\u{e9} \u{1f40d}\n".repeat(300)}).to_string();
    let requests = json!({
        "post": {"method": "POST", "url": "https://gateway.example/v1/analyze", "data": body},
        "query": {"method": "POST", "url": "http://127.0.0.1:8787/analyze_error?a=%20b&c=", "data": "{}"},
        "get": {"method": "GET", "url": "https://gateway.example:8443/v1/me", "data": null},
    });
    let asked = json!({"secret": secret, "keyid": "k-1:machine_1.x", "requests": requests});
    let signed = sign(&asked);
    let signed = signed.as_object().unwrap();
    assert_eq!(signed.len(), 3 * clients);
    for (name, sent) in signed {
        let sent: Sent = serde_json::from_value(sent.clone()).unwrap();
        let by = sent.verify(&ring()).unwrap_or_else(|denied| panic!("{name}: {denied} {:?}", sent.headers));
        assert_eq!((by.machine.as_str(), by.kid.as_str()), ("machine_1.x", "k-1"), "{name}");
        assert!(!by.nonce.is_empty(), "{name}");

        let other = Keyring::parse(&render_entry("k-1", &[8; 32])).unwrap();
        assert_eq!(sent.verify(&other), Err(Denied::BadSignature), "{name}");
        let moved = Sent { url: format!("{}x", sent.url), ..sent.clone() };
        assert_eq!(moved.verify(&ring()), Err(Denied::BadSignature), "{name}");
        let deleted = Sent { method: "DELETE".to_owned(), ..sent.clone() };
        assert_eq!(deleted.verify(&ring()), Err(Denied::BadSignature), "{name}");
        if !sent.body.is_empty() {
            let changed = Sent { body: STANDARD.encode("{\"error_context\":\"\"}"), ..sent.clone() };
            assert_eq!(changed.verify(&ring()), Err(Denied::DigestMismatch), "{name}");
        }
    }
}

#[test]
fn the_python_clients_are_understood() {
    check(|asked| peers::python("sign.py", asked), 2);
}

#[test]
fn the_npm_client_is_understood() {
    check(|asked| peers::node("sign.mjs", asked), 1);
}
