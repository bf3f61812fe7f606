//! Signed requests: signed by a published client, and then sent as they are or changed on the way.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Reply;
use super::credentials::{Key, unix_seconds};
use super::door::Door;
use super::gateway::request_body;
use super::node::Helper;
use super::{random_word, wait_for};
use crate::front_door::NO_CV2;

/// What a client signs. Each part can be set before it signs.
#[derive(Clone)]
pub struct ToSign {
    pub method: &'static str,
    pub target: &'static str,
    pub machine: String,
    pub key: Key,
    /// The secret as the gateway gave it; else it is derived from the key.
    pub secret: Option<String>,
    pub body: Option<Vec<u8>>,
    /// What the digest is of; else of the body.
    pub digest_of: Option<Vec<u8>>,
    /// `Content-Digest`, word for word; else it is made.
    pub digest: Option<String>,
    pub fields: Vec<&'static str>,
    pub without: Vec<&'static str>,
    pub created: u64,
    pub nonce: String,
}

/// A request as it travels.
#[derive(Clone)]
pub struct Signed {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
}

impl ToSign {
    /// An analysis that the gateway admits.
    pub fn analysis(key: &Key, machine: &str) -> Self {
        Self {
            method: "POST",
            target: "/v1/analyze",
            machine: machine.to_owned(),
            key: key.clone(),
            secret: None,
            body: Some(request_body(NO_CV2)),
            digest_of: None,
            digest: None,
            fields: vec!["@method", "@authority", "@target-uri", "content-digest"],
            without: Vec::new(),
            created: unix_seconds(),
            nonce: random_word(),
        }
    }

    /// A look at one's own limits.
    pub fn look(key: &Key, machine: &str) -> Self {
        let fields = vec!["@method", "@authority", "@target-uri"];
        Self { method: "GET", target: "/v1/me", body: None, fields, ..Self::analysis(key, machine) }
    }

    /// What the client would send to this gateway.
    pub fn sign(&self, gateway: &impl Door) -> Signed {
        static SIGNER: Helper = Helper::new("sign.mjs");
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("a body of these tests is text");
        let digest_of = self.digest_of.as_ref().or(self.body.as_ref()).map(text);
        let is_made = self.fields.contains(&"content-digest") && self.digest.is_none();
        let digest_of = digest_of.filter(|_| is_made);
        let headers = self.digest.as_ref().map_or(json!({}), |digest| json!({ "content-digest": digest }));
        let signed = SIGNER.ask(&json!({
            "method": self.method,
            "url": gateway.url(self.target),
            "headers": headers,
            "keyid": format!("{}:{}", self.key.kid, self.machine),
            "key": self.key.secret,
            "machine": self.machine,
            "secret": self.secret,
            "digest_of": digest_of,
            "fields": self.fields,
            "without": self.without,
            "created": self.created,
            "nonce": self.nonce,
        }));
        let mut headers = headers_of(&signed["headers"]);
        if self.body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        Signed { method: self.method, target: self.target.to_owned(), headers, body: self.body.clone() }
    }
}

impl Signed {
    /// Sends it.
    #[track_caller]
    pub fn send(&self, gateway: &impl Door) -> Reply {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        gateway.send(self.method, &self.target, &headers, self.body.as_deref())
    }

    /// With one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What the published clients print: method, URL, headers and the body in base64.
    pub fn printed(gateway: &impl Door, printed: &Value) -> Self {
        use base64::Engine as _;
        let text = |name: &str| printed[name].as_str().unwrap_or_else(|| panic!("no {name}: {printed}"));
        let body = base64::engine::general_purpose::STANDARD.decode(text("body")).expect("base64");
        let method = ["GET", "POST"].into_iter().find(|method| *method == text("method")).expect("a method");
        let target = text("url").strip_prefix(&gateway.url("")).expect("it is for this gateway").to_owned();
        let mut headers = headers_of(&printed["headers"]);
        // Written by the one who sends.
        headers.retain(|(name, _)| name != "content-length" && name != "host");
        Self { method, target, headers, body: Some(body).filter(|body| !body.is_empty()) }
    }
}

/// Sends what `make` gives to sign. For some seconds after a crash the ledger cannot tell whether a
/// nonce is new, and says 503: as `Retry-After` asks, the client then comes back with a new signature.
#[track_caller]
pub fn anew(gateway: &impl Door, make: impl Fn() -> ToSign) -> Reply {
    let reply = wait_for(Duration::from_secs(15), || {
        let reply = make().sign(gateway).send(gateway);
        if reply.status != 503 {
            return Some(reply);
        }
        reply.assert_problem(503, "ledger-unavailable");
        std::thread::sleep(Duration::from_secs(reply.retry_after()));
        None
    });
    reply.expect("the ledger knows again what is new")
}

fn headers_of(list: &Value) -> Vec<(String, String)> {
    serde_json::from_value(list.clone()).expect("headers are pairs")
}
