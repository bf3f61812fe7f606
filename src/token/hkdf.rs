//! HKDF-SHA256 (RFC 5869): from one key, many that tell nothing about each other.

use super::mac::{MAC_BYTES, mac};

/// Section 2.2: concentrates the input key material into a pseudorandom key.
pub fn extract(salt: &[u8], input: &[u8]) -> [u8; MAC_BYTES] {
    mac(salt, &[input])
}

/// Section 2.3: `N` bytes for the purpose that `info` names.
pub fn expand<const N: usize>(pseudorandom_key: &[u8], info: &[u8]) -> [u8; N] {
    const { assert!(N <= 255 * MAC_BYTES, "RFC 5869 section 2.3 ends at 255 blocks") }
    let mut output = [0; N];
    let mut previous = [0; MAC_BYTES];
    for (counter, chunk) in (1..=u8::MAX).zip(output.chunks_mut(MAC_BYTES)) {
        // T(0) is empty.
        let chained: &[u8] = if counter == 1 { &[] } else { &previous };
        previous = mac(pseudorandom_key, &[chained, info, &[counter]]);
        for (slot, byte) in chunk.iter_mut().zip(previous) {
            *slot = byte;
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::hex;

    fn bytes(range: std::ops::RangeInclusive<u8>) -> Vec<u8> {
        range.collect()
    }

    /// RFC 5869 appendix A.1.
    #[test]
    fn vector_1_basic() {
        let key = extract(&bytes(0x00..=0x0c), &[0x0b; 22]);
        assert_eq!(hex(&key), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        assert_eq!(
            hex(&expand::<42>(&key, &bytes(0xf0..=0xf9))),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    /// RFC 5869 appendix A.2: inputs longer than a block, three blocks of output.
    #[test]
    fn vector_2_longer() {
        let key = extract(&bytes(0x60..=0xaf), &bytes(0x00..=0x4f));
        assert_eq!(hex(&key), "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244");
        assert_eq!(
            hex(&expand::<82>(&key, &bytes(0xb0..=0xff))),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
             59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
             cc30c58179ec3e87c14c01d5c1f3434f1d87"
        );
    }

    /// RFC 5869 appendix A.3: no salt and no info, the form that the gateway's subkeys take.
    #[test]
    fn vector_3_empty_salt_and_info() {
        let key = extract(&[], &[0x0b; 22]);
        assert_eq!(hex(&key), "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04");
        assert_eq!(
            hex(&expand::<42>(&key, &[])),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }
}
