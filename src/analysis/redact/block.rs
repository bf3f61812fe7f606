//! A secret on the lines below its name: a block scalar of YAML (1.2.2, 8.1).

use super::line::is_name_byte;
use super::words::names_a_secret;
use super::work;

/// How much of a line is looked at for a name.
const LOOKED_AT: usize = 160;

/// The block that is open between two lines.
#[derive(Default)]
pub(super) struct Block {
    /// The column of its name.
    column: Option<usize>,
}

impl Block {
    /// Goes on to `line`: what of it is a secret, from where to where.
    pub(super) fn go_on(&mut self, line: &str) -> Option<(usize, usize)> {
        let start = indent(line);
        work::count(start);
        let end = line.trim_end().len();
        if let Some(column) = self.column {
            // An empty line may stand in a block.
            if start >= end {
                return None;
            }
            if start > column {
                return Some((start, end));
            }
        }
        self.column = opens(line, start);
        None
    }
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
