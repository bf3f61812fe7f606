//! The messages between the Worker and a ledger object: one command, one outcome, as JSON.

use serde::{Deserialize, Serialize};

use crate::ledger::bucket::Level;
use crate::units::{NanoUsd, UnixMillis};

/// What the ledger is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// May this request go on, and may it spend up to `worst`?
    Admit(Admission),
    /// The request is over.
    Settle(Settlement),
    /// How does the machine stand? Changes nothing but the memory of nonces.
    Look {
        /// The authenticated subject.
        subject: String,
        /// Its plan.
        plan: String,
        /// What it proved itself with.
        credential: Credential,
    },
    /// A machine that met its challenge wants credentials.
    Enrol(Enrolment),
    /// An operator takes credentials out of use.
    Revoke(Revocation),
    /// An operator takes a revocation back.
    Restore {
        /// What it means.
        target: Target,
    },
    /// Every revocation in force.
    Revocations,
}

/// What the ledger has to know of a verified credential.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// When it was issued. A signing secret does not say; it then counts as issued at the beginning
    /// of time, or when its machine enrolled.
    pub issued_at: UnixMillis,
    /// The token's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// To be admitted once.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nonce: Option<Nonce>,
}

/// The nonce of a signed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nonce {
    /// The nonce's hash: nonces are the client's text, of any length.
    pub hash: u64,
    /// The last moment at which the request is fresh.
    pub fresh_until: UnixMillis,
}

/// A challenge that was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The challenge's id, to be used once.
    pub challenge: String,
    /// The client's network.
    pub network: String,
    /// The work that was done, in bits.
    pub difficulty: u8,
    /// Until when the challenge could be used.
    pub expires_at: UnixMillis,
}

/// Credentials out of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Which.
    pub target: Target,
    /// When it was said.
    pub at: UnixMillis,
    /// The operator who said it: the subject of its token.
    pub by: String,
    /// Why, in the operator's words.
    pub reason: String,
}

/// Which credentials a revocation means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Everything of one machine, or of another subject by its ledger name.
    Machine(String),
    /// One token.
    Jti(String),
    /// Everything issued before a moment.
    IssuedBefore(UnixMillis),
}

/// A request that wants to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// The request's id, which is the reservation's as well.
    pub id: String,
    /// The authenticated subject.
    pub subject: String,
    /// Its plan.
    pub plan: String,
    /// What it proved itself with.
    pub credential: Credential,
    /// What the request can cost at most.
    pub worst: NanoUsd,
    /// Milliseconds after which a reservation that was not settled is charged in full.
    pub lifetime_ms: u64,
}

/// The end of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// The reservation.
    pub id: String,
    /// The authenticated subject that holds it.
    pub subject: String,
    /// What to charge.
    pub charge: Charge,
}

/// What a request turned out to cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Charge {
    /// Nothing was sent that can be billed.
    Nothing,
    /// The cost of the usage that the provider stated.
    Actual(NanoUsd),
    /// It was sent, and nobody knows what it cost.
    Full,
}

/// What the ledger answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// The request goes on.
    Admitted {
        /// Whether it may ask the model.
        budget: Budget,
        /// The time of its log record, unique for the machine.
        record_at: UnixMillis,
        /// How the machine stands now.
        standing: Standing,
    },
    /// The request ends here.
    Refused {
        /// Why.
        reason: Refusal,
        /// How the machine stands now.
        standing: Standing,
    },
    /// The plan of the credential is not among the settings.
    UnknownPlan,
    /// The credential is revoked.
    Revoked,
    /// The nonce was admitted before.
    Replayed,
    /// What became of an enrolment.
    Enrolled(Enrolled),
    /// The revocation is in force, or taken back.
    Changed {
        /// `false` when it was so already.
        changed: bool,
    },
    /// The answer to [`Command::Revocations`].
    Revocations {
        /// All in force, in the order of their targets.
        revocations: Vec<Revocation>,
    },
    /// The settlement is posted, or was already.
    Settled,
    /// The answer to [`Command::Look`].
    Standing(Standing),
}

/// What became of an enrolment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolled {
    /// Whether it counts.
    pub verdict: EnrolmentVerdict,
    /// Enrolments of the last hour, for the difficulty of the next challenges.
    pub recent: u32,
}

