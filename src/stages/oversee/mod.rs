//! Oversee: what operators ask and change, under `/admin/`.

pub mod ledger;
pub mod logs;
pub mod query;
