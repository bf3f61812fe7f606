//! Changes to an honest text. A fuzzer does not find a MAC; it can only begin with one.

/// Bytes that one change takes.
pub const EDIT_BYTES: usize = 3;

/// The text with one change: what, where and with which character, the bytes say.
pub fn edited(text: &str, edit: [u8; EDIT_BYTES]) -> String {
    let [kind, low, by] = edit;
    let mut characters: Vec<char> = text.chars().collect();
    let at = (usize::from(kind & 0x0f) << 8 | usize::from(low)) % (characters.len() + 1);
    let here = characters.get(at).copied();
    match (kind >> 4, here) {
        (0..=4, Some(_)) => characters[at] = char::from(by),
        (5..=7, Some(_)) => drop(characters.remove(at)),
        (8..=9, Some(_)) => characters.truncate(at),
        (10, Some(c)) if c.is_ascii_lowercase() => characters[at] = c.to_ascii_uppercase(),
        (10, Some(c)) => characters[at] = c.to_ascii_lowercase(),
        (11, Some(_)) => {
            let other = usize::from(by) % characters.len();
            characters.swap(at, other);
        }
        (12, Some(_)) => {
            let end = (at + usize::from(by)).min(characters.len());
            let run: Vec<char> = characters[at..end].to_vec();
            characters.splice(at..at, run);
        }
        _ => characters.insert(at, char::from(by)),
    }
    characters.into_iter().collect()
}

/// The text with up to so many changes.
pub fn all_edits(text: &str, edits: &[u8]) -> String {
    let edits = edits.chunks_exact(EDIT_BYTES).take(12);
    edits.fold(text.to_owned(), |text, edit| edited(&text, [edit[0], edit[1], edit[2]]))
}
