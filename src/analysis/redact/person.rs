//! Who somebody is: e-mail addresses, and the owners of home directories.

use super::line::{Line, REACH, ends_word};
use super::{EMAIL_MARK, MARK, USER_MARK};

impl Line<'_> {
    /// `user:password@host`, `name@example.org`. `at` is the at sign.
    pub(super) fn at_sign(&mut self, at: usize) -> Option<usize> {
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

    /// `alice%40example.org`, `%2Fhome%2Falice` in a URL (RFC 3986, 2.1). `at` is the percent sign.
    pub(super) fn encoded_person(&mut self, at: usize) -> Option<usize> {
        let after = at.saturating_add(3);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte);
        if self.slice(at, after) == b"%40" {
            let start = self.back(at, plain);
            // What the percent sign of another such byte belongs to.
            let start = if self.before(start) == Some(b'%') { start.saturating_add(2) } else { start };
            let end = self.until_within(after, REACH, |byte| !plain(byte));
            let host = self.slice(after, end);
            let top = host.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
            let is_host = host.contains(&b'.') && top.len() >= 2 && top.iter().all(u8::is_ascii_alphabetic);
            if start >= at || !is_host || self.slice(start, at).ends_with(b".git") {
                return None;
            }
            self.mark(start, end, EMAIL_MARK, false);
            return Some(end);
        }
        let directories: [&[u8]; 2] = [b"%2Fhome%2F", b"%2FUsers%2F"];
        let is_directory = |directory: &&&[u8]| {
            self.slice(at, at.saturating_add(directory.len())).eq_ignore_ascii_case(directory)
        };
        let start = at.saturating_add(directories.iter().find(is_directory)?.len());
        let end = self.until_within(start, REACH, |byte| !plain(byte));
        self.mark(start, end, USER_MARK, false);
        Some(end)
    }

    /// The owner's name in a path below `/home`, `/Users`, `C:\Users`. `at` is the first slash.
    pub(super) fn home(&mut self, at: usize) -> Option<usize> {
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
        // `/home1/alice`, where there are several disks.
        let directory_end = if directory == b"home" {
            self.until_within(directory_end, 2, |byte| !byte.is_ascii_digit())
        } else {
            directory_end
        };
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
            let further = self.until_within(end, 40, |byte| slash(byte) || b"\"`<>:;|*?[".contains(&byte));
            if self.byte(further).is_some_and(slash) {
                end = further;
            }
        }
        if self.byte(end) == Some(b'\'')
            && self.byte(end.saturating_add(1)).is_some_and(|b| b.is_ascii_alphabetic())
        {
            // `C:\Users\Mary O'Neil\AppData`, `/home/d'arc/x`.
            let further = self.until_within(end.saturating_add(1), 40, |byte| slash(byte) || ends_word(byte));
            if self.byte(further).is_some_and(slash) {
                end = further;
            }
        }
        if self.is_domain(start, end) && self.byte(end).is_some_and(slash) {
            // `/home/corp.example/alice`: a directory for each domain, and the names below.
            let name = end.saturating_add(1);
            end = self.until_within(name, REACH, |byte| {
                ends_word(byte) || slash(byte) || b":;,)}|*?".contains(&byte)
            });
        }
        self.mark(start, end, USER_MARK, false);
        Some(end)
    }

    fn is_domain(&self, start: usize, end: usize) -> bool {
        const TOPS: [&[u8]; 9] =
            [b"com", b"org", b"net", b"edu", b"corp", b"local", b"lan", b"internal", b"example"];
        let name = self.slice(start, end);
        name.iter().rposition(|byte| *byte == b'.').is_some_and(|dot| {
            let top = name.get(dot.saturating_add(1)..).unwrap_or_default();
            TOPS.iter().any(|other| other.eq_ignore_ascii_case(top))
        })
    }
}
