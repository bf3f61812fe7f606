//! Finds the secrets of one line by walking its bytes once. Each look ahead ends where the walk
//! goes on, and each look back where the last one began, so that the work stays linear.

use std::sync::LazyLock;

use super::secrets::Found;
use super::words::{begins_token, names_a_secret, token_at};
use super::{EMAIL_MARK, MARK, USER_MARK, work};

/// How far a look back or ahead goes for a name, a host or a user.
pub(super) const REACH: usize = 256;

/// A line and the findings of its text.
pub(super) struct Line<'a> {
    pub(super) bytes: &'a [u8],
    offset: usize,
    found: &'a mut Found,
    /// Whether somebody is asked for a password on it.
    pub(super) is_prompt: bool,
    /// Up to where values have been looked at for randomness and found plain.
    pub(super) plain_until: usize,
}

/// Adds the secrets of `line`, which begins at `offset` of the text.
pub(super) fn scan_line(line: &str, offset: usize, found: &mut Found) {
    let mut line = Line { bytes: line.as_bytes(), offset, found, is_prompt: false, plain_until: 0 };
    line.netrc();
    let stops = &*STOPS;
    let mut at = 0_usize;
    loop {
        // Most bytes begin nothing.
        at = line.until(at, |byte| stops.get(usize::from(byte)).is_none_or(|stop| *stop));
        let Some(byte) = line.byte(at) else { return };
        let next = match byte {
            b':' if line.starts_with(at, b"://") => line.url(at),
            b':' | b'=' => line.assignment(at, byte),
            b'@' => line.at_sign(at),
            b'/' | b'\\' => line.home(at),
            b'-' => line.option(at),
            b'B' | b'b' | b'T' => line.scheme_word(at),
            b'P' | b'p' => line.prompt(at),
            _ => None,
        };
        let next = next.or_else(|| line.token(at));
        at = next.unwrap_or(0).max(at.saturating_add(1));
    }
}

/// The bytes at which the walk looks closer.
static STOPS: LazyLock<[bool; 256]> = LazyLock::new(|| {
    std::array::from_fn(|byte| {
        let byte = u8::try_from(byte).unwrap_or(0);
        b":=@/\\-BbTPp".contains(&byte) || begins_token(byte)
    })
});

pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

pub(super) fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>".contains(&byte)
}

