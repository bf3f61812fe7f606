//! Keyrings: the operator's secrets, several at a time so that they can be changed while requests
//! flow. The first key signs, every key verifies.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::machine_id::is_name;
use super::subkey::INFO_PREFIX;
pub use super::subkey::{Purpose, Subkey};
use super::{crypto, mac};

/// Fewest bytes of a key: as long as the output of the hash (RFC 7518 section 3.2).
pub const MIN_KEY_BYTES: usize = 32;
/// Most keys of a ring; a rotation needs two.
pub const MAX_KEYS: usize = 16;
/// Most bytes of a key id.
pub const MAX_KID_BYTES: usize = 32;

/// Padding may stay or go, as the operator's tool left it; bits beyond the last byte must be zero.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One secret key and its public name.
pub struct Key {
    kid: String,
    secret: Vec<u8>,
}

impl Key {
    /// The key's name, as tokens carry it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A key of its own for one purpose: HKDF-SHA256 with an empty salt and the purpose as info.
    #[must_use]
    pub fn subkey(&self, purpose: Purpose<'_>) -> Subkey {
        Subkey::derive(&self.secret, purpose)
    }

    /// The unpadded base64url HS256 signature of a token's first two parts (RFC 7518 section 3.2).
    pub(super) fn sign_hs256(&self, input: &[u8]) -> Option<String> {
        let key = EncodingKey::from_secret(&self.secret);
        crypto::sign(input, &key, Algorithm::HS256)
    }

    /// Whether `signature`, canonical unpadded base64url, is the HS256 signature of `input`.
    pub(super) fn verify_hs256(&self, signature: &str, input: &[u8]) -> bool {
        let key = DecodingKey::from_secret(&self.secret);
        crypto::verify(signature, input, &key, Algorithm::HS256)
    }

    /// Whether both make the same HS256 MACs: not quite whether their bytes are equal, because HMAC
    /// pads a short key with zeros and hashes a long one. The bytes themselves are never compared.
    fn is_same_key_as(&self, other: &Self) -> bool {
        let label: &[&[u8]] = &[INFO_PREFIX.as_bytes(), b"comparison"];
        mac::verify(&other.secret, label, &mac::mac(&self.secret, label))
    }
}

/// Shows the name only.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// At least one key; the first signs.
#[derive(Debug)]
pub struct Keyring {
    signing: Key,
    older: Vec<Key>,
}

impl Keyring {
    /// Reads `kid=base64url[,kid=base64url...]`, padded or not. White space around the whole text,
    /// such as the newline of a pasted line, is dropped; inside it is an error.
    ///
    /// # Errors
    /// Names the first entry that is wrong by its position, and why; never a part of the text.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(KeyringError { position: 1, reason: KeyringFault::Empty });
        }
        let mut keys: Vec<Key> = Vec::new();
        for (entry, position) in text.split(',').zip(1..) {
            let fault = |reason| KeyringError { position, reason };
            if position > MAX_KEYS {
                return Err(fault(KeyringFault::TooMany));
            }
            let key = read_entry(entry).map_err(fault)?;
            if keys.iter().any(|earlier| earlier.kid == key.kid) {
                return Err(fault(KeyringFault::RepeatedKid));
            }
            if keys.iter().any(|earlier| earlier.is_same_key_as(&key)) {
                return Err(fault(KeyringFault::RepeatedKey));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let signing = keys.next().ok_or(KeyringError { position: 1, reason: KeyringFault::Empty })?;
        Ok(Self { signing, older: keys.collect() })
    }

    /// The key that signs.
    #[must_use]
    pub const fn signing(&self) -> &Key {
        &self.signing
    }

    /// Every key, the signing one first.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.signing).chain(&self.older)
    }

    /// The key of that name.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys().find(|key| key.kid == kid)
    }

    /// Whether some key is in both rings: then a client's key would make operators.
    #[must_use]
    pub fn shares_a_key_with(&self, other: &Self) -> bool {
        self.keys().any(|key| other.keys().any(|theirs| key.is_same_key_as(theirs)))
    }
}

fn read_entry(entry: &str) -> Result<Key, KeyringFault> {
    if entry.is_empty() {
        return Err(KeyringFault::Empty);
    }
    let (kid, encoded) = entry.split_once('=').ok_or(KeyringFault::NoKid)?;
    if !is_kid(kid) {
        return Err(KeyringFault::BadKid);
    }
    let secret = KEY_BASE64.decode(encoded).map_err(|_| KeyringFault::NotBase64Url)?;
    if secret.len() < MIN_KEY_BYTES {
        return Err(KeyringFault::Short);
    }
    Ok(Key { kid: kid.to_owned(), secret })
}

/// Whether `text` is a key id: `[A-Za-z0-9._-]{1,32}`.
#[must_use]
pub fn is_kid(text: &str) -> bool {
    is_name(text, MAX_KID_BYTES)
}

/// One entry of a ring as text, for a new key of random bytes.
#[must_use]
pub fn render_entry(kid: &str, random: &[u8; MIN_KEY_BYTES]) -> String {
    format!("{kid}={}", URL_SAFE_NO_PAD.encode(random))
}

/// Which entry of a ring is wrong, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyringError {
    /// Counted from 1.
    pub position: usize,
    /// What is wrong with it.
    pub reason: KeyringFault,
}

