//! Finds every pattern of the rules in one pass over the text.
//!
//! Each pattern begins with four fixed bytes. A bit table tells at nearly every place of the text
//! that no pattern begins there; the rest of the work is bounded by [`REACH`] a place, whatever the
//! text.

use std::sync::LazyLock;

use super::{ANCHORS, PATTERN_COUNT, PATTERNS};

/// How far behind its first bytes a pattern is followed.
const REACH: usize = 240;

/// A pattern: fixed text and parts to be taken, within one line.
pub(super) struct Pattern {
    /// Whether only the beginning of a line counts, where pip itself writes.
    pub(super) at_start: bool,
    pub(super) parts: &'static [Part],
}

/// A piece of a pattern.
pub(super) enum Part {
    Literal(&'static str),
    Capture(Kind),
}

/// What a part may consist of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A distribution's name.
    Name,
    /// A distribution that the log advises.
    Package,
    /// A dotted module.
    Module,
    /// A file below an include directory.
    File,
    /// A command line option.
    Option,
    /// Anything.
    Text,
}

impl Kind {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Package => "package",
            Self::Module => "module",
            Self::File => "file",
            Self::Option => "option",
            Self::Text => "text",
        }
    }

    /// How many bytes it may have at most.
    const fn longest(self) -> usize {
        match self {
            Self::Text => REACH,
            _ => 80,
        }
    }

    fn accepts(self, text: &str) -> bool {
        let extra: &[u8] = match self {
            Self::Name | Self::Package => b"-_.",
            Self::Module => b"_.",
            Self::File => return is_header(text),
            Self::Option => b"-_=",
            Self::Text => return true,
        };
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    }
}

/// Whether `text` is a header below an include directory, `vips/vips.h`, rather than an address
/// that somebody would like to see in an answer: before the last part no dots but the one of a
/// version, `libusb-1.0/libusb.h`.
fn is_header(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte))
    };
    let is_directory = |part: &str| match part.rsplit_once('.') {
        Some((name, number)) => {
            plain(name)
                && name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic())
                && number.len() <= 2
                && number.bytes().all(|byte| byte.is_ascii_digit())
        }
        None => plain(part),
    };
    let (directory, file) = text.rsplit_once('/').unwrap_or(("", text));
    let (stem, end) = file.rsplit_once('.').unwrap_or((file, "h"));
    let known = ["h", "hh", "hpp", "hxx", "cuh", "inc", "def"];
    text.len() <= 80
        && known.contains(&end)
        && plain(stem)
        && (directory.is_empty() || directory.split('/').all(is_directory))
}

/// A place where a pattern was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// The byte at which the pattern begins.
    pub(super) start: usize,
    /// What was taken, in order.
    pub(super) captures: Vec<(Kind, String)>,
}

/// Where the patterns stand in a text.
pub(super) struct Hits {
    /// The last place of each pattern: in a log the innermost error comes last.
    last: Vec<Option<Hit>>,
}

impl Hits {
    pub(super) fn last(&self, pattern: usize) -> Option<&Hit> {
        self.last.get(pattern).and_then(Option::as_ref)
    }
}

/// Looks for all patterns in `text`.
pub(super) fn scan(text: &str) -> Hits {
    let mut hits = Hits { last: vec![None; PATTERN_COUNT] };
    let filter = &*FILTER;
    for (at, window) in text.as_bytes().windows(4).enumerate() {
        let Some(window) = window.first_chunk::<4>() else { continue };
        let anchor = u32::from_le_bytes(*window);
        let (slot, bit) = slot_of(anchor);
        if filter.get(slot).is_none_or(|bits| bits & bit == 0) {
            continue;
        }
        let first = ANCHORS.partition_point(|(other, _)| *other < anchor);
        for (_, pattern) in ANCHORS.iter().skip(first).take_while(|(other, _)| *other == anchor) {
            let found = PATTERNS.get(*pattern).and_then(|pattern| matches(pattern, text, at));
            if let (Some(hit), Some(last)) = (found, hits.last.get_mut(*pattern)) {
                *last = Some(hit);
            }
        }
    }
    hits
}

/// Which words of four bytes begin a pattern: no bit, no pattern.
static FILTER: LazyLock<[u64; 64]> = LazyLock::new(|| {
    let mut filter = [0_u64; 64];
    for (anchor, _) in ANCHORS {
        let (slot, bit) = slot_of(*anchor);
        if let Some(bits) = filter.get_mut(slot) {
            *bits |= bit;
        }
    }
    filter
});

fn slot_of(anchor: u32) -> (usize, u64) {
    // Fibonacci hashing: the top bits of a product with the golden ratio.
    let hash = anchor.wrapping_mul(0x9e37_79b9) >> 20;
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}

fn matches(pattern: &Pattern, text: &str, at: usize) -> Option<Hit> {
    // Byte places inside a character begin no pattern.
    let rest = text.get(at..)?;
    match pattern.parts.first() {
        Some(Part::Literal(first)) if rest.starts_with(first) => {}
        _ => return None,
    }
    if pattern.at_start {
        let line_start = text.get(..at)?.bytes().rev().take(3).position(|byte| byte != b' ');
        // pip indents by two the errors of a step that it started.
        let begins = match line_start {
            Some(spaces) => {
                spaces <= 2 && text.as_bytes().get(at.checked_sub(spaces.saturating_add(1))?) == Some(&b'\n')
            }
            None => at <= 2,
        };
        if !begins {
            return None;
        }
    }
    let line = super::super::facts::cut(rest, REACH);
    let line = line.split('\n').next().unwrap_or_default();
    let mut captures = Vec::new();
    let mut rest = line;
    let mut parts = pattern.parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Literal(literal) => rest = rest.strip_prefix(literal)?,
            Part::Capture(kind) => {
                let end = match parts.peek() {
                    Some(Part::Literal(next)) => {
                        let reach = kind.longest().saturating_add(next.len());
                        rest.get(..rest.floor_char_boundary(reach))?.find(next)?
                    }
                    _ => rest.find(|c: char| !kind.accepts(c.encode_utf8(&mut [0; 4]))).unwrap_or(rest.len()),
                };
                let (taken, after) = rest.split_at_checked(end)?;
                if !kind.accepts(taken) {
                    return None;
                }
                captures.push((*kind, taken.to_owned()));
                rest = after;
            }
        }
    }
    Some(Hit { start: at, captures })
}
