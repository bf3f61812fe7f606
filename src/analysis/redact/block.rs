//! A secret on the lines below its name: a block scalar of YAML (1.2.2, 8.1), or a value on the next line.

use super::line::is_name_byte;
use super::words::{is_plain_word, looks_random, names_a_secret};
use super::{MARK, work};

/// How much of a line is looked at for a name.
const LOOKED_AT: usize = 160;

/// The block that is open between two lines.
#[derive(Default)]
pub(super) struct Block {
    /// The column of its name.
    column: Option<usize>,
    /// Whether the line before ends with a secret's name and a sign.
    is_announced: bool,
}

/// What of a line is a secret, from where to where, and whether it is one elsewhere too.
pub(super) type Part = (usize, usize, bool);

impl Block {
    /// Goes on to `line`.
    pub(super) fn go_on(&mut self, line: &str) -> Option<Part> {
        let start = indent(line);
        work::count(start);
        let end = line.trim_end().len();
        if let Some(column) = self.column {
            // An empty line may stand in a block.
            if start >= end {
                return None;
            }
            if start > column {
                return Some((start, end, true));
            }
        }
        let value = if self.is_announced { lone_value(line, start, end) } else { None };
        self.is_announced = announces(line.get(start..end).unwrap_or_default());
        self.column = opens(line, start);
        value
    }
}

/// Whether `line` ends with a secret's name and a sign: `"password":`, `TOKEN = \`, `- secret:`.
fn announces(line: &str) -> bool {
    // Most lines end in something else.
    if !matches!(line.as_bytes().last(), Some(b':' | b'=' | b'\\' | b'(')) {
        return false;
    }
    let line = line.trim_end_matches(['\\', '(', ' ']);
    let Some(name) = line.strip_suffix([':', '=']) else { return false };
    let name = name.trim_end().trim_end_matches(['"', '\'']).as_bytes();
    let length = name.iter().rev().take(LOOKED_AT).take_while(|byte| is_name_byte(**byte)).count();
    work::count(length);
    let start = name.len().saturating_sub(length);
    names_a_secret(name.get(start..).unwrap_or_default())
}

/// The only value on a line: in quotes, or unlike anything but a secret.
fn lone_value(line: &str, start: usize, end: usize) -> Option<Part> {
    let text = line.get(start..end)?;
    let item = text.strip_prefix("- ").unwrap_or(text).trim_start();
    let start = end.checked_sub(item.len())?;
    let bare = item.trim_end_matches([',', ')', '}', ';']);
    let quote = bare.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let Some(quote) = quote else {
        let kinds = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
        let is_mixed = kinds.iter().all(|kind| bare.bytes().any(|byte| kind(&byte)));
        let is_run = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_+=".contains(&byte));
        let is_secret = (bare.len() >= 12 && is_mixed && is_run) || looks_random(bare.as_bytes());
        return is_secret.then(|| (start, start.saturating_add(bare.len()), true));
    };
    let value = bare.strip_prefix(quote)?.strip_suffix(quote)?;
    let start = start.saturating_add(1);
    let is_one = !value.is_empty() && !value.contains(quote) && value != MARK;
    is_one.then(|| (start, start.saturating_add(value.len()), !is_plain_word(value.as_bytes())))
}

fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// The column of the name of a secret whose value begins on the next line: `  - token: |`,
/// `"password": >-`.
fn opens(line: &str, start: usize) -> Option<usize> {
    let head = line.get(..line.floor_char_boundary(start.saturating_add(LOOKED_AT)))?;
    work::count(head.len().saturating_sub(start));
    let mut column = start;
    while let Some(item) = head.get(column..)?.strip_prefix("- ") {
        column = column.saturating_add(2).saturating_add(indent(item));
    }
    let (key, value) = head.get(column..)?.split_once(':')?;
    let key = key.trim_end();
    let quoted = key.strip_prefix(['"', '\'']).and_then(|key| key.strip_suffix(['"', '\'']));
    let key = quoted.unwrap_or(key);
    let mut words = value.split_ascii_whitespace();
    // How lines are joined, and how the end of the last one is kept.
    let is_sign = |word: &str| {
        let rest = word.strip_prefix(['|', '>']);
        rest.is_some_and(|rest| rest.len() <= 2 && rest.bytes().all(|byte| b"+-123456789".contains(&byte)))
    };
    let is_open = value.starts_with(' ')
        && words.next().is_some_and(is_sign)
        && words.next().is_none_or(|comment| comment.starts_with('#'));
    (is_open && key.bytes().all(is_name_byte) && names_a_secret(key.as_bytes())).then_some(column)
}
