//! Shortens a log to what explains the failure: the command, the system information, pip's error
//! lines with their neighbours, the innermost error of a compiler or of Python, the end.

use std::borrow::Cow;

use super::facts::{cut, system_info_start};
use super::redact::Redacted;

/// A longer line is cut to its two ends.
pub(super) const LONGEST_LINE: usize = 1_200;
/// Room for one mark of what was left out.
pub(super) const MARK_ROOM: usize = 48;
/// Lines kept around one of pip's error lines, and before and after the innermost error.
const AROUND: usize = 2;
const BEFORE_INNERMOST: usize = 8;
const AFTER_INNERMOST: usize = 5;
/// Bytes of the shortest line that can name an error.
const SHORTEST_ERROR: usize = "Error".len();
/// How many of pip's error lines are looked for, from the end.
const MOST_ERRORS: usize = 20;

/// `text` in at most `max_bytes` bytes; what was left out is marked. A text that fits is returned
/// as it is, so that trimming twice is trimming once.
#[must_use]
pub fn trim(text: &Redacted, max_bytes: usize) -> Redacted {
    let text = text.as_str();
    if text.len() <= max_bytes {
        return Redacted::from_parts(text.to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    let system = system_start(text, lines.len());
    let mut kept = Kept::new(&lines, max_bytes.saturating_sub(MARK_ROOM));
    // After what weighs most the end, backwards as far as there is room: each line takes a byte at least.
    for place in by_weight(&lines, system).into_iter().chain((0..system).rev().take(max_bytes)) {
        kept.add(place);
    }
    let mut out = String::new();
    let skipped = kept.write(0, &mut out);
    push_mark(&mut out, skipped);
    // Only where not even the command fits.
    let out = if out.trim().is_empty() { cut(text, max_bytes).to_owned() } else { out };
    Redacted::from_parts(cut(&out, max_bytes).to_owned())
}

/// The place of the line with which the system information begins, or one past the last.
fn system_start(text: &str, count: usize) -> usize {
    system_info_start(text).and_then(|at| text.get(..at)).map_or(count, |head| head.lines().count())
}

/// The places of the lines that weigh most, in the order in which they are to be kept.
pub(super) fn by_weight(lines: &[&str], system: usize) -> Vec<usize> {
    let count = lines.len();
    let mut order: Vec<usize> = (0..count.min(2)).collect();
    order.extend(system..count.min(system.saturating_add(14)));

    let is_error = |line: &str| {
        line.starts_with("ERROR:")
            || line.starts_with("error:")
            || line.starts_with("  ERROR:")
            || line.starts_with("The conflict")
    };
    let log = lines.get(..system).unwrap_or(lines);
    // Looked for from the end, and no further than what is needed. A log may have a million lines of nothing, and to
    // look for words in one takes longer than to pass it.
    let named = || log.iter().enumerate().rev().filter(|(_, line)| line.len() >= SHORTEST_ERROR);
    let errors: Vec<usize> =
        named().filter(|(_, line)| is_error(line)).map(|(place, _)| place).take(MOST_ERRORS).collect();
    order.extend(&errors);

    // The innermost error is the last one that a compiler, a build backend or Python names.
    if let Some((place, _)) = named().find(|(_, line)| is_innermost(&shortened(line))) {
        order.push(place);
        let last = place.saturating_add(AFTER_INNERMOST).min(system.saturating_sub(1));
        order.extend(place.saturating_add(1)..=last);
        order.extend((place.saturating_sub(BEFORE_INNERMOST)..place).rev());
    }
    for place in errors {
        order
            .extend(place.saturating_sub(AROUND)..place.saturating_add(AROUND).saturating_add(1).min(system));
    }
    order
}

fn is_innermost(line: &str) -> bool {
    let line = line.trim_start();
    let compiler = line.contains("error: ")
        && (line.contains(": error: ") || line.contains(": fatal error: "))
        || !line.is_ascii() && (line.contains("致命错误") || line.contains("嚴重錯誤"));
    let python = line.split(':').next().is_some_and(|head| {
        let name = head.rsplit('.').next().unwrap_or(head);
        (name.ends_with("Error") || name.ends_with("Exception"))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    compiler || python || (line.starts_with("error: ") && !line.starts_with("error: subprocess-exited"))
}

fn shortened(line: &str) -> Cow<'_, str> {
    if line.len() <= LONGEST_LINE {
        return Cow::Borrowed(line);
    }
    let half = LONGEST_LINE / 2;
    let head = cut(line, half);
    let tail = line.get(line.ceil_char_boundary(line.len().saturating_sub(half))..).unwrap_or_default();
    let left_out = line.len().saturating_sub(head.len()).saturating_sub(tail.len());
    format!("{head} [... {left_out} bytes left out ...] {tail}").into()
}

/// Which lines are kept.
pub(super) struct Kept<'a> {
    lines: &'a [&'a str],
    keep: Vec<bool>,
    left: usize,
}

impl<'a> Kept<'a> {
    /// None yet, and room for so many bytes of them.
    pub(super) fn new(lines: &'a [&'a str], room: usize) -> Self {
        Self { lines, keep: vec![false; lines.len()], left: room }
    }

    /// Keeps a line if there is room for it and for a mark before it. The line after it gives back
    /// the room for its own mark, if it is kept: every gap is paid for once, by the line after it.
    pub(super) fn add(&mut self, place: usize) {
        let Some(line) = self.lines.get(place) else { return };
        let before = place.checked_sub(1).and_then(|before| self.keep.get(before)).copied();
        let after = self.keep.get(place.saturating_add(1)).copied();
        let mark = if before == Some(false) { MARK_ROOM } else { 0 };
        let back = if after == Some(true) { MARK_ROOM } else { 0 };
        let cost = shortened(line).len().saturating_add(1).saturating_add(mark);
        let room = self.left.saturating_add(back);
        if let Some(keep) = self.keep.get_mut(place)
            && !*keep
            && cost <= room
        {
            *keep = true;
            self.left = room.saturating_sub(cost);
        }
    }

    /// Adds them to a text in which so many lines before them were left out; how many were since the last of them.
    pub(super) fn write(&self, before: usize, out: &mut String) -> usize {
        let mut skipped = before;
        for (line, keep) in self.lines.iter().zip(&self.keep) {
            if *keep {
                push_mark(out, skipped);
                skipped = 0;
                out.push_str(&shortened(line));
                out.push('\n');
            } else {
                skipped = skipped.saturating_add(left_out(line).unwrap_or(1));
            }
        }
        skipped
    }
}

