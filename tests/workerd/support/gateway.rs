//! The built Worker on workerd, started the way that the contract gives operators.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Reply;
use super::credentials::{Key, bearer};
use super::door::Door;
use super::process::{Folder, Supervised, free_port};
use super::raw::{self, Then};
use super::{project, random_word, wait_for};

/// Starts of the Worker that go on at once: each takes a core for some seconds.
const STARTS_AT_ONCE: usize = 2;

/// What an instance is started with.
#[derive(Clone)]
pub struct Settings {
    vars: Vec<(String, String)>,
    secrets: Vec<(String, String)>,
    key: Key,
    operator_key: Key,
    api_key: String,
}

impl Settings {
    /// The defaults, with random keys and no model.
    pub fn new() -> Self {
        let key = Key::random("client-1");
        let operator_key = Key::random("operator-1");
        let secrets = vec![
            ("TOKEN_KEYS".to_owned(), key.setting()),
            ("OPERATOR_KEYS".to_owned(), operator_key.setting()),
        ];
        Self { vars: Vec::new(), secrets, key, operator_key, api_key: format!("sk-{}", random_word()) }
    }

    /// With a setting, or with another value for one.
    pub fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.retain(|(var, _)| var != name);
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a secret, or a secret in place of one.
    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self = self.without_secret(name);
        self.secrets.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a secret.
    pub fn without_secret(mut self, name: &str) -> Self {
        self.secrets.retain(|(secret, _)| secret != name);
        self
    }

    /// With a model to ask on this port of the loopback, and always asked.
    pub fn model_on(self, port: u16) -> Self {
        let api_key = self.api_key.clone();
        self.var("API_BASE", &format!("http://127.0.0.1:{port}/v1"))
            .var("RULES", "off")
            .var("CACHE_TTL_SECONDS", "0")
            .secret("API_KEY", &api_key)
    }

    /// All of it by name, as the Worker sees it.
    pub fn bindings(&self) -> BTreeMap<&str, &str> {
        self.vars.iter().chain(&self.secrets).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The key that signs its client tokens.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The key that signs its operator tokens.
    pub fn operator_key(&self) -> &Key {
        &self.operator_key
    }

    /// With limits on rate and concurrency that no test reaches.
    pub fn unhurried(self) -> Self {
        self.var("MACHINE_RATE", "100000/minute")
            .var("MACHINE_BURST", "10000")
            .var("MACHINE_CONCURRENCY", "1000")
    }
}

/// A running Worker.
pub struct Gateway {
    settings: Settings,
    port: AtomicU16,
    // Before the folder that it writes to, so that it ends first.
    process: Mutex<Option<Supervised>>,
    folder: Folder,
}

impl Gateway {
    /// Starts one with an empty storage.
    pub fn start(settings: Settings) -> Self {
        assert!(
            project().join("build/index.js").is_file(),
            "there is no built Worker: run `make build` first"
        );
        show_logs_of_failed_tests();
        let folder = Folder::new("worker");
        let secrets: String =
            settings.secrets.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        std::fs::write(folder.path().join("secrets"), secrets).expect("the secrets are written");
        let gateway = Self { settings, folder, port: AtomicU16::new(0), process: Mutex::new(None) };
        gateway.run();
        gateway
    }

    /// Gives it another secret, from its next start on.
    pub fn change_secret(&self, name: &str, value: &str) {
        let path = self.folder.path().join("secrets");
        let before = std::fs::read_to_string(&path).expect("the secrets are there");
        let start = format!("{name}=");
        let kept = before.lines().filter(|line| !line.starts_with(&start));
        let mut secrets: String = kept.flat_map(|line| [line, "\n"]).collect();
        secrets.push_str(&format!("{name}={value}\n"));
        std::fs::write(path, secrets).expect("the secrets are written");
    }

    /// Starts one that several tests share.
    pub fn shared(settings: Settings) -> Arc<Self> {
        Arc::new(Self::start(settings))
    }

    /// Ends every process of it at once, as a power failure would, and leaves the storage.
    pub fn crash(&self) {
        let process = self.process.lock().expect("no start failed").take();
        if let Some(process) = process {
            process.kill();
        }
    }

    /// Starts it again on the same storage.
    pub fn run(&self) {
        let _turn = Turn::take();
        for _ in 0..3 {
            let process = self.spawn();
            let up = wait_for(Duration::from_secs(240), || {
                let url = self.url("/healthz");
                let up = Reply::of("GET", &url, &[], None).is_some_and(|reply| reply.status == 200);
                (up || !process.runs()).then_some(up)
            });
            match up {
                Some(true) => {
                    *self.process.lock().expect("no start failed") = Some(process);
                    self.note_use();
                    return;
                }
                // Another process may have taken the port in between: try another.
                Some(false) if process.output().contains("already in use") => {}
                _ => panic!("the Worker did not start:\n{}", process.output()),
            }
        }
        panic!("no free port was found in three tries");
    }

    fn spawn(&self) -> Supervised {
        let port = free_port();
        self.port.store(port, Ordering::SeqCst);
        let wrangler = project().join("node_modules/.bin/wrangler");
        let folder = self.folder.path();
        Supervised::start(&wrangler, self.log_file(), |command| {
            command
                .args(["dev", "--port", &port.to_string(), "--inspector-port", "0"])
                .arg("--persist-to")
                .arg(self.state())
                .arg("--env-file")
                .arg(folder.join("secrets"));
            for (name, value) in &self.settings.vars {
                command.arg("--var").arg(format!("{name}:{value}"));
            }
            command
                .current_dir(project())
                .env("CI", "true")
                .env("WRANGLER_SEND_METRICS", "false")
                .env("WRANGLER_LOG_PATH", folder)
                .env("WRANGLER_REGISTRY_PATH", folder.join("registry"));
        })
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("output.txt")
    }

