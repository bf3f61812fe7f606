//! Which credential a request carries. Decided from headers alone, before anything is verified.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Denied;

/// Most bytes of an `Authorization` header: a token of the longest kind as Basic's base64, with
/// room for a user name.
pub const MAX_AUTHORIZATION_BYTES: usize = 8_192;

/// What a request proves itself with.
#[derive(PartialEq, Eq)]
pub enum Credential<'a> {
    /// A token, not verified yet; who signed it is to be found out.
    Jwt(Cow<'a, str>),
    /// `Signature` and `Signature-Input` headers, not verified yet.
    Signed,
    /// Nothing.
    None,
}

/// Shows the kind only.
impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Jwt(_) => "Jwt(..)",
            Self::Signed => "Signed",
            Self::None => "None",
        })
    }
}

/// Finds the one credential of a request.
///
/// `authorization` holds the values of every `Authorization` field, however the platform gives
/// them: one a field, or joined with commas, which neither scheme's form can contain.
/// `has_signature_headers` is whether `Signature` or `Signature-Input` is present.
///
/// # Errors
/// More than one credential; a value too long; another scheme; not the scheme's form.
pub fn read<'a>(authorization: &[&'a str], has_signature_headers: bool) -> Result<Credential<'a>, Denied> {
    match (authorization, has_signature_headers) {
        ([], false) => Ok(Credential::None),
        ([], true) => Ok(Credential::Signed),
        ([value], false) => read_authorization(value).map(Credential::Jwt),
        _ => Err(Denied::SeveralCredentials),
    }
}

fn read_authorization(value: &str) -> Result<Cow<'_, str>, Denied> {
    if value.len() > MAX_AUTHORIZATION_BYTES {
        return Err(Denied::TooLarge);
    }
    if value.contains(',') {
        return Err(Denied::SeveralCredentials);
    }
    // RFC 9110 section 11.4: a scheme, whose case does not matter, one or more spaces, a token68.
    let (scheme, rest) = value.split_once(' ').ok_or(Denied::MalformedCredential)?;
    let rest = rest.trim_start_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        visible(rest).map(Cow::Borrowed)
    } else if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).map_err(|_| Denied::MalformedCredential)?;
        // RFC 7617 section 2: the user name ends at the first colon; it is whatever the client
        // likes, in whatever encoding, and only the password counts.
        let mut parts = decoded.splitn(2, |byte| *byte == b':');
        let password = parts.nth(1).ok_or(Denied::MalformedCredential)?;
        let password = std::str::from_utf8(password).map_err(|_| Denied::MalformedCredential)?;
        visible(password).map(|token| Cow::Owned(token.to_owned()))
    } else {
        Err(Denied::UnsupportedScheme)
    }
}

fn visible(token: &str) -> Result<&str, Denied> {
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err(Denied::MalformedCredential)
    }
}
