//! More at once than the main row has room for.

use super::*;
use crate::ledger::wire::{Admission, Credential};

fn admit(shard: &mut Shard, subject: usize, number: usize, at: UnixMillis) -> Outcome {
    let admission = Admission {
        id: format!("{subject}-{number}"),
        subject: format!("m{subject}"),
        plan: "standard".to_owned(),
        credential: Credential::default(),
        worst: nano(0),
        lifetime_ms: 35_000,
        level: None,
    };
    match shard.admit(&limits(1), admission, 1, 0, at).0 {
        Turn::Reply(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn is_admitted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Admitted { .. })
}

/// A shard with a lease, which sets nothing aside.
fn leased() -> Shard {
    let mut shard = shard(1);
    shard.funds.insert(SERVICE.to_owned(), fund(TODAY, 0, 1_000));
    shard
}

#[test]
fn so_many_machines_have_requests_in_flight_and_those_are_not_turned_away() {
    let mut shard = leased();
    for subject in 0..MOST_MACHINES_AT_ONCE {
        assert!(is_admitted(&admit(&mut shard, subject, 0, NOON)), "{subject}");
    }
    assert_eq!(admit(&mut shard, MOST_MACHINES_AT_ONCE, 0, NOON), Outcome::Unavailable);
    assert!(is_admitted(&admit(&mut shard, 0, 1, NOON)), "one that is there already");
}

#[test]
fn so_many_requests_are_in_flight_and_no_more() {
    let mut shard = leased();
    for number in 0..MOST_OPEN {
        assert!(is_admitted(&admit(&mut shard, number % 8, number, NOON)), "{number}");
    }
    assert_eq!(admit(&mut shard, 0, MOST_OPEN, NOON), Outcome::Unavailable);
}
