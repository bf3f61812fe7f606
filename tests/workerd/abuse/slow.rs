//! Bodies that come a byte at a time and never end: what ties up a server that gives each request a
//! thread, a buffer or a place.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::flood::Taken;
use crate::support::raw;

/// Between two bytes of one body.
const BETWEEN_BYTES: Duration = Duration::from_millis(250);
/// How long a body is said to be.
const SAID: usize = 100_000;

/// Connections that dribble.
#[derive(Clone, Copy, Debug)]
pub struct Slow {
    /// How many at a time. One that is closed is opened anew.
    pub connections: usize,
    /// How long.
    pub time: Duration,
}

/// How a body says how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// By `Content-Length`.
    Length,
    /// Not at all: in chunks of one byte each.
    Chunks,
}

impl Slow {
    /// Keeps them open: `head` is a request's first lines without the framing and the empty line.
    pub fn run(self, port: u16, head: &str, framing: Framing) -> Taken {
        let mut taken = Taken::default();
        let mut lines: Vec<Option<Line>> = Vec::new();
        lines.resize_with(self.connections, || None);
        // One after the other: senders that nobody keeps in step do not all send at the same moment.
        let apart = BETWEEN_BYTES / u32::try_from(self.connections.max(1)).unwrap_or(1);
        let began = Instant::now();
        while began.elapsed() < self.time {
            for line in &mut lines {
                std::thread::sleep(apart);
                if line.is_none() {
                    *line = Line::open(port, head, framing);
                    taken.connections += 1;
                    taken.sent += 1;
                }
                if line.as_mut().is_some_and(|open| open.dribble(framing, &mut taken)) {
                    *line = None;
                }
            }
        }
        taken.took = began.elapsed();
        for line in lines.iter_mut().flatten() {
            if !line.answered {
                *taken.answers.entry("held open".to_owned()).or_default() += 1;
            }
        }
        taken
    }
}

struct Line {
    stream: TcpStream,
    received: Vec<u8>,
    answered: bool,
}

impl Line {
    fn open(port: u16, head: &str, framing: Framing) -> Option<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let framing = match framing {
            Framing::Length => format!("Content-Length: {SAID}"),
            Framing::Chunks => "Transfer-Encoding: chunked".to_owned(),
        };
        stream.write_all(format!("{head}{framing}\r\n\r\n").as_bytes()).ok()?;
        stream.set_nonblocking(true).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, received: Vec::new(), answered: false })
    }

    /// One byte more; whether the connection has ended. An answer does not make it stop.
    fn dribble(&mut self, framing: Framing, taken: &mut Taken) -> bool {
        let byte: &[u8] = if framing == Framing::Length { b" " } else { b"1\r\n \r\n" };
        let mut ended = self.stream.write(byte).is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
        let mut chunk = [0; 4_096];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => ended = true,
                Ok(length) => {
                    self.received.extend_from_slice(&chunk[..length]);
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => ended = true,
            }
            break;
        }
        if !self.answered
            && let Some(reply) = raw::parse(&self.received, ended)
        {
            self.answered = true;
            taken.note(Some(&reply));
        }
        if ended && !self.answered {
            taken.note(None);
        }
        ended
    }
}
