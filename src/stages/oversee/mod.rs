//! Oversee: what operators ask and change, under `/admin/`.

pub mod gather;
pub mod kill_switch;
pub mod ledger;
pub mod logs;
pub mod machines;
pub mod metrics;
pub mod query;
pub mod usage;
