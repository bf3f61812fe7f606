//! The messages between the Worker and the ledger's objects, and among these, as JSON.

pub mod ended;
mod standing;
pub mod state;
pub mod treasury;
pub mod usage;
pub(crate) mod verbatim;
pub mod waiting;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::ended::{Ended, News};
pub use self::standing::Standing;
use crate::ledger::bucket::Level;
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// One call of a ledger object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// To a shard, which answers with an [`Outcome`].
    Shard(Message),
    /// To the treasury, which answers with a [`treasury::Answer`].
    Treasury(treasury::Errand),
}

/// What goes to a shard: ended requests, and at most one question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The shard that is meant, from 0.
    pub to: u32,
    /// The number of shards by which it was chosen.
    pub of: u32,
    /// Requests that are over. They are carried out first, so that they can ride with the next
    /// question.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub settled: Vec<Settlement>,
    /// What its isolate has seen meanwhile.
    #[serde(skip_serializing_if = "News::is_empty", default)]
    pub news: News,
    /// The question. Without one the answer is [`Outcome::Settled`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub command: Option<Command>,
}

/// What a shard is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// May this request go on, and may it spend up to `worst`?
    Admit(Admission),
    /// How does the machine stand? Changes nothing but the memory of nonces.
    Look {
        /// The authenticated subject.
        subject: String,
        /// Its plan.
        plan: String,
        /// What it proved itself with.
        credential: Credential,
        /// The bucket's level, where it is kept elsewhere.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        level: Option<Level>,
    },
    /// The treasury has taken credentials out of use, as its `revision`th change.
    Revoke {
        /// Which, and why.
        revocation: Revocation,
        /// The number of the change.
        revision: u64,
    },
    /// The treasury has taken a revocation back.
    Restore {
        /// Which.
        target: Target,
        /// The number of the change.
        revision: u64,
    },
    /// How does the shard itself stand?
    State,
    /// What was counted, on the days since this one?
    Usage {
        /// The first day.
        since: Day,
    },
    /// Which machines of today have the most of something?
    Machines {
        /// Of what.
        order: usage::Order,
        /// How many of them.
        limit: u32,
    },
    /// How does one machine stand, and is it revoked?
    Machine {
        /// The subject.
        subject: String,
    },
    /// Which log records wait for KV?
    Waiting(waiting::Query),
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
    /// No credential, but the model: the operators' kill switch. Nobody has it then; rules and cache answer.
    Model,
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
    /// The bucket's level, where it is kept elsewhere and has let the request pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub level: Option<Level>,
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
    /// The shard that admitted the request.
    pub shard: u32,
    /// The log record: one line of JSON.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "verbatim::optional")]
    pub record: Option<String>,
    /// How it ended, for the counters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Ended>,
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

impl Charge {
    /// How much that is, where `reserved` was set aside.
    #[must_use]
    pub const fn of(self, reserved: NanoUsd) -> NanoUsd {
        match self {
            Self::Nothing => NanoUsd::ZERO,
            Self::Actual(cost) => cost,
            Self::Full => reserved,
        }
    }
}

/// What the ledger answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// The request goes on.
    Admitted {
        /// Whether it may ask the model.
        budget: Budget,
        /// The time of its log record, unique for the machine.
        record_at: UnixMillis,
        /// The shard, to be given back with the settlement.
        shard: u32,
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
    /// The subject belongs to another shard: the number of shards today, and the salt by which a
    /// subject's shard is found.
    Moved(Route),
    /// The treasury, which had to be asked, did not answer.
    Unavailable,
    /// The change is made, or was already.
    Changed,
    /// The answer to [`Command::State`].
    State(Box<state::ShardState>),
    /// The answer to [`Command::Usage`].
    Usage(Box<usage::ShardUsage>),
    /// The answer to [`Command::Machines`].
    Machines(usage::Machines),
    /// The answer to [`Command::Machine`].
    Machine(Box<usage::MachineDetail>),
    /// The answer to [`Command::Waiting`].
    Waiting(waiting::Waiting),
    /// The settlement is posted, or was already.
    Settled,
    /// The answer to [`Command::Look`].
    Standing(Standing),
}

/// How subjects are spread over shards for a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The number of shards, fixed for a spending day.
    pub shards: u32,
    /// Random, made once, and known to nobody outside: without it nobody can aim at a shard.
    pub salt: u64,
}

impl Route {
    /// The shard of a subject: the first eight bytes of SHA-256 over salt and subject, modulo the
    /// number of shards.
    #[must_use]
    pub fn shard_of(self, subject: &str) -> u32 {
        if self.shards <= 1 {
            return 0;
        }
        let digest = Sha256::new_with_prefix(self.salt.to_be_bytes()).chain_update(subject).finalize();
        let number = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let shard = number.checked_rem(u64::from(self.shards)).unwrap_or(0);
        u32::try_from(shard).unwrap_or(0)
    }
}

/// Money for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// The worst cost is reserved.
    Reserved,
    /// A cap does not have room for it.
    Reached(Cap),
    /// An operator has switched the model off.
    SwitchedOff,
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
