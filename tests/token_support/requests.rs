//! Requests, signed by hand: the signature base is written here line by line, and not by ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pip_aide_gateway::token::Denied;
use pip_aide_gateway::token::digest;
use pip_aide_gateway::token::keys::{Keyring, Purpose, render_entry};
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{Message, SignedBy, verify_head};
use pip_aide_gateway::units::UnixMillis;

pub const NOW: u64 = 1_800_000_000;
pub const BODY: &[u8] = br#"{"error_context":"x"}"#;
pub const COVERED: &str = r#""@method" "@authority" "@target-uri" "content-digest""#;

pub fn ring() -> Keyring {
    Keyring::parse(&format!("{},{}", render_entry("new", &[1; 32]), render_entry("old", &[2; 32]))).unwrap()
}

/// A request as it travels, and what has been done to it.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub scheme: &'static str,
    pub authority: &'static str,
    pub path: &'static str,
    pub query: Option<&'static str>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub has_body: bool,
}

impl Request {
    pub fn new() -> Self {
        let headers =
            [("content-digest", digest::render(BODY)), ("content-type", "application/json".to_owned())];
        Self {
            method: "POST",
            scheme: "https",
            authority: "gateway.example",
            path: "/v1/analyze",
            query: Some("a=1"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: BODY.to_vec(),
            has_body: true,
        }
    }

    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(old, _)| old != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn drop(mut self, name: &str) -> Self {
        self.headers.retain(|(old, _)| old != name);
        self
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// Signs it as an independent client would: the base is written by hand here, line by line.
    pub fn seal(self, covered: &str, parameters: &str) -> Self {
        self.seal_as(covered, parameters, "new", "machine-1")
    }

    pub fn seal_as(self, covered: &str, parameters: &str, kid: &str, machine: &str) -> Self {
        let target = match self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.to_owned(),
        };
        let mut base = String::new();
        for item in covered.split_ascii_whitespace() {
            let name = item.split(';').next().unwrap().trim_matches('"');
            let value = match name {
                "@method" => self.method.to_owned(),
                "@authority" => self.authority.to_owned(),
                "@scheme" => self.scheme.to_owned(),
                "@target-uri" => format!("{}://{}{target}", self.scheme, self.authority),
                "@request-target" => target.clone(),
                "@path" => self.path.to_owned(),
                "@query" => format!("?{}", self.query.unwrap_or_default()),
                _ => self.header(name).unwrap_or_default(),
            };
            base.push_str(&format!("{item}: {value}\n"));
        }
        let input = format!("({covered}){parameters}");
        base.push_str(&format!("\"@signature-params\": {input}"));
        let ring = ring();
        let machine = MachineId::parse(machine).unwrap();
        let key = ring.find(kid).unwrap().subkey(Purpose::RequestSigning { machine: &machine });
        let tag = STANDARD.encode(key.mac(base.as_bytes()));
        self.set("signature-input", &format!("sig={input}")).set("signature", &format!("sig=:{tag}:"))
    }

    pub fn verify_at(&self, now: UnixMillis) -> Result<SignedBy, Denied> {
        let message = Message {
            method: self.method,
            scheme: self.scheme,
            authority: self.authority,
            path: self.path,
            query: self.query,
            header: |name: &str| self.header(name),
            has_body: self.has_body,
        };
        verify_head(&message, &ring(), now)?.verify_body(&self.body)
    }

    pub fn verify(&self) -> Result<SignedBy, Denied> {
        self.verify_at(UnixMillis::from_seconds(NOW))
    }
}
