//! Tokens that the gateway itself signs (RFC 7519, HS256): for clients and, with another ring and
//! audience, for operators.
//!
//! `jsonwebtoken` does the MAC and no more: what it takes by default (an absent `aud`, a `crit`
//! nobody reads, a late `exp`, an empty key) is decided here.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Denied;
use super::claims::{self, Lifetime};
use super::compact::Compact;
pub use super::compact::{MAX_TOKEN_BYTES, Peek, peek};
use super::keys::Keyring;
use super::machine_id::MachineId;
use super::strict_json::{Json, Object};
use crate::units::UnixMillis;

/// The one algorithm of our own tokens.
const ALGORITHM: &str = "HS256";
/// The header parameters that our own tokens have.
const HEADER_PARAMETERS: [&str; 3] = ["alg", "kid", "typ"];
const SECONDS_PER_DAY: u64 = 86_400;
/// Most bytes of a plan's name.
const MAX_PLAN_BYTES: usize = 32;

/// What a token must say to be taken.
#[derive(Clone, Copy, Debug)]
pub struct TokenPolicy<'a> {
    /// `iss`, exactly.
    pub issuer: &'a str,
    /// `aud`, exactly.
    pub audience: &'a str,
    /// The most days between `iat` and `exp`.
    pub ttl_days: u64,
}

impl TokenPolicy<'_> {
    /// The same as a span.
    pub(super) fn longest_life(&self) -> Duration {
        Duration::from_secs(self.ttl_days.saturating_mul(SECONDS_PER_DAY))
    }
}

/// The audience of operators' tokens beside the clients' `audience`.
#[must_use]
pub fn operator_audience(audience: &str) -> String {
    format!("{audience}/operator")
}

/// Whether a token claims to be one of ours, by its `alg`: only to choose who is to verify it. Each
/// verifier then holds to its own keys' algorithms, so a lie gains nothing.
#[must_use]
pub fn claims_to_be_ours(token: &str) -> bool {
    Compact::read(token).is_ok_and(|compact| compact.header_text("alg") == Some(ALGORITHM))
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub machine: MachineId,
    /// `plan`, `[a-z0-9_]{1,32}`.
    pub plan: Option<String>,
    /// `iat`.
    pub issued_at: UnixMillis,
    /// `exp`.
    pub expires_at: UnixMillis,
    /// `jti`, 1 to 128 visible ASCII characters.
    pub jti: String,
    /// The key that signed it.
    pub kid: String,
}

/// Verifies a token: form, header, key, MAC, and only then its claims.
///
/// The algorithm is ours and never the token's: a token that names another is refused, and none is
/// ever verified with anything but HS256. An unknown `kid` costs a MAC like a known one, so that
/// the time does not tell which kids exist.
///
/// # Errors
/// The first cause found, for the log; the client is to be told none of it.
pub fn verify(
    token: &str,
    keyring: &Keyring,
    policy: &TokenPolicy<'_>,
    now: UnixMillis,
) -> Result<Claims, Denied> {
    let compact = Compact::read(token)?;
    compact.check_extensions(&["JWT"])?;
    if compact.header.names().any(|name| !HEADER_PARAMETERS.contains(&name)) {
        return Err(Denied::UnexpectedHeader);
    }
    if compact.header_text("alg") != Some(ALGORITHM) {
        return Err(Denied::WrongAlgorithm);
    }
    let kid = compact.header_text("kid").ok_or(Denied::MissingKeyId)?;
    let found = keyring.find(kid);
    let key = found.unwrap_or_else(|| keyring.signing());
    let verified = key.verify_hs256(compact.signature, compact.signing_input.as_bytes());
    if found.is_none() {
        return Err(Denied::UnknownKey);
    }
    if !verified {
        return Err(Denied::BadSignature);
    }
    read_claims(&compact.claims()?, kid, policy, now)
}

