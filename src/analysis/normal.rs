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
    let file = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let is_url = word.contains("://");
    if !is_url && file.len() < word.len() {
        // A path counts by its last part, which for pip's own directories is drawn at random.
        out.push_str(ANY);
        out.push('/');
        let is_random = ["pip-", "tmp", "build-env-", "pip_"].iter().any(|start| file.starts_with(start));
        if !is_random {
            push_measure(out, file);
        }
    } else {
        push_measure(out, word);
    }
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
    fn what_the_answer_depends_on_is_not() {
        for (one, other) in [
            ("Command: pip install ./a/x", "Command: pip install ./b/x"),
            ("x\nfatal error: a.h", "x\nfatal error: b.h"),
            ("x\n/usr/include/a.h", "x\n/usr/include/b.h"),
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
