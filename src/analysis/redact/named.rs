//! Secrets that are named in other ways: as an XML element, in Chinese.

use super::MARK;
use super::line::{Line, ends_word, is_name_byte};
use super::words::names_a_secret;

/// Names of secrets in Chinese, and whether each is one, rather than somebody's name.
const CHINESE: &[(&str, bool)] = &[
    ("密码", true),
    ("密碼", true),
    ("口令", true),
    ("令牌", true),
    ("密钥", true),
    ("用户名", false),
    ("使用者名稱", false),
];

/// The first bytes of those names.
pub(super) fn begins_chinese_name(byte: u8) -> bool {
    matches!(byte, 0xe4 | 0xe5 | 0xe7)
}

impl Line<'_> {
    /// `<password>value</password>`. `at` is the first bracket that closes.
    pub(super) fn element(&mut self, at: usize) -> Option<usize> {
        let name = self.back(at, is_name_byte);
        if self.before(name) != Some(b'<') || !names_a_secret(self.slice(name, at)) {
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

    /// `密码：value`, `口令=value`. `at` is the name's first byte.
    pub(super) fn chinese_name(&mut self, at: usize) -> Option<usize> {
        let (name, secret) = CHINESE.iter().find(|(name, _)| self.starts_with(at, name.as_bytes()))?;
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
