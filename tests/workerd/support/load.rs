//! Many requests at a time, over connections that are kept.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::client::Reply;
use super::raw;

/// Between an answer and the next request on its connection. A next request that is there at once is
/// read by workerd without a look at its other connections, which are then starved for seconds.
const PAUSE: Duration = Duration::from_millis(3);

/// One client's connection to a port of the loopback.
pub struct Line {
    port: u16,
    stream: Option<TcpStream>,
    /// Requests that were sent anew.
    pub resent: u64,
}

impl Line {
    /// To this port; nothing is sent yet.
    pub fn to(port: u16) -> Self {
        Self { port, stream: None, resent: 0 }
    }

    /// Posts JSON. `None` when there is nobody, or the connection breaks before the answer. On a
    /// connection that was kept, a request is sent anew: workerd ends those that have been at rest for
    /// five seconds.
    pub fn post(&mut self, path: &str, authorization: &str, body: &[u8]) -> Option<Reply> {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        self.send(&written(self.port, "POST", path, &headers, body))
    }

    /// Sends a request that is written out, in the same way.
    pub fn send(&mut self, request: &[u8]) -> Option<Reply> {
        let was_kept = self.stream.is_some();
        let reply = self.exchange(request);
        if reply.is_some() || !was_kept {
            return reply;
        }
        self.resent += 1;
        self.exchange(request)
    }

    fn exchange(&mut self, request: &[u8]) -> Option<Reply> {
        let stream = self.stream.take().or_else(|| connect(self.port))?;
        (&stream).write_all(request).ok()?;
        let reply = raw::read(&stream)?;
        self.stream = Some(stream);
        Some(reply)
    }
}

/// A request as it travels.
pub fn written(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [request.as_bytes(), body].concat()
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Does `requests` of them, `at_once` at a time, each worker with a connection of its own. `each`
/// gets the connection and the number of the request.
pub fn send<T: Send>(
    port: u16,
    requests: usize,
    at_once: usize,
    each: impl Fn(&mut Line, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut line = Line::to(port);
        let mut results = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= requests {
                return results;
            }
            results.push(each(&mut line, number));
            std::thread::sleep(PAUSE);
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panicked")).collect()
    })
}
