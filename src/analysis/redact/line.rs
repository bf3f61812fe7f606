//! Finds the secrets of one line by walking its bytes once. Each look ahead ends where the walk
//! goes on, and each look back where the last one began, so that the work stays linear.

use super::secrets::Found;
use super::words::{looks_random, names_a_person, names_a_secret, token_at};
use super::{EMAIL_MARK, MARK, USER_MARK};

/// How far a look back or ahead goes for a name, a host or a user.
const REACH: usize = 256;

struct Line<'a> {
    bytes: &'a [u8],
    offset: usize,
    found: &'a mut Found,
}

/// Adds the secrets of `line`, which begins at `offset` of the text.
pub(super) fn scan_line(line: &str, offset: usize, found: &mut Found) {
    let mut line = Line { bytes: line.as_bytes(), offset, found };
    line.netrc();
    let mut at = 0_usize;
    while let Some(byte) = line.byte(at) {
        let next = match byte {
            b':' if line.starts_with(at, b"://") => line.url(at),
            b':' | b'=' => line.assignment(at, byte),
            b'@' => line.at_sign(at),
            b'/' | b'\\' => line.home(at),
            b'-' => line.option(at),
            b'B' | b'b' | b'T' => line.scheme_word(at),
            _ => None,
        };
        let next = next.or_else(|| line.token(at, byte));
        at = next.unwrap_or(0).max(at.saturating_add(1));
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`<>".contains(&byte)
}

impl Line<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|at| self.byte(at))
    }

    fn starts_with(&self, at: usize, text: &[u8]) -> bool {
        self.bytes.get(at..).is_some_and(|rest| rest.starts_with(text))
    }

    fn slice(&self, start: usize, end: usize) -> &[u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The first place from `at` on whose byte `stops`, or the end of the line.
    fn until(&self, at: usize, stops: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| stops(*byte)).unwrap_or(rest.len());
        at.saturating_add(length)
    }

    /// The first place of the run of bytes before `at` that `belongs`, at most [`REACH`] back.
    fn back(&self, at: usize, belongs: impl Fn(u8) -> bool) -> usize {
        let length =
            self.slice(at.saturating_sub(REACH), at).iter().rev().take_while(|byte| belongs(**byte)).count();
        at.saturating_sub(length)
    }

    fn mark(&mut self, start: usize, end: usize, mark: &'static str, spreads: bool) {
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

    /// RFC 3986, 3.2.1: `scheme://userinfo@host`. `at` is the colon.
    fn url(&mut self, at: usize) -> Option<usize> {
        let start = at.saturating_add(3);
        let word_end = self.until(start, ends_word);
        let authority_end = self.until(start, |byte| ends_word(byte) || b"/?#\\,".contains(&byte));
        let last_at = |end: usize| self.slice(start, end).iter().rposition(|byte| *byte == b'@');
        let userinfo = last_at(authority_end).or_else(|| {
            // A password with an unescaped `/`: what follows the colon cannot be a port then.
            let authority = self.slice(start, authority_end);
            let colon = authority.iter().position(|byte| *byte == b':')?;
            let port = authority.get(colon.saturating_add(1)..)?;
            let is_port = port.iter().all(u8::is_ascii_digit) && !port.is_empty();
            let bracketed = authority.first() == Some(&b'[');
            if is_port || bracketed { None } else { last_at(word_end.min(start.saturating_add(REACH))) }
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
        let name_start = self.until(at, |byte| !slash(byte));
        let directory_end = self
            .until(name_start, |byte| !(byte.is_ascii_alphabetic() || byte == b' '))
            .min(name_start.saturating_add(REACH));
        let directory = self.slice(name_start, directory_end).to_ascii_lowercase();
        let known: [&[u8]; 4] = [b"home", b"users", b"documents and settings", b"benutzer"];
        if !known.contains(&directory.as_slice()) || !self.byte(directory_end).is_some_and(slash) {
            return None;
        }
        let start = self.until(directory_end, |byte| !slash(byte));
        let windows = self.byte(directory_end) == Some(b'\\');
        let mut end =
            self.until(start, |byte| ends_word(byte) || slash(byte) || b":;,)]}|*?".contains(&byte));
        if windows && self.byte(end) == Some(b' ') {
            // `C:\Users\Anna Maria\AppData`: a name may hold spaces when a path goes on after it.
            let further = self.until(end, |byte| slash(byte) || b"\"'`<>:;|*?".contains(&byte));
            if further.saturating_sub(start) <= 40 && self.byte(further).is_some_and(slash) {
                end = further;
            }
        }
        // The mark itself ends at its bracket.
        if self.starts_with(start, USER_MARK.as_bytes()) {
            return Some(start.saturating_add(USER_MARK.len()));
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
        let gap = self.until(name_end, |byte| !b" \t\"',".contains(&byte));
        if gap == name_end || self.byte(gap) == Some(b'-') {
            return None;
        }
        let value_end = self.until(gap, |byte| byte.is_ascii_whitespace() || b"\"'".contains(&byte));
        let name = self.slice(name_start, name_end);
        let value = self.slice(gap, value_end);
        let login = name == b"u" && value.iter().skip(1).any(|byte| *byte == b':') && !value.contains(&b'/');
        if names_a_secret(name) || login {
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

    fn token(&mut self, at: usize, first: u8) -> Option<usize> {
        if !first.is_ascii_alphanumeric() {
            return None;
        }
        // `\nghp_...` in a quoted string: the letter before belongs to the escape.
        let escaped = at.checked_sub(2).and_then(|at| self.byte(at)) == Some(b'\\');
        let inside = !escaped && self.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
        let length = token_at(self.bytes.get(at..)?, inside)?;
        let end = at.saturating_add(length);
        self.mark(at, end, MARK, true);
        Some(end)
    }

    /// `name=value`, `name: value`, `"name": "value"`. `at` is the sign.
    fn assignment(&mut self, at: usize, sign: u8) -> Option<usize> {
        let after = at.saturating_add(1);
        // `==` compares or pins a version, `::` joins names.
        if self.byte(after) == Some(sign) || self.before(at) == Some(sign) {
            return None;
        }
        let name = self.name_before(at)?;
        let key = self.slice(name.start, name.end);
        let first_on_line = self.is_first(name.start);
        let secret = names_a_secret(key);
        let prompt = !secret && sign == b':' && self.is_password_prompt(name.start);
        let person = first_on_line && names_a_person(key);
        let (start, end) = self.value_after(after, &name, first_on_line && (secret || person));
        if start >= end {
            return None;
        }
        let value = self.slice(start, end);
        let nothing: [&[u8]; 8] = [b"None", b"null", b"true", b"false", b"True", b"False", b"str", b"*"];
        if nothing.contains(&value) || value == MARK.as_bytes() {
            return Some(end);
        }
        if secret || person || prompt {
            let end = if prompt { self.bytes.len() } else { end };
            self.mark(start, end, MARK, secret);
            return Some(end);
        }
        let run = self.until(start, |byte| !(byte.is_ascii_alphanumeric() || b"+/_-=".contains(&byte)));
        if run == end && looks_random(value) {
            self.mark(start, end, MARK, true);
            return Some(end);
        }
        None
    }

    /// The name left of the sign at `at`: bare, quoted, or bare inside a quoted pair.
    fn name_before(&self, at: usize) -> Option<Name> {
        let space = self.back(at, |byte| byte == b' ');
        let quote_before = |at: usize| self.before(at).filter(|byte| b"\"'`".contains(byte));
        let closing = quote_before(space);
        let mut end = if closing.is_some() { space.saturating_sub(1) } else { space };
        if closing.is_some() && self.before(end) == Some(b'\\') {
            end = end.saturating_sub(1);
        }
        let start = self.back(end, is_name_byte);
        // `--name=value`: the dashes are no part of the name.
        let start = self.until(start, |byte| byte != b'-').min(end);
        if start >= end {
            return None;
        }
        // `"Authorization: x"`: the quote opens before the name and closes after the value.
        let opening = if closing.is_none() { quote_before(start) } else { None };
        let is_option = self.slice(start.saturating_sub(2), start) == b"--";
        Some(Name { start, end, opening, is_option })
    }

    /// Where the value behind a sign begins and ends.
    fn value_after(&self, after: usize, name: &Name, whole_line: bool) -> (usize, usize) {
        let mut start = self.until(after, |byte| byte != b' ' && byte != b'\t');
        if matches!(self.byte(start), Some(b'b' | b'u' | b'r' | b'f'))
            && matches!(self.byte(start.saturating_add(1)), Some(b'"' | b'\''))
        {
            start = start.saturating_add(1);
        }
        let escaped = self.byte(start) == Some(b'\\');
        let quote_at = start.saturating_add(usize::from(escaped));
        if let Some(quote) = self.byte(quote_at).filter(|byte| b"\"'`".contains(byte)) {
            let start = quote_at.saturating_add(1);
            return (start, self.closing(start, quote));
        }
        let key = self.slice(name.start, name.end).to_ascii_lowercase();
        let is_header = key.ends_with(b"authorization") || key.ends_with(b"cookie");
        let end = match name.opening {
            Some(quote) if name.end < after => self.closing(start, quote),
            _ if whole_line || is_header => {
                let end = self.until(start, |byte| is_header && b"\"'`".contains(&byte));
                self.trimmed(start, end)
            }
            _ if name.is_option => {
                self.until(start, |byte| byte.is_ascii_whitespace() || b"\"'".contains(&byte))
            }
            _ => self.until(start, |byte| ends_word(byte) || b",;&)}".contains(&byte)),
        };
        (start, end)
    }

    /// The place of the closing `quote` from `start` on, escapes passed over, or the line's end.
    fn closing(&self, start: usize, quote: u8) -> usize {
        let mut at = start;
        while let Some(byte) = self.byte(at) {
            if byte == quote {
                return at;
            }
            // `\"` closes where the quote that opened was written so, too.
            if byte == b'\\' && self.byte(at.saturating_add(1)) == Some(quote) {
                return at;
            }
            at = at.saturating_add(1);
        }
        at
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
            "" | "export" | "set" | "env" | "ENV" | "ARG" | "declare -x" | "-" | "+" | "\"" | "'" | "_"
        )
    }

    /// `Password for somebody:`, as git and pip ask for one. `start` is where the last word begins.
    fn is_password_prompt(&self, start: usize) -> bool {
        let head = self.slice(start.saturating_sub(REACH), start).to_ascii_lowercase();
        let text = String::from_utf8_lossy(&head);
        text.contains("password for ") || text.contains("passphrase for ")
    }

    /// netrc(5): `machine HOST login NAME password SECRET`, also one pair a line.
    fn netrc(&mut self) {
        let text = String::from_utf8_lossy(self.bytes).into_owned();
        let mut words = text.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        let count = words.count().saturating_add(1);
        let pairs = first == "machine" || (first == "default" && count > 1);
        let lone = matches!(first, "login" | "password" | "account") && count.is_multiple_of(2) && count <= 6;
        if !pairs && !lone {
            return;
        }
        let mut at = 0_usize;
        let mut secret_next = false;
        while at < self.bytes.len() {
            let start = self.until(at, |byte| !byte.is_ascii_whitespace());
            let end = self.until(start, |byte| byte.is_ascii_whitespace());
            if secret_next {
                self.mark(start, end, MARK, true);
                secret_next = false;
            } else {
                let word = self.slice(start, end);
                secret_next = word == b"login" || word == b"password" || word == b"account";
            }
            at = end.max(at.saturating_add(1));
        }
    }
}

struct Name {
    start: usize,
    end: usize,
    /// The quote that opened right before the name.
    opening: Option<u8>,
    is_option: bool,
}
