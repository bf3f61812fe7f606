//! Requests at a stated rate, whether or not the ones before are answered (open loop): who attacks does
//! not wait. One thread looks after all connections, so that the attack itself is cheap to make.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::client::Reply;
use crate::support::raw;

/// Between two looks at the connections.
const TICK: Duration = Duration::from_millis(1);
/// What is late by more than so many ticks is not sent any more. Sent at once it would be another attack than the
/// one that is stated: each time that this process has to wait for a processor, a burst.
const MOST_TICKS_LATE: u32 = 20;
/// How long answers are waited for when the last request has been sent.
const GRACE: Duration = Duration::from_secs(20);

/// What an attack sends, and how.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Requests a second.
    pub rate: u32,
    /// How long.
    pub time: Duration,
    /// Connections at most. A request that finds all of them waiting for answers is not sent.
    pub connections: usize,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that found no free connection, or would have come too late.
    pub held_back: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// How often which answer came: `401 unauthenticated`, `200 rules`, `no answer`.
    pub answers: BTreeMap<String, u64>,
    /// From the first request to the last one that was sent.
    pub took: Duration,
}

impl Taken {
    /// Requests a second that were sent.
    pub fn rate(&self) -> f64 {
        self.sent as f64 / self.took.as_secs_f64().max(0.001)
    }

    /// Counts one answer, or that none came.
    pub fn note(&mut self, reply: Option<&Reply>) {
        let name = reply.map_or_else(|| "no answer".to_owned(), name_of);
        *self.answers.entry(name).or_default() += 1;
    }

    /// Both together.
    pub fn and(mut self, other: &Self) -> Self {
        self.sent += other.sent;
        self.held_back += other.held_back;
        self.connections += other.connections;
        self.took += other.took;
        for (name, count) in &other.answers {
            *self.answers.entry(name.clone()).or_default() += count;
        }
        self
    }
}

/// `401 unauthenticated 997, 200 rules 3`.
impl fmt::Display for Taken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut answers: Vec<_> = self.answers.iter().collect();
        answers.sort_by(|one, other| other.1.cmp(one.1));
        let answers: Vec<_> = answers.iter().map(|(name, count)| format!("{name} {count}")).collect();
        formatter.write_str(&answers.join(", "))
    }
}

/// A status, and with it the problem's slug or the answer's source.
fn name_of(reply: &Reply) -> String {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let slug = body["type"].as_str().and_then(|kind| kind.rsplit(['/', ':', '#']).next());
    match slug.or_else(|| body["source"].as_str()) {
        Some(word) => format!("{} {word}", reply.status),
        None => reply.status.to_string(),
    }
}

impl Flood {
    /// Sends what `next` gives for the number of each request.
    pub fn run(self, port: u16, mut next: impl FnMut(u64) -> Vec<u8>) -> Taken {
        let mut taken = Taken::default();
        let mut lines: Vec<Line> = Vec::new();
        let a_tick = f64::from(self.rate) * TICK.as_secs_f64();
        let (most_late, most_a_tick) =
            ((a_tick * f64::from(MOST_TICKS_LATE)) as u64 + 1, (2.0 * a_tick) as u64 + 1);
        let (began, mut number) = (Instant::now(), 0);
        while began.elapsed() < self.time {
            let due = (began.elapsed().as_secs_f64() * f64::from(self.rate)) as u64;
            let late = due.saturating_sub(most_late).saturating_sub(number);
            (number, taken.held_back) = (number + late, taken.held_back + late);
            // What is late comes in the next ticks, twice as fast as stated.
            let until = due.min(number + most_a_tick);
            while number < until {
                match free(&mut lines, port, self.connections, &mut taken) {
                    Some(line) => {
                        line.begin(next(number));
                        taken.sent += 1;
                    }
                    None => taken.held_back += 1,
                }
                number += 1;
            }
            go_on(&mut lines, &mut taken);
            std::thread::sleep(TICK);
        }
        taken.took = began.elapsed();
        let ended = Instant::now();
        while lines.iter().any(Line::waits) && ended.elapsed() < GRACE {
            go_on(&mut lines, &mut taken);
            std::thread::sleep(TICK);
        }
        lines.iter().filter(|line| line.waits()).for_each(|_| taken.note(None));
        taken
    }
}

/// A connection that waits for nothing: one that there is, or a new one.
fn free<'a>(lines: &'a mut Vec<Line>, port: u16, most: usize, taken: &mut Taken) -> Option<&'a mut Line> {
    let place = match lines.iter().position(|line| !line.waits()) {
        Some(place) => place,
        None if lines.len() < most => {
            lines.push(Line::to(port)?);
            taken.connections += 1;
            lines.len() - 1
        }
        None => return None,
    };
    lines.get_mut(place)
}

/// Writes and reads what can be without waiting, and forgets connections that are closed.
fn go_on(lines: &mut Vec<Line>, taken: &mut Taken) {
    lines.retain_mut(|line| match line.go_on() {
        Step::Nothing => true,
        Step::Answer(reply) => {
            let closes = reply.header("connection") == Some("close");
            taken.note(Some(&reply));
            !closes && line.out.len() == line.written
        }
        Step::Closed => {
            if line.waits() {
                taken.note(None);
            }
            false
        }
    });
}

enum Step {
    Nothing,
    Answer(Reply),
    Closed,
}

/// One connection, with at most one request under way.
struct Line {
    stream: TcpStream,
    out: Vec<u8>,
    written: usize,
    received: Vec<u8>,
    waits: bool,
}

impl Line {
    fn to(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, out: Vec::new(), written: 0, received: Vec::new(), waits: false })
    }

    const fn waits(&self) -> bool {
        self.waits
    }

    fn begin(&mut self, request: Vec<u8>) {
        (self.out, self.written, self.waits) = (request, 0, true);
        self.received.clear();
        self.write();
    }

    /// What cannot be written is not: an answer may have come before all was read.
    fn write(&mut self) {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(length) => self.written += length,
                Err(_) => return,
            }
        }
    }

    fn go_on(&mut self) -> Step {
        self.write();
        let mut chunk = [0; 16_384];
        let mut at_end = false;
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => at_end = true,
                Ok(length) => {
                    self.received.extend_from_slice(&chunk[..length]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => at_end = true,
            }
            break;
        }
        // An interim answer (RFC 9110 section 15.2) is none.
        match raw::parse(&self.received, at_end).filter(|reply| self.waits && reply.status >= 200) {
            Some(reply) => {
                self.waits = false;
                self.received.clear();
                if at_end { Step::Answer(closed(reply)) } else { Step::Answer(reply) }
            }
            None if at_end => Step::Closed,
            None => Step::Nothing,
        }
    }
}

/// The same, saying that its connection is closed.
fn closed(mut reply: Reply) -> Reply {
    reply.headers.retain(|(name, _)| name != "connection");
    reply.headers.push(("connection".to_owned(), "close".to_owned()));
    reply
}
