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