impl Line<'_> {
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    pub(super) fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.byte(at))
    }

    pub(super) fn starts_with(&self, at: usize, text: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(text))
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The first place from `at` on whose byte `stops`, or the end of the line.
    pub(super) fn until(&self, at: usize, stops: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| stops(*byte)).unwrap_or(rest.len());
        work::count(length);
        at.saturating_add(length)
    }

    /// The same, at most `reach` bytes further.
    pub(super) fn until_within(&self, at: usize, reach: usize, stops: impl Fn(u8) -> bool) -> usize {
        let rest = self.slice(at, at.saturating_add(reach).min(self.bytes.len()));
        let length = rest.iter().position(|byte| stops(*byte)).unwrap_or(rest.len());
        work::count(length);
        at.saturating_add(length)
    }

    /// The first place of the run of bytes before `at` that `belongs`, at most [`REACH`] back.
    pub(super) fn back(&self, at: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let length =
            self.slice(at.saturating_sub(REACH), at).iter().rev().take_while(|byte| belongs(**byte)).count();
        work::count(length);
        at.saturating_sub(length)
    }

    pub(super) fn mark(&mut self, start: usize, end: usize, mark: &'static str, spreads: bool) {
        // A byte that was cut out of a character would take its neighbours along.
        let inside = |at: usize| self.byte(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        let mut end = end;
        while inside(end) {
            end = end.saturating_add(1);
        }
        let mut start = start;
        while start > 0 && inside(start) {
            start = start.saturating_sub(1);
        }
        self.found.add(self.offset.saturating_add(start), self.offset.saturating_add(end), mark, spreads);
    }

    /// What an earlier redaction put here stays as it is. `at` is the bracket.
    fn own_mark(&self, at: usize) -> Option<usize> {
        let marks = [MARK, USER_MARK, EMAIL_MARK];
        let mark = marks.into_iter().find(|mark| self.starts_with(at, mark.as_bytes()))?;
        Some(at.saturating_add(mark.len()))
    }

    /// `Password for somebody:`, as git and pip ask for one: a secret follows the last colon.
    fn prompt(&mut self, at: usize) -> Option<usize> {
        let after = at.saturating_add(1);
        self.is_prompt |=
            self.starts_with(after, b"assword for ") || self.starts_with(after, b"assphrase for ");
        None
    }

    /// RFC 3986, 3.2.1: `scheme://userinfo@host`. `at` is the colon.
    fn url(&mut self, at: usize) -> Option<usize> {
        let start = at.saturating_add(3);
        let authority_end = self.until(start, |byte| ends_word(byte) || b"/?#\\,".contains(&byte));
        let last_at = |end: usize| self.slice(start, end).iter().rposition(|byte| *byte == b'@');
        let userinfo = last_at(authority_end).or_else(|| {
            // A password with an unescaped `/`: what follows the colon cannot be a port then.
            let authority = self.slice(start, authority_end);
            let colon = authority.iter().position(|byte| *byte == b':').filter(|colon| *colon > 0)?;
            let port = authority.get(colon.saturating_add(1)..)?;
            let is_port = port.iter().all(u8::is_ascii_digit) && !port.is_empty();
            let bracketed = authority.first() == Some(&b'[');
            if is_port || bracketed { None } else { last_at(self.until_within(start, REACH, ends_word)) }
        });
        let Some(length) = userinfo else { return Some(start) };
        let end = start.saturating_add(length);
        if self.slice(start, end) != b"git" {
            self.mark(start, end, MARK, true);
        }
        Some(end.saturating_add(1))
    }

    /// `user:password@host`, `name@example.org`. `at` is the at sign.
    fn at_sign(&mut self, at: usize) -> Option<usize> {
        let plain = |byte: u8| !ends_word(byte) && !b"@/\\=,;()[]{}".contains(&byte) && byte.is_ascii();
        let start = self.back(at, plain);
        let after = at.saturating_add(1);
        let host_end = self.until(after, |byte| !(byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
        let host_end = host_end.min(after.saturating_add(REACH));
        let local = self.slice(start, at);
        let host = self.slice(after, host_end);
        if local.is_empty() || host.is_empty() {
            return None;
        }
        let has_password = local.iter().position(|byte| *byte == b':');
        if has_password.is_some_and(|colon| colon > 0 && colon.saturating_add(1) < local.len()) {
            self.mark(start, at, MARK, true);
            return Some(host_end);
        }
        let name_start = has_password.map_or(start, |colon| start.saturating_add(colon).saturating_add(1));
        let local = self.slice(name_start, at);
        let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let is_host = host.contains(&b'.') && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
        // `repo.git@branch.name` and `git@host:path` are no mail addresses.
        let is_git = local == b"git" || local.ends_with(b".git");
        if is_host && !is_git && !local.is_empty() {
            self.mark(name_start, host_end, EMAIL_MARK, false);
            return Some(host_end);
        }
        None
    }

    /// The owner's name in a path below `/home`, `/Users`, `C:\Users`. `at` is the first slash.
    fn home(&mut self, at: usize) -> Option<usize> {
        let slash = |byte: u8| byte == b'/' || byte == b'\\';
        if self.before(at).is_some_and(slash) {
            return None;
        }
        let name_start = self.until(at, |byte| !slash(byte));
        // Most directories are none of these: told by the first letter.
        if !self.byte(name_start).is_some_and(|byte| b"hHuUdDbB".contains(&byte)) {
            return None;
        }
        let directory_end =
            self.until_within(name_start, 32, |byte| !(byte.is_ascii_alphabetic() || byte == b' '));
        let directory = self.slice(name_start, directory_end);
        let known: [&[u8]; 4] = [b"home", b"users", b"documents and settings", b"benutzer"];
        if !known.iter().any(|known| known.eq_ignore_ascii_case(directory))
            || !self.byte(directory_end).is_some_and(slash)
        {
            return None;
        }
        let start = self.until(directory_end, |byte| !slash(byte));
        if let Some(end) = self.own_mark(start) {
            return Some(end);
        }
        let windows = self.byte(directory_end) == Some(b'\\');
        let mut end = self.until(start, |byte| ends_word(byte) || slash(byte) || b":;,)}|*?".contains(&byte));
        if windows && self.byte(end) == Some(b' ') {
            // `C:\Users\Anna Maria\AppData`: a name may hold spaces when a path goes on after it.
            let further = self.until_within(end, 40, |byte| slash(byte) || b"\"'`<>:;|*?[".contains(&byte));
            if self.byte(further).is_some_and(slash) {
                end = further;
            }
        }
        self.mark(start, end, USER_MARK, false);
        Some(end)
    }

    /// `--password value`, `-u name:password`. `at` is the first dash.
    fn option(&mut self, at: usize) -> Option<usize> {
        if self.before(at).is_some_and(|byte| !ends_word(byte) && !b"[(,".contains(&byte)) {
            return None;
        }
        let name_start = self.until(at, |byte| byte != b'-');
        let name_end = self.until(name_start, |byte| !is_name_byte(byte));
        let gap = self.until_within(name_end, 8, |byte| !b" \t\"',".contains(&byte));
        let next_option = self.byte(gap) == Some(b'-')
            && self.byte(gap.saturating_add(1)).is_none_or(|byte| byte == b'-' || byte.is_ascii_alphabetic());
        if gap == name_end || next_option {
            return None;
        }
        let name = self.slice(name_start, name_end);
        let secret = names_a_secret(name);
        // Only then is it worth the way to the value's end: `,-a,b` may stand a thousand times in a row.
        if !secret && name != b"u" {
            return None;
        }
        let reach = if secret { self.bytes.len() } else { REACH };
        let quote = self.before(gap).filter(|byte| b"\"'".contains(byte));
        let value_end = match quote {
            Some(quote) => self.closing(gap, quote, false, reach),
            None => self.until_within(gap, reach, |byte| byte.is_ascii_whitespace()),
        };
        let value = self.slice(gap, value_end);
        let login = value.iter().skip(1).any(|byte| *byte == b':') && !value.contains(&b'/');
        if secret || login {
            self.mark(gap, value_end, MARK, true);
            return Some(value_end);
        }
        None
    }

    /// `Bearer value`, `Basic value`, `token value` (RFC 9110, 11.6.2) without a header's name.
    fn scheme_word(&mut self, at: usize) -> Option<usize> {
        if self.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            return None;
        }
        let schemes: [&[u8]; 5] = [b"Bearer ", b"bearer ", b"Basic ", b"basic ", b"Token "];
        let scheme = schemes.into_iter().find(|scheme| self.starts_with(at, scheme))?;
        let start = at.saturating_add(scheme.len());
        let end = self.until(start, |byte| !(byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
        let value = self.slice(start, end);
        let is_long = value.len() >= 12;
        let unlike_words = value.iter().any(|byte| byte.is_ascii_digit() || *byte == b'=')
            || value.iter().skip(1).any(u8::is_ascii_uppercase);
        if is_long && unlike_words {
            self.mark(start, end, MARK, true);
            return Some(end);
        }
        None
    }

    fn token(&mut self, at: usize) -> Option<usize> {
        // `\nghp_...` in a quoted string: the letter before belongs to the escape.
        let escaped = at.checked_sub(2).and_then(|at| self.byte(at)) == Some(b'\\');
        let inside = !escaped && self.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let length = token_at(self.bytes.get(at..)?, inside)?;
        let end = at.saturating_add(length);
        self.mark(at, end, MARK, true);
        Some(end)
    }
}
