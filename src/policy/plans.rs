//! Plans: named sets of limits. `standard` is set by `MACHINE_*`, the others by
//! `policies/plans.toml` and `PLAN_<NAME>_*`.

use std::collections::BTreeMap;

use crate::ledger::bucket::Quota;
use crate::units::NanoUsd;

include!(concat!(env!("OUT_DIR"), "/plans.rs"));

/// The plan of a credential that names none.
pub const STANDARD: &str = "standard";
/// The plan of clients without a credential, where they are let in at all.
pub const ANONYMOUS: &str = "anonymous";

/// Every plan by its name.
pub type Plans = BTreeMap<String, Plan>;

/// The limits of the machines of one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Token bucket of one machine.
    pub quota: Quota,
    /// Requests of one machine in flight.
    pub concurrency: u32,
    /// Spend of one machine a day.
    pub machine_daily: NanoUsd,
    /// Spend of all machines of the plan together a day, where it has such a cap.
    pub total_daily: Option<NanoUsd>,
}

/// A plan of `policies/plans.toml`, as the text that the settings would hold: one parser reads both.
#[derive(Debug)]
pub struct PlanDefault {
    /// The plan's name, `[a-z][a-z0-9]{0,31}`: the build script keeps the file's names to that.
    pub name: &'static str,
    /// `N/second|minute|hour|day`.
    pub rate: &'static str,
    /// Requests that may come at once.
    pub burst: &'static str,
    /// Decimal dollars a machine a day.
    pub daily_usd: &'static str,
    /// Requests in flight a machine.
    pub concurrency: &'static str,
    /// Decimal dollars for all of the plan's machines a day.
    pub total_daily_usd: Option<&'static str>,
}
