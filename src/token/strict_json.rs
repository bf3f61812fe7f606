//! JSON read strictly: a member that occurs twice is an error at every depth, because two readers
//! of the same bytes could otherwise see two different tokens (RFC 8259 section 4).

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::Denied;

/// A JSON value, with only the distinctions that tokens need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`, `true` or `false`.
    Word,
    /// A number written as an integer that fits `u64`.
    Integer(u64),
    /// Any other number: negative, with a fraction or an exponent, or too large.
    OtherNumber,
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

/// A JSON object without repeated members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object(Vec<(String, Json)>);

impl Object {
    /// Reads exactly one object; white space around it is allowed.
    ///
    /// # Errors
    /// [`Denied::DuplicateMember`], or [`Denied::MalformedToken`] for all else that is no object.
    pub fn read(bytes: &[u8]) -> Result<Self, Denied> {
        match serde_json::from_slice(bytes) {
            Ok(Json::Object(object)) => Ok(object),
            Ok(_) => Err(Denied::MalformedToken),
            Err(error) if error.is_data() => Err(Denied::DuplicateMember),
            Err(_) => Err(Denied::MalformedToken),
        }
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// The names of all members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

/// The only error that this makes of itself is the repeated member: `Object::read` counts on it.
impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Word)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Word)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Object::default();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            if object.get(&name).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
            object.0.push((name, value));
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_occurs_twice_is_refused_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":1}]}"#,
        ] {
            assert_eq!(Object::read(text.as_bytes()), Err(Denied::DuplicateMember), "{text}");
        }
        assert!(Object::read(br#"{"a":{"a":1},"b":{"a":2},"A":3}"#).is_ok());
    }

    #[test]
    fn only_one_whole_object_is_read() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(2_000), "]".repeat(2_000));
        for text in [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{}{}",
            "{} x",
            "{a:1}",
            "{'a':1}",
            r#"{"a":1,}"#,
            "\u{feff}{}",
            &deep,
            r#"{"a":"\ud800"}"#,
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
        ] {
            assert_eq!(Object::read(text.as_bytes()), Err(Denied::MalformedToken), "{text:?}");
        }
        assert_eq!(Object::read(b"{\"a\":\"\xff\"}"), Err(Denied::MalformedToken));
    }

    #[test]
    fn only_plain_integers_count_as_integers() {
        let object =
            Object::read(br#"{"a":7,"b":-7,"c":7.0,"d":7e0,"e":18446744073709551616,"f":"7"}"#).unwrap();
        assert_eq!(object.get("a"), Some(&Json::Integer(7)));
        for name in ["b", "c", "d", "e"] {
            assert_eq!(object.get(name), Some(&Json::OtherNumber), "{name}");
        }
        assert_eq!(object.get("f"), Some(&Json::Text("7".to_owned())));
    }
}
