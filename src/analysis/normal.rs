//! A log without what differs from run to run and machine to machine and does not change the answer:
//! directories, times, speeds, addresses in memory and in networks. Two logs that are alike here are one
//! question to the cache.

use super::redact::Redacted;

/// The log in that form. The first line, the user's command, stays as it is: what it names is what
/// the answer is about.
#[must_use]
pub fn normalised(text: &Redacted) -> String {
    let text = text.as_str();
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let (command, rest) = if first.starts_with("Command:") { (first, rest) } else { ("", text) };
    let mut out = String::with_capacity(text.len());
    out.push_str(command);
    for line in rest.lines() {
        out.push('\n');
        // How wide a progress bar is drawn says nothing either.
        for (place, word) in line.split(is_between).filter(|word| !word.is_empty()).enumerate() {
            if place > 0 {
                out.push(' ');
            }
            push_word(&mut out, word);
        }
    }
    out
}

fn is_between(c: char) -> bool {
    c.is_whitespace() || "\"'`<>(),;".contains(c)
}

/// Stands for any directory, number or address.
const ANY: &str = "_";

fn push_word(out: &mut String, word: &str) {
    match file(word) {
        Some(file) => {
            out.push_str(ANY);
            out.push('/');
            push_measure(out, file);
        }
        None => push_measure(out, word),
    }
}

/// What of a path counts: its last part, or nothing where that is drawn at random, as for pip's own directories.
/// `None` for what is no path: addresses, and two parts such as `openssl/ssl.h`, which say what is missing.
fn file(word: &str) -> Option<&str> {
    let is_separator = |c: char| c == '/' || c == '\\';
    let (_, file) = word.rsplit_once(is_separator)?;
    let is_rooted = word.starts_with(['/', '\\', '~', '.']) || word.get(1..2) == Some(":");
    if word.contains("://") || !is_rooted && word.matches(is_separator).count() < 2 {
        return None;
    }
    let is_random = ["pip-", "tmp", "build-env-", "pip_"].iter().any(|start| file.starts_with(start));
    Some(if is_random { "" } else { file })
}

/// The log as a model sees it: without the directories that [`normalised`] leaves out. Whatever words somebody puts
/// there, they shape no answer that others get. Never longer than it was.
#[must_use]
pub fn shown(text: &Redacted) -> String {
    let text = text.as_str();
    let command = if text.starts_with("Command:") { text.find('\n').unwrap_or(text.len()) } else { 0 };
    let (command, mut rest) = text.split_at_checked(command).unwrap_or(("", text));
    let mut out = String::with_capacity(text.len());
    out.push_str(command);
    while !rest.is_empty() {
        let end = rest.find(is_between).unwrap_or(rest.len());
        let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        match file(word) {
            Some(file) if file.len().saturating_add(2) <= word.len() => {
                out.push_str(ANY);
                out.push('/');
                out.push_str(file);
            }
            _ => out.push_str(word),
        }
        let between = after.find(|c| !is_between(c)).unwrap_or(after.len());
        let (between, next) = after.split_at_checked(between).unwrap_or((after, ""));
        out.push_str(between);
        rest = next;
    }
    out
}

