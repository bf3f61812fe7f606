//! A secret that a command is told: as an option's value, or as a variable's.

use super::line::{Line, REACH, ends_word, is_name_byte};
use super::words::{is_plain_word, names_a_secret};
use super::{EMAIL_MARK, MARK, USER_MARK, work};

/// A letter that is an option, and the program with its command whose password it is: `-u` a name and a password.
const TOOLS: &[(u8, &[u8], &[u8])] = &[
    (b'p', b"sshpass", b""),
    (b'p', b"twine", b""),
    (b'p', b"docker", b"login"),
    (b'p', b"podman", b"login"),
    (b'p', b"az", b"login"),
    (b'a', b"hatch", b"publish"),
    (b'u', b"curl", b""),
];
/// Programs and their verbs that a setting's name and value follow.
const SETTERS: &[(&[u8], &[u8])] = &[
    (b"aws ", b"configure set "),
    (b"git ", b"config "),
    (b"npm ", b"config set "),
    (b"poetry ", b"config "),
];

impl Line<'_> {
    /// `--password value`, `-u name:password`. `at` is the first dash.
    pub(super) fn option(&mut self, at: usize) -> Option<usize> {
        if self.before(at).is_some_and(|byte| !ends_word(byte) && !b"[(,".contains(&byte)) {
            return None;
        }
        let name_start = self.until(at, |byte| byte != b'-');
        let name_end = self.until(name_start, |byte| !is_name_byte(byte));
        // `docker login -p=value`: behind two dashes it is an assignment.
        let is_letter = name_end == at.saturating_add(2);
        let in_gap = |byte| b" \t\"',".contains(&byte) || (is_letter && byte == b'=');
        let gap = self.until_within(name_end, 8, |byte| !in_gap(byte));
        let next_option = self.byte(gap) == Some(b'-')
            && self.byte(gap.saturating_add(1)).is_none_or(|byte| byte == b'-' || byte.is_ascii_alphabetic());
        // A name of several letters behind one dash may be a letter and its value.
        if name_start == at.saturating_add(1)
            && name_end > name_start.saturating_add(1)
            && let Some(end) = self.attached(at, name_start, name_end)
        {
            return Some(end);
        }
        if gap == name_end || next_option {
            return None;
        }
        let name = self.slice(name_start, name_end);
        let secret = self.announces(name_start, name_end, gap);
        // Only then is it worth the way to the value's end: `,-a,b` may stand a thousand times in a row.
        // `twine upload -u bob -p SECRET`, `sshpass -p SECRET`.
        let secret = secret || (matches!(name, b"p" | b"a") && self.is_of_tool(at, name));
        let logins: [&[u8]; 4] = [b"u", b"user", b"proxy-user", b"login"];
        if !secret && !logins.contains(&name) {
            return None;
        }
        let quote = self.before(gap).filter(|byte| b"\"'".contains(byte));
        let end_within = |reach| match quote {
            Some(quote) => self.closing(gap, quote, false, reach),
            None => self.until_within(gap, reach, |byte| byte.is_ascii_whitespace()),
        };
        // Whether it is a login is seen at its beginning.
        if secret || is_login(self.slice(gap, end_within(REACH))) {
            let value_end = end_within(self.bytes.len());
            self.mark(gap, value_end, MARK, true);
            return Some(value_end);
        }
        None
    }

    /// `curl -uname:password`, `twine upload -pSECRET`: a value right behind a letter. `at` is the dash.
    fn attached(&mut self, at: usize, letter: usize, name_end: usize) -> Option<usize> {
        let start = letter.saturating_add(1);
        let is_known = matches!(self.byte(letter)?, b'p' | b'u');
        if !is_known
            || !self.is_of_tool(at, self.slice(letter, start))
            || names_a_secret(self.slice(letter, name_end))
        {
            return None;
        }
        let end = self.until_within(start, REACH, ends_word);
        if start >= end || (self.byte(letter) == Some(b'u') && !is_login(self.slice(start, end))) {
            return None;
        }
        let end = self.until(end, ends_word);
        self.mark(start, end, MARK, true);
        Some(end)
    }

    /// Whether a tool with such an option stands near before it: in a command, or in a list of its words. `at`
    /// is the dash.
    fn is_of_tool(&self, at: usize, letter: &[u8]) -> bool {
        const NEAR: usize = 96;
        work::count(NEAR);
        let head = self.slice(at.saturating_sub(NEAR), at);
        TOOLS.iter().any(|(other, tool, command)| {
            let rest = if letter == [*other] { behind_word(head, tool) } else { None };
            rest.is_some_and(|rest| command.is_empty() || behind_word(rest, command).is_some())
        })
    }

    /// A variable that a Dockerfile or Windows is told, without an equals sign: `ENV NAME value`,
    /// `setx NAME value`, also behind a prompt or the number of a step.
    pub(super) fn declared(&mut self) {
        let Some(name) = declaration(self.slice(0, REACH.min(self.bytes.len()))) else { return };
        let name = self.until_within(name, 16, |byte| byte != b' ');
        let name_end = self.until_within(name, REACH, |byte| !is_name_byte(byte));
        let start = self.until_within(name_end, 16, |byte| byte != b' ' && byte != b'\t');
        let is_value = self.byte(start).is_some_and(|byte| !b":=".contains(&byte));
        if start == name_end || !is_value || self.bytes.get(start..) == Some(MARK.as_bytes()) {
            return;
        }
        if self.announces(name, name_end, start) {
            self.mark(start, self.bytes.len(), MARK, true);
        }
    }

    /// `aws configure set aws_secret_access_key value`, `poetry config http-basic.name user value`. `at` is
    /// where the verb begins.
    #[inline(never)]
    pub(super) fn setting(&mut self, at: usize) -> Option<usize> {
        let head = self.slice(0, at);
        let (_, verb) =
            SETTERS.iter().find(|(tool, verb)| head.ends_with(tool) && self.starts_with(at, verb))?;
        let mut name = at.saturating_add(verb.len());
        // `git config --global`.
        while self.byte(name) == Some(b'-') {
            name = self.next_word(name);
        }
        let mut start = self.next_word(name);
        let key = self.slice(name, start).trim_ascii_end();
        if key.starts_with(b"http-basic.") {
            start = self.next_word(start);
        } else if !names_a_secret(key) {
            return None;
        }
        let quote = self.byte(start).filter(|byte| b"\"'".contains(byte));
        start = start.saturating_add(usize::from(quote.is_some()));
        let end = match quote {
            Some(quote) => self.closing(start, quote, false, self.bytes.len()),
            None => self.until(start, ends_word),
        };
        let value = self.slice(start, end);
        let spreads = !is_plain_word(value);
        if value != MARK.as_bytes() {
            self.mark(start, end, MARK, spreads);
        }
        Some(end)
    }

    /// Where the word after the one at `at` begins.
    fn next_word(&self, at: usize) -> usize {
        let end = self.until(at, |byte| byte.is_ascii_whitespace());
        self.until(end, |byte| !byte.is_ascii_whitespace())
    }
}

