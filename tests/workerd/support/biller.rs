//! A model of our own that is quick, fails in turn, and keeps the books of a provider: what it bills
//! for all that it took on, whatever became of its answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::faulty::ANSWER;
use super::prices;

/// How long a connection is read from, and an answer withheld, at most.
const LONGEST: Duration = Duration::from_secs(40);

/// What it does with a request. It generates an answer in every case, and bills it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Answers.
    Answer,
    /// Answers without telling what it counted.
    NoUsage,
    /// Says that it failed.
    Fail,
    /// Says nothing until the caller gives up.
    Hang,
    /// Closes the connection without a byte.
    HangUp,
}

/// How it counts tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// These, of prompt and completion, whatever is asked.
    Always(u64, u64),
    /// A token for each byte of the prompt, and as long an answer as is allowed: the most that a
    /// byte-level tokenizer can make of a request.
    Most,
}

/// What it was asked for one request of the gateway's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// How often.
    pub made: u64,
    /// Of these, those that it did not answer.
    pub failed: u64,
}

struct Shared {
    count: Count,
    deeds: Mutex<Vec<Deed>>,
    calls: Mutex<HashMap<String, Calls>>,
    asked: AtomicU64,
    billed: AtomicU64,
    told: AtomicU64,
    untold: AtomicU64,
    stopped: AtomicBool,
}

/// A running model. It stops taking requests when dropped.
pub struct Biller {
    port: u16,
    shared: Arc<Shared>,
}

impl Biller {
    /// Starts one that does `deeds` in turn, again and again.
    pub fn start(count: Count, deeds: &[Deed]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared {
            count,
            deeds: Mutex::new(deeds.to_vec()),
            calls: Mutex::default(),
            asked: AtomicU64::new(0),
            billed: AtomicU64::new(0),
            told: AtomicU64::new(0),
            untold: AtomicU64::new(0),
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
                std::thread::spawn(move || serve(&shared, &stream));
            }
        });
        Self { port, shared }
    }

    /// From now on does these in turn.
    pub fn begin(&self, deeds: &[Deed]) {
        *self.shared.deeds.lock().expect("no thread panicked") = deeds.to_vec();
    }

    /// What it was asked so far, by the id of the trace: the gateway's request, where the client began none.
    pub fn calls(&self) -> HashMap<String, Calls> {
        self.shared.calls.lock().expect("no thread panicked").clone()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Requests that it took on.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// What it bills for them, in nano-dollars.
    pub fn billed(&self) -> u64 {
        self.shared.billed.load(Ordering::SeqCst)
    }

    /// The part of the bill that it told, with its answers.
    pub fn told(&self) -> u64 {
        self.shared.told.load(Ordering::SeqCst)
    }

    /// Requests whose usage it told nobody.
    pub fn untold(&self) -> u64 {
        self.shared.untold.load(Ordering::SeqCst)
    }
}

impl Drop for Biller {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Serves a connection until it is closed, here or there.
fn serve(shared: &Shared, stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(LONGEST));
    let _ = stream.set_write_timeout(Some(LONGEST));
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Some((trace, body)) = read(&mut reader) {
        let (prompt, completion) = match shared.count {
            Count::Always(prompt, completion) => (prompt, completion),
            Count::Most => most_tokens(&body),
        };
        let number = shared.asked.fetch_add(1, Ordering::SeqCst) as usize;
        let deed = {
            let deeds = shared.deeds.lock().expect("no thread panicked");
            deeds[number % deeds.len()]
        };
        if let Some(trace) = trace {
            let mut calls = shared.calls.lock().expect("no thread panicked");
            let calls = calls.entry(trace).or_default();
            calls.made += 1;
            calls.failed += u64::from(!matches!(deed, Deed::Answer | Deed::NoUsage));
        }
        // Booked before it answers: what is on its way may be lost.
        let cost = prices::bill(prompt, completion);
        shared.billed.fetch_add(cost, Ordering::SeqCst);
        if deed == Deed::Answer {
            shared.told.fetch_add(cost, Ordering::SeqCst);
        } else {
            shared.untold.fetch_add(1, Ordering::SeqCst);
        }
        if !answer(stream, deed, prompt, completion) {
            return;
        }
    }
}

/// A request's trace and its body.
fn read(reader: &mut impl BufRead) -> Option<(Option<String>, Vec<u8>)> {
    let mut length = 0;
    let mut trace = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        if name.eq_ignore_ascii_case("traceparent") {
            trace = value.trim().split('-').nth(1).map(str::to_owned);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((trace, body))
}

fn most_tokens(body: &[u8]) -> (u64, u64) {
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let bytes: usize =
        messages.iter().map(|message| message["content"].as_str().unwrap_or_default().len()).sum();
    (bytes as u64, body["max_tokens"].as_u64().unwrap_or(8_192))
}

/// Whether the connection goes on.
fn answer(mut stream: &TcpStream, deed: Deed, prompt: u64, completion: u64) -> bool {
    let total = prompt + completion;
    let usage = json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total });
    let message = json!({ "role": "assistant", "content": ANSWER });
    let mut body = json!({
        "object": "chat.completion",
        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
    });
    let status = match deed {
        Deed::Hang => {
            let mut byte = [0];
            while stream.read(&mut byte).is_ok_and(|length| length > 0) {}
            return false;
        }
        Deed::HangUp => return false,
        Deed::Fail => {
            body = json!({ "error": { "message": "out of order" } });
            "500 Internal Server Error"
        }
        Deed::NoUsage => "200 OK",
        Deed::Answer => {
            body["usage"] = usage;
            "200 OK"
        }
    };
    let body = body.to_string();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
}
