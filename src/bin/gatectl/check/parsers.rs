//! The build's own modules: a fault is found here as it is there.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "the build script's files, which no Worker contains: a panic ends a command of the operator's, and \
              fuzz/ sends them what it likes"
)]

#[path = "../../../../buildscript/commands.rs"]
pub mod commands;
#[path = "../../../../buildscript/packages.rs"]
pub mod packages;
#[path = "../../../../buildscript/place.rs"]
mod place;
#[path = "../../../../buildscript/plans.rs"]
pub mod plans;
#[path = "../../../../buildscript/prices.rs"]
pub mod prices;
#[path = "../../../../buildscript/redaction.rs"]
pub mod redaction;
#[path = "../../../../buildscript/rules.rs"]
pub mod rules;
#[path = "../../../../buildscript/upstreams.rs"]
pub mod upstreams;
#[path = "../../../../buildscript/version.rs"]
pub mod version;
