//! The ledger: who may do what now, and what it may cost. Pure; the Durable Object in
//! `shell::ledger` only loads, calls [`shard::Shard::step`] and persists.
//!
//! - [`bucket`]: how often a machine may call.
//! - [`account`]: what was spent and what is reserved against one cap on one day.
//! - [`machine`]: one machine's bucket, account and requests in flight.
//! - [`replay`]: which nonces were admitted.
//! - [`revocation`]: which credentials are out of use.
//! - [`enrolment`]: which challenges were used, and how many machines enrolled.
//! - [`shard`]: the transition over all of them.
//! - [`wire`]: the messages between the Worker and the object.
//! - [`rows`]: what is stored, in forms that tests pin.

pub mod account;
pub mod bucket;
pub mod enrolment;
pub mod machine;
pub mod replay;
pub mod revocation;
pub mod rows;
pub mod shard;
pub mod wire;
