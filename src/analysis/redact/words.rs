//! Which names announce a secret, and which strings look like one.

use std::sync::LazyLock;

use super::work;

include!(concat!(env!("OUT_DIR"), "/redaction.rs"));

/// How much of a long value is looked at to tell what it is.
const LOOKED_AT: usize = 128;

/// A token known by how it begins.
pub(super) struct Token {
    prefix: &'static str,
    /// Its first three bytes, as `key_of` makes a number of them.
    key: u32,
    /// At least so many bytes follow.
    tail: usize,
    /// Bytes that may follow besides letters, digits, `_` and `-`.
    extra: &'static str,
    /// Whether the rest must hold a digit or a capital, since words begin in the same way.
    mixed: bool,
    /// Whether it is looked for inside words as well.
    anywhere: bool,
}

/// What three bytes may begin, and what one may begin or end, to be told at a glance.
struct Starts {
    /// By the byte: some of the flags below.
    flags: [u8; 256],
    /// One bit for each hash of a token's first three bytes.
    filter: [u64; 64],
}

/// A token begins so.
const TOKEN: u8 = 1;
/// A token that is also looked for inside words begins so.
const INSIDE: u8 = 2;
/// One of `PARTS` begins so.
const PART: u8 = 4;
/// One of `ENDINGS` ends so, and so does the byte before.
const END: u8 = 8;
const BEFORE_END: u8 = 16;

static STARTS: LazyLock<Starts> = LazyLock::new(|| {
    let mut starts = Starts { flags: [0; 256], filter: [0; 64] };
    let mut flag = |byte: Option<u8>, flag: u8| {
        let flags = byte.and_then(|byte| starts.flags.get_mut(usize::from(byte)));
        *flags.unwrap_or(&mut 0) |= flag;
    };
    for token in TOKENS {
        flag(token.prefix.bytes().next(), if token.anywhere { TOKEN | INSIDE } else { TOKEN });
    }
    PARTS.iter().for_each(|part| flag(part.bytes().next(), PART));
    for ending in ENDINGS {
        let mut bytes = ending.bytes().rev();
        flag(bytes.next(), END);
        flag(bytes.next(), BEFORE_END);
    }
    for token in TOKENS {
        let Some(key) = key_of(token.prefix.as_bytes()) else { continue };
        let (slot, bit) = token_slot(key);
        *starts.filter.get_mut(slot).unwrap_or(&mut 0) |= bit;
    }
    starts
});

/// Which bytes may begin a token.
pub(super) fn begins_token(byte: u8) -> bool {
    STARTS.flags.get(usize::from(byte)).is_some_and(|flags| flags & TOKEN != 0)
}

/// The length of the token that `rest` begins with. `inside`: the byte before is a letter or digit.
pub(super) fn token_at(rest: &[u8], inside: bool) -> Option<usize> {
    let starts = &*STARTS;
    let wanted = if inside { INSIDE } else { TOKEN };
    if starts.flags.get(usize::from(*rest.first()?))? & wanted == 0 {
        return None;
    }
    let key = key_of(rest)?;
    let (slot, bit) = token_slot(key);
    if starts.filter.get(slot)? & bit == 0 {
        return None;
    }
    TOKENS.iter().find_map(|token| {
        if token.key != key || (inside && !token.anywhere) {
            return None;
        }
        let tail = rest.strip_prefix(token.prefix.as_bytes())?;
        let belongs = |byte: &u8| {
            byte.is_ascii_alphanumeric() || b"_-".contains(byte) || token.extra.as_bytes().contains(byte)
        };
        // Decided by the beginning, so that words in a row that begin like tokens stay cheap.
        let head = tail.get(..LOOKED_AT).unwrap_or(tail);
        let length = head.iter().take_while(|byte| belongs(byte)).count();
        work::count(length);
        let mixed = head.iter().take(length).any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        if length < token.tail || (token.mixed && !mixed) {
            return None;
        }
        let length = tail.iter().take_while(|byte| belongs(byte)).count();
        work::count(length);
        Some(token.prefix.len().saturating_add(length))
    })
}

