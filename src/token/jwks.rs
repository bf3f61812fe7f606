//! An identity provider's public keys (RFC 7517), as much of them as verifies RS256, ES256 and
//! EdDSA. A key that is not usable here is left aside and the rest stays: providers publish keys
//! for other purposes in the same document.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::crypto;
use super::strict_json::{Json, Object};

/// Most bytes of a document.
pub const MAX_DOCUMENT_BYTES: usize = 65_536;
/// Most keys in a document.
pub const MAX_KEYS: usize = 64;
/// Most bytes of a key id.
const MAX_KID_BYTES: usize = 256;
/// RFC 7518 section 3.3 asks for 2048 bits; more than 4096 only cost time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// Bytes of a coordinate on P-256 and of an Ed25519 key (RFC 7518 section 6.2.1.2, RFC 8037).
const CURVE_BYTES: usize = 32;

/// The usable keys of a document, no `kid` twice.
#[derive(Debug)]
pub struct Jwks(Vec<PublicKey>);

/// One key, with the one algorithm that it verifies.
pub struct PublicKey {
    kid: String,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl PublicKey {
    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The name of its algorithm, as a token must state it.
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self.algorithm {
            Algorithm::RS256 => "RS256",
            Algorithm::ES256 => "ES256",
            _ => "EdDSA",
        }
    }

    /// Whether `signature`, canonical unpadded base64url, is this key's signature of `input`.
    pub(super) fn verify(&self, signature: &str, input: &[u8]) -> bool {
        crypto::verify(signature, input, &self.key, self.algorithm)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("PublicKey");
        debug.field("kid", &self.kid).field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

impl Jwks {
    /// Reads a JWK Set.
    ///
    /// Two usable keys of one name are both left aside: which of them counts would be a guess.
    ///
    /// # Errors
    /// Too large, too many keys, no JSON object with an array `keys` of objects, or no usable key
    /// in it.
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(JwksError::TooLarge);
        }
        let document = Object::read(document).map_err(|_| JwksError::Malformed)?;
        let Some(Json::Array(entries)) = document.get("keys") else {
            return Err(JwksError::Malformed);
        };
        if entries.len() > MAX_KEYS {
            return Err(JwksError::TooLarge);
        }
        let mut keys = Vec::new();
        for entry in entries {
            let Json::Object(entry) = entry else { return Err(JwksError::Malformed) };
            keys.extend(read_key(entry));
        }
        let kids: Vec<String> = keys.iter().map(|key: &PublicKey| key.kid.clone()).collect();
        keys.retain(|key| kids.iter().filter(|kid| **kid == key.kid).count() == 1);
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// The key of that name.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.kid == kid)
    }

    /// Every usable key.
    pub fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.0.iter()
    }
}

/// The key, if it can verify signatures here.
fn read_key(jwk: &Object) -> Option<PublicKey> {
    let kid = text(jwk, "kid").filter(|kid| (1..=MAX_KID_BYTES).contains(&kid.len()))?;
    // A private key that was published is everybody's, and a symmetric one (`oct`) has no place in
    // a public document: whoever reads it could sign.
    if jwk.get("d").is_some() || jwk.get("k").is_some() || !may_verify(jwk) {
        return None;
    }
    let (algorithm, names, key): (_, &[&str], _) = match text(jwk, "kty")? {
        "RSA" => (Algorithm::RS256, &["RS256"], rsa(jwk)?),
        "EC" if text(jwk, "crv")? == "P-256" => (Algorithm::ES256, &["ES256"], p256(jwk)?),
        // RFC 9864 gives EdDSA with this curve a name of its own.
        "OKP" if text(jwk, "crv")? == "Ed25519" => (Algorithm::EdDSA, &["EdDSA", "Ed25519"], ed25519(jwk)?),
        _ => return None,
    };
    match jwk.get("alg") {
        None => {}
        Some(Json::Text(alg)) if names.contains(&alg.as_str()) => {}
        Some(_) => return None,
    }
    Some(PublicKey { kid: kid.to_owned(), algorithm, key })
}

/// `use` and `key_ops` (RFC 7517 sections 4.2 and 4.3), where they are given.
fn may_verify(jwk: &Object) -> bool {
    let by_use = match jwk.get("use") {
        None => true,
        Some(value) => *value == Json::Text("sig".to_owned()),
    };
    let by_operations = match jwk.get("key_ops") {
        None => true,
        Some(Json::Array(operations)) => operations.contains(&Json::Text("verify".to_owned())),
        Some(_) => false,
    };
    by_use && by_operations
}

fn rsa(jwk: &Object) -> Option<DecodingKey> {
    let modulus = bytes(jwk, "n")?;
    let exponent = bytes(jwk, "e")?;
    // Leading zeros are no bits of the modulus.
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.get(zeros..)?;
    let first = significant.first()?;
    let bits = significant.len().checked_mul(8)?.checked_sub(usize::try_from(first.leading_zeros()).ok()?)?;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    let is_one = exponent.iter().rev().skip(1).all(|byte| *byte == 0) && exponent.last() == Some(&1);
    // With an exponent of 1 every message is its own signature; an even one is no RSA key.
    if !RSA_BITS.contains(&bits) || !is_odd(significant) || !is_odd(&exponent) || is_one || exponent.len() > 4
    {
        return None;
    }
    Some(DecodingKey::from_rsa_raw_components(significant, &exponent))
}

fn p256(jwk: &Object) -> Option<DecodingKey> {
    if bytes(jwk, "x")?.len() != CURVE_BYTES || bytes(jwk, "y")?.len() != CURVE_BYTES {
        return None;
    }
    DecodingKey::from_ec_components(text(jwk, "x")?, text(jwk, "y")?).ok()
}

fn ed25519(jwk: &Object) -> Option<DecodingKey> {
    if bytes(jwk, "x")?.len() != CURVE_BYTES {
        return None;
    }
    DecodingKey::from_ed_components(text(jwk, "x")?).ok()
}

fn text<'a>(jwk: &'a Object, name: &str) -> Option<&'a str> {
    match jwk.get(name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

fn bytes(jwk: &Object, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).ok()
}

/// Why a document gives no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwksError {
    /// Over 64 KiB, or over 64 keys.
    TooLarge,
    /// Not a JWK Set.
    Malformed,
    /// No key in it verifies RS256, ES256 or EdDSA.
    NoUsableKey,
}

impl fmt::Display for JwksError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TooLarge => "the key set is over 64 KiB or 64 keys",
            Self::Malformed => "not a JWK Set",
            Self::NoUsableKey => "no key in the set verifies RS256, ES256 or EdDSA",
        })
    }
}

impl std::error::Error for JwksError {}
