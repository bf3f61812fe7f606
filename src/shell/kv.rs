//! Log records in `LOGS_KV`.

use std::time::Duration;

use worker::Env;

use crate::seams::{LogStore, LogUnavailable};

/// The log.
pub struct Log {
    env: Env,
}

impl Log {
    /// The log of this environment.
    pub const fn new(env: Env) -> Self {
        Self { env }
    }
}

impl LogStore for Log {
    async fn put(&self, key: &str, record: String, lifetime: Duration) -> Result<(), LogUnavailable> {
        let namespace = self.env.kv("LOGS_KV").map_err(|_| LogUnavailable)?;
        let put = namespace.put(key, record).map_err(|_| LogUnavailable)?;
        // The platform refuses less than a minute (developers.cloudflare.com/kv, expiring keys).
        put.expiration_ttl(lifetime.as_secs().max(60)).execute().await.map_err(|_| LogUnavailable)
    }
}
