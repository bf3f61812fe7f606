//! A secret by the name it is given: `name=value`, `name: value`, `"name": "value"`, headers.

use super::MARK;
use super::line::{Line, REACH, ends_word, is_name_byte};
use super::words::{
    is_hex_secret, looks_random, names_a_pat, names_a_person, names_a_secret, names_a_source_file,
};

/// How much of a value is looked at when its name announces no secret: enough to see whether it
/// looks drawn at random, and little enough for a line of nothing but equals signs.
const GLANCE: usize = 512;

pub(super) struct Name {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The quote that opened right before the name.
    opening: Option<u8>,
    is_option: bool,
    /// Whether quotes stand around the name.
    pub(super) is_quoted: bool,
}

impl Line<'_> {
    /// `name=value`, `name: value`, `"name": "value"`. `at` is the sign.
    pub(super) fn assignment(&mut self, at: usize, sign: u8) -> Option<usize> {
        let after = at.saturating_add(1);
        // `==` compares or pins a version, `::` joins names.
        if self.byte(after) == Some(sign) || self.before(at) == Some(sign) {
            return None;
        }
        let name = self.name_before(at)?;
        let key = self.slice(name.start, name.end);
        // `secret.h: No such file`, `test_auth.py::test_password: FAILED`: of a file or in one.
        let is_place =
            || sign == b':' && (names_a_source_file(key) || self.slice(0, name.start).ends_with(b"::"));
        let secret = self.announces(name.start, name.end, after) && !is_place();
        let prompt = !secret && sign == b':' && self.is_prompt;
        let first_on_line = (secret || names_a_person(key)) && self.is_first(name.start);
        // `environ({'HOME': '/', 'USER': 'alice'})`.
        let in_environment = name.is_quoted && key.iter().all(u8::is_ascii_uppercase) && names_a_person(key);
        let person = !secret && (first_on_line || in_environment);
        let announced = secret || person || prompt;
        if !announced && after < self.plain_until {
            return None;
        }
        let (start, end) = self.value_after(after, &name, first_on_line && (secret || person), announced);
        if start >= end {
            return None;
        }
        let value = self.slice(start, end);
        let nothing: [&[u8]; 8] = [b"None", b"null", b"true", b"false", b"True", b"False", b"str", b"*"];
        if nothing.contains(&value) || value == MARK.as_bytes() {
            return Some(end);
        }
        if announced {
            let end = if prompt { self.bytes.len() } else { end };
            self.mark(start, end, MARK, secret);
            return Some(end);
        }
        let run = self
            .until_within(start, GLANCE, |byte| !(byte.is_ascii_alphanumeric() || b"+/_-=".contains(&byte)));
        if run == end
            && (looks_random(value)
                || (sign == b'=' && is_hex_secret(self.slice(name.start, name.end), value)))
        {
            self.mark(start, end, MARK, true);
            return Some(end);
        }
        self.plain_until = end;
        None
    }

    /// The name left of `sign`: bare, quoted, bare inside a quoted pair, of two words, or
    /// in brackets before an equals sign.
    pub(super) fn name_before(&self, sign: usize) -> Option<Name> {
        // `NAME += value`, `NAME ?= value`: of a shell, of make.
        let is_doubled = self.byte(sign) == Some(b'=') && matches!(self.before(sign), Some(b'+' | b'?'));
        let at = sign.saturating_sub(usize::from(is_doubled));
        let space = self.back(at, |byte| byte == b' ');
        let quote_before = |at: usize| self.before(at).filter(|byte| b"\"'`".contains(byte));
        // `os.environ["NAME"] = value`, `config[name] = value`.
        let in_brackets = self.byte(sign) == Some(b'=') && self.before(space) == Some(b']');
        let space = space.saturating_sub(usize::from(in_brackets));
        let closing = quote_before(space);
        let mut end = if closing.is_some() { space.saturating_sub(1) } else { space };
        if closing.is_some() && self.before(end) == Some(b'\\') {
            end = end.saturating_sub(1);
        }
        let start = self.back(end, is_name_byte);
        // `--name=value`: the dashes are no part of the name.
        let start = self.until(start, |byte| byte != b'-').min(end);
        // `token += next` is of a program, `TOKEN += value` of a shell.
        let is_capital = self.byte(start).is_some_and(|byte| byte.is_ascii_uppercase());
        let is_sum = is_doubled && self.before(sign) == Some(b'+') && !is_capital;
        if start >= end || is_sum || (in_brackets && !self.is_in_brackets(start, closing)) {
            return None;
        }
        let start = if closing.is_none() { self.first_of_words(start, end) } else { start };
        // `"Authorization: x"`: the quote opens before the name and closes after the value.
        let opening = if closing.is_none() { quote_before(start) } else { None };
        let is_option = self.slice(start.saturating_sub(2), start) == b"--";
        Some(Name { start, end, opening, is_option, is_quoted: closing.is_some() })
    }

    /// Whether the name between these places announces a secret, whose value begins near `after`.
    #[inline(never)]
    pub(super) fn announces(&self, start: usize, end: usize, after: usize) -> bool {
        const SHORTEST: usize = 12;
        let name = self.slice(start, end);
        if !names_a_pat(name) {
            return names_a_secret(name);
        }
        // A pattern is no token's run of letters and digits.
        let after = self.until_within(after, 16, |byte| !b" \t\"'\\".contains(&byte));
        let end =
            self.until_within(after, 100, |byte| !(byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
        let value = self.slice(after, end);
        value.len() >= SHORTEST && value.iter().any(u8::is_ascii_digit)
    }

    /// Whether a bracket stands before the name that begins at `start`, and the quote that closes it.
    /// What an earlier redaction put in brackets is no name.
    fn is_in_brackets(&self, start: usize, quote: Option<u8>) -> bool {
        let bracket = match quote {
            Some(_) if self.before(start) != quote => return false,
            Some(_) => {
                let open = start.saturating_sub(1);
                open.saturating_sub(usize::from(self.before(open) == Some(b'\\')))
            }
            None => start,
        };
        self.before(bracket) == Some(b'[') && self.own_mark(bracket.saturating_sub(1)).is_none()
    }

    /// Where the name that ends at `end`, and whose last word begins at `start`, begins: `api key`.
    fn first_of_words(&self, start: usize, end: usize) -> usize {
        const NAMES: [&[u8]; 5] = [b"api key", b"secret key", b"access key", b"pass phrase", b"mot de passe"];
        if self.before(start) != Some(b' ') || !self.before(end).is_some_and(|byte| b"yYeE".contains(&byte)) {
            return start;
        }
        let first = |name: &[u8]| {
            let first = end.checked_sub(name.len()).filter(|first| *first < start)?;
            let is_whole = !self.before(first).is_some_and(is_name_byte);
            (is_whole && self.slice(first, end).eq_ignore_ascii_case(name)).then_some(first)
        };
        NAMES.into_iter().find_map(first).unwrap_or(start)
    }

    /// Where the value behind a sign begins and ends.
    pub(super) fn value_after(
        &mut self,
        after: usize,
        name: &Name,
        whole_line: bool,
        announced: bool,
    ) -> (usize, usize) {
        let mut start = self.until_within(after, 16, |byte| byte != b' ' && byte != b'\t');
        if matches!(self.byte(start), Some(b'b' | b'u' | b'r' | b'f'))
            && matches!(self.byte(start.saturating_add(1)), Some(b'"' | b'\''))
        {
            start = start.saturating_add(1);
        }
        let escaped = self.byte(start) == Some(b'\\');
        let quote_at = start.saturating_add(usize::from(escaped));
        if let Some(quote) = self.byte(quote_at).filter(|byte| b"\"'`".contains(byte)) {
            let start = quote_at.saturating_add(1);
            return (start, self.closing(start, quote, escaped, self.bytes.len()));
        }
        let key = self.slice(name.start, name.end);
        let ends = |end: &[u8]| {
            key.len()
                .checked_sub(end.len())
                .and_then(|at| key.get(at..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        let is_header = announced && (ends(b"authorization") || ends(b"cookie"));
        let end = match name.opening {
            Some(quote) => self.closing(start, quote, false, self.bytes.len()),
            _ if is_header => {
                // RFC 9110, 11.2: its value may hold quoted strings: `Token token="value"`. One that
                // opened before the name ends it: `curl -H 'x; Cookie: a'`.
                let begin = name.start.saturating_sub(usize::from(name.is_quoted));
                let end = match self.open_quote(begin) {
                    Some(quote) => self.closing(start, quote, false, self.bytes.len()),
                    None => self.bytes.len(),
                };
                self.trimmed(start, end)
            }
            _ if whole_line => self.trimmed(start, self.bytes.len()),
            _ if name.is_option => {
                self.until(start, |byte| byte.is_ascii_whitespace() || b"\"'".contains(&byte))
            }
            _ if announced => match self.byte(start) {
                // `auth=('name', 'secret')`: all of it.
                Some(b'(') => self.until(start, |byte| byte == b')'),
                Some(b'[') if !self.starts_with(start, MARK.as_bytes()) => {
                    self.until(start, |byte| byte == b']')
                }
                _ => self.announced_end(start),
            },
            _ => self.until_within(start, GLANCE, |byte| ends_word(byte) || b",;&)}".contains(&byte)),
        };
        (start, end)
    }

    /// Where an unquoted secret ends: at a space or quote, or at a sign that may also be part of it,
    /// where what follows the sign looks like the next part of a list.
    fn announced_end(&self, start: usize) -> usize {
        let is_sign = |byte: u8| b",;&)}".contains(&byte);
        let mut end = start;
        loop {
            end = self.until(end, |byte| ends_word(byte) || is_sign(byte));
            let Some(sign) = self.byte(end).filter(|byte| is_sign(*byte)) else { return end };
            let after = end.saturating_add(1);
            let name_end = self.until_within(after, 40, |byte| !is_name_byte(byte));
            let next = self.byte(after);
            let ends = next.is_none_or(|byte| ends_word(byte) || is_sign(byte) || b"].:".contains(&byte))
                || (name_end > after && self.byte(name_end) == Some(b'='));
            if ends || sign == b'}' {
                return end;
            }
            end = after;
        }
    }

    /// The place of the closing `quote` from `start` on, at most `reach` bytes further, or the line's
    /// end. `escaped`: the quote that opened was written `\"`, as in JSON within JSON, and so is the
    /// one that closes.
    pub(super) fn closing(&self, start: usize, quote: u8, escaped: bool, reach: usize) -> usize {
        let last = start.saturating_add(reach).min(self.bytes.len());
        let mut at = start;
        while at < last {
            at = self.until(at, |byte| byte == quote || byte == b'\\');
            let is_escape = self.byte(at) == Some(b'\\');
            if !is_escape || (escaped && self.byte(at.saturating_add(1)) == Some(quote)) {
                return at.min(last);
            }
            at = at.saturating_add(if escaped { 1 } else { 2 });
        }
        at.min(last)
    }

    /// The quote that is open at `at`. Each byte of the line is looked at once: `at` only grows.
    fn open_quote(&mut self, at: usize) -> Option<u8> {
        let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
        while self.quotes_until < at {
            let place = self.until_within(self.quotes_until, at.saturating_sub(self.quotes_until), |byte| {
                b"\"'`\\".contains(&byte)
            });
            let found = self.byte(place).filter(|_| place < at);
            let next = place.saturating_add(1);
            // `can't`: no quote.
            let is_apostrophe = found == Some(b'\'') && letter(self.before(place)) && letter(self.byte(next));
            match found {
                // What it escapes is passed over.
                Some(b'\\') => {}
                Some(_) if is_apostrophe => {}
                Some(_) if self.quote == found => self.quote = None,
                Some(_) if self.quote.is_none() => self.quote = found,
                _ => {}
            }
            self.quotes_until = next.saturating_add(usize::from(found == Some(b'\\')));
        }
        self.quote
    }

    fn trimmed(&self, start: usize, end: usize) -> usize {
        let spaces =
            self.slice(start, end).iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
        end.saturating_sub(spaces)
    }

    /// Whether only what may stand before an assignment in a listing stands before `start`.
    fn is_first(&self, start: usize) -> bool {
        let head = self.slice(0, start);
        if head.len() > REACH {
            return false;
        }
        let text = String::from_utf8_lossy(head);
        let text = text.trim();
        matches!(
            text,
            "" | "{'"
                | "{\""
                | "export"
                | "set"
                | "env"
                | "ENV"
                | "ARG"
                | "declare -x"
                | "-"
                | "+"
                | "\""
                | "'"
                | "_"
        )
    }
}
