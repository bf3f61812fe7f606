//! JSON inside JSON as it is. As a text it would be escaped, larger each time, on each of its ways: to the
//! shard, into a row, and out of it again.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// # Errors
/// The text is no JSON.
pub fn serialize<S: Serializer>(json: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(json).map_err(S::Error::custom)?.serialize(serializer)
}

/// # Errors
/// It is no JSON.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer).map_err(D::Error::custom)?;
    Ok(raw.get().to_owned())
}

/// The same where there may be none.
pub mod optional {
    use super::{Deserializer, Serializer};

    /// # Errors
    /// The text is no JSON.
    pub fn serialize<S: Serializer>(json: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        match json {
            Some(json) => super::serialize(json, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// # Errors
    /// It is no JSON.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}
