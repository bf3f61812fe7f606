//! How the ledger stands, as `GET /admin/ledger` tells operators.

use std::time::Duration;

use serde_json::Value;

use super::credentials::bearer;
use super::door::Door;
use super::gateway::{Settings, nano_usd};
use super::wait_for;

/// One look.
#[derive(Clone, Debug)]
pub struct Overview(pub Value);

impl Overview {
    /// Looks, as an operator of these settings.
    #[track_caller]
    pub fn of(door: &impl Door, settings: &Settings) -> Self {
        let authorization = bearer(&settings.operator_key().operator_token("overseer"));
        let reply = door.send("GET", "/admin/ledger", &[("Authorization", &authorization)], None);
        assert_eq!(reply.status, 200, "{reply:?}");
        Self(reply.json())
    }

    /// The same once no reservation is open: all requests are settled or have expired.
    #[track_caller]
    pub fn at_rest(door: &impl Door, settings: &Settings, within: Duration) -> Self {
        let rest = wait_for(within, || {
            let look = Self::of(door, settings);
            (look.total("open_reservations") == 0).then_some(look)
        });
        rest.unwrap_or_else(|| panic!("reservations stay open: {:?}", Self::of(door, settings)))
    }

    /// The shards.
    #[track_caller]
    pub fn shards(&self) -> &[Value] {
        self.0["shards"].as_array().unwrap_or_else(|| panic!("no shards: {self:?}"))
    }

    /// What a number is over all shards.
    #[track_caller]
    pub fn total(&self, name: &str) -> u64 {
        self.shards().iter().map(|shard| number(&shard[name])).sum()
    }

    /// What is used of the service's cap, in nano-dollars.
    #[track_caller]
    pub fn used(&self) -> u64 {
        self.shards().iter().map(|shard| nano_usd(&shard["funds"]["service"]["used_usd"])).sum()
    }

    /// What is leased of the service's cap, by the treasury's books.
    #[track_caller]
    pub fn leased(&self) -> u64 {
        let leases = self.0["treasury"]["leased_usd"]["service"].as_object();
        leases.unwrap_or_else(|| panic!("no leases: {self:?}")).values().map(nano_usd).sum()
    }

    /// What the shards asked of the platform since they woke up, all together.
    #[track_caller]
    pub fn operations(&self, name: &str) -> u64 {
        self.shards().iter().map(|shard| number(&shard["operations"][name])).sum()
    }
}

#[track_caller]
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}
