//! A model of our own that fails in a chosen way, holds its answers back, and keeps the books:
//! what it was asked and what it would bill, at one token a byte, the most a byte-level tokenizer
//! can make of a text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// How long an answer is held back at most, so that no thread stays for ever.
const LONGEST: Duration = Duration::from_secs(40);

/// What the model answers when nothing goes wrong.
pub const ANSWER: &str = "The package has another name.\n```\npip install opencv-python\n```\n";

/// What no client and no log may ever see of an error answer.
pub const INNER_ERROR: &str = "inner-billing-database-on-fire";

/// What goes wrong, chosen by `fault-<name>` in the text that the model is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// A good answer that does not say what it cost.
    NoUsage,
    /// No answer at all.
    Hang,
    /// Blank lines and never an answer: no time limit on the first byte fires.
    BlankForever,
    /// Blank lines for a while, then a good answer.
    BlankThenAnswer,
    /// A 200 that is no JSON.
    Garbage,
    /// A body that ends in the middle.
    Cut,
    /// The connection closes without a byte.
    HangUp,
    /// A redirect to another path here, where the key must not go.
    Redirect,
    /// A body of 50 MB.
    Huge,
    /// An HTML page.
    WrongType,
    /// No `choices`.
    NoChoices,
    /// A choice without a word in it.
    EmptyContent,
    /// A 500 that tells the caller's own key.
    ServerError,
    /// A 429.
    TooMany,
    /// A 500 the first time, then a good answer.
    ErrorOnce,
    /// A 429 the first time, then a good answer.
    TooManyOnce,
}

impl Fault {
    /// Every fault and its marker, all equally long, so that their prompts cost the same.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::None, "fault-none______"),
        (Self::NoUsage, "fault-no-usage__"),
        (Self::Hang, "fault-hang______"),
        (Self::BlankForever, "fault-blank-ever"),
        (Self::BlankThenAnswer, "fault-blank-then"),
        (Self::Garbage, "fault-garbage___"),
        (Self::Cut, "fault-cut_______"),
        (Self::HangUp, "fault-hang-up___"),
        (Self::Redirect, "fault-redirect__"),
        (Self::Huge, "fault-huge______"),
        (Self::WrongType, "fault-html______"),
        (Self::NoChoices, "fault-no-choices"),
        (Self::EmptyContent, "fault-empty_____"),
        (Self::ServerError, "fault-error-500_"),
        (Self::TooMany, "fault-error-429_"),
        (Self::ErrorOnce, "fault-once-500__"),
        (Self::TooManyOnce, "fault-once-429__"),
    ];

    /// The text that asks for this fault.
    pub fn marker(self) -> &'static str {
        Self::ALL.iter().find(|(fault, _)| *fault == self).map_or("", |(_, marker)| marker)
    }

    fn asked_for_by(text: &str) -> Self {
        Self::ALL.iter().find(|(_, marker)| text.contains(marker)).map_or(Self::None, |(fault, _)| *fault)
    }
}

/// One request that the model got.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub authorization: Option<String>,
    /// `traceparent` and `tracestate`.
    pub trace: (Option<String>, Option<String>),
    pub body: Value,
    /// Bytes of all messages: the most tokens that they can be.
    pub prompt_tokens: u64,
    /// The most that the answer can have; without a limit in the request, a lot.
    pub completion_tokens: u64,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    held: Mutex<bool>,
    let_go: Condvar,
    stopped: Mutex<bool>,
}

/// A running model. It stops taking requests when dropped.
pub struct Faulty {
    port: u16,
    shared: Arc<Shared>,
}

impl Faulty {
    /// Starts one.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("the loopback has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if *for_thread.stopped.lock().expect("no thread panicked") {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Self { port, shared }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no thread panicked").clone()
    }

    /// The requests whose text has `marker` in it.
    pub fn asked_with(&self, marker: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.body.to_string().contains(marker)).collect()
    }

    /// From now on keeps every answer back until [`Self::let_go`].
    pub fn hold(&self) {
        *self.shared.held.lock().expect("no thread panicked") = true;
    }

    /// Gives the answers that were kept back.
    pub fn let_go(&self) {
        *self.shared.held.lock().expect("no thread panicked") = false;
        self.shared.let_go.notify_all();
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.let_go();
        *self.shared.stopped.lock().expect("no thread panicked") = true;
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// Reads one request, books it, answers it and closes.
fn serve(shared: &Shared, mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(LONGEST));
    let _ = stream.set_write_timeout(Some(LONGEST));
    let Some((asked, text)) = read(&stream) else { return };
    let fault = Fault::asked_for_by(&text);
    let usage = (asked.prompt_tokens, asked.completion_tokens);
    let authorization = asked.authorization.clone().unwrap_or_default();
    let mut before = shared.asked.lock().expect("no thread panicked");
    // Each request has a delimiter of its own around the text, which its repetitions share.
    let is_first = !before.iter().any(|other| other.body == asked.body);
    before.push(asked);
    drop(before);
    let fault = match fault {
        Fault::ErrorOnce if is_first => Fault::ServerError,
        Fault::TooManyOnce if is_first => Fault::TooMany,
        fault => fault,
    };
    let held = shared.held.lock().expect("no thread panicked");
    drop(shared.let_go.wait_timeout_while(held, LONGEST, |held| *held));
    let _ = answer(&mut stream, fault, usage, &authorization);
    let _ = stream.shutdown(Shutdown::Both);
}

