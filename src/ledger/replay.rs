//! The memory of nonces: each is admitted once for its machine, for as long as a request with it
//! could be fresh.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::wire::Nonce;
use crate::units::UnixMillis;

/// Nonces that one machine may have in memory. A machine that signs more in ten minutes has to wait:
/// memory is bounded, and none is forgotten early.
const MOST: usize = 512;

/// How far the clocks of two isolates may be apart: a nonce is remembered that much longer.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// How long a signed request is fresh after it was created (`token::signed`).
const FRESH: Duration = Duration::from_secs(300);

/// In dense traffic nonces are not written down one by one. Storage then says up to which moment
/// nonces may have been admitted, this much ahead of the clock.
const AHEAD: Duration = Duration::from_secs(3);

/// Nonces that one write lists; more are covered by the horizon.
pub const MOST_LISTED: usize = 512;

/// The nonces of one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonces(Vec<(UnixMillis, u64)>);

/// Whether a nonce is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is new, and remembered from now on.
    New,
    /// It was admitted before.
    Replayed,
    /// There is no room until this moment.
    Full(UnixMillis),
    /// It may have been admitted before a crash that took the memory of it.
    Unsure,
}

/// Until when a nonce is remembered.
#[must_use]
pub fn remembered_until(nonce: &Nonce) -> UnixMillis {
    nonce.fresh_until.plus(CLOCK_MARGIN)
}

/// The horizon that covers the nonces of requests created by `AHEAD` from now.
#[must_use]
pub fn horizon_ahead(now: UnixMillis) -> UnixMillis {
    now.plus(AHEAD).plus(FRESH).plus(CLOCK_MARGIN)
}

/// The horizon that covers every nonce that can be admitted up to now, of the fastest clock allowed.
#[must_use]
pub fn horizon_of_all(now: UnixMillis) -> UnixMillis {
    now.plus(FRESH).plus(FRESH).plus(CLOCK_MARGIN)
}

impl Nonces {
    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the nonce was admitted before; remembers nothing. Nonces up to `horizon` may have
    /// been admitted and forgotten, and so may those that `now` no longer remembers: the ledger's clock does not go
    /// back, so a clock that ran ahead of the caller's drops nonces of requests that are still fresh there.
    #[must_use]
    pub fn check(&mut self, nonce: &Nonce, horizon: UnixMillis, now: UnixMillis) -> Verdict {
        self.0.retain(|(until, _)| *until >= now);
        if self.0.iter().any(|(_, hash)| *hash == nonce.hash) {
            return Verdict::Replayed;
        }
        if remembered_until(nonce) <= horizon.max(now) {
            return Verdict::Unsure;
        }
        match self.0.iter().map(|(until, _)| *until).min() {
            Some(first) if self.0.len() >= MOST => Verdict::Full(first),
            _ => Verdict::New,
        }
    }

    /// Remembers a nonce that [`Nonces::check`] found new.
    pub fn remember(&mut self, nonce: &Nonce) {
        self.0.push((remembered_until(nonce), nonce.hash));
    }

    /// Until when each is remembered.
    pub fn moments(&self) -> impl Iterator<Item = UnixMillis> {
        self.0.iter().map(|(until, _)| *until)
    }

    /// Those that are remembered longer than `cutoff`.
    #[must_use]
    pub fn after(&self, cutoff: UnixMillis) -> Self {
        Self(self.0.iter().filter(|(until, _)| *until > cutoff).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: UnixMillis = UnixMillis::from_millis(0);

    fn nonce(hash: u64, fresh_until: u64) -> Nonce {
        Nonce { hash, fresh_until: UnixMillis::from_seconds(fresh_until) }
    }

    #[test]
    fn a_nonce_is_new_once_while_it_could_be_fresh() {
        let mut nonces = Nonces::default();
        let at = UnixMillis::from_seconds;
        assert_eq!(nonces.check(&nonce(1, 400), NONE, at(100)), Verdict::New);
        nonces.remember(&nonce(1, 400));
        assert_eq!(nonces.check(&nonce(1, 400), NONE, at(100)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(1, 460), NONE, at(460)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(2, 400), NONE, at(100)), Verdict::New);
        assert_eq!(nonces.check(&nonce(2, 400), NONE, at(459)), Verdict::New);
        assert_eq!(
            nonces.check(&nonce(2, 400), NONE, at(460)),
            Verdict::Unsure,
            "it would not be remembered"
        );
        assert_eq!(nonces.check(&nonce(1, 800), NONE, at(461)), Verdict::New);
        assert!(nonces.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_forgets_none_early() {
        let mut nonces = Nonces::default();
        for hash in 0..MOST as u64 {
            let fresh = nonce(hash, 400 + hash);
            assert_eq!(nonces.check(&fresh, NONE, UnixMillis::from_seconds(100)), Verdict::New);
            nonces.remember(&fresh);
        }
        let first_free = UnixMillis::from_seconds(460);
        assert_eq!(
            nonces.check(&nonce(9_999, 400), NONE, UnixMillis::from_seconds(100)),
            Verdict::Full(first_free)
        );
        assert_eq!(nonces.check(&nonce(0, 400), NONE, UnixMillis::from_seconds(100)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(9_999, 900), NONE, UnixMillis::from_seconds(461)), Verdict::New);
    }

    #[test]
    fn what_a_crash_may_have_taken_is_not_admitted() {
        let mut nonces = Nonces::default();
        let now = UnixMillis::from_seconds(1_000);
        let horizon = horizon_ahead(now);
        assert_eq!(nonces.check(&nonce(1, 1_303), horizon, now), Verdict::Unsure);
        assert_eq!(nonces.check(&nonce(1, 1_304), horizon, now), Verdict::New);
        nonces.remember(&nonce(1, 1_200));
        assert_eq!(nonces.check(&nonce(1, 1_200), horizon, now), Verdict::Replayed, "known for certain");
        assert!(nonces.after(UnixMillis::from_seconds(1_260)).is_empty());
        assert!(!nonces.after(UnixMillis::from_seconds(1_259)).is_empty());
        assert!(nonces.moments().eq([UnixMillis::from_seconds(1_260)]));
        // The fastest clock allowed is five minutes ahead.
        let horizon = horizon_of_all(now);
        assert_eq!(nonces.check(&nonce(2, 1_600), horizon, now), Verdict::Unsure);
        assert_eq!(nonces.check(&nonce(2, 1_601), horizon, now), Verdict::New);
    }
}
