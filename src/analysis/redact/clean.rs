//! Takes out what a terminal acts on and a reader does not see: control characters, escape
//! sequences (ECMA-48), and the characters that reorder or hide text (Unicode's `Bidi_Control`,
//! `Default_Ignorable_Code_Point` and tag characters).

/// `raw` as plain lines: `\n` between them, no control but tab, nothing invisible.
///
/// Idempotent, since nothing that is taken out can be put together from what stays: an escape
/// character never stays.
pub(super) fn clean(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = Rest(raw);
    loop {
        // Most of a log is plain, and taken over in runs.
        out.push_str(rest.take_plain());
        let Some(c) = rest.next() else { return out };
        match c {
            // A progress bar redraws its line after a bare carriage return: keep each as a line.
            '\r' => {
                rest.next_if(|c| c == '\n');
                out.push('\n');
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            c if is_hidden(c) => {}
            c => out.push(as_narrow(c)),
        }
    }
}

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn take_plain(&mut self) -> &'a str {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        let end = self.0.bytes().position(|byte| !is_plain(byte)).unwrap_or(self.0.len());
        let (plain, rest) = self.0.split_at_checked(end).unwrap_or((self.0, ""));
        self.0 = rest;
        plain
    }

    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.0.chars();
        let next = chars.next();
        self.0 = chars.as_str();
        next
    }

    fn next_if(&mut self, wanted: impl Fn(char) -> bool) -> Option<char> {
        if self.peek().is_some_and(wanted) { self.next() } else { None }
    }
}

/// What follows an escape character: a control sequence, a string up to its terminator, or two
/// characters. Never past the end of the line, so that an unfinished one hides no more than that.
fn skip_escape(rest: &mut Rest<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.peek() {
                if c == '\n' || c == '\r' {
                    return;
                }
                rest.next();
                if c == '\u{7}' || c == '\u{9c}' {
                    return;
                }
                if c == '\u{1b}' {
                    if rest.peek() == Some('\\') {
                        rest.next();
                    }
                    return;
                }
            }
        }
        Some(' '..='/') => {
            while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
            rest.next_if(|c| matches!(c, '0'..='~'));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// ECMA-48, 5.4: parameter bytes, intermediate bytes, one final byte.
fn skip_control_sequence(rest: &mut Rest<'_>) {
    while rest.next_if(|c| matches!(c, '0'..='?')).is_some() {}
    while rest.next_if(|c| matches!(c, ' '..='/')).is_some() {}
    rest.next_if(|c| matches!(c, '@'..='~'));
}

/// A space of another width as a plain one, and a letter or digit of full width as that of ASCII: the names of
/// secrets are looked for so, and signs of full width belong to Chinese text.
fn as_narrow(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        '０'..='９' | 'Ａ'..='Ｚ' | '＿' | 'ａ'..='ｚ' => {
            u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c)
        }
        c => c,
    }
}

/// Whether a reader does not see `c`, or sees other characters out of order because of it.
pub(in crate::analysis) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_that_a_terminal_acts_on_are_gone() {
        for (raw, plain) in [
            ("\u{1b}[31mERROR\u{1b}[0m", "ERROR"),
            ("\u{1b}[2K\u{1b}[?25hdone", "done"),
            ("\u{1b}]8;;file:///x\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}]0;never closed\nnext", "\nnext"),
            ("\u{1b}Pq#0\u{1b}\\x", "x"),
            ("\u{1b}(Bx", "x"),
            ("\u{1b}", ""),
            ("\u{9b}31mred", "red"),
            ("a\u{8}\u{0}b\u{7f}", "ab"),
            ("10%\r20%\r\n", "10%\n20%\n"),
        ] {
            assert_eq!(clean(raw), plain, "{raw:?}");
        }
    }

    #[test]
    fn text_that_hides_or_reorders_is_gone() {
        assert_eq!(clean("num\u{200b}py\u{202e}x\u{2066}y\u{feff}\u{e0041}"), "numpyxy");
        assert_eq!(clean("致命错误：é\tx"), "致命错误：é\tx");
    }

    #[test]
    fn letters_and_spaces_of_another_width_are_plain() {
        assert_eq!(clean("ＰａＳ９＿x\u{a0}=\u{3000}1：（致）"), "PaS9_x = 1：（致）");
    }

    #[test]
    fn cleaning_twice_is_cleaning_once() {
        for raw in ["\u{1b}\u{200b}[31m", "\r\u{200b}\n", "\u{1b}\u{1b}[0m", "\u{1b}[\u{1b}[0m"] {
            let once = clean(raw);
            assert_eq!(clean(&once), once, "{raw:?}");
            assert!(!once.contains('\u{1b}'));
        }
    }
}
