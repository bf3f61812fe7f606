//! Who is calling: keys, client tokens, signed requests, foreign tokens, enrolment. All pure: a
//! moment and random bytes are arguments, and nothing here reads a header or a body by itself.
//!
//! [`credential`] finds which credential a request carries, [`jwt`] verifies a client's or an
//! operator's token with a ring of [`keys`]. Every refusal is a [`Denied`], which is for the log:
//! the client is told the same thing whatever the cause.

mod claims;
mod compact;
pub mod credential;
mod denied;
mod hkdf;
pub mod jwt;
pub mod keys;
mod mac;
pub mod machine_id;
mod strict_json;

pub use denied::Denied;