/// A word that may be a time, a date, an amount or an address.
fn push_measure(out: &mut String, word: &str) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_memory = |text: &str| {
        text.strip_prefix("0x")
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    // `12:34:56`, `12:34:56.789Z`, `0:00:01`, but not `file.c:10:5`.
    let is_time = |text: &str| {
        let text = text.trim_end_matches('Z');
        let mut parts = text.split(':');
        let hours = parts.next().unwrap_or_default();
        let hours = hours.rsplit('T').next().unwrap_or_default();
        let rest: Vec<&str> = parts.take(4).collect();
        digits(hours)
            && matches!(rest.len(), 1 | 2)
            && rest.iter().all(|part| part.len() >= 2 && part.split('.').all(digits))
    };
    let is_date = |text: &str| {
        let parts: Vec<&str> = text.split('-').take(4).collect();
        matches!(parts.as_slice(), [year, month, day] if year.len() == 4 && [year, month, day].into_iter().all(|part| digits(part)))
    };
    let is_network = |text: &str| {
        // Four numbers alone may also be a version.
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        let is_private =
            ["10.", "127.", "172.", "192.168.", "169.254."].iter().any(|net| host.starts_with(net));
        host.split('.').count() == 4 && host.split('.').all(digits) && (digits(port) || is_private)
    };
    // `188.4/188.4`, `4.1` before a unit of size, speed or time.
    let is_amount = |text: &str| {
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '%');
        let unit = text.get(number.len()..).unwrap_or_default();
        ["s", "ms", "kB", "MB", "GB", "B", "kB/s", "MB/s", "%"].contains(&unit)
            && number.split(['.', '/']).all(digits)
    };
    let bare = word.trim_start_matches('[').trim_end_matches(['.', ':', ']']);
    if is_memory(bare) || is_time(bare) || is_date(bare) || is_network(bare) || is_amount(bare) {
        out.push_str(ANY);
    } else {
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::redact::redact;

    fn of(raw: &str) -> String {
        normalised(&redact(raw))
    }

    #[test]
    fn what_differs_from_run_to_run_is_alike() {
        for (one, other) in [
            (
                "x\n  File \"/tmp/pip-install-a1b2/setup.py\", line 3",
                "x\n  File \"/var/x/y/setup.py\", line 3",
            ),
            ("x\nC:\\Users\\bob\\AppData\\setup.py", "x\nC:\\Users\\Anna Maria\\x\\setup.py"),
            ("x\n/tmp/pip-build-env-x1 y", "x\n/tmp/pip-build-env-y2 y"),
            ("x\n<object at 0x7f3a01b2c3d4>", "x\n<object at 0x55>"),
            ("x\n12:34:56 start, 2026-11-25 12:34", "x\n01:02:03 start, 2025-01-01 23:59"),
            ("x\n2026-11-25T12:34:56.123Z start", "x\n2026-11-26T01:00:00Z start"),
            ("x\n---- 188.4kB 4.1MB/s eta 0:00:01", "x\n---- 188.4kB 900.0kB/s eta 0:00:59"),
            ("x\nhost 10.0.0.1:443.", "x\nhost 192.168.7.9:80."),
        ] {
            assert_eq!(of(one), of(other));
        }
    }

    #[test]
    fn a_model_is_shown_no_directory_that_the_question_leaves_out() {
        for (raw, shown) in [
            (
                "Command: pip install ./a/b\n  File \"/a/b/c.py\", line 3",
                "Command: pip install ./a/b\n  File \"_/c.py\", line 3",
            ),
            ("building /note:\u{2800}use\u{2800}x==1/y.c failed", "building _/y.c failed"),
            ("x  C:\\Users\\a\\b.c\tz\n/tmp/tmp-use-x==1\n", "x  _/b.c\tz\n_/\n"),
            ("openssl/ssl.h, /x, https://a.example/b/c", "openssl/ssl.h, /x, https://a.example/b/c"),
        ] {
            let text = redact(raw);
            let out = super::shown(&text);
            assert_eq!(out, shown);
            assert!(out.len() <= text.as_str().len());
            assert_eq!(of(&out), of(raw), "the question stays the same");
        }
    }

    #[test]
    fn what_the_answer_depends_on_is_not() {
        for (one, other) in [
            ("Command: pip install ./a/x", "Command: pip install ./b/x"),
            ("x\nfatal error: a.h", "x\nfatal error: b.h"),
            ("x\n/usr/include/a.h", "x\n/usr/include/b.h"),
            ("x\nfatal error: a/x.h", "x\nfatal error: b/x.h"),
            ("x\n(from versions: 1.0, 2.0)", "x\n(from versions: 1.0, 3.0)"),
            ("x\npython_version: 3.11.7", "x\npython_version: 3.12.1"),
            ("x\na.c:10:5: error", "x\nb.c:10:5: error"),
            ("x\nhttps://a.example/simple", "x\nhttps://b.example/simple"),
            ("x\nnumpy==1.2.3", "x\nnumpy==1.2.4"),
            ("x\n(from versions: 1.0.0.1)", "x\n(from versions: 1.0.0.2)"),
            ("a\nb", "a b"),
        ] {
            assert_ne!(of(one), of(other));
        }
    }
}