/// The first three bytes as one number.
fn key_of(text: &[u8]) -> Option<u32> {
    let [a, b, c] = *text.first_chunk::<3>()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

/// The word of the filter, and the bit in it, for three bytes.
fn token_slot(key: u32) -> (usize, u64) {
    // Fibonacci hashing: the top bits of a product with the golden ratio.
    let hash = key.wrapping_mul(0x9e37_79b9) >> 20;
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}

/// Whether a value named `name` is a secret: by its words, split at `_`, `-`, `.` and capitals.
pub(super) fn names_a_secret(name: &[u8]) -> bool {
    // Longer than any name that people give; bounds the work on a run of letters.
    let mut lower = [0_u8; 100];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let lower: &[u8] = lower;
    // Most names are digits (`file.c:10:5`) or end here: no secret's name is that short.
    if lower.len() < 2 || !lower.iter().any(u8::is_ascii_alphabetic) || is_one_of(HARMLESS, lower) {
        return false;
    }
    work::count(lower.len());
    let starts = &STARTS.flags;
    let has_part = lower.iter().enumerate().any(|(at, byte)| {
        starts.get(usize::from(*byte)).is_some_and(|flags| flags & PART != 0)
            && lower.get(at..).is_some_and(|rest| PARTS.iter().any(|part| rest.starts_with(part.as_bytes())))
    });
    if has_part {
        return true;
    }
    let mut count = 0_usize;
    let mut last: &[u8] = b"";
    let mut at = 0_usize;
    while let Some((start, end)) = next_word(name, at) {
        let word = lower.get(start..end).unwrap_or_default();
        if is_one_of(WORDS, word) {
            return true;
        }
        // `KEY_ID` is one idea: `AWS_ACCESS_KEY_ID`.
        last = if word == b"id" && last == b"key" { b"keyid" } else { word };
        count = count.saturating_add(1);
        at = end;
    }
    // Two words without a mark between them: `mytoken`, `theapikey`.
    let flagged = |byte: u8, flag: u8| starts.get(usize::from(byte)).is_some_and(|flags| flags & flag != 0);
    let may_end = matches!(lower, [.., a, b] if flagged(*b, END) && flagged(*a, BEFORE_END));
    (count > 1 && is_one_of(LAST_WORDS, last))
        || (may_end && ENDINGS.iter().any(|end| lower.ends_with(end.as_bytes())))
}

fn is_one_of(words: &[&str], word: &[u8]) -> bool {
    let first = word.first();
    words.iter().any(|other| {
        let other = other.as_bytes();
        other.len() == word.len() && other.first() == first && other == word
    })
}

/// Whether `name` is of a personal access token, or of a pattern: `GH_PAT`, `azure-pat`, `devopsPat`.
pub(super) fn names_a_pat(name: &[u8]) -> bool {
    let Some((before, word)) = name.split_last_chunk::<3>() else { return false };
    if !word.eq_ignore_ascii_case(b"pat") {
        return false;
    }
    let [first, ..] = word;
    let begins = first.is_ascii_uppercase() || !before.last().is_some_and(u8::is_ascii_alphanumeric);
    let is_apart = before.last().is_none_or(|byte| !byte.is_ascii_uppercase() && !byte.is_ascii_digit());
    begins && is_apart
}

/// Whether `value` is of words, which ought to stay where else they stand: `token_type`, `build-essential`.
pub(super) fn is_plain_word(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphabetic() || b"_-. ".contains(byte))
}

/// Whether `name` is that of a source file, as compilers write it before a place or a reason.
pub(super) fn names_a_source_file(name: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 12] =
        [b"h", b"hh", b"hpp", b"hxx", b"c", b"cc", b"cpp", b"cxx", b"m", b"py", b"pyx", b"rs"];
    let dot = name.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0);
    let ending = dot.and_then(|dot| name.get(dot.saturating_add(1)..));
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Whether `name` announces a person's name where it stands first on a line.
pub(super) fn names_a_person(name: &[u8]) -> bool {
    PEOPLE.iter().any(|other| other.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether `name=value` holds a secret in hexadecimal digits: as long as one, and not named as digests
/// are.
pub(super) fn is_hex_secret(name: &[u8], value: &[u8]) -> bool {
    const SHORTEST: usize = 32;
    let head = value.get(..LOOKED_AT).unwrap_or(value);
    let is_hex = value.len() >= SHORTEST
        && head.iter().all(u8::is_ascii_hexdigit)
        && head.iter().any(u8::is_ascii_alphabetic)
        && head.iter().any(u8::is_ascii_digit);
    if !is_hex || name.len() < 2 {
        return false;
    }
    let mut at = 0_usize;
    while let Some((start, end)) = next_word(name, at) {
        let word = name.get(start..end).unwrap_or_default().to_ascii_lowercase();
        if is_one_of(DIGESTS, &word) {
            return false;
        }
        at = end;
    }
    true
}

/// Where the next word of `name` begins and ends, from `at` on: between `_`, `-`, `.`, spaces, and before a
/// capital that follows a small letter.
fn next_word(name: &[u8], at: usize) -> Option<(usize, usize)> {
    let is_mark = |byte: &u8| b"_-. ".contains(byte);
    let start = at.checked_add(name.get(at..)?.iter().position(|byte| !is_mark(byte))?)?;
    let mut before = 0_u8;
    let ends = |byte: &u8| {
        let capital = byte.is_ascii_uppercase() && before.is_ascii_lowercase();
        before = *byte;
        capital || is_mark(byte)
    };
    let rest = name.get(start..)?;
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    Some((start, start.checked_add(length)?))
}

/// Whether `value` looks drawn at random: long, of the letters of base64, with capitals, small
/// letters and digits, and near the entropy of random text. Hexadecimal digests have no capitals
/// and are left alone: pip prints them.
pub(super) fn looks_random(value: &[u8]) -> bool {
    const SHORTEST: usize = 24;
    if value.len() < SHORTEST {
        return false;
    }
    let value = value.get(..LOOKED_AT).unwrap_or(value);
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/_-=".contains(byte);
    let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
    if !value.iter().all(base64) || !kinds.iter().all(|kind| value.iter().any(kind)) {
        return false;
    }
    // A path has several words between its slashes; a random string has few slashes.
    if value.iter().filter(|byte| **byte == b'/').count() > value.len() / 12 {
        return false;
    }
    let mut counts = [0_u16; 256];
    for byte in value {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    // Shannon's entropy in bits a byte. English words in a row stay under 4 at this length.
    let total = f64::from(u16::try_from(value.len()).unwrap_or(u16::MAX));
    let entropy: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / total;
            -share * share.log2()
        })
        .sum();
    entropy >= 4.0
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
