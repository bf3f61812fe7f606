//! Authenticate: who is calling? From headers alone, without storage, and with one answer for every
//! way to fail.

use sha2::{Digest as _, Sha256};

use crate::ledger::revocation::enrolled_at;
use crate::ledger::wire::{Credential as Shown, Nonce};
use crate::policy::plans::{ANONYMOUS, STANDARD};
use crate::policy::settings::{Provider, Settings};
use crate::reject::Reject;
use crate::stages::accept::Head;
use crate::subject::Subject;
use crate::token::Denied;
use crate::token::credential::{self, Credential};
use crate::token::foreign::verify_foreign;
use crate::token::jwks::Jwks;
use crate::token::jwt::{self, TokenPolicy};
use crate::token::network::Network;
use crate::token::signed::{self, Message, Signed, SignedBy};
use crate::units::UnixMillis;

/// Proof of who is calling. Only [`Verifying::with_body`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    subject: Subject,
    plan: String,
    scheme: Scheme,
    shown: Shown,
}

/// A refusal, and to whom, where that is known.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub reject: Reject,
    /// Who.
    pub caller: Option<Box<Verified>>,
}

impl Refused {
    /// A refusal to somebody known.
    #[must_use]
    pub fn to(caller: Verified, reject: Reject) -> Self {
        Self { reject, caller: Some(Box::new(caller)) }
    }
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self { reject, caller: None }
    }
}

/// A caller whose head is verified. What is signed has still to be held against the body.
#[derive(Debug)]
pub struct Verifying(Pending);

#[derive(Debug)]
enum Pending {
    Nothing(Verified),
    Digest(Signed),
}

/// How a caller proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A client token as Bearer.
    Bearer,
    /// A client token as the password of Basic.
    Basic,
    /// An HTTP message signature.
    Signed,
    /// A token of the identity provider.
    Foreign,
    /// Not at all: it is known by its network.
    Anonymous,
}

impl Scheme {
    /// The word in log records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Signed => "signed",
            Self::Foreign => "foreign",
            Self::Anonymous => "anonymous",
        }
    }
}

impl Verified {
    /// Who is calling.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The plan that the credential names, or `standard`.
    #[must_use]
    pub fn plan(&self) -> &str {
        &self.plan
    }

    /// How the caller proved itself.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What the ledger has to know of the credential.
    #[must_use]
    pub const fn shown(&self) -> &Shown {
        &self.shown
    }

    fn signed(by: SignedBy) -> Self {
        let shown = Shown {
            // A signing secret does not say when it was made; the id of a machine that enrolled does.
            issued_at: enrolled_at(by.machine.as_str()).unwrap_or_default(),
            jti: None,
            nonce: Some(Nonce { hash: nonce_hash(&by.nonce), fresh_until: by.fresh_until }),
        };
        Self {
            subject: Subject::Machine(by.machine),
            plan: STANDARD.to_owned(),
            scheme: Scheme::Signed,
            shown,
        }
    }
}

impl Verifying {
    /// By whom its body counts as under way: of a signed request by whoever signed its head and the network that sends
    /// it. Whether it is the first one with its nonce is not known yet, and copies from elsewhere are not to take the
    /// machine's own place.
    #[must_use]
    pub fn sender(&self, network: &str) -> String {
        match &self.0 {
            Pending::Nothing(verified) => verified.subject.to_string(),
            Pending::Digest(signed) => format!("{} from {network}", signed.machine()),
        }
    }

    /// The plan that the credential names, or `standard`.
    #[must_use]
    pub fn plan(&self) -> &str {
        match &self.0 {
            Pending::Nothing(verified) => verified.plan(),
            Pending::Digest(_) => STANDARD,
        }
    }

    /// Who it is, where the head alone says so.
    #[must_use]
    pub const fn known(&self) -> Option<&Verified> {
        match &self.0 {
            Pending::Nothing(verified) => Some(verified),
            Pending::Digest(_) => None,
        }
    }

    /// A refusal before the body was held against what was signed. Where that is still to be done, nobody
    /// is known yet.
    #[must_use]
    pub fn refused(self, reject: Reject) -> Refused {
        match self.0 {
            Pending::Nothing(verified) => Refused::to(verified, reject),
            Pending::Digest(_) => reject.into(),
        }
    }

    /// Holds the body, as received, against what was signed.
    ///
    /// # Errors
    /// [`Reject::Unauthenticated`].
    pub fn with_body(self, body: &[u8]) -> Result<Verified, Reject> {
        match self.0 {
            Pending::Nothing(verified) => Ok(verified),
            Pending::Digest(signed) => {
                signed.verify_body(body).map(Verified::signed).map_err(Reject::Unauthenticated)
            }
        }
    }
}

/// The token that only the identity provider's keys can verify, if that is what the head carries.
#[must_use]
pub fn foreign_token(head: &Head) -> Option<String> {
    match find(head) {
        Ok(Credential::Jwt(token)) if !jwt::claims_to_be_ours(&token) => Some(token.into_owned()),
        _ => None,
    }
}

/// Verifies the credential of a request's head. `provider_keys` are those of the identity provider,
/// where they are to be had.
///
/// # Errors
/// [`Reject::Unauthenticated`], whatever the cause.
pub fn authenticate(
    head: &Head,
    settings: &Settings,
    provider_keys: Option<&Jwks>,
    now: UnixMillis,
) -> Result<Verifying, Reject> {
    verify(head, settings, provider_keys, now).map(Verifying).map_err(Reject::Unauthenticated)
}

