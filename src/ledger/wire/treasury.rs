//! What the treasury is asked, by the Worker and by shards.

use serde::{Deserialize, Serialize};

use crate::ledger::wire::{Revocation, Route, Target};
use crate::policy::day::Day;
use crate::units::{NanoUsd, UnixMillis};

/// What the treasury is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Errand {
    /// A shard wants to spend, or gives back.
    Lease(LeaseRequest),
    /// How are subjects spread over shards?
    Route,
    /// A machine that met its challenge wants credentials.
    Enrol(Enrolment),
    /// An operator takes credentials out of use.
    Revoke(Revocation),
    /// An operator takes a revocation back.
    Restore {
        /// Which.
        target: Target,
    },
    /// Every revocation in force.
    Revocations,
    /// How does the treasury itself stand?
    State,
}

/// What the treasury answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// The answer to [`Errand::Lease`].
    Lease(Lease),
    /// The request is older than one by which its shard gave back: to be forgotten.
    Stale,
    /// The answer to [`Errand::Route`].
    Route(Route),
    /// What became of an enrolment.
    Enrolled(Enrolled),
    /// The revocation is in force here, or taken back; now the shards have to hear of it.
    Changed {
        /// `false` when it was so already.
        changed: bool,
        /// The number of the change.
        revision: u64,
        /// Every shard that ever asked, and those of today.
        shards: Vec<u32>,
    },
    /// The answer to [`Errand::Revocations`].
    Revocations {
        /// All in force, in the order of their targets.
        revocations: Vec<Revocation>,
    },
    /// The answer to [`Errand::State`].
    State(super::state::TreasuryState),
}

/// The number of a shard's request: its incarnation, and how many it sent in it. Never used twice,
/// also not over a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Number(pub u64, pub u64);

/// A shard's request for leases on all the caps that span machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// Who asks.
    pub shard: u32,
    /// Orders the requests of a shard.
    pub number: Number,
    /// The spending day, by the shard's clock.
    pub day: Day,
    /// Whether the shard has taken back all that it asked before: it holds what `held` says and no
    /// answer to an earlier request will change that. What was granted beyond is free again.
    pub holds_only: bool,
    /// The last change of revocations that the shard has heard of.
    pub revision: u64,
    /// The caps.
    pub pools: Vec<PoolRequest>,
}

/// A shard's wish for one cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRequest {
    /// [`crate::ledger::fund::SERVICE`], or `plan/<name>`.
    pub pool: String,
    /// What the shard holds of the day's cap, spent or not.
    pub held: NanoUsd,
    /// What it wants.
    pub want: Want,
}

/// What a shard wants of a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// Nothing now.
    Nothing,
    /// A share ahead of need, if one is at least this much.
    Share(NanoUsd),
    /// At least this much more, for a request that waits.
    Need(NanoUsd),
}

/// What a shard may spend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The request that is answered.
    pub number: Number,
    /// The spending day, by the treasury's clock.
    pub day: Day,
    /// How subjects are spread today.
    pub route: Route,
    /// Whether they were spread otherwise the day before.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub moved: bool,
    /// The caps.
    pub pools: Vec<PoolLease>,
    /// The last change of revocations.
    pub revision: u64,
    /// All revocations, where the shard has not heard of the last change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revocations: Option<Vec<Revocation>>,
}

/// A shard's part of one cap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolLease {
    /// Which cap.
    pub pool: String,
    /// What the shard may spend of it this day, all in all.
    pub granted: NanoUsd,
    /// The whole cap, by the treasury's settings.
    pub cap: NanoUsd,
    /// Whether nothing more is to be had for now.
    pub dry: bool,
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
