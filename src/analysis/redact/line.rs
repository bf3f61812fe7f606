//! Finds the secrets of one line by walking its bytes once. Each look ahead ends where the walk
//! goes on, and each look back where the last one began, so that the work stays linear.

use std::sync::LazyLock;

use super::named::begins_foreign_name;
use super::secrets::Found;
use super::url::LastSign;
use super::words::{begins_token, token_at};
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
    /// The quote that is open there, and up to where quotes have been looked for.
    pub(super) quote: Option<u8>,
    pub(super) quotes_until: usize,
    /// Where the userinfo of a URL may end in the word, and in the part of an encoded URL, looked at last.
    pub(super) at_signs: LastSign,
    pub(super) encoded_at_signs: LastSign,
}

/// Adds the secrets of `line`, which begins at `offset` of the text.
pub(super) fn scan_line(line: &str, offset: usize, found: &mut Found) {
    let mut line = Line {
        bytes: line.as_bytes(),
        offset,
        found,
        is_prompt: false,
        plain_until: 0,
        quote: None,
        quotes_until: 0,
        at_signs: LastSign::default(),
        encoded_at_signs: LastSign::default(),
    };
    line.netrc();
    line.declared();
    let stops = &*STOPS;
    let mut at = 0_usize;
    loop {
        // Most bytes begin nothing.
        at = line.until(at, |byte| stops.get(usize::from(byte)).is_none_or(|stop| *stop));
        let Some(byte) = line.byte(at) else { return };
        let next = match byte {
            b':' if line.starts_with(at, b"://") => line.url(at),
            b'%' => line
                .encoded_url(at)
                .or_else(|| line.encoded_person(at))
                .or_else(|| line.encoded_assignment(at)),
            // Few commas stand behind a quote.
            b',' if matches!(line.before(at), Some(b'"' | b'\'')) => line.pair(at),
            b'>' => line.element(at),
            byte if begins_foreign_name(byte) => line.foreign_name(at),
            b':' | b'=' => line.assignment(at, byte),
            b'@' => line.at_sign(at),
            b'/' | b'\\' => line.home(at),
            b'-' => line.option(at),
            b'B' | b'b' | b'T' => line.scheme_word(at),
            b'P' | b'p' => line.prompt(at),
            b'c' if line.starts_with(at, b"config") => line.setting(at),
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
        b":=@/\\-%>,BbTPpc".contains(&byte) || begins_token(byte) || begins_foreign_name(byte)
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
    pub(super) fn own_mark(&self, at: usize) -> Option<usize> {
        let marks = [MARK, USER_MARK, EMAIL_MARK];
        let mark = marks.into_iter().find(|mark| self.starts_with(at, mark.as_bytes()))?;
        Some(at.saturating_add(mark.len()))
    }

    /// `Password for somebody:`, as git and pip ask for one: a secret follows the last colon. And a
    /// netrc's `login NAME password SECRET` within a line, as a script writes it.
    fn prompt(&mut self, at: usize) -> Option<usize> {
        let after = at.saturating_add(1);
        self.is_prompt |=
            self.starts_with(after, b"assword for ") || self.starts_with(after, b"assphrase for ");
        if !self.starts_with(after, b"assword ") || self.before(at) != Some(b' ') {
            return None;
        }
        // However long: a mark in a name must not bring it into reach. No word is looked at twice.
        let head = self.slice(0, at.saturating_sub(1));
        let name = head.iter().rposition(|byte| ends_word(*byte)).map_or(0, |space| space.saturating_add(1));
        work::count(head.len().saturating_sub(name));
        if !self.slice(0, name).ends_with(b"login ") {
            return None;
        }
        let start = self.until_within(at.saturating_add(9), 16, |byte| byte != b' ');
        let end = self.until(start, ends_word);
        self.mark(start, end, MARK, true);
        Some(end)
    }

    /// `Bearer value`, `Basic value`, `token value` (RFC 9110, 11.6.2) without a header's name.
    fn scheme_word(&mut self, at: usize) -> Option<usize> {
        if self.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
            return None;
        }
        let scheme: &[u8] = match self.byte(at)? {
            b'T' => b"Token ",
            _ if self.byte(at.saturating_add(1)).is_some_and(|byte| byte.eq_ignore_ascii_case(&b'e')) => {
                b"bearer "
            }
            _ => b"basic ",
        };
        let start = at.saturating_add(scheme.len());
        if !self.slice(at, start).eq_ignore_ascii_case(scheme) {
            return None;
        }
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
