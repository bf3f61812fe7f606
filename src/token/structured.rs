//! A reader of structured fields (RFC 9651), as much of them as signatures and digests use:
//! dictionaries of items and inner lists, with integers, texts, tokens, byte sequences and booleans.
//! Decimals, dates and display strings are refused, and so is a key that occurs twice, where the
//! RFC would let the last one win: a second header line must not replace what the first one said.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

/// Most bytes of a field that is read.
pub const MAX_FIELD_BYTES: usize = 4_096;

/// Section 4.2.7 allows padding to be missing; set bits beyond the last byte are refused.
const BYTES_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The field is not a structured field of the kind read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A bare item (section 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bare {
    /// At most 15 digits.
    Integer(i64),
    /// A quoted string, unescaped.
    Text(String),
    /// A token.
    Token(String),
    /// A byte sequence, decoded.
    Bytes(Vec<u8>),
    /// `?1`, `?0`, or a key without a value.
    Boolean(bool),
}

/// Parameters in their order (section 3.1.2), no key twice.
pub type Parameters = Vec<(String, Bare)>;

/// An item with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The item itself.
    pub value: Bare,
    /// What follows it.
    pub parameters: Parameters,
}

/// The value of a dictionary's member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An item.
    Item(Item),
    /// An inner list (section 3.1.1).
    InnerList {
        /// What is in the parentheses.
        items: Vec<Item>,
        /// What follows them.
        parameters: Parameters,
    },
}

/// A dictionary's member (section 3.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its value.
    pub value: Value,
    /// Its value as it stands in the field, parameters included.
    pub text: &'a str,
}

/// Reads a dictionary (section 4.2.2).
///
/// # Errors
/// See the module: the field is malformed, too long, or holds what is not read here.
pub fn dictionary(field: &str) -> Result<Vec<Member<'_>>, Malformed> {
    if field.len() > MAX_FIELD_BYTES || !field.is_ascii() {
        return Err(Malformed);
    }
    let mut reader = Reader { rest: field.trim_matches(' ') };
    let mut members: Vec<Member<'_>> = Vec::new();
    while !reader.rest.is_empty() {
        let member = reader.member()?;
        if members.iter().any(|earlier| earlier.key == member.key) {
            return Err(Malformed);
        }
        members.push(member);
        reader.skip(|c| matches!(c, ' ' | '\t'));
        if reader.rest.is_empty() {
            break;
        }
        reader.expect(',')?;
        reader.skip(|c| matches!(c, ' ' | '\t'));
        // A trailing comma is an error.
        if reader.rest.is_empty() {
            return Err(Malformed);
        }
    }
    Ok(members)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), Malformed> {
        if self.take(c) { Ok(()) } else { Err(Malformed) }
    }

    /// The longest run of characters for which `wanted` holds.
    fn run(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        run
    }

    fn skip(&mut self, unwanted: impl Fn(char) -> bool) {
        self.run(unwanted);
    }

    fn member(&mut self) -> Result<Member<'a>, Malformed> {
        let key = self.key()?;
        let has_value = self.take('=');
        let from = self.rest;
        let value = if !has_value {
            Value::Item(Item { value: Bare::Boolean(true), parameters: self.parameters()? })
        } else if self.take('(') {
            Value::InnerList { items: self.inner_items()?, parameters: self.parameters()? }
        } else {
            Value::Item(self.item()?)
        };
        let length = from.len().saturating_sub(self.rest.len());
        Ok(Member { key, value, text: from.get(..length).ok_or(Malformed)? })
    }

    fn inner_items(&mut self) -> Result<Vec<Item>, Malformed> {
        let mut items = Vec::new();
        loop {
            self.skip(|c| c == ' ');
            if self.take(')') {
                return Ok(items);
            }
            items.push(self.item()?);
            if !self.rest.starts_with([' ', ')']) {
                return Err(Malformed);
            }
        }
    }

    fn item(&mut self) -> Result<Item, Malformed> {
        Ok(Item { value: self.bare()?, parameters: self.parameters()? })
    }

    fn parameters(&mut self) -> Result<Parameters, Malformed> {
        let mut parameters = Parameters::new();
        while self.take(';') {
            self.skip(|c| c == ' ');
            let key = self.key()?;
            if parameters.iter().any(|(earlier, _)| earlier == key) {
                return Err(Malformed);
            }
            let value = if self.take('=') { self.bare()? } else { Bare::Boolean(true) };
            parameters.push((key.to_owned(), value));
        }
        Ok(parameters)
    }

    fn key(&mut self) -> Result<&'a str, Malformed> {
        if !self.rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
            return Err(Malformed);
        }
        Ok(self.run(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | '*')))
    }

    fn bare(&mut self) -> Result<Bare, Malformed> {
        match self.rest.chars().next() {
            Some('"') => self.text().map(Bare::Text),
            Some(':') => self.bytes().map(Bare::Bytes),
            Some('?') => self.boolean().map(Bare::Boolean),
            Some('-' | '0'..='9') => self.integer().map(Bare::Integer),
            Some('A'..='Z' | 'a'..='z' | '*') => Ok(Bare::Token(self.run(is_token_char).to_owned())),
            _ => Err(Malformed),
        }
    }

    fn integer(&mut self) -> Result<i64, Malformed> {
        let is_negative = self.take('-');
        let digits = self.run(|c| c.is_ascii_digit());
        if digits.len() > 15 || self.rest.starts_with('.') {
            return Err(Malformed);
        }
        let magnitude: i64 = digits.parse().map_err(|_| Malformed)?;
        Ok(if is_negative { magnitude.saturating_neg() } else { magnitude })
    }

    fn text(&mut self) -> Result<String, Malformed> {
        self.expect('"')?;
        let mut text = String::new();
        let mut characters = self.rest.chars();
        while let Some(c) = characters.next() {
            match c {
                '"' => {
                    self.rest = characters.as_str();
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('"' | '\\')) => text.push(escaped),
                    _ => return Err(Malformed),
                },
                ' '..='~' => text.push(c),
                _ => return Err(Malformed),
            }
        }
        Err(Malformed)
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Malformed> {
        self.expect(':')?;
        let encoded = self.run(|c| c != ':');
        self.expect(':')?;
        BYTES_BASE64.decode(encoded).map_err(|_| Malformed)
    }

    fn boolean(&mut self) -> Result<bool, Malformed> {
        self.expect('?')?;
        if self.take('1') {
            Ok(true)
        } else if self.take('0') {
            Ok(false)
        } else {
            Err(Malformed)
        }
    }
}

fn is_token_char(c: char) -> bool {
    is_field_name_char(c) || matches!(c, ':' | '/')
}

/// `tchar` of RFC 9110 section 5.6.2.
pub fn is_field_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
#[path = "structured_tests.rs"]
mod tests;
