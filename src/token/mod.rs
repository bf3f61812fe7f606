//! Who is calling: keys, client tokens, signed requests, foreign tokens, enrolment. All pure: a
//! moment and random bytes are arguments, and nothing here reads a header or a body by itself.
//!
//! [`credential`] finds which credential a request carries. [`jwt`] verifies a client's or an
//! operator's token and [`signed`] a signed request, both with a ring of [`keys`]; [`foreign`] an
//! identity provider's token with its [`jwks`], which a [`key_cache`] holds. [`enrol`] lets a machine earn credentials,
//! [`network`] is all that is known of one that has none. Every refusal is a [`Denied`], which is
//! for the log: the client is told the same thing whatever the cause.

mod claims;
mod compact;
pub mod credential;
mod crypto;
mod denied;
pub mod difficulty;
pub mod digest;
pub mod enrol;
pub mod foreign;
mod hkdf;
pub mod jwks;
pub mod jwt;
pub mod key_cache;
pub mod keys;
mod mac;
pub mod machine_id;
pub mod network;
pub mod signature_base;
pub mod signed;
pub mod strict_json;
pub mod structured;
mod subkey;

pub use denied::Denied;
