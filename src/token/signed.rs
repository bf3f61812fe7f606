//! Signed requests: HTTP message signatures (RFC 9421) with `hmac-sha256` and a secret of the
//! machine's own. A stolen one is worth nothing: it fits one request, once, for five minutes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Denied;
use super::digest::{self, ContentDigest};
use super::keys::{Keyring, Purpose};
use super::machine_id::MachineId;
pub use super::signature_base::Message;
use super::signature_base::signature_base;
use super::structured::{Bare, Item, Member, Parameters, Value, dictionary};
use crate::units::UnixMillis;

/// How far `created` may be from now, either way.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Most bytes of a nonce.
pub const MAX_NONCE_BYTES: usize = 128;
/// Most components that a signature may cover.
const MAX_COMPONENTS: usize = 32;
const ALGORITHM: &str = "hmac-sha256";
const CONTENT_DIGEST: &str = "content-digest";

/// A request whose signature verifies and whose body has yet to.
#[must_use = "the body is not verified yet"]
#[derive(Debug)]
pub struct Signed {
    by: SignedBy,
    digest: Option<ContentDigest>,
}

/// Who signed a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The machine.
    pub machine: MachineId,
    /// The key that its secret is derived from.
    pub kid: String,
    /// To be admitted once for this machine.
    pub nonce: String,
    /// When it was signed.
    pub created: UnixMillis,
    /// The last moment at which this signature is taken: until then the nonce must be remembered.
    pub fresh_until: UnixMillis,
}

impl Signed {
    /// The machine that signed the head.
    #[must_use]
    pub const fn machine(&self) -> &MachineId {
        &self.by.machine
    }

    /// Holds the body, as received, against the signed digest. A body that no digest covers is
    /// refused, whatever the head said of it.
    ///
    /// # Errors
    /// [`Denied::DigestMismatch`].
    pub fn verify_body(self, body: &[u8]) -> Result<SignedBy, Denied> {
        match self.digest {
            Some(digest) => digest.check(body)?,
            None if body.is_empty() => {}
            None => return Err(Denied::DigestMismatch),
        }
        Ok(self.by)
    }
}

/// Verifies the signature of a request's head; the body comes after.
///
/// An unknown kid costs a MAC like a known one, so that the time does not tell which kids exist.
///
/// # Errors
/// The first cause found, for the log; the client is to be told none of it.
pub fn verify_head<H: Fn(&str) -> Option<String>>(
    message: &Message<'_, H>,
    keyring: &Keyring,
    now: UnixMillis,
) -> Result<Signed, Denied> {
    let input = (message.header)("signature-input").ok_or(Denied::MalformedSignature)?;
    let signature = (message.header)("signature").ok_or(Denied::MalformedSignature)?;
    let input = only_member(&input)?;
    let signature = only_member(&signature)?;
    if input.key != signature.key {
        return Err(Denied::MalformedSignature);
    }
    let Value::InnerList { items, parameters } = &input.value else {
        return Err(Denied::MalformedSignature);
    };
    let tag = match &signature.value {
        Value::Item(Item { value: Bare::Bytes(tag), parameters }) if parameters.is_empty() => tag,
        _ => return Err(Denied::MalformedSignature),
    };
    let components = read_components(items)?;
    check_coverage(&components, message.has_body)?;
    let claimed = Claimed::read(parameters)?;
    let base = signature_base(message, &components, input.text)?;

    let found = keyring.find(claimed.kid);
    let key = found.unwrap_or_else(|| keyring.signing());
    let subkey = key.subkey(Purpose::RequestSigning { machine: &claimed.machine });
    let verified = subkey.verify(base.as_bytes(), tag);
    if found.is_none() {
        return Err(Denied::UnknownKey);
    }
    if !verified {
        return Err(Denied::BadSignature);
    }
    claimed.check_time(now)?;
    let digest = if components.contains(&CONTENT_DIGEST) {
        let field = (message.header)(CONTENT_DIGEST).ok_or(Denied::MissingComponent)?;
        Some(ContentDigest::read(&field)?)
    } else {
        None
    };
    let by = SignedBy {
        machine: claimed.machine,
        kid: claimed.kid.to_owned(),
        nonce: claimed.nonce.to_owned(),
        created: claimed.created,
        fresh_until: claimed.created.plus(WINDOW),
    };
    Ok(Signed { by, digest })
}

/// Several signatures (section 4.3) would raise the question which of them counts.
fn only_member(field: &str) -> Result<Member<'_>, Denied> {
    let mut members = dictionary(field).map_err(|_| Denied::MalformedSignature)?.into_iter();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => Err(Denied::SeveralCredentials),
        (None, _) => Err(Denied::MalformedSignature),
    }
}

/// The components' names. Their parameters (section 2.1: `;sf`, `;key`, `;bs`, `;req`, `;tr`)
/// would change what a line says, and no client of ours needs them.
fn read_components(items: &[Item]) -> Result<Vec<&str>, Denied> {
    if items.len() > MAX_COMPONENTS {
        return Err(Denied::TooLarge);
    }
    items
        .iter()
        .map(|item| match &item.value {
            Bare::Text(name) if item.parameters.is_empty() => Ok(name.as_str()),
            _ => Err(Denied::UnsupportedComponent),
        })
        .collect()
}