/// What follows `word` in `head`, where it stands between spaces, quotes and the like.
fn behind_word<'a>(head: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !is_name_byte(*byte));
    let is_word = |at: &usize| {
        let before = at.checked_sub(1).and_then(|at| head.get(at));
        is_apart(before) && is_apart(head.get(at.saturating_add(word.len())))
    };
    let is_here = |at: &usize| head.get(*at..).is_some_and(|rest| rest.starts_with(word));
    let at = (0..head.len()).find(|at| is_here(at) && is_word(at))?;
    head.get(at.saturating_add(word.len())..)
}

/// Where what is declared begins, behind the keyword. Each byte is looked at once: every line comes this way.
fn declaration(head: &[u8]) -> Option<usize> {
    let mut end = 0_usize;
    for word in head.split(|byte| *byte == b' ') {
        let start = end;
        end = start.saturating_add(word.len());
        // Few words end so, and these are what it costs.
        if matches!(word.last(), Some(b'V' | b'x' | b'X')) && end < head.len() {
            // It may stand right behind a prompt.
            let prompt = word.iter().rposition(|byte| !byte.is_ascii_alphabetic());
            let prompt = prompt.map_or(0, |at| at.saturating_add(1));
            let keyword = word.get(prompt..)?;
            if keyword == b"ENV" || keyword.eq_ignore_ascii_case(b"setx") {
                let before = head.get(..start.saturating_add(prompt))?.trim_ascii_end();
                // An earlier redaction's mark ends in a bracket and is no step's number.
                let is_own_mark =
                    [MARK, USER_MARK, EMAIL_MARK].iter().any(|own| before.ends_with(own.as_bytes()));
                let begins = !is_own_mark && before.last().is_none_or(|byte| b":]>$".contains(byte));
                return begins.then(|| end.saturating_add(1));
            }
        }
        end = end.saturating_add(1);
    }
    None
}

/// `name:password`, and no path.
fn is_login(value: &[u8]) -> bool {
    let has_password = value.iter().skip(1).any(|byte| *byte == b':');
    has_password && !value.contains(&b'/') && !value.contains(&b'\\')
}