fn read_claims(
    claims: &Object,
    kid: &str,
    policy: &TokenPolicy<'_>,
    now: UnixMillis,
) -> Result<Claims, Denied> {
    claims::check_issuer(claims, policy.issuer)?;
    claims::check_audience(claims, policy.audience)?;
    let lifetime = Lifetime::read(claims, policy.longest_life(), now)?;
    let machine = MachineId::parse(claims::text(claims, "sub")?).map_err(|_| Denied::BadSubject)?;
    let jti = claims::text(claims, "jti")?;
    if !claims::is_token_id(jti) {
        return Err(Denied::BadTokenId);
    }
    let plan = match claims.get("plan") {
        None => None,
        Some(Json::Text(plan)) if is_plan(plan) => Some(plan.clone()),
        Some(_) => return Err(Denied::BadPlan),
    };
    Ok(Claims {
        machine,
        plan,
        issued_at: lifetime.issued_at,
        expires_at: lifetime.expires_at,
        jti: jti.to_owned(),
        kid: kid.to_owned(),
    })
}

/// Whether `text` is a plan's name: `[a-z0-9_]{1,32}`, which is what `PLAN_<NAME>_*` can name.
#[must_use]
pub fn is_plan(text: &str) -> bool {
    (1..=MAX_PLAN_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// A token to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Whose it is.
    pub machine: &'a MachineId,
    /// The plan it puts the machine on; `None` is the default plan.
    pub plan: Option<&'a str>,
    /// How long it lives, in whole seconds (a rest is dropped), at most the policy's days.
    pub life: Duration,
    /// Random bytes for its `jti`.
    pub random: [u8; 16],
}

/// A token and what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct Minted {
    /// The token itself: a secret.
    pub token: String,
    /// What [`verify`] will read from it.
    pub claims: Claims,
}

/// Shows the claims only.
impl fmt::Debug for Minted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Minted").field("claims", &self.claims).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct HeaderPart<'a> {
    alg: &'a str,
    typ: &'a str,
    kid: &'a str,
}

#[derive(Serialize)]
struct ClaimsPart<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
}

/// Makes a token with the ring's signing key, one that [`verify`] takes under the same policy.
///
/// # Errors
/// The token asked for would be refused.
pub fn mint(
    keyring: &Keyring,
    policy: &TokenPolicy<'_>,
    new: &NewToken<'_>,
    now: UnixMillis,
) -> Result<Minted, MintError> {
    if new.plan.is_some_and(|plan| !is_plan(plan)) {
        return Err(MintError::BadPlan);
    }
    if new.life.as_secs() == 0 || new.life > policy.longest_life() {
        return Err(MintError::BadLifetime);
    }
    let key = keyring.signing();
    let issued_at = UnixMillis::from_seconds(now.seconds());
    let expires_at = issued_at.plus(Duration::from_secs(new.life.as_secs()));
    let jti = URL_SAFE_NO_PAD.encode(new.random);
    let header = HeaderPart { alg: ALGORITHM, typ: "JWT", kid: key.kid() };
    let claims = ClaimsPart {
        iss: policy.issuer,
        aud: policy.audience,
        sub: new.machine.as_str(),
        iat: issued_at.seconds(),
        exp: expires_at.seconds(),
        jti: &jti,
        plan: new.plan,
    };
    let input = format!("{}.{}", encode(&header)?, encode(&claims)?);
    let signature = key.sign_hs256(input.as_bytes()).ok_or(MintError::NotSigned)?;
    let token = format!("{input}.{signature}");
    if token.len() > MAX_TOKEN_BYTES {
        return Err(MintError::TooLarge);
    }
    let claims = Claims {
        machine: new.machine.clone(),
        plan: new.plan.map(str::to_owned),
        issued_at,
        expires_at,
        jti,
        kid: key.kid().to_owned(),
    };
    Ok(Minted { token, claims })
}

fn encode(part: &impl Serialize) -> Result<String, MintError> {
    serde_json::to_vec(part).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| MintError::NotSigned)
}

/// Why a token was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MintError {
    /// `plan` is not `[a-z0-9_]{1,32}`.
    BadPlan,
    /// Under a second, or over the policy's days.
    BadLifetime,
    /// Over 4096 bytes: issuer or audience is too long.
    TooLarge,
    /// The signature could not be made.
    NotSigned,
}

impl fmt::Display for MintError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BadPlan => "a plan is 1 to 32 lower-case letters, digits or '_'",
            Self::BadLifetime => "a token lives at least a second and at most TOKEN_TTL_DAYS days",
            Self::TooLarge => "the token would exceed 4096 bytes: shorten the issuer or the audience",
            Self::NotSigned => "the token could not be signed",
        })
    }
}

impl std::error::Error for MintError {}
