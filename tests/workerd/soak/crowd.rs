//! Those who ask: machines with tokens and with signatures, old clients, strangers, and some who hang up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::{self, Display};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::questions::{Kind, TURNS, new_question, popular_question};
use crate::front_door::NO_CV2;
use crate::support::biller::Calls;
use crate::support::client::Reply;
use crate::support::credentials::{Key, bearer, claims};
use crate::support::door::Door;
use crate::support::gateway::{Settings, request_body};
use crate::support::load::{Line, written};
use crate::support::signing::ToSign;

/// Clients that ask at a time.
pub const AT_ONCE: usize = 32;
const MACHINES: usize = 200;
/// Between an answer and the next request of the same client.
const PAUSE: Duration = Duration::from_millis(2);

/// Whether something is excused: while it is begun, and until a moment, in milliseconds since the crowd came.
#[derive(Default)]
pub struct Excuse {
    begun: AtomicBool,
    until: AtomicU64,
    /// Answers that came while it was.
    answers: AtomicU64,
}

/// All of them.
pub struct Crowd {
    since: Instant,
    port: AtomicU16,
    home: AtomicBool,
    tokens: Vec<String>,
    key: Key,
    /// That the ledger refuses.
    pub ledger: Excuse,
    /// That it refuses what is signed: it may have forgotten nonces.
    pub nonces: Excuse,
    /// That the model fails.
    pub model: Excuse,
    busy: Mutex<Duration>,
    counts: Mutex<BTreeMap<(Kind, u16), u64>>,
    unanswered: AtomicU64,
    /// Sent once more, as the connection had ended that the client kept.
    resent: AtomicU64,
    /// The ids of what was answered after it was admitted.
    answered: Mutex<HashSet<String>>,
    /// Failures of the model that the weather does not excuse: the books have to.
    failed: Mutex<Vec<String>>,
    broken: Mutex<Vec<String>>,
}

