//! A Worker that is attacked, as operators set it up, with a model and honest machines of its own.

use std::collections::BTreeMap;

use super::attacks::{Besides, DIFFICULTY};
use super::honest::Machine;
use crate::support::biller::{Biller, Count, Deed};
use crate::support::client::Reply;
use crate::support::credentials::Key;
use crate::support::door::Door as _;
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::Settings;
use crate::support::provider::{Answer, Provider};

/// The Worker, its model and its key.
pub struct Arena {
    /// Running Workers.
    pub fleet: Fleet,
    /// The model.
    pub model: Biller,
    /// What signs tokens.
    pub key: Key,
    /// The identity provider, and the name of its RSA key.
    pub provider: Option<(Provider, String)>,
    /// All that it was started with.
    pub settings: Settings,
}

impl Arena {
    /// With the limits that are shipped, but for honest machines: they ask once a second, and their money
    /// lasts. `main` is a module of ours before the built Worker.
    pub fn start(main: Option<&'static str>, besides: Besides) -> Self {
        let model = Biller::start(Count::Always(100, 20), &[Deed::Answer]);
        let settings = Settings::new()
            .model_on(model.port())
            .var("RULES", "first")
            .var("CACHE_TTL_SECONDS", "86400")
            .var("PLAN_TRUSTED_RATE", "2/second")
            .var("PLAN_TRUSTED_BURST", "10")
            .var("PLAN_TRUSTED_DAILY_USD", "100")
            .var("PLAN_TRUSTED_TOTAL_DAILY_USD", "1000")
            .var("DAILY_USD", "2000")
            .var("ANONYMOUS", if besides == Besides::Strangers { "limited" } else { "off" })
            .var("ENROLLMENT_DIFFICULTY", &DIFFICULTY.to_string());
        let provider = (besides == Besides::Provider).then(|| Provider::start(Answer::Keys));
        let provider = provider.map(|provider| {
            let kid = provider.key("rsa", "RS256", true);
            (provider, kid)
        });
        let settings = match &provider {
            Some((provider, _)) => settings
                .var("JWKS_URL", &provider.url())
                .var("JWT_ISSUER", "https://issuer.example")
                .var("JWT_AUDIENCE", "gateway"),
            None => settings,
        };
        let key = settings.key().clone();
        let fleet = Fleet::start_behind(main, &[("worker", settings.clone())]);
        Self { fleet, model, key, provider, settings }
    }

    /// The Worker.
    pub fn worker(&self) -> Member {
        self.fleet.member("worker")
    }

    /// Honest machines, each with its first two questions answered.
    pub fn machines(&self, count: usize) -> Vec<Machine> {
        let mut machines: Vec<Machine> =
            (0..count).map(|_| Machine::new(self.worker().port(), &self.key)).collect();
        for machine in &mut machines {
            for _ in 0..2 {
                assert_eq!(machine.ask(), Ok(()));
            }
        }
        machines
    }
}

/// How often each was used since this was last asked, where `counting.mjs` stands before the Worker.
pub type Counts = BTreeMap<String, u64>;

/// Asks the counter.
pub fn counted(worker: Member) -> Counts {
    let reply = Reply::of("GET", &worker.url("/counted"), &[], None).expect("the counter answers");
    serde_json::from_value(reply.json()).expect("counts by name")
}

/// Uses whose name begins so.
pub fn uses(counts: &Counts, prefix: &str) -> u64 {
    counts.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, count)| count).sum()
}
