//! What is looked at of a very long log: its beginning, its end and what names an error between. A failed
//! compilation may print a megabyte, and whatever is done for each byte of it is paid for by the requests that wait
//! behind it, and from the ten milliseconds that a free plan gives each request
//! (<https://developers.cloudflare.com/workers/platform/limits/#cpu-time>).
//!
//! This is the one step before redaction. Whole lines are left out, since half a line may not say any more that it
//! holds a secret, and no part of a key's block stays without its beginning. What is lost is that a secret is taken out
//! wherever else it stands: where it stands bare, and only a line that is left out says what it is, it is not known.

use std::borrow::Cow;

use super::facts::cut;
use super::redact::goes_on_a_key_block;
use super::trim::{Kept, LONGEST_LINE, MARK_ROOM, by_weight, mark, push_mark};

/// How many times as long as what the model may get of it an excerpt is.
pub const TIMES_CONTEXT: usize = 8;
/// The shortest excerpt: its marks alone take that much.
pub const LEAST_BYTES: usize = 256;
/// Lines in which errors are looked for, back from where the end begins.
const MOST_LINES: usize = 40_000;

/// `raw` in at most `max_bytes` bytes, or [`LEAST_BYTES`]; what was left out is marked. A text that fits is returned
/// as it is.
#[must_use]
pub fn excerpt(raw: &str, max_bytes: usize) -> Cow<'_, str> {
    let max_bytes = max_bytes.max(LEAST_BYTES);
    if raw.len() <= max_bytes {
        return raw.into();
    }
    let room = max_bytes.saturating_sub(MARK_ROOM.saturating_mul(2));
    let (head, rest) = split_head(raw, room / 4);
    let (middle, tail) = split_tail(rest, (room / 8).saturating_mul(5));
    let mut out = String::with_capacity(max_bytes);
    if head.is_empty() {
        out.push_str(&mark(1));
    }
    out.push_str(head);
    let left = room.saturating_sub(out.len()).saturating_sub(tail.len());
    let skipped = errors(middle, left, &mut out);
    push_mark(&mut out, skipped);
    out.push_str(tail);
    Cow::Owned(out)
}

/// The lines that fit into so many bytes, and the rest; nothing and what follows the first line where not even that
/// one does.
fn split_head(text: &str, room: usize) -> (&str, &str) {
    match cut(text, room).rfind('\n') {
        Some(end) => text.split_at_checked(end.saturating_add(1)).unwrap_or((text, "")),
        None => ("", text.split_once('\n').map_or("", |(_, rest)| rest)),
    }
}

/// All before the lines at the end that fit into so many bytes, and these.
fn split_tail(text: &str, room: usize) -> (&str, &str) {
    let fits = text.ceil_char_boundary(text.len().saturating_sub(room));
    let mut start = match text.get(fits..).and_then(|fits| fits.find('\n')) {
        _ if fits == 0 => 0,
        Some(end) => fits.saturating_add(end).saturating_add(1),
        None => text.len(),
    };
    // It may have begun inside a key.
    for line in text.get(start..).unwrap_or_default().split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        if !(bare.is_empty() || goes_on_a_key_block(bare)) {
            break;
        }
        start = start.saturating_add(line.len());
    }
    text.split_at_checked(start).unwrap_or((text, ""))
}

/// Writes what names errors, with the lines around it, in at most so many bytes; how many lines it left out since.
fn errors(middle: &str, room: usize, out: &mut String) -> usize {
    let (passed, searched) = middle
        .rmatch_indices('\n')
        .nth(MOST_LINES)
        .and_then(|(at, _)| middle.split_at_checked(at.saturating_add(1)))
        .unwrap_or(("", middle));
    let lines: Vec<&str> = searched.lines().collect();
    let mut kept = Kept::new(&lines, room);
    // In the order of their weight, but for the first two: those of a middle weigh nothing.
    for place in by_weight(&lines, lines.len()).into_iter().skip(lines.len().min(2)) {
        let is_safe = |line: &&str| line.len() <= LONGEST_LINE && !goes_on_a_key_block(line);
        if lines.get(place).is_some_and(is_safe) {
            kept.add(place);
        }
    }
    kept.write(passed.bytes().filter(|byte| *byte == b'\n').count(), out)
}

#[cfg(test)]
#[path = "excerpt_tests.rs"]
mod tests;
