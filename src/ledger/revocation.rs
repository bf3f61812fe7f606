//! Credentials out of use. All of a shard's revocations are in its memory, so that asking costs no
//! storage; there are as many as operators make.

use std::collections::BTreeMap;

use crate::ledger::wire::{Credential, Revocation, Target};
use crate::units::UnixMillis;

/// Every revocation in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations(BTreeMap<Target, Revocation>);

impl Revocations {
    /// Whether a subject's credential is out of use.
    #[must_use]
    pub fn cover(&self, subject: &str, credential: &Credential) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let before = self.0.keys().rev().find_map(|target| match target {
            Target::IssuedBefore(moment) => Some(*moment),
            _ => None,
        });
        let token = credential.jti.as_ref();
        self.0.contains_key(&Target::Machine(subject.to_owned()))
            || token.is_some_and(|jti| self.0.contains_key(&Target::Jti(jti.clone())))
            || before.is_some_and(|moment| credential.issued_at < moment)
    }

    /// Whether the model is switched off.
    #[must_use]
    pub fn is_model_off(&self) -> bool {
        self.0.contains_key(&Target::Model)
    }

    /// The one with this target.
    #[must_use]
    pub fn get(&self, target: &Target) -> Option<&Revocation> {
        self.0.get(target)
    }

    /// Puts one in force. `false` when it was already: the first word on it stands.
    pub fn add(&mut self, revocation: Revocation) -> bool {
        if self.0.contains_key(&revocation.target) {
            return false;
        }
        self.0.insert(revocation.target.clone(), revocation);
        true
    }

    /// Takes one back. `false` when there is none.
    pub fn remove(&mut self, target: &Target) -> bool {
        self.0.remove(target).is_some()
    }

    /// All in force.
    #[must_use]
    pub fn list(&self) -> Vec<Revocation> {
        self.0.values().cloned().collect()
    }
}

/// The time that an enrolled machine's id tells: `e`, the seconds since the epoch in eight
/// hexadecimal digits, `-`. Its signing secret was issued then; that of a machine with another id
/// may be as old as its key.
#[must_use]
pub fn enrolled_at(machine: &str) -> Option<UnixMillis> {
    let digits = machine.strip_prefix('e')?.get(..9)?.strip_suffix('-')?;
    let lower = digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    lower.then(|| u64::from_str_radix(digits, 16).ok())?.map(UnixMillis::from_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revocation(target: Target) -> Revocation {
        Revocation {
            target,
            at: UnixMillis::from_seconds(1),
            by: "operator".to_owned(),
            reason: "lost laptop".to_owned(),
        }
    }

    fn token(jti: &str, issued_at: u64) -> Credential {
        Credential { issued_at: UnixMillis::from_seconds(issued_at), jti: Some(jti.to_owned()), nonce: None }
    }

    #[test]
    fn each_kind_covers_what_it_names_and_no_more() {
        let machine = Target::Machine("laptop".to_owned());
        let jti = Target::Jti("t1".to_owned());
        let before = Target::IssuedBefore(UnixMillis::from_seconds(100));
        for (target, covered, free) in [
            (machine, ("laptop", token("x", 500)), ("desktop", token("laptop", 500))),
            (jti, ("laptop", token("t1", 500)), ("t1", token("t2", 500))),
            (before, ("laptop", token("x", 99)), ("laptop", token("x", 100))),
        ] {
            let mut revocations = Revocations::default();
            assert!(!revocations.cover(covered.0, &covered.1));
            assert!(revocations.add(revocation(target.clone())));
            assert!(!revocations.add(revocation(target.clone())), "the first stands");
            assert!(revocations.cover(covered.0, &covered.1), "{target:?}");
            assert!(!revocations.cover(free.0, &free.1), "{target:?}");
            assert!(revocations.remove(&target) && !revocations.remove(&target));
            assert!(!revocations.cover(covered.0, &covered.1), "{target:?}");
        }
    }

    #[test]
    fn the_model_is_off_while_that_is_in_force_and_nobody_is_revoked_by_it() {
        let mut revocations = Revocations::default();
        assert!(!revocations.is_model_off());
        revocations.add(revocation(Target::Model));
        assert!(revocations.is_model_off() && !revocations.cover("m", &token("x", 0)));
        revocations.remove(&Target::Model);
        assert!(!revocations.is_model_off());
    }

    #[test]
    fn the_latest_of_several_moments_counts() {
        let mut revocations = Revocations::default();
        for seconds in [100, 300, 200] {
            revocations.add(revocation(Target::IssuedBefore(UnixMillis::from_seconds(seconds))));
        }
        assert!(revocations.cover("m", &token("x", 299)));
        assert!(!revocations.cover("m", &token("x", 300)));
    }

    #[test]
    fn an_enrolled_machines_id_tells_its_time() {
        assert_eq!(enrolled_at("e6b03b2ff-abc"), Some(UnixMillis::from_seconds(0x6b03_b2ff)));
        for id in ["", "e", "laptop", "e6b03b2f-abc", "e6B03B2FF-x", "e+b03b2ff-x", "evening-machine", "eé"]
        {
            assert_eq!(enrolled_at(id), None, "{id}");
        }
    }
}