fn find(head: &Head) -> Result<Credential<'_>, Denied> {
    let authorization: Vec<&str> = head.authorization.as_deref().into_iter().collect();
    credential::read(&authorization, head.signed.is_some())
}

fn verify(
    head: &Head,
    settings: &Settings,
    provider_keys: Option<&Jwks>,
    now: UnixMillis,
) -> Result<Pending, Denied> {
    match (find(head)?, &head.signed) {
        (Credential::Jwt(token), _) if settings.provider.is_some() && !jwt::claims_to_be_ours(&token) => {
            let provider = settings.provider.as_ref().ok_or(Denied::UnknownKey)?;
            foreign(&token, provider, provider_keys, settings, now).map(Pending::Nothing)
        }
        (Credential::Jwt(token), _) => own(&token, head, settings, now).map(Pending::Nothing),
        (Credential::Signed, Some(signed)) => {
            let message = Message {
                method: &head.method,
                scheme: &signed.scheme,
                authority: &signed.authority,
                path: &head.path,
                query: signed.query.as_deref(),
                header: |name: &str| signed.fields.get(name).cloned(),
                has_body: signed.has_body,
            };
            signed::verify_head(&message, &settings.token_keys, now).map(Pending::Digest)
        }
        (Credential::None, _) if settings.anonymous => {
            // The platform sets the header itself; without it there is no network to count by.
            let network = head.client_address.as_deref().map(Network::parse);
            let network = network.ok_or(Denied::MissingCredential)?.map_err(|_| Denied::MissingCredential)?;
            Ok(Pending::Nothing(Verified {
                subject: Subject::Network(network),
                plan: ANONYMOUS.to_owned(),
                scheme: Scheme::Anonymous,
                // Nothing was issued, so nothing issued is out of use; the network itself may be.
                shown: Shown { issued_at: now, jti: None, nonce: None },
            }))
        }
        (Credential::Signed | Credential::None, _) => Err(Denied::MissingCredential),
    }
}

/// A client token of this gateway.
fn own(token: &str, head: &Head, settings: &Settings, now: UnixMillis) -> Result<Verified, Denied> {
    let policy = TokenPolicy {
        issuer: &settings.token_issuer,
        audience: &settings.token_audience,
        ttl_days: settings.token_ttl_days,
    };
    let claims = jwt::verify(token, &settings.token_keys, &policy, now)?;
    let basic = head
        .authorization
        .iter()
        .any(|value| value.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")));
    Ok(Verified {
        subject: Subject::Machine(claims.machine),
        plan: claims.plan.unwrap_or_else(|| STANDARD.to_owned()),
        scheme: if basic { Scheme::Basic } else { Scheme::Bearer },
        shown: Shown { issued_at: claims.issued_at, jti: Some(claims.jti), nonce: None },
    })
}

/// A token of the identity provider. Its subject is on plan `standard`: the operator, not the
/// provider, decides who may spend what.
fn foreign(
    token: &str,
    provider: &Provider,
    keys: Option<&Jwks>,
    settings: &Settings,
    now: UnixMillis,
) -> Result<Verified, Denied> {
    let policy = TokenPolicy {
        issuer: &provider.issuer,
        audience: &provider.audience,
        ttl_days: settings.token_ttl_days,
    };
    let claims = verify_foreign(token, keys.ok_or(Denied::UnknownKey)?, &policy, now)?;
    Ok(Verified {
        subject: Subject::Foreign(claims.subject),
        plan: STANDARD.to_owned(),
        scheme: Scheme::Foreign,
        shown: Shown { issued_at: claims.issued_at, jti: claims.jti, nonce: None },
    })
}

/// Verifies an operator's token: Bearer or Basic, signed with `OPERATOR_KEYS`, for the operators'
/// audience. The operator's name is its subject.
///
/// # Errors
/// [`Reject::Unauthenticated`]; [`Reject::Forbidden`] for a client token that does verify.
pub fn authenticate_operator(head: &Head, settings: &Settings, now: UnixMillis) -> Result<String, Reject> {
    let Credential::Jwt(token) = find(head).map_err(Reject::Unauthenticated)? else {
        return Err(Reject::Unauthenticated(Denied::MissingCredential));
    };
    let audience = jwt::operator_audience(&settings.token_audience);
    let policy = TokenPolicy {
        issuer: &settings.token_issuer,
        audience: &audience,
        ttl_days: settings.token_ttl_days,
    };
    match jwt::verify(&token, &settings.operator_keys, &policy, now) {
        Ok(claims) => Ok(claims.machine.as_str().to_owned()),
        Err(_) if own(&token, head, settings, now).is_ok() => {
            Err(Reject::Forbidden("A client token does not open the operators' routes."))
        }
        Err(denied) => Err(Reject::Unauthenticated(denied)),
    }
}

/// The first eight bytes of the nonce's SHA-256: nonces are of any length, the ledger's memory is
/// not. Two that meet by chance refuse a request that was good, and let none through that is not.
fn nonce_hash(nonce: &str) -> u64 {
    let hash = Sha256::digest(nonce);
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