fn read(stream: &TcpStream) -> Option<(Asked, String)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    let mut authorization = None;
    let mut trace = (None, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        if name.eq_ignore_ascii_case("traceparent") {
            trace.0 = Some(value.trim().to_owned());
        }
        if name.eq_ignore_ascii_case("tracestate") {
            trace.1 = Some(value.trim().to_owned());
        }
        if name.eq_ignore_ascii_case("authorization") {
            authorization = Some(value.trim().to_owned());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let body: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let messages = body["messages"].as_array().cloned().unwrap_or_default();
    let bytes: usize =
        messages.iter().map(|message| message["content"].as_str().unwrap_or_default().len()).sum();
    let completion_tokens = body["max_tokens"].as_u64().unwrap_or(8_192);
    Some((Asked { path, authorization, trace, prompt_tokens: bytes as u64, completion_tokens, body }, text))
}

fn answer(
    stream: &mut TcpStream,
    fault: Fault,
    (prompt, completion): (u64, u64),
    authorization: &str,
) -> std::io::Result<()> {
    let json = "application/json";
    let usage = json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    });
    let mut good = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "deepseek-chat",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": ANSWER },
            "finish_reason": "stop",
        }],
        "usage": usage,
    });
    let whole = |stream: &mut TcpStream, status: &str, media_type: &str, more: &str, body: &str| {
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n{body}"
        )
    };
    match fault {
        Fault::None | Fault::ErrorOnce | Fault::TooManyOnce => {
            whole(stream, "200 OK", json, "", &good.to_string())
        }
        Fault::NoUsage => {
            good.as_object_mut().expect("an object").remove("usage");
            whole(stream, "200 OK", json, "", &good.to_string())
        }
        Fault::NoChoices => {
            good.as_object_mut().expect("an object").remove("choices");
            whole(stream, "200 OK", json, "", &good.to_string())
        }
        Fault::EmptyContent => {
            good["choices"][0]["message"]["content"] = json!(" ");
            whole(stream, "200 OK", json, "", &good.to_string())
        }
        Fault::Garbage => whole(stream, "200 OK", json, "", "}{ not json"),
        Fault::WrongType => {
            whole(stream, "200 OK", "text/html", "", "<!doctype html><p>A captive portal</p>")
        }
        Fault::Redirect => whole(stream, "307 Temporary Redirect", json, "Location: /elsewhere\r\n", "{}"),
        Fault::ServerError => {
            let body = json!({ "error": { "message": format!("{INNER_ERROR}; you sent {authorization}") } });
            whole(stream, "500 Internal Server Error", json, "", &body.to_string())
        }
        Fault::TooMany => {
            let body = json!({ "error": { "message": INNER_ERROR } });
            whole(stream, "429 Too Many Requests", json, "Retry-After: 1\r\n", &body.to_string())
        }
        Fault::HangUp => Ok(()),
        Fault::Hang => until_closed(stream),
        Fault::Cut => {
            let body = good.to_string();
            let half = &body[..body.len() / 2];
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {json}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{half}"
            )
        }
        Fault::BlankForever | Fault::BlankThenAnswer => {
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {json}\r\nConnection: close\r\n\r\n")?;
            let lines = if fault == Fault::BlankForever { LONGEST.as_millis() / 100 } else { 8 };
            for _ in 0..lines {
                stream.write_all(b"\n")?;
                stream.flush()?;
                std::thread::sleep(Duration::from_millis(100));
            }
            write!(stream, "{good}")
        }
        Fault::Huge => {
            let size = 50 << 20;
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {json}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{{\"filler\":\""
            )?;
            let filler = [b'a'; 1 << 16];
            (0..size / filler.len()).try_for_each(|_| stream.write_all(&filler))
        }
    }
}

/// Says nothing until the caller gives up.
fn until_closed(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {}
    Ok(())
}
