//! Finds secrets line by line, and key blocks over lines.

use super::MARK;
use super::block::Block;
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
            // Two in a row would be read as one value the next time.
            Some(last) if start == last.end && mark == MARK && last.mark == MARK => last.end = end,
            _ => self.spans.push(Span { start, end, mark, spreads }),
        }
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }
}

/// Where the secrets of `text` stand. `text` has been cleaned. `before` is the text as it was before
/// the last pass, which changed parts of lines and no line's place: a line that it left as it was
/// held nothing then and holds nothing now.
pub(super) fn find(text: &str, before: Option<&str>) -> Found {
    let mut found = Found::default();
    if text.contains(BEGIN) {
        find_around_blocks(text, &mut found);
        return found;
    }
    let mut offset = 0_usize;
    let mut block = Block::default();
    let mut old = before.map(|before| before.split_inclusive('\n'));
    for line in text.split_inclusive('\n') {
        let is_settled = old.as_mut().is_some_and(|old| old.next() == Some(line));
        let bare = line.strip_suffix('\n').unwrap_or(line);
        if !add_block(&mut block, bare, offset, &mut found) && !is_settled {
            scan_line(bare, offset, &mut found);
        }
        offset = offset.saturating_add(line.len());
    }
    found
}

/// Adds what of `line` is a secret because a line above it says so; whether it is one.
fn add_block(block: &mut Block, line: &str, offset: usize, found: &mut Found) -> bool {
    let Some((start, end, spreads)) = block.go_on(line) else { return false };
    found.add(offset.saturating_add(start), offset.saturating_add(end), MARK, spreads);
    true
}

/// The same for a text in which key blocks may begin.
fn find_around_blocks(text: &str, found: &mut Found) {
    let mut offset = 0_usize;
    let mut in_key_block = false;
    let mut block = Block::default();
    for line in text.split_inclusive('\n') {
        let bare = line.strip_suffix('\n').unwrap_or(line);
        // All of the line then, and a key block may begin on it: what is found in it is part of that.
        add_block(&mut block, bare, offset, found);
        let scanned = if in_key_block { key_block_part(bare) } else { 0 };
        let indent = bare.len().saturating_sub(bare.trim_start().len());
        found.add(offset.saturating_add(indent), offset.saturating_add(scanned), MARK, false);
        in_key_block = in_key_block && (scanned == bare.len() && end_of_block(bare).is_none());
        if !in_key_block {
            let rest = bare.get(scanned..).unwrap_or_default();
            in_key_block = scan_outside(rest, offset.saturating_add(scanned), found);
        }
        offset = offset.saturating_add(line.len());
    }
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
    line.match_indices(BEGIN).map(|(at, _)| at).find(|at| {
        let label = line.get(at.saturating_add(BEGIN.len())..).unwrap_or_default();
        !label.starts_with("CERTIFICATE") && !label.starts_with("PUBLIC KEY")
    })
}

/// A line, or the rest of one, outside a block; whether a block begins on it and goes on.
fn scan_outside(line: &str, offset: usize, found: &mut Found) -> bool {
    let mut done = 0_usize;
    loop {
        let rest = line.get(done..).unwrap_or_default();
        let place = offset.saturating_add(done);
        let Some(begin) = key_block_begin(rest) else {
            scan_line(rest, place, found);
            return false;
        };
        // What stands before the key may hold another secret.
        scan_line(rest.get(..begin).unwrap_or_default(), place, found);
        let start = place.saturating_add(begin);
        let Some(length) = end_of_block(rest.get(begin..).unwrap_or_default()) else {
            found.add(start, offset.saturating_add(line.len()), MARK, false);
            return true;
        };
        // All on one line, with `\n` written out.
        found.add(start, start.saturating_add(length), MARK, false);
        done = done.saturating_add(begin).saturating_add(length);
    }
}

/// Whether a line of a raw log may go on with a key block that began before it: cleaned, and of several lines in
/// one (`\r` parts them too) the first, as any block ends where a line is none of it.
pub(in crate::analysis) fn goes_on_a_key_block(raw: &str) -> bool {
    let goes_on = |line: &str| key_block_part(line) == line.len() || end_of_block(line).is_some();
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    goes_on(raw)
        || !raw.bytes().all(is_plain) && super::clean::clean(raw).split('\n').next().is_some_and(goes_on)
}

/// How much of a line belongs to the block that is open: all of it, up to the block's end, or
/// nothing where it cannot: somebody who prints only the beginning does not hide the rest of the log.
fn key_block_part(line: &str) -> usize {
    if let Some(end) = end_of_block(line) {
        return end;
    }
    let base64 = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    // As a log of another program quotes it: `  | TUlJ...`, `b'TUlJ...\n'`.
    let bare = line.trim().trim_start_matches(['|', '>', ' ']);
    let bare = bare.strip_prefix('b').filter(|rest| rest.starts_with(['\'', '"'])).unwrap_or(bare);
    let bare = bare.trim_matches(['\'', '"', ',']);
    let bare = bare.strip_suffix("\\n").unwrap_or(bare);
    let mut words = bare.split_ascii_whitespace();
    let body = words.next().is_none_or(base64) && words.next().is_none();
    // RFC 1421 headers of old OpenSSL keys.
    let header = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:"];
    let belongs = body || header.iter().any(|name| line.trim_start().starts_with(name));
    if belongs { line.len() } else { 0 }
}

/// One past the dashes that close a block's last line.
fn end_of_block(text: &str) -> Option<usize> {
    let at = text.find(END)?;
    let label = at.saturating_add(END.len());
    let close = text.get(label..)?.find("-----");
    Some(close.map_or(text.len(), |close| label.saturating_add(close).saturating_add(5)))
}
