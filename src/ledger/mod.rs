//! The ledger: who may do what now, and what it may cost. Pure; the Durable Object in
//! `shell::ledger` only loads, calls a step and persists.
//!
//! - [`shard`]: the transition of one shard, over all of these:
//!   - [`machine`]: one machine's bucket, account and requests in flight;
//!   - [`bucket`]: how often a machine may call;
//!   - [`account`]: what was spent and what is reserved against one cap on one day;
//!   - [`fund`]: a cap that spans machines, as one shard has it;
//!   - [`replay`]: which nonces were admitted;
//!   - [`pace`]: how busy the shard is, which decides what is written down when;
//!   - [`logbook`]: log records on their way to KV, and what KV is told of each batch.
//! - [`treasury`]: what spans shards: leases on the caps, revocations, enrolments.
//!   - [`revocation`]: which credentials are out of use;
//!   - [`enrolment`]: which challenges were used, and how many machines enrolled.
//! - [`outbox`]: settlements that wait in an isolate for the next message to their shard.
//! - [`kv_bucket`]: buckets outside the ledger, where `LIMIT_STORE` says so.
//! - [`wire`]: the messages between the Worker and the objects.
//! - [`rows`]: what is stored, in forms that tests pin.

pub mod account;
pub mod bucket;
pub mod enrolment;
pub mod fund;
pub mod kv_bucket;
pub mod logbook;
pub mod machine;
pub mod outbox;
pub mod pace;
pub mod replay;
pub mod revocation;
pub mod rows;
pub mod shard;
pub mod treasury;
pub mod wire;
