//! The body of an analyse request, read strictly: one JSON object, no member twice at any depth, at
//! most 16 levels deep and with at most 4,096 values, strings where strings belong.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Levels of objects and arrays that a body may have.
const MOST_LEVELS: u8 = 16;

/// Values that a body may have, whatever is in them: a body of numbers alone would take forty times the time of
/// one of text, and any number of such bodies come before the ledger is asked.
const MOST_VALUES: u16 = 4_096;

/// Characters of a reported machine id that are kept. The real client sends ten.
const MOST_MACHINE_ID: usize = 128;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What the client calls itself. Recorded, never believed.
    pub machine_id: Option<String>,
    /// The failed command and its output: untrusted, and full of other people's secrets.
    pub error_context: String,
}

const TWICE: &str = "A member occurs twice.";
const DEEP: &str = "The body is nested too deeply.";
const MANY: &str = "The body has too many values.";
const NOT_TEXT: &str = "machine_id and error_context must be strings.";
const NOT_JSON: &str = "The body is not one JSON object in UTF-8.";

/// Reads a body. Members other than the two are allowed, for clients to come, and ignored.
///
/// # Errors
/// What is wrong, as a sentence for the client that repeats nothing of what it sent.
pub fn read(body: &[u8]) -> Result<Submission, &'static str> {
    let text = std::str::from_utf8(body).map_err(|_| NOT_JSON)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members =
        Members.deserialize(&mut deserializer).and_then(|members| deserializer.end().map(|()| members));
    let members = members.map_err(|error| {
        let words = error.to_string();
        [TWICE, DEEP, MANY, NOT_TEXT].into_iter().find(|reason| words.starts_with(reason)).unwrap_or(NOT_JSON)
    })?;
    let error_context = members.error_context.ok_or("error_context is missing.")?;
    // Spaces and invisible characters alone are nothing to look at.
    if !error_context.chars().any(char::is_alphanumeric) {
        return Err("error_context is empty.");
    }
    if members.machine_id.as_ref().is_some_and(|id| id.trim().is_empty()) {
        return Err("machine_id is empty.");
    }
    let machine_id = members.machine_id.map(|id| id.chars().take(MOST_MACHINE_ID).collect());
    Ok(Submission { machine_id, error_context })
}

#[derive(Default)]
struct Found {
    machine_id: Option<String>,
    error_context: Option<String>,
}

/// The body's own object.
struct Members;

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Found;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        let mut names = BTreeSet::new();
        let values_left = Cell::new(MOST_VALUES);
        let ignored = Ignored { levels_left: MOST_LEVELS.saturating_sub(1), values_left: &values_left };
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "machine_id" if !names.contains(&name) => found.machine_id = Some(map.next_value_seed(Text)?),
                "error_context" if !names.contains(&name) => {
                    found.error_context = Some(map.next_value_seed(Text)?)
                }
                _ => map.next_value_seed(ignored)?,
            }
            if !names.insert(name) {
                return Err(de::Error::custom(TWICE));
            }
        }
        Ok(found)
    }
}

/// A string and nothing that could pass for one.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<String, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
        Err(E::custom(NOT_TEXT))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(de::Error::custom(NOT_TEXT))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        Err(de::Error::custom(NOT_TEXT))
    }
}

/// A value that is read only to see that it is in order.
#[derive(Clone, Copy)]
struct Ignored<'a> {
    levels_left: u8,
    values_left: &'a Cell<u16>,
}

impl Ignored<'_> {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        let levels_left = self.levels_left.checked_sub(1).ok_or_else(|| E::custom(DEEP))?;
        Ok(Self { levels_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Ignored<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let values_left = self.values_left.get().checked_sub(1).ok_or_else(|| de::Error::custom(MANY))?;
        self.values_left.set(values_left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Ignored<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.inner()?;
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(inner)?;
            if !names.insert(name) {
                return Err(de::Error::custom(TWICE));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sends_is_read() {
        let read =
            read(br#" {"machine_id":"0x12","error_context":"Command: pip","later":{"a":[1,null,2.5]}} "#);
        let submission = read.unwrap();
        assert_eq!(submission.machine_id.as_deref(), Some("0x12"));
        assert_eq!(submission.error_context, "Command: pip");
        assert_eq!(super::read(br#"{"error_context":"x"}"#).unwrap().machine_id, None);
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let deep = |levels: usize| {
            format!(r#"{{"error_context":"x","a":{}{}}}"#, "[".repeat(levels), "]".repeat(levels))
                .into_bytes()
        };
        let cases: [(&[u8], &str); 22] = [
            (b"", NOT_JSON),
            (b"pip", NOT_JSON),
            (b"[]", NOT_JSON),
            (b"\"x\"", NOT_JSON),
            (b"null", NOT_JSON),
            (b"{\"error_context\":\"x\"} {}", NOT_JSON),
            (b"{\"error_context\":\"x\"", NOT_JSON),
            (b"{\"error_context\":\"\xff\"}", NOT_JSON),
            (b"\xef\xbb\xbf{\"error_context\":\"x\"}", NOT_JSON),
            (br#"{"error_context":"\ud800"}"#, NOT_JSON),
            (br#"{"error_context":"x",}"#, NOT_JSON),
            (br#"{"error_context":1}"#, NOT_TEXT),
            (br#"{"error_context":null}"#, NOT_TEXT),
            (br#"{"error_context":["x"]}"#, NOT_TEXT),
            (br#"{"error_context":"x","machine_id":true}"#, NOT_TEXT),
            (br#"{"error_context":"x","error_context":"x"}"#, TWICE),
            (br#"{"error_context":"x","error_conte\u0078t":"x"}"#, TWICE),
            (br#"{"error_context":"x","a":1,"a":1}"#, TWICE),
            (br#"{"error_context":"x","a":[{"b":1,"b":2}]}"#, TWICE),
            (br#"{"machine_id":"x"}"#, "error_context is missing."),
            ("{\"error_context\":\" \u{a0}\u{200b}\u{2060} \"}".as_bytes(), "error_context is empty."),
            (br#"{"error_context":"x","machine_id":""}"#, "machine_id is empty."),
        ];
        for (body, reason) in cases {
            assert_eq!(read(body), Err(reason), "{}", String::from_utf8_lossy(body));
        }
        assert!(read(&deep(15)).is_ok());
        assert_eq!(read(&deep(16)), Err(DEEP));
        assert_eq!(read(&deep(100_000)), Err(DEEP));
    }

    #[test]
    fn so_many_values_are_read_and_no_more_wherever_they_are() {
        let body = |inner: String| format!(r#"{{"error_context":"x",{inner}}}"#).into_bytes();
        let many = |count: usize, value: &str| vec![value; count].join(",");
        let members = |count: usize| {
            let members: Vec<String> = (0..count).map(|number| format!(r#""m{number}":0"#)).collect();
            members.join(",")
        };
        let most = usize::from(MOST_VALUES);
        assert!(read(&body(members(most))).is_ok());
        assert_eq!(read(&body(members(most + 1))), Err(MANY));
        // The list itself is one.
        assert!(read(&body(format!(r#""a":[{}]"#, many(most - 1, "0")))).is_ok());
        for value in ["0", "\"\"", "[]", "{}", "[[[]]]", "{\"a\":{\"b\":null}}"] {
            assert_eq!(read(&body(format!(r#""a":[{}]"#, many(most, value)))), Err(MANY), "{value}");
        }
        // Told from what was read so far, not from all of it.
        assert_eq!(read(&body(format!(r#""a":[{}"#, many(100_000, "0")))), Err(MANY));
    }
}
