//! What `jsonwebtoken` computes with. Its own backend brings every algorithm that it knows and signs
//! with each, which is a sixth of the Worker; here is what the gateway verifies, and HS256, by which
//! alone it signs.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use p256::ecdsa::VerifyingKey as P256Key;
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};

use super::mac;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // Nobody asks for keys in the form of a JWK.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Unpadded base64url of the signature of `input`.
pub fn sign(input: &[u8], key: &EncodingKey, algorithm: Algorithm) -> Option<String> {
    install();
    jsonwebtoken::crypto::sign(input, key, algorithm).ok()
}

/// Whether `signature`, canonical unpadded base64url, is the key's signature of `input`.
pub fn verify(signature: &str, input: &[u8], key: &DecodingKey, algorithm: Algorithm) -> bool {
    install();
    jsonwebtoken::crypto::verify(signature, input, key, algorithm).unwrap_or(false)
}

fn install() {
    // It fails where it was done before.
    PROVIDER.install_default().unwrap_or_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match algorithm {
        Algorithm::HS256 if key.family() == AlgorithmFamily::Hmac => {
            Ok(Box::new(Hs256(key.as_bytes().to_vec())))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hs256(key.try_get_as_bytes()?.to_vec()))),
        (Algorithm::RS256, AlgorithmFamily::Rsa) => {
            let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else {
                return Err(ErrorKind::InvalidKeyFormat.into());
            };
            let key = RsaPublicKey::new(BigUint::from_bytes_be(n), BigUint::from_bytes_be(e));
            Ok(Box::new(Rs256(key.map_err(|_| Error::from(ErrorKind::InvalidKeyFormat))?)))
        }
        (Algorithm::ES256, AlgorithmFamily::Ec) => {
            let key = P256Key::from_sec1_bytes(key.try_get_as_bytes()?);
            Ok(Box::new(Es256(key.map_err(|_| Error::from(ErrorKind::InvalidEcdsaKey))?)))
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed) => {
            let key = Ed25519Key::try_from(key.try_get_as_bytes()?);
            Ok(Box::new(Ed25519(key.map_err(|_| Error::from(ErrorKind::InvalidEddsaKey))?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

type Verdict = std::result::Result<(), signature::Error>;

struct Hs256(Vec<u8>);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, input: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(mac::mac(&self.0, &[input]).to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, input: &[u8], signature: &Vec<u8>) -> Verdict {
        if mac::verify(&self.0, &[input], signature) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

struct Rs256(RsaPublicKey);

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, input: &[u8], signature: &Vec<u8>) -> Verdict {
        let checked = self.0.verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(input), signature);
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

struct Es256(P256Key);

impl Verifier<Vec<u8>> for Es256 {
    fn verify(&self, input: &[u8], signature: &Vec<u8>) -> Verdict {
        self.0.verify(input, &p256::ecdsa::Signature::from_slice(signature)?)
    }
}

impl JwtVerifier for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

struct Ed25519(Ed25519Key);

impl Verifier<Vec<u8>> for Ed25519 {
    fn verify(&self, input: &[u8], signature: &Vec<u8>) -> Verdict {
        self.0.verify(input, &ed25519_dalek::Signature::from_slice(signature)?)
    }
}

impl JwtVerifier for Ed25519 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_secret_signs_and_only_with_hs256() {
        let secret = EncodingKey::from_secret(&[1; 32]);
        assert!(sign(b"input", &secret, Algorithm::HS256).is_some());
        for algorithm in [Algorithm::HS384, Algorithm::HS512, Algorithm::RS256, Algorithm::EdDSA] {
            assert_eq!(sign(b"input", &secret, algorithm), None, "{algorithm:?}");
        }
        for key in [EncodingKey::from_rsa_der(&[1; 32]), EncodingKey::from_ed_der(&[1; 32])] {
            assert_eq!(sign(b"input", &key, Algorithm::HS256), None);
        }
    }
}
