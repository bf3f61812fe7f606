//! Where in a policy a fault is. Every reason that leaves this folder reads `file:line: reason`, so
//! that an editor and `gatectl check` find the place.

use std::fmt::Display;
use std::path::Path;

use toml::Spanned;

/// `line: reason` for the byte `offset` of `text`.
pub fn at(text: &str, offset: usize, reason: impl Display) -> String {
    let before = text.as_bytes().iter().take(offset);
    let line = before.filter(|byte| **byte == b'\n').count().saturating_add(1);
    format!("{line}: {reason}")
}

/// The same for a value.
pub fn of<T>(text: &str, value: &Spanned<T>, reason: impl Display) -> String {
    at(text, value.span().start, reason)
}

/// The same for what the TOML parser has against the text.
pub fn parsed(text: &str, error: &toml::de::Error) -> String {
    at(text, error.span().map_or(0, |span| span.start), error.message().replace('\n', " "))
}

/// Reads a file and puts its name before the reasons of `compile`.
pub fn read(path: &Path, compile: impl FnOnce(&str) -> Result<String, String>) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("{}:1: cannot be read: {error}", path.display()))?;
    compile(&text).map_err(|reason| format!("{}:{reason}", path.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_fault_is_on_the_line_of_its_byte() {
        for (offset, line) in [(0, 1), (1, 1), (2, 2), (5, 3), (99, 3)] {
            assert_eq!(super::at("a\nbc\nd", offset, "x"), format!("{line}: x"), "{offset}");
        }
    }
}
