//! Authenticate: who is calling? From headers alone, without storage, and with one answer for every
//! way to fail.

use crate::policy::plans::{ANONYMOUS, STANDARD};
use crate::policy::settings::Settings;
use crate::reject::Reject;
use crate::stages::accept::Head;
use crate::subject::Subject;
use crate::token::Denied;
use crate::token::credential::{self, Credential};
use crate::token::jwt::{self, TokenPolicy};
use crate::token::network::Network;
use crate::units::UnixMillis;

/// Proof of who is calling. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    subject: Subject,
    plan: String,
    scheme: Scheme,
}

/// How a caller proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A client token as Bearer.
    Bearer,
    /// A client token as the password of Basic.
    Basic,
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
}

/// Verifies the credential of a request.
///
/// # Errors
/// [`Reject::Unauthenticated`], whatever the cause.
pub fn authenticate(head: &Head, settings: &Settings, now: UnixMillis) -> Result<Verified, Reject> {
    verify(head, settings, now).map_err(Reject::Unauthenticated)
}

fn verify(head: &Head, settings: &Settings, now: UnixMillis) -> Result<Verified, Denied> {
    let authorization: Vec<&str> = head.authorization.as_deref().into_iter().collect();
    match credential::read(&authorization, head.signature)? {
        Credential::Jwt(token) => {
            let policy = TokenPolicy {
                issuer: &settings.token_issuer,
                audience: &settings.token_audience,
                ttl_days: settings.token_ttl_days,
            };
            let claims = jwt::verify(&token, &settings.token_keys, &policy, now)?;
            let basic = authorization.iter().any(|value| {
                value.split_once(' ').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            });
            Ok(Verified {
                subject: Subject::Machine(claims.machine),
                plan: claims.plan.unwrap_or_else(|| STANDARD.to_owned()),
                scheme: if basic { Scheme::Basic } else { Scheme::Bearer },
            })
        }
        Credential::None if settings.anonymous => {
            // The platform sets the header itself; without it there is no network to count by.
            let network = head.client_address.as_deref().map(Network::parse);
            let network = network.ok_or(Denied::MissingCredential)?.map_err(|_| Denied::MissingCredential)?;
            Ok(Verified {
                subject: Subject::Network(network),
                plan: ANONYMOUS.to_owned(),
                scheme: Scheme::Anonymous,
            })
        }
        Credential::Signed | Credential::None => Err(Denied::MissingCredential),
    }
}
