//! The name of a machine: what every limit, log record and revocation is keyed by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A machine id, `[A-Za-z0-9._-]{1,64}`: safe in a URL path, a storage key and a header as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineId(String);

/// The text is no machine id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMachineId;

impl MachineId {
    /// Most bytes of a machine id.
    pub const MAX_BYTES: usize = 64;

    /// Reads a machine id.
    ///
    /// # Errors
    /// Anything but 1 to 64 ASCII letters, digits, `.`, `_` and `-`.
    pub fn parse(text: &str) -> Result<Self, BadMachineId> {
        if is_name(text, Self::MAX_BYTES) { Ok(Self(text.to_owned())) } else { Err(BadMachineId) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is `[A-Za-z0-9._-]{1,max}`: the form of machine ids and of key ids.
pub(super) fn is_name(text: &str, max: usize) -> bool {
    !text.is_empty()
        && text.len() <= max
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

impl fmt::Display for MachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for MachineId {
    type Error = BadMachineId;

    fn try_from(text: String) -> Result<Self, BadMachineId> {
        if is_name(&text, Self::MAX_BYTES) { Ok(Self(text)) } else { Err(BadMachineId) }
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> Self {
        id.0
    }
}

impl fmt::Display for BadMachineId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a machine id is 1 to 64 letters, digits, '.', '_' or '-'")
    }
}

impl std::error::Error for BadMachineId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_plain_names() {
        for text in ["a", "m-1_2.X", "-", &"x".repeat(64)] {
            assert_eq!(MachineId::parse(text).map(String::from).as_deref(), Ok(text));
        }
        for text in ["", " a", "a ", "a:b", "a/b", "a\n", "é", "a\0", "~", "a,b", &"x".repeat(65)] {
            assert_eq!(MachineId::parse(text), Err(BadMachineId), "{text:?}");
            let unread = serde_json::from_value::<MachineId>(text.into()).unwrap_err();
            assert!(unread.to_string().starts_with("a machine id is 1 to 64 letters"), "{text:?}: {unread}");
        }
    }
}
