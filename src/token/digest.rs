//! `Content-Digest` (RFC 9530): what the body must hash to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};

use super::Denied;
use super::structured::{Bare, Item, Value, dictionary};

const SHA_256: &str = "sha-256";
const SHA_512: &str = "sha-512";

/// The digests that a `Content-Digest` field gives; at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDigest {
    sha_256: Option<[u8; 32]>,
    sha_512: Option<[u8; 64]>,
}

impl ContentDigest {
    /// Reads the field. Algorithms other than SHA-256 and SHA-512 are left aside, because RFC 9530
    /// section 5 calls them unfit where somebody may lie.
    ///
    /// # Errors
    /// Malformed, an algorithm twice, a digest of the wrong length, or neither algorithm there.
    pub fn read(field: &str) -> Result<Self, Denied> {
        let mut digest = Self { sha_256: None, sha_512: None };
        for member in dictionary(field).map_err(|_| Denied::MalformedDigest)? {
            let Value::Item(Item { value: Bare::Bytes(bytes), .. }) = member.value else {
                return Err(Denied::MalformedDigest);
            };
            match member.key {
                SHA_256 => digest.sha_256 = Some(bytes.try_into().map_err(|_| Denied::MalformedDigest)?),
                SHA_512 => digest.sha_512 = Some(bytes.try_into().map_err(|_| Denied::MalformedDigest)?),
                _ => {}
            }
        }
        if digest.sha_256.is_none() && digest.sha_512.is_none() {
            return Err(Denied::MalformedDigest);
        }
        Ok(digest)
    }

    /// Holds the body, as received and before any decoding, against every digest given. The digest
    /// is public (it is in the header that the client sent), so time may tell where they differ.
    ///
    /// # Errors
    /// One does not match.
    pub fn check(&self, body: &[u8]) -> Result<(), Denied> {
        let matches_256 = self.sha_256.is_none_or(|digest| digest == *Sha256::digest(body));
        let matches_512 = self.sha_512.is_none_or(|digest| digest == *Sha512::digest(body));
        if matches_256 && matches_512 { Ok(()) } else { Err(Denied::DigestMismatch) }
    }
}

/// The `Content-Digest` field of a body, with SHA-256.
#[must_use]
pub fn render(body: &[u8]) -> String {
    format!("{SHA_256}=:{}:", STANDARD.encode(Sha256::digest(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"{\"hello\": \"world\"}";
    // RFC 9530 appendix D gives these for `{"hello": "world"}` without a newline (RFC 9421 B.2).
    const FIELD_256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const FIELD_512: &str =
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

    #[test]
    fn the_rfcs_digests_are_made_and_taken() {
        assert_eq!(render(BODY), FIELD_256);
        for field in
            [FIELD_256, FIELD_512, &format!("{FIELD_512}, {FIELD_256}"), &format!("md5=:AA==:,{FIELD_256}")]
        {
            let digest = ContentDigest::read(field).unwrap();
            assert_eq!(digest.check(BODY), Ok(()), "{field}");
            assert_eq!(digest.check(b"{\"hello\": \"World\"}"), Err(Denied::DigestMismatch), "{field}");
            assert_eq!(digest.check(b""), Err(Denied::DigestMismatch), "{field}");
        }
    }

    #[test]
    fn every_digest_given_must_match() {
        let other = render(b"another");
        let digest = ContentDigest::read(&format!("{other}, {FIELD_512}")).unwrap();
        assert_eq!(digest.check(BODY), Err(Denied::DigestMismatch));
    }

    #[test]
    fn a_field_that_gives_no_usable_digest_is_refused() {
        for field in [
            "",
            "sha-256",
            "sha-256=1",
            "sha-256=\"x\"",
            "sha-256=:AA==:",
            "md5=:AA==:",
            "sha-256=()",
            "SHA-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:",
            "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=",
            &format!("{FIELD_256}, {FIELD_256}"),
        ] {
            assert_eq!(ContentDigest::read(field), Err(Denied::MalformedDigest), "{field}");
        }
    }
}
