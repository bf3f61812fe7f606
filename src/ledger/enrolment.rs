//! Enrolments: each challenge once, so many a network and so many in all a day.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger::wire::treasury::{Enrolled, Enrolment, EnrolmentVerdict};
use crate::policy::day::Day;
use crate::token::difficulty;
use crate::units::UnixMillis;

/// Enrolments of one network a day. A classroom behind one address still fits.
pub const MOST_A_NETWORK: u32 = 50;
/// Enrolments in all a day. It bounds what one day's flood can leave behind.
pub const MOST_A_DAY: u32 = 2_000;
/// What counts as lately, for the difficulty.
const LATELY: Duration = Duration::from_secs(3_600);
/// Bits by which a challenge may be easier than one issued now: it was issued up to five minutes
/// ago, by an isolate that may not have heard how many enrolled meanwhile.
const GRACE_BITS: u8 = 2;
/// How far the clocks of two isolates may be apart.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// What the ledger remembers of enrolments: one stored row, bounded by the day's cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolments {
    v: u32,
    day: Day,
    total: u32,
    networks: BTreeMap<String, u32>,
    /// Challenges used, with the moment at which they can be forgotten.
    used: BTreeMap<String, UnixMillis>,
    /// When machines enrolled lately.
    recent: Vec<UnixMillis>,
}

const VERSION: u32 = 1;

impl Enrolments {
    /// Whether this is the form that this version writes.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.v == VERSION
    }

    /// Decides on one enrolment and remembers it if it counts. `base` is `ENROLLMENT_DIFFICULTY`,
    /// `day_ends` when the day is over.
    pub fn decide(
        &mut self,
        asked: &Enrolment,
        base: u8,
        today: Day,
        day_ends: UnixMillis,
        now: UnixMillis,
    ) -> Enrolled {
        self.v = VERSION;
        if today > self.day {
            self.day = today;
            self.total = 0;
            self.networks.clear();
        }
        self.used.retain(|_, until| *until >= now);
        self.recent.retain(|at| now.since(*at) < LATELY);
        let verdict = self.verdict(asked, base, day_ends, now);
        if verdict == EnrolmentVerdict::Accepted {
            self.total = self.total.saturating_add(1);
            let network = self.networks.entry(asked.network.clone()).or_default();
            *network = network.saturating_add(1);
            self.used.insert(asked.challenge.clone(), asked.expires_at.plus(CLOCK_MARGIN));
            self.recent.push(now);
        }
        Enrolled { verdict, recent: self.lately() }
    }

    fn verdict(
        &self,
        asked: &Enrolment,
        base: u8,
        day_ends: UnixMillis,
        now: UnixMillis,
    ) -> EnrolmentVerdict {
        if self.used.contains_key(&asked.challenge) {
            return EnrolmentVerdict::Used;
        }
        let of_network = self.networks.get(&asked.network).copied().unwrap_or(0);
        if of_network >= MOST_A_NETWORK || self.total >= MOST_A_DAY {
            return EnrolmentVerdict::TooMany(day_ends.since(now).as_secs().max(1));
        }
        if is_too_easy(asked.difficulty, base, self.lately()) {
            return EnrolmentVerdict::TooEasy;
        }
        EnrolmentVerdict::Accepted
    }

    fn lately(&self) -> u32 {
        u32::try_from(self.recent.len()).unwrap_or(u32::MAX)
    }
}

/// Whether a challenge of so many bits is easier than it may be after so many enrolments lately.
#[must_use]
pub fn is_too_easy(difficulty: u8, base: u8, recent: u32) -> bool {
    difficulty.saturating_add(GRACE_BITS) < difficulty::rising(base, recent)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u8 = 18;
    const END: UnixMillis = UnixMillis::from_seconds(86_400);

    fn ask(challenge: &str, network: &str, difficulty: u8) -> Enrolment {
        Enrolment {
            challenge: challenge.to_owned(),
            network: network.to_owned(),
            difficulty,
            expires_at: UnixMillis::from_seconds(300),
        }
    }

    fn decide(enrolments: &mut Enrolments, asked: &Enrolment, now: u64) -> EnrolmentVerdict {
        enrolments.decide(asked, BASE, Day::from_number(1), END, UnixMillis::from_seconds(now)).verdict
    }

    #[test]
    fn a_challenge_is_used_once() {
        let mut enrolments = Enrolments::default();
        assert_eq!(decide(&mut enrolments, &ask("a", "n", BASE), 0), EnrolmentVerdict::Accepted);
        assert_eq!(decide(&mut enrolments, &ask("a", "n", BASE), 360), EnrolmentVerdict::Used);
        assert_eq!(decide(&mut enrolments, &ask("b", "n", BASE), 360), EnrolmentVerdict::Accepted);
    }

    #[test]
    fn a_network_has_its_share_of_a_day() {
        let mut enrolments = Enrolments::default();
        for number in 0..MOST_A_NETWORK {
            let asked = ask(&number.to_string(), "n", 26);
            assert_eq!(decide(&mut enrolments, &asked, 0), EnrolmentVerdict::Accepted);
        }
        assert_eq!(decide(&mut enrolments, &ask("x", "n", 26), 400), EnrolmentVerdict::TooMany(86_000));
        assert_eq!(decide(&mut enrolments, &ask("x", "other", 26), 400), EnrolmentVerdict::Accepted);
        let tomorrow = Day::from_number(2);
        let next = enrolments.decide(&ask("y", "n", 26), BASE, tomorrow, END, UnixMillis::from_seconds(500));
        assert_eq!(next.verdict, EnrolmentVerdict::Accepted);
    }

    #[test]
    fn a_day_has_its_share_whatever_the_networks() {
        let mut enrolments = Enrolments::default();
        let accepted = (0..3 * MOST_A_DAY)
            .filter(|number| {
                let asked = ask(&number.to_string(), &number.to_string(), 26);
                decide(&mut enrolments, &asked, 0) == EnrolmentVerdict::Accepted
            })
            .count();
        assert_eq!(u32::try_from(accepted), Ok(MOST_A_DAY));
        assert!(serde_json::to_string(&enrolments).unwrap().len() < 300_000, "the row stays small");
    }

    #[test]
    fn work_rises_with_the_rate_and_falls_again() {
        let mut enrolments = Enrolments::default();
        for number in 0..128 {
            let asked = ask(&number.to_string(), &number.to_string(), 26);
            assert_eq!(decide(&mut enrolments, &asked, 0), EnrolmentVerdict::Accepted);
        }
        // Four bits more are wanted, less the grace.
        assert_eq!(decide(&mut enrolments, &ask("easy", "m", BASE + 1), 10), EnrolmentVerdict::TooEasy);
        assert_eq!(decide(&mut enrolments, &ask("hard", "m", BASE + 2), 10), EnrolmentVerdict::Accepted);
        assert_eq!(decide(&mut enrolments, &ask("easy", "m", BASE), 3_599), EnrolmentVerdict::TooEasy);
        assert_eq!(decide(&mut enrolments, &ask("easy", "m", BASE), 3_600), EnrolmentVerdict::Accepted);
    }

    #[test]
    fn the_stored_form_does_not_change_unnoticed() {
        let mut enrolments = Enrolments::default();
        decide(&mut enrolments, &ask("a", "n", BASE), 5);
        assert_eq!(
            serde_json::to_string(&enrolments).unwrap(),
            r#"{"v":1,"day":1,"total":1,"networks":{"n":1},"used":{"a":360000},"recent":[5000]}"#
        );
    }
}
