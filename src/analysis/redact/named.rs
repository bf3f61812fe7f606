//! Secrets that are named in other ways: as an XML element, before a comma or an encoded sign, in letters that
//! are not ASCII's.

use super::MARK;
use super::line::{Line, REACH, ends_word, is_name_byte};
use super::words::{is_plain_word, names_a_secret};
use super::work;

/// Names of secrets in other letters, what stands before each in ASCII, and whether it is a secret's, rather
/// than somebody's name.
const FOREIGN: &[(&str, &str, bool)] = &[
    ("", "密码", true),
    ("", "密碼", true),
    ("", "口令", true),
    ("", "令牌", true),
    ("", "密钥", true),
    ("", "用户名", false),
    ("", "使用者名稱", false),
    ("", "パスワード", true),
    ("", "비밀번호", true),
    ("", "пароль", true),
    ("", "Пароль", true),
    ("", "ПАРОЛЬ", true),
    ("contrase", "ña", true),
    ("CONTRASE", "ÑA", true),
];

/// The first bytes of those names.
pub(super) fn begins_foreign_name(byte: u8) -> bool {
    matches!(byte, 0xc3 | 0xd0 | 0xe3 | 0xe4 | 0xe5 | 0xe7 | 0xeb)
}

impl Line<'_> {
    /// `<password>value</password>`. `at` is the first bracket that closes.
    pub(super) fn element(&mut self, at: usize) -> Option<usize> {
        let (name, name_end) = match self.before(at)? {
            // `<password type="x">`: no bracket is looked past, so that no byte is looked at twice.
            b'"' | b'\'' => {
                let head = self.slice(0, at);
                let open = head.iter().rposition(|byte| b"<>".contains(byte))?;
                work::count(head.len().saturating_sub(open));
                let name = open.saturating_add(1);
                (name, self.until_within(name, REACH, |byte| !is_name_byte(byte)))
            }
            _ => (self.back(at, is_name_byte), at),
        };
        if self.before(name) != Some(b'<') || !names_a_secret(self.slice(name, name_end)) {
            return None;
        }
        let start = at.saturating_add(1);
        let end = self.until(start, |byte| byte == b'<');
        if self.byte(end).is_none() || self.slice(start, end) == MARK.as_bytes() {
            return Some(end);
        }
        self.mark(start, end, MARK, true);
        Some(end)
    }

    /// `('password', 'value')`, `setdefault("TOKEN", "value")`, `[b'authorization', b'value']`. `at` is the
    /// comma. Of more than two, as of names in a list, none is another's value.
    #[inline(never)]
    pub(super) fn pair(&mut self, at: usize) -> Option<usize> {
        let name = self.name_before(at).filter(|name| name.is_quoted)?;
        let open = self.back(name.start, |byte| b"\\\"'bu".contains(&byte));
        let bracket = self.before(open).filter(|byte| b"([".contains(byte))?;
        if !names_a_secret(self.slice(name.start, name.end)) {
            return None;
        }
        let (start, end) = self.value_after(at.saturating_add(1), &name, false, true);
        let quote = self.before(start).filter(|byte| b"\"'".contains(byte))?;
        let close = self.until_within(end, 2, |byte| byte != b'\\' && byte != quote);
        let value = self.slice(start, end);
        let is_pair = close > end && matches!(self.byte(close), Some(b')' | b']'));
        let is_word = is_plain_word(value);
        if !is_pair || start >= end || value == MARK.as_bytes() || (is_word && bracket == b'[') {
            return None;
        }
        self.mark(start, end, MARK, !is_word);
        Some(end)
    }

    /// `token%3Dvalue`, `password%3A%20value`: an encoded sign (RFC 3986, 2.1). `at` is the percent sign.
    #[inline(never)]
    pub(super) fn encoded_assignment(&mut self, at: usize) -> Option<usize> {
        let mut start = at.saturating_add(3);
        if !matches!(self.slice(at, start), b"%3D" | b"%3d" | b"%3A" | b"%3a") {
            return None;
        }
        let name = self.back(at, is_name_byte);
        // What the percent sign of another such byte belongs to.
        let name = if self.before(name) == Some(b'%') { name.saturating_add(2) } else { name };
        if !names_a_secret(self.slice(name.min(at), at)) {
            return None;
        }
        while matches!(self.slice(start, start.saturating_add(3)), b"%20" | b"%22") {
            start = start.saturating_add(3);
        }
        let mut end = start;
        loop {
            end = self.until(end, |byte| ends_word(byte) || b"%&;,)".contains(&byte));
            let code = self.slice(end, end.saturating_add(3));
            // Other encoded bytes are part of it; `&`, `"` and a space are not.
            if self.byte(end) != Some(b'%') || matches!(code, b"%26" | b"%22" | b"%20") {
                break;
            }
            end = end.saturating_add(1);
        }
        if self.slice(start, end) != MARK.as_bytes() {
            self.mark(start, end, MARK, true);
        }
        Some(end)
    }

    /// `密码：value`, `口令=value`. `at` is the first byte of the name that is not ASCII.
    pub(super) fn foreign_name(&mut self, at: usize) -> Option<usize> {
        let (_, name, secret) = FOREIGN.iter().find(|(before, name, _)| {
            let head = self.slice(at.saturating_sub(before.len()), at);
            self.starts_with(at, name.as_bytes()) && head.eq_ignore_ascii_case(before.as_bytes())
        })?;
        let space = |byte: u8| byte == b' ' || byte == b'\t';
        let sign = self.until_within(at.saturating_add(name.len()), 8, |byte| !space(byte));
        let signs: [&[u8]; 4] = ["：".as_bytes(), "＝".as_bytes(), b":", b"="];
        let sign_length = signs.iter().find(|text| self.starts_with(sign, text))?.len();
        let start = self.until_within(sign.saturating_add(sign_length), 8, |byte| !space(byte));
        let quote = self.byte(start).filter(|byte| b"\"'`".contains(byte));
        let start = start.saturating_add(usize::from(quote.is_some()));
        if let Some(end) = self.own_mark(start) {
            return Some(end);
        }
        let end = match quote {
            Some(quote) => self.closing(start, quote, false, self.bytes.len()),
            None => self.until(start, ends_word),
        };
        self.mark(start, end, MARK, *secret);
        Some(end)
    }
}
