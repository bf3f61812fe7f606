//! Client tokens, minted by an independent library.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{project, random_bytes, random_word, support_file};

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

    /// A token with any header and claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        mint(&json!({ "header": header, "claims": claims, "key": self.secret }))
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

struct Minter {
    _process: Child,
    requests: ChildStdin,
    tokens: BufReader<ChildStdout>,
}

/// Asks the one minting process of this run; it ends when its standard input does.
fn mint(request: &Value) -> String {
    static MINTER: OnceLock<Mutex<Minter>> = OnceLock::new();
    let minter = MINTER.get_or_init(|| {
        let mut process = Command::new("node")
            .arg(support_file("mint.mjs"))
            .current_dir(project())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let requests = process.stdin.take().expect("standard input is a pipe");
        let tokens = BufReader::new(process.stdout.take().expect("standard output is a pipe"));
        Mutex::new(Minter { _process: process, requests, tokens })
    });
    let mut minter = minter.lock().expect("no test panicked while minting");
    writeln!(minter.requests, "{request}").expect("the minter takes requests");
    let mut token = String::new();
    minter.tokens.read_line(&mut token).expect("the minter answers");
    assert!(token.ends_with('\n'), "the minter ended: is jose installed (`make build`)?");
    token.trim_end().to_owned()
}
