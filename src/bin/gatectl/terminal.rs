//! What a terminal is shown: text that cannot command it, colour where it is wanted, and how far long
//! work has come.

use std::io::{IsTerminal as _, Write as _};

use pip_aide_gateway::units::UnixMillis;

use crate::edge;

/// Text of others without what a terminal would obey or show in another order than it stands.
pub fn plain(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().filter(|c| !harmful(*c)).collect()
}

/// JSON in which no byte commands a terminal: serde escapes the control characters of ASCII up to
/// U+001F; the others are written as escapes too.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Bold,
    Red,
    Green,
    Yellow,
}

impl Paint {
    /// On a terminal, unless NO_COLOR is set (no-color.org) or the terminal is known to have none.
    pub fn of_stdout() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self(std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb)
    }

    /// Never.
    #[cfg(test)]
    pub const fn none() -> Self {
        Self(false)
    }

    /// The text in a colour.
    pub fn colour(self, colour: Colour, text: &str) -> String {
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Bold => 1,
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A line on standard error that tells how far the work has come, where that is a terminal.
pub struct Progress {
    is_shown: bool,
    drawn_at: UnixMillis,
}

const WIDTH: u64 = 24;
const REDRAW_MILLIS: u64 = 100;

impl Progress {
    pub fn new() -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), drawn_at: UnixMillis::default() }
    }

    /// Draws it anew, a few times a second. `done` of `all` is a bar; without `all` there is none.
    pub fn draw(&mut self, done: u64, all: u64, words: &dyn Fn() -> String) {
        if !self.is_shown {
            return;
        }
        let now = edge::now().unwrap_or_default();
        if now.millis().saturating_sub(self.drawn_at.millis()) < REDRAW_MILLIS {
            return;
        }
        self.drawn_at = now;
        let filled = done.min(all).saturating_mul(WIDTH).checked_div(all);
        let bar = filled.map(|filled| {
            let filled = usize::try_from(filled).unwrap_or(0);
            let rest = usize::try_from(WIDTH).unwrap_or(0).saturating_sub(filled);
            format!("[{}{}] ", "#".repeat(filled), ".".repeat(rest))
        });
        eprint!("\r\u{1b}[K{}{}", bar.unwrap_or_default(), words());
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Progress {
    /// Takes the line away.
    fn drop(&mut self) {
        if self.is_shown && self.drawn_at > UnixMillis::default() {
            eprint!("\r\u{1b}[K");
            let _ = std::io::stderr().flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_commands_a_terminal_is_left() {
        assert_eq!(plain("a\u{1b}[2J\u{9b}1mb\u{202e}c\n\u{e9}漢"), "a[2J1mbc\u{e9}漢");
        let text = serde_json::to_string("a\u{1b}\u{9b}\u{7f}\u{202e}é").unwrap();
        let safe = json(&text);
        assert_eq!(safe, r#""a\u001b\u009b\u007f\u202eé""#);
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), "a\u{1b}\u{9b}\u{7f}\u{202e}é");
    }
}