impl Crowd {
    /// Machines of these settings.
    pub fn new(settings: &Settings) -> Self {
        let key = settings.key().clone();
        let token = |number| {
            let mut claims = claims(&format!("soaked-{number}"));
            // Good also when the clock is wrong by minutes.
            claims["iat"] = json!(claims["iat"].as_u64().expect("a moment") - 600);
            bearer(&key.sign(&key.header(), &claims))
        };
        Self {
            since: Instant::now(),
            port: AtomicU16::new(0),
            home: AtomicBool::new(true),
            tokens: (0..MACHINES).map(token).collect(),
            key,
            ledger: Excuse::default(),
            nonces: Excuse::default(),
            model: Excuse::default(),
            busy: Mutex::default(),
            counts: Mutex::default(),
            unanswered: AtomicU64::new(0),
            resent: AtomicU64::new(0),
            answered: Mutex::default(),
            failed: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    /// From now on they ask on this port.
    pub fn goes_to(&self, port: u16) {
        self.port.store(port, Ordering::SeqCst);
    }

    /// From now on this is excused.
    pub fn begin(&self, excuse: &Excuse) {
        excuse.begun.store(true, Ordering::SeqCst);
    }

    /// For so long from now it still is, or for as long as was said before.
    pub fn end(&self, excuse: &Excuse, time: Duration) {
        let until = self.since.elapsed().saturating_add(time).as_millis();
        excuse.until.fetch_max(u64::try_from(until).unwrap_or(u64::MAX), Ordering::SeqCst);
        excuse.begun.store(false, Ordering::SeqCst);
    }

    fn is_excused(&self, excuse: &Excuse, asked_at: Duration) -> bool {
        // In this order, so that one that is ended meanwhile is seen either way.
        excuse.begun.load(Ordering::SeqCst)
            || asked_at.as_millis() <= u128::from(excuse.until.load(Ordering::SeqCst))
    }

    /// They ask without end while `deed` is done.
    pub fn during(&self, deed: impl FnOnce()) {
        let started = Instant::now();
        self.home.store(false, Ordering::SeqCst);
        std::thread::scope(|scope| {
            for number in 0..AT_ONCE {
                scope.spawn(move || self.ask(number));
            }
            // They go home also when the deed fails.
            let _home = GoesHome(self);
            deed();
        });
        *self.busy.lock().expect("nobody panicked") += started.elapsed();
    }

    /// How many requests had no answer so far.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.load(Ordering::SeqCst)
    }

    /// The ids of what was answered after the ledger admitted it.
    pub fn answered(&self) -> HashSet<String> {
        self.answered.lock().expect("nobody panicked").clone()
    }

    /// Every answer is one that docs/guarantees.md has for what was wrong at the time.
    #[track_caller]
    pub fn assert_as_promised(&self, calls: &HashMap<String, Calls>) {
        let broken = self.broken.lock().expect("nobody panicked");
        assert!(
            broken.is_empty(),
            "{} answers are not as promised: {:?}",
            broken.len(),
            &broken[..broken.len().min(5)]
        );
        let failed = self.failed.lock().expect("nobody panicked");
        let unfounded: Vec<&String> =
            failed.iter().filter(|id| calls.get(*id).is_none_or(|calls| calls.failed == 0)).collect();
        assert!(unfounded.is_empty(), "the model did not fail in {unfounded:?}");
    }

    fn ask(&self, number: usize) {
        let mut port = self.port.load(Ordering::SeqCst);
        let mut line = Line::to(port);
        let mut turn = number * 7;
        while !self.home.load(Ordering::SeqCst) {
            turn += 1;
            let kind = TURNS[turn % TURNS.len()];
            let machine = (turn * AT_ONCE + number) % MACHINES;
            let asked_at = self.since.elapsed();
            let request = self.request(kind, machine, port);
            if kind == Kind::HangsUp {
                let sent =
                    TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| stream.write_all(&request));
                drop(sent);
            } else if let Some(reply) = line.send(&request) {
                self.judge(kind, &reply, asked_at);
            } else {
                // It has just died, or is not up yet.
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
            let now = self.port.load(Ordering::SeqCst);
            if now != port {
                self.resent.fetch_add(line.resent, Ordering::Relaxed);
                (port, line) = (now, Line::to(now));
            }
            std::thread::sleep(PAUSE);
        }
        self.resent.fetch_add(line.resent, Ordering::Relaxed);
    }

    fn request(&self, kind: Kind, machine: usize, port: u16) -> Vec<u8> {
        let json = ("Content-Type", "application/json");
        let token = self.tokens[machine].as_str();
        let post = |path, token, context: &str| {
            written(port, "POST", path, &[("Authorization", token), json], &request_body(context))
        };
        match kind {
            Kind::New | Kind::HangsUp => post("/v1/analyze", token, &new_question()),
            Kind::Popular => post("/v1/analyze", token, &popular_question(machine)),
            Kind::Rule => post("/v1/analyze", token, NO_CV2),
            Kind::OldClient => post("/analyze_error", token, &new_question()),
            Kind::Stranger => post("/v1/analyze", "Bearer nobody", &new_question()),
            Kind::Look => written(port, "GET", "/v1/me", &[("Authorization", token)], b""),
            Kind::Signed => {
                let mut to_sign = ToSign::analysis(&self.key, &format!("signed-{machine}"));
                to_sign.body = Some(request_body(&new_question()));
                let signed = to_sign.sign(&Port(port));
                let headers: Vec<(&str, &str)> =
                    signed.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                written(
                    port,
                    signed.method,
                    &signed.target,
                    &headers,
                    signed.body.as_deref().unwrap_or_default(),
                )
            }
        }
    }

    fn judge(&self, kind: Kind, reply: &Reply, asked_at: Duration) {
        *self.counts.lock().expect("nobody panicked").entry((kind, reply.status)).or_default() += 1;
        for excuse in [&self.ledger, &self.nonces, &self.model] {
            if self.is_excused(excuse, asked_at) {
                excuse.answers.fetch_add(1, Ordering::Relaxed);
            }
        }
        let slug = || {
            let problem: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
            problem["type"].as_str()?.rsplit([':', '/']).next().map(str::to_owned)
        };
        let is = |name: &str| slug().as_deref() == Some(name);
        let is_promised = match reply.status {
            200 => kind != Kind::Stranger,
            401 => is("unauthenticated") && kind == Kind::Stranger,
            // Somebody who looks too often.
            429 => is("rate-limited") && kind == Kind::Look,
            503 => {
                let may_refuse = |excuse| self.is_excused(excuse, asked_at);
                let is_excused =
                    may_refuse(&self.ledger) || (kind == Kind::Signed && may_refuse(&self.nonces));
                is("ledger-unavailable") && is_excused
            }
            // Old clients hear of it in an answer, and nobody else needs the model.
            502 => is("upstream-failed") && kind.needs_the_model(),
            504 => is("upstream-timeout") && kind.needs_the_model(),
            _ => false,
        };
        let is_whole = reply.header("x-request-id").is_some()
            && (reply.status != 503 || reply.header("retry-after").is_some())
            // The questions that a rule knows need nothing that fails.
            && (kind != Kind::Rule || reply.status != 200 || reply.json()["source"] == "rules");
        if !(is_promised && is_whole) {
            self.broken.lock().expect("nobody panicked").push(format!("{kind:?} at {asked_at:?}: {reply:?}"));
        }
        let id = reply.header("x-request-id").unwrap_or_default().to_owned();
        // Of a question that others ask too, another's call may have failed.
        if matches!(reply.status, 502 | 504)
            && kind != Kind::Popular
            && !self.is_excused(&self.model, asked_at)
        {
            self.failed.lock().expect("nobody panicked").push(id.clone());
        }
        if matches!(reply.status, 200 | 502 | 504) && kind != Kind::Look {
            self.answered.lock().expect("nobody panicked").insert(id);
        }
    }
}

impl Display for Crowd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts.lock().expect("nobody panicked");
        let all: u64 = counts.values().sum();
        let seconds = self.busy.lock().expect("nobody panicked").as_secs_f64();
        let [unanswered, resent] = [&self.unanswered, &self.resent].map(|count| count.load(Ordering::SeqCst));
        write!(
            formatter,
            "{all} answers in {seconds:.0} s, {:.0} a second, {resent} requests sent twice, {unanswered} without an answer:",
            all as f64 / seconds
        )?;
        counts
            .iter()
            .try_for_each(|((kind, status), count)| write!(formatter, " {kind:?} {status} {count};"))?;
        let part = |excuse: &Excuse| 100.0 * excuse.answers.load(Ordering::Relaxed) as f64 / all as f64;
        write!(
            formatter,
            " answers that came while a failure was excused of the ledger {:.0} %, of nonces {:.0} %, of the model {:.0} %",
            part(&self.ledger),
            part(&self.nonces),
            part(&self.model)
        )
    }
}

/// A port, of which only the URL counts.
struct Port(u16);

impl Door for Port {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0)
    }

    fn send(&self, _: &str, _: &str, _: &[(&str, &str)], _: Option<&[u8]>) -> Reply {
        unreachable!("nothing is sent by this door")
    }
}

struct GoesHome<'a>(&'a Crowd);

impl Drop for GoesHome<'_> {
    fn drop(&mut self) {
        self.0.home.store(true, Ordering::SeqCst);
    }
}
