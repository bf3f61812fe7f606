//! What stands before the host of a URL: a name, a password, a token. Or behind it, where a host takes one there.

use super::MARK;
use super::line::{Line, ends_word};
use super::words::is_plain_word;

/// Hosts that take a token in the path, by how they end, and what stands before it. `/` alone: a name may stand
/// there as well.
const TOKEN_PATHS: &[(&[u8], &[u8])] = &[
    (b"dl.cloudsmith.io", b"/"),
    (b".fury.io", b"/"),
    (b"packagecloud.io", b"/priv/"),
    (b".anaconda.org", b"/t/"),
    (b".anaconda.com", b"/t/"),
    (b".anaconda.cloud", b"/t/"),
];

/// The last sign of a run of bytes, kept so that each run is looked through once, however many URLs
/// begin in it.
///
/// The look goes to the run's end, however far that is. Were it bounded, a mark, which is shorter than
/// what it replaces, would bring the sign into the reach of a URL further left: each pass over
/// URLs in a row would find the next one, and no number of passes would be enough.
#[derive(Default)]
pub(super) struct LastSign {
    /// One past the run's last byte.
    end: usize,
    at: Option<usize>,
}

impl Line<'_> {
    /// RFC 3986, 3.2.1: `scheme://userinfo@host`. `at` is the colon.
    pub(super) fn url(&mut self, at: usize) -> Option<usize> {
        let start = at.saturating_add(3);
        let authority_end = self.until(start, |byte| ends_word(byte) || b"/?#\\,".contains(&byte));
        let authority = self.slice(start, authority_end);
        let in_authority = authority.iter().rposition(|byte| *byte == b'@');
        let sign = match in_authority {
            Some(length) => Some(start.saturating_add(length)),
            // A password with an unescaped `/`.
            None if has_no_port(authority) => self.last_at_of_word(start),
            None => None,
        };
        let Some(mut end) = sign else {
            // `https://name%3Apassword%40host`: what is encoded there is no host's.
            let authority = self.slice(start, authority_end);
            if let Some(length) = authority.windows(3).rposition(|three| three == b"%40") {
                let end = start.saturating_add(length);
                self.mark(start, end, MARK, true);
                return Some(end.saturating_add(3));
            }
            // On to the slashes: `file:///home/...`.
            let end = self.token_in_path(start, authority_end);
            return end.or(Some(at.saturating_add(1)));
        };
        // A password with both `@` and `/`: what follows the first `@` is hardly a host then.
        let host = self.slice(end.saturating_add(1), authority_end);
        if !host.iter().any(|byte| b".:[".contains(byte)) && host != b"localhost" {
            end = self.last_at_of_word(start).unwrap_or(end);
        }
        if self.slice(start, end) != b"git" {
            self.mark(start, end, MARK, true);
        }
        let host = end.saturating_add(1);
        self.token_in_path(host, authority_end).or(Some(host))
    }

    /// `https://dl.cloudsmith.io/TOKEN/org/repo/python/simple/`. `host` is its first byte.
    #[inline(never)]
    fn token_in_path(&mut self, host: usize, host_end: usize) -> Option<usize> {
        let name = self.slice(host, host_end);
        let (_, path) = TOKEN_PATHS
            .iter()
            .find(|(host, path)| name.ends_with(host) && self.starts_with(host_end, path))?;
        let start = host_end.saturating_add(path.len());
        let end = self.until(start, |byte| ends_word(byte) || b"/?#,".contains(&byte));
        let token = self.slice(start, end);
        // `/public/org/`, `/name-of-an-org/`.
        if path.len() == 1 && (token.len() < 12 || is_plain_word(token)) || token == MARK.as_bytes() {
            return None;
        }
        self.mark(start, end, MARK, true);
        Some(end)
    }

    /// The same written as part of another URL (RFC 3986, 2.1). `at` is the percent sign.
    pub(super) fn encoded_url(&mut self, at: usize) -> Option<usize> {
        let start = at.saturating_add(9);
        if !self.slice(at, start).eq_ignore_ascii_case(b"%3A%2F%2F") {
            return None;
        }
        if start >= self.encoded_at_signs.end {
            let end = self.until(start, |byte| ends_word(byte) || b"&=/".contains(&byte));
            let length = self.slice(start, end).windows(3).rposition(|three| three == b"%40");
            self.encoded_at_signs = LastSign { end, at: length.map(|length| start.saturating_add(length)) };
        }
        let end = self.encoded_at_signs.at.filter(|sign| *sign >= start)?;
        self.mark(start, end, MARK, true);
        // On behind the at sign.
        Some(end.saturating_add(3))
    }

    /// The last at sign from `start` on in the word there.
    fn last_at_of_word(&mut self, start: usize) -> Option<usize> {
        if start >= self.at_signs.end {
            let end = self.until(start, ends_word);
            let length = self.slice(start, end).iter().rposition(|byte| *byte == b'@');
            self.at_signs = LastSign { end, at: length.map(|length| start.saturating_add(length)) };
        }
        self.at_signs.at.filter(|sign| *sign >= start)
    }
}

/// Whether what follows the colon of an authority cannot be a port.
fn has_no_port(authority: &[u8]) -> bool {
    let colon = authority.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0);
    let port = colon.and_then(|colon| authority.get(colon.saturating_add(1)..));
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit) && !port.is_empty();
    port.is_some_and(|port| !is_port(port)) && authority.first() != Some(&b'[')
}