/// What can be wrong with an entry of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyringFault {
    /// Nothing there.
    Empty,
    /// No `=` between name and key.
    NoKid,
    /// The name is not `[A-Za-z0-9._-]{1,32}`.
    BadKid,
    /// The key is not base64url.
    NotBase64Url,
    /// Fewer than 32 bytes.
    Short,
    /// The name is an earlier entry's.
    RepeatedKid,
    /// The key is an earlier entry's.
    RepeatedKey,
    /// More than 16 entries.
    TooMany,
}

impl fmt::Display for KeyringError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.reason {
            KeyringFault::Empty => "is empty; expected kid=base64url",
            KeyringFault::NoKid => "has no '='; expected kid=base64url",
            KeyringFault::BadKid => "has a kid that is not 1 to 32 letters, digits, '.', '_' or '-'",
            KeyringFault::NotBase64Url => "has a key that is not base64url",
            KeyringFault::Short => "has a key of fewer than 32 bytes",
            KeyringFault::RepeatedKid => "repeats the kid of an earlier entry",
            KeyringFault::RepeatedKey => "repeats the key of an earlier entry",
            KeyringFault::TooMany => "is one too many; a ring has at most 16",
        };
        write!(formatter, "entry {} {reason}", self.position)
    }
}

impl std::error::Error for KeyringError {}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE";
    const B: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI";

    fn fault(text: &str) -> (usize, KeyringFault) {
        let error = Keyring::parse(text).unwrap_err();
        for part in text.split([',', '=']).filter(|part| part.len() > 8) {
            assert!(!error.to_string().contains(part) && !format!("{error:?}").contains(part));
        }
        assert!(error.to_string().starts_with(&format!("entry {} ", error.position)), "{error}");
        (error.position, error.reason)
    }

    #[test]
    fn the_first_key_signs_and_every_key_is_found() {
        let ring = Keyring::parse(&format!("\nnew.1={A}=,old_2={B}\n")).unwrap();
        assert_eq!(ring.signing().kid(), "new.1");
        assert_eq!(ring.find("old_2").map(Key::kid), Some("old_2"));
        for kid in ["", "new", "new.1 ", "NEW.1", "old_2,new.1", "../new.1"] {
            assert!(ring.find(kid).is_none(), "{kid:?}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named_by_position_and_reason() {
        use KeyringFault::*;
        let short = URL_SAFE_NO_PAD.encode([7; 31]);
        let plus = "+".repeat(43);
        let seventeen: Vec<String> = (0..17).map(|i| render_entry(&format!("k{i}"), &[i; 32])).collect();
        for (text, expected) in [
            (String::new(), (1, Empty)),
            ("  \n".to_owned(), (1, Empty)),
            (format!("a={A},"), (2, Empty)),
            (format!("a={A},,b={B}"), (2, Empty)),
            (A.to_owned(), (1, NoKid)),
            (format!("={A}"), (1, BadKid)),
            (format!("a b={A}"), (1, BadKid)),
            (format!("a:b={A}"), (1, BadKid)),
            (format!("{}={A}", "k".repeat(33)), (1, BadKid)),
            (format!("a={A}, b={B}"), (2, BadKid)),
            ("a=".to_owned(), (1, Short)),
            (format!("a={A},b={short}"), (2, Short)),
            (format!("a={plus}"), (1, NotBase64Url)),
            (format!("a={A}=="), (1, NotBase64Url)),
            (format!("a={A}!"), (1, NotBase64Url)),
            // The last character's low bits are beyond the last byte.
            (format!("a={}F", A.strip_suffix('E').unwrap()), (1, NotBase64Url)),
            (format!("a={A},a={B}"), (2, RepeatedKid)),
            (format!("a={A},b={B},c={A}="), (3, RepeatedKey)),
            (seventeen.join(","), (17, TooMany)),
        ] {
            assert_eq!(fault(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn keys_that_make_the_same_macs_are_the_same_key() {
        use sha2::Digest as _;
        let long = [9; 65];
        let hashed: [u8; 32] = sha2::Sha256::digest(long).into();
        let direct = format!("a={},b={}", URL_SAFE_NO_PAD.encode(long), URL_SAFE_NO_PAD.encode(hashed));
        assert_eq!(fault(&direct), (2, KeyringFault::RepeatedKey));
        let mut padded = [0; 64];
        padded[..32].fill(b'A');
        assert_eq!(
            fault(&format!("a={A},b={}", URL_SAFE_NO_PAD.encode(padded))),
            (2, KeyringFault::RepeatedKey)
        );
    }

    #[test]
    fn rings_that_share_a_key_under_another_name_are_found() {
        let clients = Keyring::parse(&format!("a={A}")).unwrap();
        assert!(clients.shares_a_key_with(&Keyring::parse(&format!("x={B},y={A}")).unwrap()));
        assert!(!clients.shares_a_key_with(&Keyring::parse(&format!("a={B}")).unwrap()));
    }

    #[test]
    fn no_secret_is_printed() {
        let ring = Keyring::parse(&format!("a={A}")).unwrap();
        let subkey = ring.signing().subkey(Purpose::Challenge);
        let printed = format!("{ring:?} {subkey:?}");
        assert_eq!(format!("{:?} {subkey:?}", ring.signing()), "Key { kid: \"a\", .. } Subkey { .. }");
        assert!(!printed.contains("65"), "{printed}");
        assert!(
            !printed.contains("AAAA") && !printed.contains(A) && !printed.contains(&subkey.reveal_secret())
        );
    }
}
