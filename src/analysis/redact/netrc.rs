//! Lines of a netrc file.

use super::MARK;
use super::line::Line;

impl Line<'_> {
    /// netrc(5): `machine HOST login NAME password SECRET`, also one pair a line.
    pub(super) fn netrc(&mut self) {
        let bare = self.bytes.trim_ascii_start();
        let begins =
            |word: &[u8]| bare.starts_with(word) && bare.get(word.len()).is_some_and(u8::is_ascii_whitespace);
        let lone = begins(b"login") || begins(b"password") || begins(b"account");
        if !lone && !begins(b"machine") && !begins(b"default") {
            return;
        }
        // `password incorrect for this user` is no netrc.
        let words = || bare.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let count = words().take(8).count();
        // `account settings were changed` neither: each pair begins with its word.
        let keywords: [&[u8]; 3] = [b"login", b"password", b"account"];
        let in_pairs = words().step_by(2).take(4).all(|word| keywords.contains(&word));
        let quoted = words().nth(1).is_some_and(|word| word.starts_with(b"\""));
        if lone && !quoted && (count > 6 || !count.is_multiple_of(2) || !in_pairs) {
            return;
        }
        let mut at = 0_usize;
        let mut secret_next = false;
        while at < self.bytes.len() {
            let start = self.until(at, |byte| !byte.is_ascii_whitespace());
            let mut end = self.until(start, |byte| byte.is_ascii_whitespace());
            if secret_next && self.byte(start) == Some(b'"') {
                let start = start.saturating_add(1);
                end = self.closing(start, b'"', false, self.bytes.len());
                self.mark_secret(start, end);
                secret_next = false;
            } else if secret_next {
                self.mark_secret(start, end);
                secret_next = false;
            } else {
                let word = self.slice(start, end);
                secret_next = word == b"login" || word == b"password" || word == b"account";
            }
            at = end.max(at.saturating_add(1));
        }
    }
    /// A mark put where one stands already would hide what stands before it from the walk.
    fn mark_secret(&mut self, start: usize, end: usize) {
        if self.slice(start, end) != MARK.as_bytes() {
            self.mark(start, end, MARK, true);
        }
    }
}
