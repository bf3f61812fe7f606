//! The gateway in front of pip-aide's analysis: a Cloudflare Worker.
//!
//! In the order of a request: [`stages`] hold the five steps, [`token`] proves who calls,
//! [`ledger`] decides what they may spend, [`analysis`] finds the answer and makes it safe.
//! [`policy`] holds what operators set, [`telemetry`] what they see of a request. Only `shell` names the Workers runtime; everything else is
//! plain Rust that the native tests call directly.

#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::allow_attributes_without_reason
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::string_slice,
        reason = "a test that overflows or slices wrongly should stop with a panic"
    )
)]

pub mod analysis;
pub mod begin;
pub mod bytes;
pub mod cors;
pub mod gateway;
pub mod ledger;
pub mod me;
pub mod operators;
pub mod policy;
pub mod problem;
pub mod reject;
pub mod reply;
pub mod seams;
pub mod stages;
pub mod status;
pub mod subject;
pub mod telemetry;
pub mod token;
pub mod units;

#[cfg(target_arch = "wasm32")]
mod shell;
