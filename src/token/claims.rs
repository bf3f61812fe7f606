//! The registered claims (RFC 7519 section 4.1), each required and typed.

use std::time::Duration;

use super::Denied;
use super::strict_json::{Json, Object};
use crate::units::UnixMillis;

/// How far two clocks may be apart.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// The end of the year 9999: no honest time claim is later, and sums below stay far from overflow.
const LAST_SECOND: u64 = 253_402_300_799;

/// A required claim that is a text.
pub fn text<'a>(claims: &'a Object, name: &str) -> Result<&'a str, Denied> {
    match claims.get(name) {
        Some(Json::Text(text)) => Ok(text),
        Some(_) => Err(Denied::MistypedClaim),
        None => Err(Denied::MissingClaim),
    }
}

/// A required time claim: NumericDate in whole seconds.
pub fn moment(claims: &Object, name: &str) -> Result<UnixMillis, Denied> {
    optional_moment(claims, name)?.ok_or(Denied::MissingClaim)
}

/// A time claim that may be absent. One of a wrong type is an error, never absent: else a token
/// whose `nbf` or `exp` is a text would never be held to it.
pub fn optional_moment(claims: &Object, name: &str) -> Result<Option<UnixMillis>, Denied> {
    match claims.get(name) {
        Some(Json::Integer(seconds)) if *seconds <= LAST_SECOND => {
            Ok(Some(UnixMillis::from_seconds(*seconds)))
        }
        Some(_) => Err(Denied::MistypedClaim),
        None => Ok(None),
    }
}

/// Refuses any issuer but `expected`.
pub fn check_issuer(claims: &Object, expected: &str) -> Result<(), Denied> {
    if text(claims, "iss")? == expected { Ok(()) } else { Err(Denied::WrongIssuer) }
}

/// Refuses any audience but `expected`, as a text or as an array of just that one text. A token
/// that is good for several services could be replayed by each of them against the others.
pub fn check_audience(claims: &Object, expected: &str) -> Result<(), Denied> {
    match audiences(claims)?.as_slice() {
        [only] if *only == expected => Ok(()),
        _ => Err(Denied::WrongAudience),
    }
}

/// Refuses a token that `expected` is not among the audiences of.
pub fn check_audience_among(claims: &Object, expected: &str) -> Result<(), Denied> {
    if audiences(claims)?.contains(&expected) { Ok(()) } else { Err(Denied::WrongAudience) }
}

/// `aud`: a text or an array of texts (RFC 7519 section 4.1.3).
fn audiences(claims: &Object) -> Result<Vec<&str>, Denied> {
    match claims.get("aud") {
        None => Err(Denied::MissingClaim),
        Some(Json::Text(audience)) => Ok(vec![audience]),
        Some(Json::Array(several)) => several
            .iter()
            .map(|audience| match audience {
                Json::Text(audience) => Ok(audience.as_str()),
                _ => Err(Denied::MistypedClaim),
            })
            .collect(),
        Some(_) => Err(Denied::MistypedClaim),
    }
}

/// `jti`: 1 to 128 visible ASCII characters, so that it can be listed, logged and revoked.
pub fn is_token_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// When a token was issued and when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// `iat`.
    pub issued_at: UnixMillis,
    /// `exp`.
    pub expires_at: UnixMillis,
}

impl Lifetime {
    /// Reads `iat`, `exp` and, when present, `nbf`, and holds `now` and `longest` against them.
    ///
    /// # Errors
    /// A claim is missing or mistyped; `exp` has passed; `iat` or `nbf` is to come; `exp` is not
    /// after `iat`, or is more than `longest` after it.
    pub fn read(claims: &Object, longest: Duration, now: UnixMillis) -> Result<Self, Denied> {
        let issued_at = moment(claims, "iat")?;
        let expires_at = moment(claims, "exp")?;
        let not_before = optional_moment(claims, "nbf")?;
        if expires_at <= issued_at || expires_at.since(issued_at) > longest {
            return Err(Denied::BadLifetime);
        }
        // RFC 7519 section 4.1.4: not to be accepted *on* or after the expiration time.
        if now >= expires_at.plus(LEEWAY) {
            return Err(Denied::Expired);
        }
        let latest = now.plus(LEEWAY);
        if issued_at > latest {
            return Err(Denied::IssuedInFuture);
        }
        if not_before.is_some_and(|moment| moment > latest) {
            return Err(Denied::NotYetValid);
        }
        Ok(Self { issued_at, expires_at })
    }
}
