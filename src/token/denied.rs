//! Why a credential was refused: one flat list, for the log and for metrics.

use std::fmt;

/// Declares [`Denied`] with the name of each cause in one place, so that a cause without a name or
/// a name without a cause cannot be.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// The cause of a refusal. It carries no value of the request, so that it can be a metric's
        /// label and a log's word; a client never sees which one it was.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Denied {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Denied {
            /// Every cause, for metrics that begin at zero and for tests.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The cause as a stable label, `[a-z_]+`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

causes! {
    /// A header or token is longer than any honest one.
    TooLarge = "too_large",
    /// There is none.
    MissingCredential = "missing_credential",
    /// The nonce was admitted before.
    Replayed = "replayed",
    /// Two credentials at once, or one header twice: which of them counts would be a guess.
    SeveralCredentials = "several_credentials",
    /// The `Authorization` scheme is neither `Bearer` nor `Basic`.
    UnsupportedScheme = "unsupported_scheme",
    /// The `Authorization` header does not have its scheme's form.
    MalformedCredential = "malformed_credential",
    /// Not three parts of canonical base64url with JSON objects in the first two.
    MalformedToken = "malformed_token",
    /// A member occurs twice in one JSON object.
    DuplicateMember = "duplicate_member",
    /// The token names another algorithm than the key's.
    WrongAlgorithm = "wrong_algorithm",
    /// `typ` names another kind of token.
    WrongTokenType = "wrong_token_type",
    /// `crit` or `b64` is present: an extension that would change what was signed.
    CriticalExtension = "critical_extension",
    /// A header parameter that our own tokens never have.
    UnexpectedHeader = "unexpected_header",
    /// No `kid`, or not a text.
    MissingKeyId = "missing_key_id",
    /// The key is not in the ring.
    UnknownKey = "unknown_key",
    /// The MAC or signature does not verify.
    BadSignature = "bad_signature",
    /// A required claim is absent.
    MissingClaim = "missing_claim",
    /// A claim has the wrong type or is out of range.
    MistypedClaim = "mistyped_claim",
    /// `iss` is another issuer.
    WrongIssuer = "wrong_issuer",
    /// `aud` is not exactly our audience.
    WrongAudience = "wrong_audience",
    /// `sub` is no machine id.
    BadSubject = "bad_subject",
    /// `jti` is empty, too long or not visible ASCII.
    BadTokenId = "bad_token_id",
    /// `plan` is no plan name.
    BadPlan = "bad_plan",
    /// `exp` has passed.
    Expired = "expired",
    /// `nbf` has not come.
    NotYetValid = "not_yet_valid",
    /// `iat` is in the future.
    IssuedInFuture = "issued_in_future",
    /// The token lives longer than the settings allow, or not at all.
    BadLifetime = "bad_lifetime",
    /// `Signature` and `Signature-Input` do not fit their form or each other.
    MalformedSignature = "malformed_signature",
    /// The signature does not cover the method, the whole target or the body.
    UncoveredComponent = "uncovered_component",
    /// A covered component is absent from the request.
    MissingComponent = "missing_component",
    /// A covered component is none that is verified here.
    UnsupportedComponent = "unsupported_component",
    /// `created` is absent or too far from now.
    StaleSignature = "stale_signature",
    /// The nonce is absent, empty or too long.
    BadNonce = "bad_nonce",
    /// `Content-Digest` is malformed or names no algorithm that counts.
    MalformedDigest = "malformed_digest",
    /// The body is not the one that was signed.
    DigestMismatch = "digest_mismatch",
    /// The enrolment challenge is not ours, was altered, or was issued to another network.
    BadChallenge = "bad_challenge",
    /// The solution is no short decimal, or does not meet the difficulty.
    BadSolution = "bad_solution",
}

impl fmt::Display for Denied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::error::Error for Denied {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_cause_is_a_label_of_its_own() {
        let labels: HashSet<&str> = Denied::ALL.iter().map(|cause| cause.as_str()).collect();
        assert_eq!(labels.len(), Denied::ALL.len());
        assert!(Denied::ALL.iter().all(|cause| cause.to_string() == cause.as_str()));
        for label in labels {
            assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{label}");
        }
    }
}