/// What must be signed, else it could be changed: the method, the whole target, the body.
fn check_coverage(components: &[&str], has_body: bool) -> Result<(), Denied> {
    let covers = |name| components.contains(&name);
    let covers_target = covers("@target-uri") || (covers("@path") && covers("@query"));
    let covers_body = !has_body || covers(CONTENT_DIGEST);
    if covers("@method") && covers("@authority") && covers_target && covers_body {
        Ok(())
    } else {
        Err(Denied::UncoveredComponent)
    }
}

/// The signature's parameters (section 2.3), not to be trusted yet.
struct Claimed<'a> {
    kid: &'a str,
    machine: MachineId,
    nonce: &'a str,
    created: UnixMillis,
    expires: Option<UnixMillis>,
}

impl<'a> Claimed<'a> {
    fn read(parameters: &'a Parameters) -> Result<Self, Denied> {
        let (mut keyid, mut nonce, mut created, mut expires) = (None, None, None, None);
        for (name, value) in parameters {
            match (name.as_str(), value) {
                ("keyid", Bare::Text(text)) => keyid = Some(text.as_str()),
                ("nonce", Bare::Text(text)) => nonce = Some(text.as_str()),
                ("created", Bare::Integer(seconds)) => created = Some(moment(*seconds)?),
                ("expires", Bare::Integer(seconds)) => expires = Some(moment(*seconds)?),
                ("alg", Bare::Text(text)) if text == ALGORITHM => {}
                ("alg", _) => return Err(Denied::WrongAlgorithm),
                ("tag", Bare::Text(_)) => {}
                _ => return Err(Denied::MalformedSignature),
            }
        }
        let nonce: &str = nonce.ok_or(Denied::BadNonce)?;
        if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES {
            return Err(Denied::BadNonce);
        }
        let keyid: &str = keyid.ok_or(Denied::MissingKeyId)?;
        let (kid, machine) = keyid.split_once(':').ok_or(Denied::MissingKeyId)?;
        let machine = MachineId::parse(machine).map_err(|_| Denied::BadSubject)?;
        Ok(Self { kid, machine, nonce, created: created.ok_or(Denied::StaleSignature)?, expires })
    }

    fn check_time(&self, now: UnixMillis) -> Result<(), Denied> {
        if now.since(self.created) > WINDOW || self.created.since(now) > WINDOW {
            return Err(Denied::StaleSignature);
        }
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(Denied::Expired);
        }
        Ok(())
    }
}

fn moment(seconds: i64) -> Result<UnixMillis, Denied> {
    u64::try_from(seconds).map(UnixMillis::from_seconds).map_err(|_| Denied::MalformedSignature)
}

/// The `keyid` of a machine's signing secret: what [`Purpose::RequestSigning`] derives from that key.
#[must_use]
pub fn keyid(kid: &str, machine: &MachineId) -> String {
    format!("{kid}:{machine}")
}

/// The headers that sign a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `Content-Digest`, where there is a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// Signs a request as a client does, with the ring's signing key. The message needs no header: only
/// the method, the target and `body` are covered; no body and an empty one are the same.
///
/// # Errors
/// The nonce is empty, too long, or more than letters, digits, `-` and `_`.
pub fn sign<H>(
    message: &Message<'_, H>,
    body: &[u8],
    keyring: &Keyring,
    machine: &MachineId,
    nonce: &str,
    now: UnixMillis,
) -> Result<SignatureHeaders, Denied> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if nonce.is_empty() || nonce.len() > MAX_NONCE_BYTES || !nonce.bytes().all(is_plain) {
        return Err(Denied::BadNonce);
    }
    let content_digest = (!body.is_empty()).then(|| digest::render(body));
    let mut components = vec!["@method", "@authority", "@target-uri"];
    if content_digest.is_some() {
        components.push(CONTENT_DIGEST);
    }
    let names: Vec<String> = components.iter().map(|name| format!("\"{name}\"")).collect();
    let key = keyring.signing();
    let parameters = format!(
        "({});created={};keyid=\"{}\";alg=\"{ALGORITHM}\";nonce=\"{nonce}\"",
        names.join(" "),
        now.seconds(),
        keyid(key.kid(), machine),
    );
    let message = Message {
        header: |name: &str| content_digest.clone().filter(|_| name == CONTENT_DIGEST),
        method: message.method,
        scheme: message.scheme,
        authority: message.authority,
        path: message.path,
        query: message.query,
        has_body: content_digest.is_some(),
    };
    let base = signature_base(&message, &components, &parameters)?;
    let tag = key.subkey(Purpose::RequestSigning { machine }).mac(base.as_bytes());
    Ok(SignatureHeaders {
        signature_input: format!("sig={parameters}"),
        signature: format!("sig=:{}:", STANDARD.encode(tag)),
        content_digest,
    })
}
