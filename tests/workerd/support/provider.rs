//! An identity provider: jose makes keys and tokens, and a small server of our own publishes them,
//! or fails in a chosen way.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::credentials::unix_seconds;
use super::node::Helper;
use super::random_word;

static JOSE: Helper = Helper::new("provider.mjs");

/// What the server does when it is asked for the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Gives them.
    Keys,
    /// Sends to another path here, where they are.
    Redirect,
    /// Gives them, and then more than anybody should read.
    Huge,
    /// Closes the connection without a byte.
    HangUp,
    /// Takes the request and says nothing.
    Stall,
    /// Gives the head, and then a byte now and then, for ever.
    Drip,
    /// A 500 with the keys in it.
    ServerError,
    /// A page.
    Html,
}

/// A running provider.
pub struct Provider {
    port: u16,
    shared: Arc<Shared>,
    prefix: String,
}

struct Shared {
    keys: Mutex<Vec<Value>>,
    answer: Mutex<Answer>,
    asked: Mutex<Vec<String>>,
    sent: AtomicUsize,
    stopped: AtomicBool,
}

impl Provider {
    /// Starts one without a key.
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared {
            keys: Mutex::default(),
            answer: Mutex::new(answer),
            asked: Mutex::default(),
            sent: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { port, shared, prefix: random_word() }
    }

    /// Where it publishes its keys.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/keys", self.port)
    }

    /// From now on answers so.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answer.lock().expect("no thread panicked") = answer;
    }

    /// The paths that it was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("no thread panicked").clone()
    }

    /// Bytes that were taken from it.
    pub fn sent(&self) -> usize {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// A new key pair, published, or known to nobody.
    pub fn key(&self, name: &str, algorithm: &str, published: bool) -> String {
        let kid = format!("{}-{name}", self.prefix);
        let public = JOSE.ask(&json!({ "make": { "kid": kid, "alg": algorithm } }));
        if published {
            self.publish(&public);
        }
        kid
    }

    /// Publishes one more key.
    pub fn publish(&self, key: &Value) {
        self.shared.keys.lock().expect("no thread panicked").push(key.clone());
    }

    /// A token of one of its keys.
    pub fn token(&self, kid: &str, header: &Value, claims: &Value) -> String {
        let token = JOSE.ask(&json!({ "sign": { "kid": kid, "header": header, "claims": claims } }));
        token.as_str().expect("a token is text").to_owned()
    }

    /// Tokens that are signed with what everybody knows, by the form of the key that they are signed
    /// with. `named` is what they call that key.
    pub fn confused(&self, kid: &str, named: &str, claims: &Value) -> BTreeMap<String, String> {
        let tokens = JOSE.ask(&json!({ "confuse": { "kid": kid, "named": named, "claims": claims } }));
        serde_json::from_value(tokens).expect("tokens are texts")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Claims that the gateway of these tests takes from the provider.
pub fn claims(subject: &str) -> Value {
    let now = unix_seconds();
    json!({
        "iss": "https://issuer.example", "aud": "gateway", "sub": subject,
        "iat": now, "exp": now + 3_600, "jti": random_word(),
    })
}

fn serve(shared: &Shared, mut stream: TcpStream) {
    let limit = Some(Duration::from_secs(30));
    let _ = stream.set_read_timeout(limit);
    let _ = stream.set_write_timeout(limit);
    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    while lines.next().is_some_and(|line| !line.is_empty()) {}
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    shared.asked.lock().expect("no thread panicked").push(path.clone());
    let keys = shared.keys.lock().expect("no thread panicked").clone();
    let document = json!({ "keys": keys }).to_string();
    let answer = *shared.answer.lock().expect("no thread panicked");
    let answer = if path == "/moved" { Answer::Keys } else { answer };
    let _ = respond(shared, &mut stream, answer, &document);
    let _ = stream.shutdown(Shutdown::Both);
}

/// Waits until the provider is stopped, or `goes_on` says no; at most as long as any test lasts.
fn wait_while(mut goes_on: impl FnMut() -> bool, shared: &Shared) {
    for _ in 0..600 {
        if !goes_on() || shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn respond(shared: &Shared, stream: &mut TcpStream, answer: Answer, document: &str) -> std::io::Result<()> {
    let (status, kind) = match answer {
        Answer::HangUp => return Ok(()),
        Answer::Stall => {
            wait_while(|| true, shared);
            return Ok(());
        }
        Answer::Redirect => ("302 Found\r\nLocation: /moved", "application/json"),
        Answer::ServerError => ("500 Internal Server Error", "application/json"),
        Answer::Html => ("200 OK", "text/html"),
        Answer::Keys | Answer::Huge | Answer::Drip => ("200 OK", "application/json"),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n")?;
    if answer == Answer::Drip {
        wait_while(|| stream.write_all(b" ").is_ok(), shared);
        return Ok(());
    }
    let body = if answer == Answer::Html { "<html>keys</html>" } else { document };
    stream.write_all(body.as_bytes())?;
    shared.sent.fetch_add(body.len(), Ordering::SeqCst);
    // Blanks after the document: JSON is whole without them.
    let blanks = [b' '; 65_536];
    for _ in 0..if answer == Answer::Huge { 1_024 } else { 0 } {
        stream.write_all(&blanks)?;
        shared.sent.fetch_add(blanks.len(), Ordering::SeqCst);
    }
    Ok(())
}
