//! Finds secrets line by line, and key blocks over lines.

use super::MARK;
use super::line::scan_line;

/// A part of the text to be replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// What comes in its place.
    pub(super) mark: &'static str,
    /// Whether the same bytes elsewhere are the same secret.
    pub(super) spreads: bool,
}

/// What to replace, in order and apart from each other.
#[derive(Default)]
pub(super) struct Found {
    spans: Vec<Span>,
}

impl Found {
    pub(super) fn add(&mut self, start: usize, end: usize, mark: &'static str, spreads: bool) {
        if start >= end {
            return;
        }
        match self.spans.last_mut() {
            Some(last) if start < last.end => {
                if end > last.end {
                    // Two findings that overlap: one secret, and the plainer mark for both.
                    last.end = end;
                    last.mark = MARK;
                }
            }
            _ => self.spans.push(Span { start, end, mark, spreads }),
        }
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }
}

/// Where the secrets of `text` stand. `text` has been cleaned.
pub(super) fn find(text: &str) -> Found {
    let mut found = Found::default();
    let mut offset = 0_usize;
    let mut in_key_block = false;
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        if in_key_block {
            in_key_block = continue_key_block(bare, offset, &mut found);
        } else if let Some(begin) = key_block_begin(bare) {
            in_key_block = start_key_block(bare, begin, offset, &mut found);
        } else {
            scan_line(bare, offset, &mut found);
        }
        offset = offset.saturating_add(line.len());
    }
    found
}

/// `text` with each part replaced by its mark.
pub(super) fn replace(text: &str, found: Found) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0_usize;
    for span in found.spans {
        out.push_str(text.get(done..span.start).unwrap_or_default());
        out.push_str(span.mark);
        done = span.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// RFC 7468: where a textual encoding begins, except that of a certificate or public key.
fn key_block_begin(line: &str) -> Option<usize> {
    let at = line.find(BEGIN)?;
    let label = line.get(at..)?;
    (!label.starts_with("-----BEGIN CERTIFICATE") && !label.starts_with("-----BEGIN PUBLIC KEY"))
        .then_some(at)
}

fn start_key_block(line: &str, begin: usize, offset: usize, found: &mut Found) -> bool {
    // What stands before the key may hold another secret.
    scan_line(line.get(..begin).unwrap_or_default(), offset, found);
    let start = offset.saturating_add(begin);
    match end_of_block(line.get(begin..).unwrap_or_default()) {
        // All on one line, with `\n` written out.
        Some(end) => {
            found.add(start, start.saturating_add(end), MARK, false);
            let rest = begin.saturating_add(end);
            scan_line(line.get(rest..).unwrap_or_default(), offset.saturating_add(rest), found);
            false
        }
        None => {
            found.add(start, offset.saturating_add(line.len()), MARK, false);
            true
        }
    }
}

/// A line of the block goes whole. A line that cannot be one ends the block: somebody who prints
/// only the beginning does not hide the rest of the log.
fn continue_key_block(line: &str, offset: usize, found: &mut Found) -> bool {
    let start = offset.saturating_add(line.len().saturating_sub(line.trim_start().len()));
    let mut words = line.split_ascii_whitespace();
    if let Some(end) = end_of_block(line) {
        found.add(start, offset.saturating_add(end), MARK, false);
        scan_line(line.get(end..).unwrap_or_default(), offset.saturating_add(end), found);
        return false;
    }
    let base64 = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let body = words.next().is_none_or(base64) && words.next().is_none();
    // RFC 1421 headers of old OpenSSL keys.
    let header = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:"];
    if body || header.iter().any(|name| line.trim_start().starts_with(name)) {
        found.add(start, offset.saturating_add(line.len()), MARK, false);
        true
    } else {
        scan_line(line, offset, found);
        false
    }
}

/// One past the dashes that close a block's last line.
fn end_of_block(text: &str) -> Option<usize> {
    let at = text.find(END)?;
    let label = at.saturating_add(END.len());
    let close = text.get(label..)?.find("-----");
    Some(close.map_or(text.len(), |close| label.saturating_add(close).saturating_add(5)))
}
