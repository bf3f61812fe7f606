//! The parameters in the address of an operators' route: those that the route has, each at most once.

use std::ops::RangeInclusive;

use crate::reject::Reject;

/// Most bytes of a parameter's value.
const MOST_VALUE: usize = 2_048;

/// Parameters that were given. The route says what it takes: `form`, for whoever sent something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    given: Vec<(&'static str, String)>,
    form: &'static str,
}

impl Parameters {
    /// Reads a query as forms write it: `name=value`, joined by `&`, percent-encoded, `+` for a space.
    ///
    /// # Errors
    /// [`Reject::MalformedRequest`] with `form`: a name that is not `known` or comes twice, and a value
    /// that is no text.
    pub fn read(query: &str, known: &[&'static str], form: &'static str) -> Result<Self, Reject> {
        let wrong = Reject::MalformedRequest(form);
        let mut given: Vec<(&str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known.iter().find(|known| **known == name);
            let value = decode(&value.replace('+', " ")).filter(|value| value.len() <= MOST_VALUE);
            match (name, value) {
                (Some(name), Some(value)) if given.iter().all(|(earlier, _)| earlier != name) => {
                    given.push((name, value));
                }
                _ => return Err(wrong),
            }
        }
        Ok(Self { given, form })
    }

    /// What the route takes, as a refusal.
    #[must_use]
    pub const fn wrong(&self) -> Reject {
        Reject::MalformedRequest(self.form)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is a whole number.
    ///
    /// # Errors
    /// [`Reject::MalformedRequest`]: it is none, or not within `range`.
    pub fn number(&self, name: &str, range: RangeInclusive<u64>, default: u64) -> Result<u64, Reject> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        let is_plain = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|number| is_plain && range.contains(number));
        number.ok_or_else(|| self.wrong())
    }
}

/// Takes percent-encoding away (RFC 3986, 2.1). `None` where it is broken or hides what is no UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let mut digit =
                || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (high, low) = (digit()?, digit()?);
            high << 4 | low
        } else {
            byte
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "Take limit, 1 to 100, and machine.";

    fn read(query: &str) -> Result<Parameters, Reject> {
        Parameters::read(query, &["limit", "machine"], FORM)
    }

    #[test]
    fn parameters_are_read_as_forms_write_them() {
        let none = read("").unwrap();
        assert_eq!((none.get("machine"), none.number("limit", 1..=100, 20)), (None, Ok(20)));
        let both = read("machine=net~2001-db8--%5F64+x%20y&limit=100").unwrap();
        assert_eq!(both.get("machine"), Some("net~2001-db8--_64 x y"));
        assert_eq!(both.number("limit", 1..=100, 20), Ok(100));
        assert_eq!(read("machine").unwrap().get("machine"), Some(""));
    }

    #[test]
    fn what_is_wrong_is_refused_with_what_is_taken() {
        for query in
            ["limits=1", "limit=1&limit=1", "machine=%", "machine=%4", "machine=%zz", "machine=%ff", "=1"]
        {
            assert_eq!(read(query), Err(Reject::MalformedRequest(FORM)), "{query}");
        }
        for value in ["", "0", "101", "-1", "+1", "1.0", "1e1", " 1", "99999999999999999999"] {
            let parameters = read(&format!("limit={value}")).unwrap();
            assert_eq!(
                parameters.number("limit", 1..=100, 20),
                Err(Reject::MalformedRequest(FORM)),
                "{value}"
            );
        }
    }
}
