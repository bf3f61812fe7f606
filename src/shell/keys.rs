//! The identity provider's keys, kept as long as the isolate lives.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use worker::{Method, RequestInit};

use crate::policy::settings::Provider;
use crate::seams::KeyStore;
use crate::shell::upstream::fetch_bounded;
use crate::token::jwks::{Jwks, MAX_DOCUMENT_BYTES};
use crate::token::key_cache::KeyCache;
use crate::units::UnixMillis;

/// For the whole document. A provider that is slower counts as unreachable.
const DEADLINE: Duration = Duration::from_secs(5);

thread_local! {
    static CACHE: RefCell<KeyCache> = const { RefCell::new(KeyCache::new()) };
}

/// The keys of this isolate.
pub struct Keys;

impl KeyStore for Keys {
    async fn keys_for(&self, provider: &Provider, token: &str, now: UnixMillis) -> Option<Rc<Jwks>> {
        // No borrow is held while waiting: another request may come meanwhile.
        if CACHE.with_borrow_mut(|cache| cache.begin_fetch(token, now)) {
            let mut init = RequestInit::new();
            init.with_method(Method::Get);
            match fetch_bounded(&provider.jwks_url, init, MAX_DOCUMENT_BYTES, DEADLINE).await {
                Ok(document) => {
                    if let Err(error) = CACHE.with_borrow_mut(|cache| cache.store(&document, now)) {
                        worker::console_error!("jwks: {error:?}");
                    }
                }
                Err(error) => worker::console_error!("jwks: {error:?}"),
            }
        }
        CACHE.with_borrow(|cache| cache.keys(now))
    }
}