    /// The folder of the local storage.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// All that the Worker and Wrangler have printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// What the Worker has printed, without Wrangler's table of its bindings.
    pub fn console(&self) -> String {
        let output = self.output();
        output.lines().filter(|line| !line.starts_with("env.")).flat_map(|line| [line, "\n"]).collect()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::SeqCst)
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port())
    }

    /// The key that signs its client tokens.
    pub fn key(&self) -> &Key {
        &self.settings.key
    }

    /// The key that signs its operator tokens.
    pub fn operator_key(&self) -> &Key {
        &self.settings.operator_key
    }

    /// The provider's key that it was given.
    pub fn api_key(&self) -> &str {
        &self.settings.api_key
    }

    /// Sends a request and checks what every answer must have.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        self.note_use();
        for _ in 0..5 {
            let reply = Reply::of(method, &self.url(path), headers, body)
                .unwrap_or_else(|| panic!("{method} {path} got no answer"));
            if !is_lost_by_the_proxy(&reply) {
                reply.assert_common_headers();
                return reply;
            }
        }
        panic!("{method} {path} is lost between Wrangler and the Worker again and again");
    }

    /// Sends a request byte for byte. There may be nobody to answer it.
    pub fn send_raw(&self, bytes: &[u8], then: Then) -> Option<Reply> {
        self.note_use();
        let replies = std::iter::repeat_with(|| raw::exchange(self.port(), bytes, then)).take(5);
        replies.map_while(|reply| reply).find(|reply| !is_lost_by_the_proxy(reply))
    }

    /// Posts JSON with an `Authorization` header.
    #[track_caller]
    pub fn post(&self, path: &str, authorization: &str, body: &[u8]) -> Reply {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        self.send("POST", path, &headers, Some(body))
    }

    /// Asks for an analysis as a machine with a good token.
    #[track_caller]
    pub fn analyze(&self, path: &str, machine: &str, error_context: &str) -> Reply {
        self.post(path, &bearer(&self.key().token(machine)), &request_body(error_context))
    }

    /// What a machine sees of its own limits.
    #[track_caller]
    pub fn me(&self, machine: &str) -> Me {
        let token = bearer(&self.key().token(machine));
        let reply = self.send("GET", "/v1/me", &[("Authorization", &token)], None);
        assert_eq!(reply.status, 200, "{}", reply.text());
        Me(reply.json())
    }

    /// What this test should show should it fail.
    pub fn note_use(&self) {
        note_output(&self.log_file());
    }
}

impl Door for Gateway {
    fn url(&self, path: &str) -> String {
        self.url(path)
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        self.send(method, path, headers, body)
    }
}

/// Whether an answer comes from the proxy that `wrangler dev` puts before the Worker: now and then
/// it sends a request down a connection that has just been closed for being idle. The Worker has not
/// seen such a request.
fn is_lost_by_the_proxy(reply: &Reply) -> bool {
    reply.status == 503 && reply.text().starts_with("Your worker restarted mid-request.")
}

/// A request for an analysis, as pip-aide writes it.
pub fn request_body(error_context: &str) -> Vec<u8> {
    json!({ "machine_id": "0x1badcafe", "error_context": error_context }).to_string().into_bytes()
}

/// The answer of `GET /v1/me`.
#[derive(Clone, Debug)]
pub struct Me(pub Value);

impl Me {
    /// What the machine has spent today, in nano-dollars.
    #[track_caller]
    pub fn spent(&self) -> u64 {
        nano_usd(&self.0["spend"]["today_usd"])
    }
}

/// A decimal string of dollars in nano-dollars, read exactly.
#[track_caller]
pub fn nano_usd(value: &Value) -> u64 {
    let text = value.as_str().unwrap_or_else(|| panic!("an amount is no string: {value}"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 9, "more than nine places: {text}");
    let digits = format!("{whole}{fraction:0<9}");
    assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "no decimal: {text}");
    digits.parse().unwrap_or_else(|_| panic!("no decimal: {text}"))
}

/// Nano-dollars as a setting.
pub fn usd(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

thread_local! {
    static USED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

/// This file is to be shown should the test of this thread fail.
pub(super) fn note_output(file: &Path) {
    USED.with_borrow_mut(|used| {
        if !used.iter().any(|path| path == file) {
            used.push(file.to_owned());
        }
    });
}

/// Lets a failing test print the end of what its Workers printed.
pub(super) fn show_logs_of_failed_tests() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            before(info);
            USED.with_borrow(|used| used.iter().for_each(|path| show_end(path)));
        }));
    });
}

fn show_end(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(25)..];
    eprintln!("--- the end of what the Worker printed:\n{}\n---", end.join("\n"));
}

/// A turn at starting a Worker.
pub(super) struct Turn;

static STARTING: Mutex<usize> = Mutex::new(0);

impl Turn {
    pub(super) fn take() -> Self {
        wait_for(Duration::from_secs(900), || {
            let mut starting = STARTING.lock().ok()?;
            (*starting < STARTS_AT_ONCE).then(|| *starting += 1)
        })
        .expect("a turn to start the Worker comes");
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Ok(mut starting) = STARTING.lock() {
            *starting -= 1;
        }
    }
}
