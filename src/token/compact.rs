//! The JWS compact serialization (RFC 7515 section 7.1): three parts of base64url with dots between.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Denied;
use super::strict_json::{Json, Object};

/// Most bytes of a token, whoever signed it.
pub const MAX_TOKEN_BYTES: usize = 4_096;

/// A token taken apart; nothing in it is to be trusted yet.
pub struct Compact<'a> {
    /// The first part, decoded.
    pub header: Object,
    /// The first two parts with their dot: what was signed.
    pub signing_input: &'a str,
    /// The third part, still encoded.
    pub signature: &'a str,
    claims: &'a str,
}

impl<'a> Compact<'a> {
    /// Takes a token apart and reads its header.
    ///
    /// # Errors
    /// Too long, not three parts, or a header that is not base64url of a strict JSON object.
    pub fn read(token: &'a str) -> Result<Self, Denied> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Denied::TooLarge);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(Denied::MalformedToken)?;
        let (header, claims) = signing_input.split_once('.').ok_or(Denied::MalformedToken)?;
        if claims.contains('.') {
            return Err(Denied::MalformedToken);
        }
        Ok(Self { header: decode(header)?, signing_input, signature, claims })
    }

    /// The second part, decoded: to be called once the signature has been verified.
    ///
    /// # Errors
    /// Not base64url of a strict JSON object.
    pub fn claims(&self) -> Result<Object, Denied> {
        decode(self.claims)
    }

    /// The checks that hold for every token before its signature: no `crit` (RFC 7515 section
    /// 4.1.11: an extension not understood must be refused, and we understand none), no `b64` (RFC
    /// 7797: the payload would not be what it seems), a `typ` among `types` if there is one.
    ///
    /// # Errors
    /// One of these does not hold.
    pub fn check_extensions(&self, types: &[&str]) -> Result<(), Denied> {
        if self.header.get("crit").is_some() || self.header.get("b64").is_some() {
            return Err(Denied::CriticalExtension);
        }
        match self.header.get("typ") {
            None => Ok(()),
            // RFC 7515 section 4.1.9: a media type name, so case does not matter.
            Some(Json::Text(text)) if types.iter().any(|known| text.eq_ignore_ascii_case(known)) => Ok(()),
            Some(_) => Err(Denied::WrongTokenType),
        }
    }

    /// A header parameter as text; `None` when it is absent or anything else.
    pub fn header_text(&self, name: &str) -> Option<&str> {
        match self.header.get(name) {
            Some(Json::Text(text)) => Some(text),
            _ => None,
        }
    }
}

/// Canonical, unpadded base64url of a JSON object. The engine refuses padding, white space, the
/// standard alphabet and set bits beyond the last byte: there is one spelling of each token.
fn decode(part: &str) -> Result<Object, Denied> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Denied::MalformedToken)?;
    Object::read(&bytes)
}

/// The text of a token's header and claims, decoded and not verified: to be shown, never trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The header's JSON.
    pub header: String,
    /// The claims' JSON.
    pub claims: String,
}

/// Decodes a token for a person to read.
///
/// # Errors
/// It is too long, or not three parts of base64url of UTF-8.
pub fn peek(token: &str) -> Result<Peek, Denied> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Denied::TooLarge);
    }
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part));
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Ok(header)), Some(Ok(claims)), Some(_), None) => Ok(Peek {
            header: String::from_utf8(header).map_err(|_| Denied::MalformedToken)?,
            claims: String::from_utf8(claims).map_err(|_| Denied::MalformedToken)?,
        }),
        _ => Err(Denied::MalformedToken),
    }
}
