//! When to fetch a provider's keys, and how long to trust them: decided here, fetched elsewhere.

use std::rc::Rc;
use std::time::Duration;

use super::compact::Compact;
use super::jwks::{Jwks, JwksError};
use crate::units::UnixMillis;

/// At most one fetch in this span, whatever tokens name: else everybody could have the provider
/// asked once for every made-up `kid`.
pub const FETCH_INTERVAL: Duration = Duration::from_secs(60);
/// Keys older than this are fetched again, so that one the provider withdrew is forgotten.
pub const FRESH_FOR: Duration = Duration::from_secs(3_600);
/// Keys older than this are no longer used, however long the provider stays away.
pub const USABLE_FOR: Duration = Duration::from_secs(86_400);

/// The keys of one provider, as long as an isolate lives.
#[derive(Debug, Default)]
pub struct KeyCache {
    keys: Option<(Rc<Jwks>, UnixMillis)>,
    attempted_at: Option<UnixMillis>,
}

impl KeyCache {
    /// No keys yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { keys: None, attempted_at: None }
    }

    /// Whether the keys are to be fetched before this token is verified: there are none, they are
    /// old, or none has the token's `kid`; and the last fetch, failed or not, is a minute ago. A
    /// `true` counts as that fetch, so two requests at once do not both make it.
    pub fn begin_fetch(&mut self, token: &str, now: UnixMillis) -> bool {
        // A clock that was set back must not keep us from fetching until it has caught up.
        let waits = |at: UnixMillis| now >= at && now.since(at) < FETCH_INTERVAL;
        if self.attempted_at.is_some_and(waits) || !self.is_wanting(token, now) {
            return false;
        }
        self.attempted_at = Some(now);
        true
    }

    /// Whether a fetch that is under way may bring this token's key: there are no keys to trust, or
    /// none has its `kid`. With any other token nobody needs to wait.
    #[must_use]
    pub fn lacks(&self, token: &str, now: UnixMillis) -> bool {
        let Ok(compact) = Compact::read(token) else { return false };
        let Some(kid) = compact.header_text("kid") else { return false };
        self.keys(now).is_none_or(|jwks| jwks.find(kid).is_none())
    }

    fn is_wanting(&self, token: &str, now: UnixMillis) -> bool {
        let Ok(compact) = Compact::read(token) else { return false };
        let Some(kid) = compact.header_text("kid") else { return false };
        match &self.keys {
            None => true,
            Some((jwks, fetched_at)) => now.since(*fetched_at) >= FRESH_FOR || jwks.find(kid).is_none(),
        }
    }

    /// Takes a fetched document. A bad one changes nothing.
    ///
    /// # Errors
    /// As [`Jwks::parse`].
    pub fn store(&mut self, document: &[u8], now: UnixMillis) -> Result<(), JwksError> {
        self.keys = Some((Rc::new(Jwks::parse(document)?), now));
        Ok(())
    }

    /// The keys, while they can be trusted; without them no token of the provider is taken.
    #[must_use]
    pub fn keys(&self, now: UnixMillis) -> Option<Rc<Jwks>> {
        self.keys.as_ref().filter(|(_, at)| now.since(*at) < USABLE_FOR).map(|(jwks, _)| Rc::clone(jwks))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    const START: UnixMillis = UnixMillis::from_seconds(1_800_000_000);

    fn after(seconds: u64) -> UnixMillis {
        START.plus(Duration::from_secs(seconds))
    }

    fn token(kid: &str) -> String {
        format!("{}.e30.x", URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#)))
    }

    fn document(kid: &str) -> Vec<u8> {
        let x = URL_SAFE_NO_PAD.encode([7; 32]);
        format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#).into_bytes()
    }

    #[test]
    fn unknown_names_cost_one_fetch_a_minute() {
        let mut cache = KeyCache::new();
        assert!(cache.keys(START).is_none());
        assert!(cache.begin_fetch(&token("a"), START));
        // The provider did not answer: nobody asks again before the minute is over.
        assert!(!cache.begin_fetch(&token("a"), after(59)));
        assert!(cache.begin_fetch(&token("a"), after(60)));
        cache.store(&document("a"), after(60)).unwrap();
        assert!(!cache.begin_fetch(&token("a"), after(1_000)));
        assert!(cache.begin_fetch(&token("b"), after(1_000)));
        assert!(cache.lacks(&token("b"), after(1_000)) && !cache.lacks(&token("a"), after(1_000)));
        assert!(cache.lacks(&token("a"), after(100_000)), "keys that old are not trusted");
        let fetches =
            (0..600).filter(|i| cache.begin_fetch(&token(&format!("x{i}")), after(1_060 + i))).count();
        assert_eq!(fetches, 10);
    }

    #[test]
    fn a_clock_set_back_does_not_stop_fetching() {
        let mut cache = KeyCache::new();
        assert!(cache.begin_fetch(&token("a"), after(10_000)));
        assert!(cache.begin_fetch(&token("a"), START));
        assert!(!cache.begin_fetch(&token("a"), after(1)));
    }

    #[test]
    fn what_names_no_key_fetches_none() {
        let mut cache = KeyCache::new();
        for token in ["", "x", "a.b.c", "e30.e30.x", &"x".repeat(5_000)] {
            assert!(!cache.begin_fetch(token, START), "{token}");
        }
    }

    #[test]
    fn keys_are_renewed_hourly_and_forgotten_after_a_day() {
        let mut cache = KeyCache::new();
        cache.store(&document("a"), START).unwrap();
        assert!(!cache.begin_fetch(&token("a"), after(3_599)));
        assert!(cache.begin_fetch(&token("a"), after(3_600)));
        assert_eq!(cache.store(b"<html>", after(3_600)), Err(JwksError::Malformed));
        assert!(cache.keys(after(3_600)).is_some_and(|jwks| jwks.find("a").is_some()));
        assert!(cache.keys(after(86_399)).is_some());
        assert!(cache.keys(after(86_400)).is_none());
        cache.store(&document("b"), after(86_400)).unwrap();
        assert!(cache.keys(after(86_400)).is_some_and(|jwks| jwks.find("a").is_none()));
    }
}
