//! Tokens of an identity provider: RS256, ES256, EdDSA.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::Denied;
use super::claims::{self, Lifetime};
use super::compact::Compact;
use super::jwks::Jwks;
use super::jwt::TokenPolicy;
use super::strict_json::{Json, Object};
use crate::units::UnixMillis;

/// `at+jwt` is an access token's (RFC 9068).
const TYPES: [&str; 4] = ["JWT", "at+jwt", "application/jwt", "application/at+jwt"];
/// Most bytes of a subject.
const MAX_SUBJECT_BYTES: usize = 255;

/// Who a provider's token is about: `jwt~` and 43 characters of base64url, a hash of issuer and
/// subject. `~` is in no machine id, so no provider can name one of our machines, nor the reverse;
/// and two providers' subjects are never the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ForeignSubject(String);

impl ForeignSubject {
    fn new(issuer: &str, subject: &str) -> Self {
        // The length keeps `("ab", "c")` and `("a", "bc")` apart.
        let length = u64::try_from(issuer.len()).unwrap_or(u64::MAX);
        let hash = Sha256::new()
            .chain_update("pip-aide-gateway/v1/foreign-subject")
            .chain_update(length.to_be_bytes())
            .chain_update(issuer)
            .chain_update(subject)
            .finalize();
        Self(format!("jwt~{}", URL_SAFE_NO_PAD.encode(hash)))
    }

    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ForeignSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a verified token of a provider says. A `plan` in it counts for nothing: the operator, not
/// the provider, decides who spends what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignClaims {
    /// Whom it is about.
    pub subject: ForeignSubject,
    /// `iat`.
    pub issued_at: UnixMillis,
    /// `exp`.
    pub expires_at: UnixMillis,
    /// `jti`, which providers may leave out.
    pub jti: Option<String>,
    /// The key that signed it.
    pub kid: String,
}

/// Verifies a provider's token against its published keys.
///
/// The algorithm is the key's: a token that names another is refused. `aud` may hold further
/// audiences beside ours, because providers add their own.
///
/// # Errors
/// The first cause found. [`Denied::UnknownKey`] means that newer keys may know it.
pub fn verify_foreign(
    token: &str,
    jwks: &Jwks,
    policy: &TokenPolicy<'_>,
    now: UnixMillis,
) -> Result<ForeignClaims, Denied> {
    let compact = Compact::read(token)?;
    compact.check_extensions(&TYPES)?;
    let kid = compact.header_text("kid").ok_or(Denied::MissingKeyId)?;
    let alg = compact.header_text("alg").ok_or(Denied::WrongAlgorithm)?;
    let key = jwks.find(kid).ok_or(Denied::UnknownKey)?;
    if alg != key.algorithm() {
        return Err(Denied::WrongAlgorithm);
    }
    if !key.verify(compact.signature, compact.signing_input.as_bytes()) {
        return Err(Denied::BadSignature);
    }
    read_claims(&compact.claims()?, kid, policy, now)
}

fn read_claims(
    claims: &Object,
    kid: &str,
    policy: &TokenPolicy<'_>,
    now: UnixMillis,
) -> Result<ForeignClaims, Denied> {
    claims::check_issuer(claims, policy.issuer)?;
    claims::check_audience_among(claims, policy.audience)?;
    let lifetime = Lifetime::read(claims, policy.longest_life(), now)?;
    let subject = claims::text(claims, "sub")?;
    if !(1..=MAX_SUBJECT_BYTES).contains(&subject.len()) {
        return Err(Denied::BadSubject);
    }
    let jti = match claims.get("jti") {
        None => None,
        Some(Json::Text(jti)) if claims::is_token_id(jti) => Some(jti.clone()),
        Some(_) => return Err(Denied::BadTokenId),
    };
    Ok(ForeignClaims {
        subject: ForeignSubject::new(policy.issuer, subject),
        issued_at: lifetime.issued_at,
        expires_at: lifetime.expires_at,
        jti,
        kid: kid.to_owned(),
    })
}
