//! How many tokens of an identity provider may turn out to be forged. To find that out takes one of its public keys, up
//! to two milliseconds of CPU for RSA, and anybody can name one of these keys: without a bound few strangers would keep
//! an isolate busy. Only signatures that fail count, and a token that has verified here is not turned away.

use std::collections::HashSet;

use sha2::{Digest as _, Sha256};

use crate::ledger::bucket::Quota;
use crate::stages::looks::Allowance;
use crate::units::UnixMillis;

/// Forged tokens of one network in a minute, in one isolate.
pub const FORGED_A_MINUTE: u32 = 10;
/// And at once.
pub const FORGED_AT_ONCE: u32 = 20;
/// Of all networks together in a second: whoever has a network of IPv6 has as many of these as are asked for.
const ALL_FORGED_A_SECOND: u32 = 25;
/// And at once.
const ALL_FORGED_AT_ONCE: u32 = 50;
/// Tokens that are remembered to have verified; beyond it all are forgotten.
const MOST_PROVEN: usize = 4_096;

/// What an isolate knows of the provider's tokens that it has verified lately.
#[derive(Debug, Default)]
pub struct Trials {
    networks: Allowance,
    all: Allowance,
    /// SHA-256 of tokens.
    proven: HashSet<[u8; 32]>,
}

impl Trials {
    /// Whether a token that came from there may be verified.
    ///
    /// # Errors
    /// The nanoseconds to wait.
    pub fn may_try(&mut self, token: &str, network: &str, now: UnixMillis) -> Result<(), u64> {
        let (Some(of_one), Some(of_all)) = quotas() else { return Ok(()) };
        let limited = self.networks.look(network, of_one, now).and_then(|()| self.all.look("", of_all, now));
        if limited.is_err() && self.proven.contains(&digest(token)) {
            return Ok(());
        }
        limited
    }

    /// Notes how that ended: the signature is the provider's, or forged.
    pub fn tried(&mut self, token: &str, network: &str, is_forged: bool, now: UnixMillis) {
        if !is_forged {
            if self.proven.len() >= MOST_PROVEN {
                self.proven.clear();
            }
            self.proven.insert(digest(token));
        } else if let (Some(of_one), Some(of_all)) = quotas() {
            // One that was let through by another bucket's room leaves this one as it is.
            let _ = (self.networks.take(network, of_one, now), self.all.take("", of_all, now));
        }
    }
}

fn quotas() -> (Option<Quota>, Option<Quota>) {
    let of_one = Quota::new(FORGED_A_MINUTE, 60, FORGED_AT_ONCE);
    (of_one, Quota::new(ALL_FORGED_A_SECOND, 1, ALL_FORGED_AT_ONCE))
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> UnixMillis {
        UnixMillis::from_millis(1_800_000_000_000 + millis)
    }

    /// How many of so many forged tokens, one a millisecond, are verified.
    fn verified(trials: &mut Trials, count: u64, network: impl Fn(u64) -> String) -> usize {
        let forge = |number: &u64| {
            let (token, from, now) = (format!("forged {number}"), network(*number), at(*number));
            let is_tried = trials.may_try(&token, &from, now).is_ok();
            if is_tried {
                trials.tried(&token, &from, true, now);
            }
            is_tried
        };
        (0..count).filter(forge).count()
    }

    #[test]
    fn one_network_has_twenty_at_once_and_ten_a_minute_and_others_do_not_notice() {
        let mut trials = Trials::default();
        assert_eq!(trials.may_try("good", "a", at(0)), Ok(()));
        trials.tried("good", "a", false, at(0));
        assert_eq!(verified(&mut trials, 60_000, |_| "a".to_owned()), 20 + 9);
        assert!(trials.may_try("new", "a", at(59_999)).is_err());
        assert_eq!(trials.may_try("good", "a", at(59_999)), Ok(()), "it verified before");
        assert_eq!(trials.may_try("new", "b", at(59_999)), Ok(()));
    }

    #[test]
    fn networks_that_are_all_new_share_a_bound_and_tokens_that_verified_pass() {
        let mut trials = Trials::default();
        trials.tried("good", "a", false, at(0));
        assert_eq!(verified(&mut trials, 4_000, |number| number.to_string()), 50 + 99);
        assert!(trials.may_try("new", "b", at(3_999)).is_err_and(|wait| wait <= 40_000_000));
        assert_eq!(trials.may_try("good", "b", at(3_999)), Ok(()));
        assert_eq!(trials.may_try("new", "b", UnixMillis::from_millis(0)), Ok(()), "the clock is set back");
    }

    #[test]
    fn what_verifies_takes_nothing_and_memory_is_bounded() {
        let mut trials = Trials::default();
        for number in 0..10_000 {
            assert_eq!(trials.may_try(&number.to_string(), "a", at(0)), Ok(()));
            trials.tried(&number.to_string(), "a", false, at(0));
        }
        assert!(trials.proven.len() <= MOST_PROVEN);
    }
}
