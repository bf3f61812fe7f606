//! Keys for one purpose each, derived from an operator's key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::machine_id::MachineId;
use super::{hkdf, mac};

/// What every info string begins with; a new version of a scheme gets a new number.
pub(super) const INFO_PREFIX: &str = "pip-aide-gateway/v1/";

/// What a subkey is for. Each is another key: what one signs, no other verifies.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// A machine's secret for signed requests (RFC 9421).
    RequestSigning {
        /// Whose secret it is.
        machine: &'a MachineId,
    },
    /// Enrolment challenges.
    Challenge,
    /// Names of cached answers, so that nobody can look for one.
    AnswerCache,
}

impl Purpose<'_> {
    fn info(self) -> String {
        match self {
            Self::RequestSigning { machine } => format!("{INFO_PREFIX}request-signing/{machine}"),
            Self::Challenge => format!("{INFO_PREFIX}challenge"),
            Self::AnswerCache => format!("{INFO_PREFIX}answer-cache"),
        }
    }
}

/// A key derived for one [`Purpose`].
pub struct Subkey([u8; mac::MAC_BYTES]);

impl Subkey {
    /// HKDF-SHA256 with an empty salt and the purpose as info.
    pub(super) fn derive(secret: &[u8], purpose: Purpose<'_>) -> Self {
        Self(hkdf::expand(&hkdf::extract(&[], secret), purpose.info().as_bytes()))
    }

    /// HMAC-SHA256 of `message`.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; mac::MAC_BYTES] {
        mac::mac(&self.0, &[message])
    }

    /// Whether `tag` is the whole MAC of `message`, in constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        mac::verify(&self.0, &[message], tag)
    }

    /// The secret itself as unpadded base64url: for the one answer that hands a machine its own.
    #[must_use]
    pub fn reveal_secret(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// Shows nothing.
impl fmt::Debug for Subkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Subkey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_purpose_signs_no_other_verifies() {
        let (one, other) = (MachineId::parse("m").unwrap(), MachineId::parse("m2").unwrap());
        let subkeys: Vec<Subkey> = [
            Purpose::RequestSigning { machine: &one },
            Purpose::RequestSigning { machine: &other },
            Purpose::Challenge,
            Purpose::AnswerCache,
        ]
        .into_iter()
        .map(|purpose| Subkey::derive(b"key", purpose))
        .collect();
        for (i, signer) in subkeys.iter().enumerate() {
            let tag = signer.mac(b"message");
            for (j, verifier) in subkeys.iter().enumerate() {
                assert_eq!(verifier.verify(b"message", &tag), i == j);
            }
            assert!(!signer.verify(b"message", &tag[..31]) && !signer.verify(b"message", &[]));
        }
    }

    /// The client derives the same secret by itself; the value is from Python's `hmac` and pins the
    /// scheme: HMAC(HMAC(zeros, key), info || 1).
    #[test]
    fn the_request_signing_secret_is_pinned() {
        let machine = MachineId::parse("machine-1").unwrap();
        let secret =
            Subkey::derive(&[b'A'; 32], Purpose::RequestSigning { machine: &machine }).reveal_secret();
        assert_eq!(secret, "nFySCTzSRFr-T0Khi5iILrDYarj-qFFHkjHgIVTulQE");
    }
}
