//! Requests that do not keep to HTTP, written byte for byte.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use super::client::Reply;

/// Opens a connection to a port of the loopback, with a limit on every read and write.
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the port answers");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit on reads");
    stream.set_write_timeout(Some(Duration::from_secs(30))).expect("a limit on writes");
    stream
}

/// What the client does after its last byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Waits for the answer.
    Wait,
    /// Says that no more will come.
    Close,
}

/// Sends these bytes and reads the first answer, if there is one. A peer that answers before it
/// has read all is no failure.
pub fn exchange(port: u16, bytes: &[u8], then: Then) -> Option<Reply> {
    let stream = connect(port);
    let mut writing = stream.try_clone().expect("a second handle");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = writing.write_all(bytes);
            if then == Then::Close {
                let _ = writing.shutdown(Shutdown::Write);
            }
        });
        read(stream)
    })
}

/// Reads one answer.
pub fn read(mut stream: impl Read) -> Option<Reply> {
    let mut received = Vec::new();
    let mut chunk = [0; 8_192];
    loop {
        if let Some(reply) = parse(&received, false) {
            return Some(reply);
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return parse(&received, true),
            Ok(length) => received.extend_from_slice(&chunk[..length]),
        }
    }
}

/// The answer at the start of `bytes`, if it is all there.
pub fn parse(bytes: &[u8], at_end: bool) -> Option<Reply> {
    let head_end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let rest = &bytes[head_end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let value = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let body = if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        dechunk(rest)?
    } else if let Some(length) = value("content-length").and_then(|length| length.parse::<usize>().ok()) {
        rest.get(..length)?.to_vec()
    } else if at_end {
        rest.to_vec()
    } else {
        return None;
    };
    Some(Reply { status, headers, body })
}

/// A chunked body, if it is all there.
fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = find(bytes, b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..line_end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        bytes = &bytes[line_end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