const MARK_BEGIN: &str = "[... ";
const MARK_END: &str = " lines left out ...]";

/// Marks that so many lines are not there, unless nothing is before them.
pub(super) fn push_mark(out: &mut String, lines: usize) {
    if lines > 0 && !out.is_empty() {
        out.push_str(&mark(lines));
    }
}

/// The line that says so.
pub(super) fn mark(lines: usize) -> String {
    format!("{MARK_BEGIN}{lines}{MARK_END}\n")
}

/// How many lines a mark stands for.
fn left_out(line: &str) -> Option<usize> {
    line.strip_prefix(MARK_BEGIN)?.strip_suffix(MARK_END)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::redact::redact;

    fn long_log() -> String {
        let noise = "      copying a/b.py -> build/lib/a\n".repeat(2_000);
        format!(
            "Command: pip install pandas==1.3.5\nExit Code: 1\n\n--- stdout ---\n{noise}--- stderr ---\n{noise}      a.c:234:12: fatal error: x.h: No such file\n\
             {noise}ERROR: Could not build wheels for pandas\n\n\n--- SYSTEM INFO ---\npython_version: 3.12.1\nos_system: Linux\n"
        )
    }

    #[test]
    fn what_explains_the_failure_is_kept() {
        let text = redact(&long_log());
        for max in [700, 2_000, 16_384] {
            let trimmed = trim(&text, max);
            assert!(trimmed.as_str().len() <= max);
            for kept in [
                "Command: pip install pandas==1.3.5\n",
                "fatal error: x.h",
                "\nERROR: Could not build",
                "python_version: 3.12.1",
                "lines left out",
            ] {
                assert!(trimmed.as_str().contains(kept), "{max}: {kept}\n{}", trimmed.as_str());
            }
        }
        assert!(trim(&text, 16_384).as_str().len() > 15_000);
    }

    #[test]
    fn the_limit_holds_whatever_it_is() {
        for raw in [long_log(), "é".repeat(400), "一\n".repeat(300), format!("x{}", " ".repeat(5_000))] {
            let text = redact(&raw);
            for max in (0..300).chain([1_000, 5_000]) {
                let trimmed = trim(&text, max);
                assert!(trimmed.as_str().len() <= max, "{max}");
                assert_eq!(trim(&trimmed, max), trimmed);
            }
        }
    }

    #[test]
    fn a_text_that_fits_is_left_alone() {
        let text = redact("short\n\n");
        assert_eq!(trim(&text, 7), text);
    }
}
