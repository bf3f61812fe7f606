//! The front door: the built Worker on the real workerd, spoken to over HTTP.
//!
//! Each module is one promise of the contract. What they share is in [`support`]: the Worker is
//! started by plain `wrangler dev`, tokens are minted by an independent library, and the model is
//! either an independent OpenAI-compatible server or a small one that fails in a chosen way.
//! Nothing here leaves the loopback, but for the real client's package from its registry.

#![cfg(not(target_arch = "wasm32"))]
// These tests wait for real processes: here is the edge where the clock is read.
#![allow(clippy::disallowed_methods)]

mod abuse;
mod admin_logs;
mod anonymous;
mod bad_input;
mod buckets;
mod dashboard;
mod described;
mod enrolment;
mod enrolment_limits;
mod enrolment_outages;
mod foreign;
mod front_door;
mod kill_switch;
mod kv_limits;
mod ledger_crashes;
mod ledger_load;
mod limits;
mod log_exactness;
mod minted;
mod misconfigured;
mod operations;
mod outages;
mod oversight;
mod package;
mod panics;
#[path = "../token_support/peers.rs"]
mod peers;
mod pip_aide;
mod record_outages;
mod restart;
mod revocation;
mod rollout;
mod rotation;
mod shards;
mod signed;
mod signed_attacks;
mod simulate;
mod soak;
mod spend_cap;
mod strangers;
mod support;
mod telemetry;
mod token_attacks;
mod told;
mod unasked;
mod upstream;
