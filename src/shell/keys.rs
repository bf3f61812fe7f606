//! The identity provider's keys, kept as long as the isolate lives.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use worker::Delay;

use crate::ledger::wire::ended::Reason;
use crate::policy::settings::Provider;
use crate::seams::KeyStore;
use crate::shell::edge::Edge;
use crate::shell::ledger::client::note_refusal;
use crate::shell::now as clock;
use crate::shell::upstream::fetch;
use crate::stages::trials::Trials;
use crate::token::jwks::{Jwks, MAX_DOCUMENT_BYTES};
use crate::token::key_cache::KeyCache;
use crate::units::UnixMillis;

/// For the whole document. A provider that is slower counts as unreachable.
const DEADLINE: Duration = Duration::from_secs(5);

/// How often a request looks whether the fetch of another has ended.
const PAUSE: Duration = Duration::from_millis(25);

thread_local! {
    /// Since when a fetch is under way. It may have ended with its request, without a word.
    static FETCHING: Cell<Option<UnixMillis>> = const { Cell::new(None) };
    static TRIALS: RefCell<Trials> = RefCell::default();
    static CACHE: RefCell<KeyCache> = const { RefCell::new(KeyCache::new()) };
}

/// The keys of this isolate.
pub struct Keys(pub Rc<Edge>);

impl KeyStore for Keys {
    async fn keys_for(&self, provider: &Provider, token: &str, now: UnixMillis) -> Option<Rc<Jwks>> {
        // No borrow is held while waiting: another request may come meanwhile.
        if CACHE.with_borrow_mut(|cache| cache.begin_fetch(token, now)) {
            FETCHING.set(Some(now));
            match fetch(&self.0, &provider.jwks_url, None, MAX_DOCUMENT_BYTES, DEADLINE).await {
                Ok(document) => {
                    if let Err(error) = CACHE.with_borrow_mut(|cache| cache.store(&document, now)) {
                        worker::console_error!("jwks: {error:?}");
                    }
                }
                Err(error) => worker::console_error!("jwks: {error:?}"),
            }
            FETCHING.set(None);
        } else if CACHE.with_borrow(|cache| cache.lacks(token, now)) {
            // One request cannot wait for what another has started, so it looks again and again.
            let is_under_way = |since: UnixMillis| clock().since(since) < DEADLINE;
            while FETCHING.get().is_some_and(is_under_way) {
                Delay::from(PAUSE).await;
            }
        }
        CACHE.with_borrow(|cache| cache.keys(now))
    }

    fn may_try(&self, token: &str, network: &str, now: UnixMillis) -> Result<(), u64> {
        let limited = TRIALS.with_borrow_mut(|trials| trials.may_try(token, network, now));
        // The ledger does not hear of it otherwise.
        if limited.is_err() {
            note_refusal(Reason::RateLimited);
        }
        limited
    }

    fn tried(&self, token: &str, network: &str, is_forged: bool, now: UnixMillis) {
        TRIALS.with_borrow_mut(|trials| trials.tried(token, network, is_forged, now));
    }
}
