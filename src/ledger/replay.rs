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
}

impl Nonces {
    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the nonce was admitted before; remembers nothing.
    #[must_use]
    pub fn check(&mut self, nonce: &Nonce, now: UnixMillis) -> Verdict {
        self.0.retain(|(until, _)| *until >= now);
        if self.0.iter().any(|(_, hash)| *hash == nonce.hash) {
            return Verdict::Replayed;
        }
        match self.0.iter().map(|(until, _)| *until).min() {
            Some(first) if self.0.len() >= MOST => Verdict::Full(first),
            _ => Verdict::New,
        }
    }

    /// Remembers a nonce that [`Nonces::check`] found new.
    pub fn remember(&mut self, nonce: &Nonce) {
        self.0.push((nonce.fresh_until.plus(CLOCK_MARGIN), nonce.hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(hash: u64, fresh_until: u64) -> Nonce {
        Nonce { hash, fresh_until: UnixMillis::from_seconds(fresh_until) }
    }

    #[test]
    fn a_nonce_is_new_once_while_it_could_be_fresh() {
        let mut nonces = Nonces::default();
        let at = UnixMillis::from_seconds;
        assert_eq!(nonces.check(&nonce(1, 400), at(100)), Verdict::New);
        nonces.remember(&nonce(1, 400));
        assert_eq!(nonces.check(&nonce(1, 400), at(100)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(1, 460), at(460)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(2, 400), at(100)), Verdict::New);
        assert_eq!(nonces.check(&nonce(1, 800), at(461)), Verdict::New);
        assert!(nonces.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_forgets_none_early() {
        let mut nonces = Nonces::default();
        for hash in 0..MOST as u64 {
            let fresh = nonce(hash, 400 + hash);
            assert_eq!(nonces.check(&fresh, UnixMillis::from_seconds(100)), Verdict::New);
            nonces.remember(&fresh);
        }
        let first_free = UnixMillis::from_seconds(460);
        assert_eq!(
            nonces.check(&nonce(9_999, 400), UnixMillis::from_seconds(100)),
            Verdict::Full(first_free)
        );
        assert_eq!(nonces.check(&nonce(0, 400), UnixMillis::from_seconds(100)), Verdict::Replayed);
        assert_eq!(nonces.check(&nonce(9_999, 900), UnixMillis::from_seconds(461)), Verdict::New);
    }
}
