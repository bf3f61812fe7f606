//! Splits a command into words as the client does, with Python's `shlex.split` in POSIX mode: the
//! quoting of the shell command language (POSIX.1-2024, XCU 2.2) without expansions, operators or
//! comments.

/// Why a command cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitError {
    /// A quotation mark is open at the end.
    OpenQuote,
    /// A backslash stands at the end.
    OpenEscape,
}

enum State {
    Between,
    Word,
    Single,
    Double,
}

/// The words of `command`.
///
/// # Errors
///
/// As `shlex.split` raises `ValueError`: an open quotation or escape.
pub fn split(command: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut state = State::Between;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (&state, c) {
            (State::Between | State::Word, ' ' | '\t' | '\r' | '\n') => {
                if matches!(state, State::Word) {
                    words.push(std::mem::take(&mut word));
                }
                state = State::Between;
            }
            (State::Between | State::Word, '\'') => state = State::Single,
            (State::Between | State::Word, '"') => state = State::Double,
            (State::Between | State::Word, '\\') => {
                word.push(chars.next().ok_or(SplitError::OpenEscape)?);
                state = State::Word;
            }
            (State::Single, '\'') | (State::Double, '"') => state = State::Word,
            (State::Double, '\\') => match chars.next().ok_or(SplitError::OpenEscape)? {
                quoted @ ('"' | '\\') => word.push(quoted),
                other => word.extend(['\\', other]),
            },
            (State::Between, c) => {
                word.push(c);
                state = State::Word;
            }
            (_, c) => word.push(c),
        }
    }
    match state {
        State::Single | State::Double => return Err(SplitError::OpenQuote),
        State::Word => words.push(word),
        State::Between => {}
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_shlex_does() {
        // Each right side is what Python's shlex.split(left) gives.
        for (command, words) in [
            ("pip install numpy", vec!["pip", "install", "numpy"]),
            ("  a\t b\n c ", vec!["a", "b", "c"]),
            ("a 'b c' \"d e\"", vec!["a", "b c", "d e"]),
            ("a'b'\"c\"d", vec!["abcd"]),
            ("a\\ b \\'", vec!["a b", "'"]),
            ("\"a\\\"b\\\\c\\d\"", vec!["a\"b\\c\\d"]),
            ("'a\\b'", vec!["a\\b"]),
            ("'' \"\" a", vec!["", "", "a"]),
            ("a #b; c && d|e", vec!["a", "#b;", "c", "&&", "d|e"]),
            ("a\\\nb", vec!["a\nb"]),
            ("", vec![]),
        ] {
            assert_eq!(split(command), Ok(words.into_iter().map(str::to_owned).collect()), "{command:?}");
        }
    }

    #[test]
    fn what_is_left_open_is_an_error() {
        assert_eq!(split("a 'b"), Err(SplitError::OpenQuote));
        assert_eq!(split("a \"b"), Err(SplitError::OpenQuote));
        assert_eq!(split("a\\"), Err(SplitError::OpenEscape));
        assert_eq!(split("\"a\\"), Err(SplitError::OpenEscape));
    }
}