/// Whether a machine gets credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentVerdict {
    /// It does.
    Accepted,
    /// The challenge was used before.
    Used,
    /// So many enrolled lately that this much work is too little: seconds to wait with a new one.
    TooEasy,
    /// Too many from the network or in all today: seconds until the day ends.
    TooMany(u64),
}

/// Money for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// The worst cost is reserved.
    Reserved,
    /// A cap does not have room for it.
    Reached(Cap),
}

/// A daily cap on spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// One machine's.
    Machine,
    /// All machines' of a plan.
    Plan,
    /// The whole service's.
    Service,
}

impl Cap {
    /// The cap's name in problem documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Plan => "plan",
            Self::Service => "service",
        }
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The bucket is empty; nanoseconds until it is not.
    Rate(u64),
    /// As many requests as are allowed are in flight.
    Concurrency,
}

/// How a machine stands with its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The plan that applies.
    pub plan: String,
    /// Requests a window.
    pub rate_count: u32,
    /// The window in seconds.
    pub rate_window: u32,
    /// Requests that may come at once.
    pub burst: u32,
    /// What the bucket has left.
    pub level: Level,
    /// Requests in flight.
    pub in_flight: u32,
    /// Requests that may be in flight.
    pub concurrency: u32,
    /// Spent or reserved today.
    pub spent: NanoUsd,
    /// The machine's cap a day.
    pub cap: NanoUsd,
    /// The ledger's clock.
    pub now: UnixMillis,
    /// When the day ends.
    pub resets_at: UnixMillis,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_forms_do_not_change_unnoticed() {
        let admit = Command::Admit(Admission {
            id: "r1".to_owned(),
            subject: "laptop".to_owned(),
            plan: "standard".to_owned(),
            credential: Credential {
                issued_at: UnixMillis::from_millis(5),
                jti: Some("t1".to_owned()),
                nonce: Some(Nonce { hash: u64::MAX, fresh_until: UnixMillis::from_millis(9) }),
            },
            worst: NanoUsd::from_nanos(7),
            lifetime_ms: 30_000,
        });
        let settle = Command::Settle(Settlement {
            id: "r1".to_owned(),
            subject: "laptop".to_owned(),
            charge: Charge::Actual(NanoUsd::from_nanos(3)),
        });
        for (command, text) in [
            (
                admit,
                r#"{"do":"admit","id":"r1","subject":"laptop","plan":"standard","credential":{"issued_at":5,"jti":"t1","nonce":{"hash":18446744073709551615,"fresh_until":9}},"worst":7,"lifetime_ms":30000}"#,
            ),
            (settle, r#"{"do":"settle","id":"r1","subject":"laptop","charge":{"actual":3}}"#),
        ] {
            assert_eq!(serde_json::to_string(&command).unwrap(), text);
            assert_eq!(serde_json::from_str::<Command>(text).unwrap(), command);
        }
        assert_eq!(serde_json::to_string(&Outcome::Settled).unwrap(), r#"{"is":"settled"}"#);
    }

    #[test]
    fn revocations_travel_both_ways() {
        let targets = [
            (Target::Machine("laptop".to_owned()), r#"{"machine":"laptop"}"#),
            (Target::Jti("t1".to_owned()), r#"{"jti":"t1"}"#),
            (Target::IssuedBefore(UnixMillis::from_millis(7)), r#"{"issued_before":7}"#),
        ];
        for (target, text) in targets {
            let restore = Command::Restore { target: target.clone() };
            assert_eq!(
                serde_json::to_string(&restore).unwrap(),
                format!(r#"{{"do":"restore","target":{text}}}"#)
            );
            let revocation = Revocation {
                target,
                at: UnixMillis::from_millis(8),
                by: "ann".to_owned(),
                reason: "leak".to_owned(),
            };
            let revoke = Command::Revoke(revocation.clone());
            for command in [restore, revoke, Command::Revocations] {
                let text = serde_json::to_string(&command).unwrap();
                assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), command);
            }
            let listed = Outcome::Revocations { revocations: vec![revocation] };
            for outcome in [listed, Outcome::Changed { changed: true }, Outcome::Revoked, Outcome::Replayed] {
                let text = serde_json::to_string(&outcome).unwrap();
                assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
            }
        }
    }
}
