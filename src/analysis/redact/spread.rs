//! A secret that was found in one place is taken out of every other: a password from an index URL
//! that a build script prints again without the URL.

use super::secrets::Found;
use super::{MARK, work};

/// Shorter secrets would take ordinary words out as well.
const SHORTEST: usize = 8;
/// The first bytes by which a secret is looked for.
const WINDOW: usize = 8;
/// A log with more secrets than that has its first ones taken out everywhere; bounds the work, as
/// do the two limits below: how much of a secret is compared, and how many may begin alike.
const MOST: usize = 64;
const COMPARED: usize = 64;
const MOST_ALIKE: usize = 2;

/// Secrets found in a text, to be looked for in all of it.
pub(super) struct Known {
    secrets: Vec<String>,
    /// One bit for each hash of a secret's first bytes.
    filter: [u64; 64],
}

impl Known {
    /// The secrets among what was found that are unlike ordinary words.
    pub(super) fn of(text: &str, found: &Found) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        for span in found.spans().iter().filter(|span| span.spreads) {
            let value = text.get(span.start..span.end).unwrap_or_default();
            // Userinfo: the name before the colon is no secret.
            let value = value.split_once(':').map_or(value, |(_, password)| password);
            let decoded = percent_decoded(value);
            // A value that takes the rest of its line may hold the secret among other words, a
            // cookie by its own name, in quotes or not.
            for word in value.split([' ', '\t', ';', ',']).take(8) {
                let part = word.split_once('=').map_or("", |(_, part)| part);
                [word, part].into_iter().for_each(|part| add(&mut secrets, part.trim_matches(['"', '\''])));
            }
            add(&mut secrets, decoded.as_deref().unwrap_or_default());
        }
        // The longest first, so that one that contains another goes whole.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        let mut filter = [0_u64; 64];
        for secret in &secrets {
            if let Some(slot) = secret.as_bytes().first_chunk::<WINDOW>().map(slot_of)
                && let Some(bits) = filter.get_mut(slot.0)
            {
                *bits |= slot.1;
            }
        }
        Self { secrets, filter }
    }

    /// `text` without them.
    pub(super) fn take_out_of(&self, text: String) -> String {
        if self.secrets.is_empty() {
            return text;
        }
        let bytes = text.as_bytes();
        let mut found = Found::default();
        let mut at = 0_usize;
        while let Some(window) = bytes.get(at..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
            let (slot, bit) = slot_of(window);
            let hit = self.filter.get(slot).is_some_and(|bits| bits & bit != 0);
            let rest = bytes.get(at..).unwrap_or_default();
            let secret = if hit {
                self.secrets.iter().find(|secret| rest.starts_with(secret.as_bytes()))
            } else {
                None
            };
            let length = secret.map_or(1, |secret| match secret.len() {
                // Only its beginning was compared: the rest is what stands there in one word.
                COMPARED => rest.iter().take_while(|byte| byte.is_ascii_graphic()).count().max(COMPARED),
                length => length,
            });
            work::count(length);
            let end = at.saturating_add(length);
            if secret.is_some() {
                found.add(at, end, MARK, false);
            }
            at = end;
        }
        super::secrets::replace(&text, found)
    }
}

fn add(secrets: &mut Vec<String>, value: &str) {
    if secrets.len() >= MOST {
        return;
    }
    let value = super::super::facts::cut(value, COMPARED);
    let alike = |other: &&String| other.as_bytes().first_chunk::<WINDOW>() == value.as_bytes().first_chunk();
    let new = is_unlike_a_word(value) && !secrets.iter().any(|other| other == value);
    if new && secrets.iter().filter(alike).count() < MOST_ALIKE {
        secrets.push(value.to_owned());
    }
}

/// The word of the filter and the bit in it for the first bytes of a secret.
fn slot_of(window: &[u8; WINDOW]) -> (usize, u64) {
    // Fibonacci hashing: the top bits of a product with the golden ratio.
    let hash = u64::from_le_bytes(*window).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
    (usize::try_from(hash >> 6).unwrap_or(0), 1 << (hash & 63))
}

fn is_unlike_a_word(value: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic();
    value.len() >= SHORTEST && !value.contains('[') && !value.bytes().all(letter)
}

/// `%41` as `A` (RFC 3986, 2.1), if there is any and the outcome is text.
fn percent_decoded(value: &str) -> Option<String> {
    if !value.contains('%') {
        return None;
    }
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let value = digit(bytes.next())?.checked_mul(16)?.checked_add(digit(bytes.next())?)?;
            out.push(u8::try_from(value).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}
