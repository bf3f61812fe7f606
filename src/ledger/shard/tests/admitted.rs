//! Whether a request goes on, and whether storage has to know of it first.

use super::admit::{ask_first, nanos_until};
use super::*;
use crate::ledger::replay;
use crate::ledger::wire::{Admission, Credential, Nonce};

fn nonce() -> Nonce {
    Nonce { hash: 7, fresh_until: after(300_000) }
}

fn admission(nonce: Option<Nonce>) -> Admission {
    Admission {
        id: "r".to_owned(),
        subject: "m".to_owned(),
        plan: "standard".to_owned(),
        credential: Credential { nonce, ..Credential::default() },
        worst: nano(10),
        lifetime_ms: 35_000,
        level: None,
    }
}

/// A shard with a lease, of which storage knows that so much is gone of the machine's and of the service's.
fn covered(machine: u64, service: u64) -> Shard {
    let mut shard = shard(1);
    let mut leased = fund(TODAY, 0, 1_000);
    (leased.stored, leased.ahead) = ((TODAY, nano(service)), nano(service));
    shard.funds.insert(SERVICE.to_owned(), leased);
    let account = Account::restored(TODAY, nano(0));
    let stored = (TODAY, nano(machine));
    shard.machines.insert("m".to_owned(), Machine { account, stored, ..Machine::default() });
    shard
}

fn admit(shard: &mut Shard, nonce: Option<Nonce>) -> (Outcome, bool) {
    match shard.admit(&limits(1), admission(nonce), 1, 0, NOON) {
        (Turn::Reply(outcome), write) => (outcome, write),
        other => panic!("{other:?}"),
    }
}

#[test]
fn storage_is_told_first_of_what_it_does_not_cover() {
    let remembered = replay::remembered_until(&nonce()).millis();
    for (machine, service, nonce, horizon, writes) in [
        (10, 10, None, 0, false),
        (9, 10, None, 0, true),
        (10, 9, None, 0, true),
        (10, 10, Some(nonce()), remembered, false),
        (10, 10, Some(nonce()), remembered - 1, true),
        (9, 10, Some(nonce()), remembered, true),
    ] {
        let mut shard = covered(machine, service);
        shard.stored_horizon = UnixMillis::from_millis(horizon);
        let (outcome, write) = admit(&mut shard, nonce);
        assert!(matches!(outcome, Outcome::Admitted { .. }), "{outcome:?}");
        assert_eq!(write, writes, "{machine} {service} {horizon}");
    }
}

#[test]
fn a_question_with_a_nonce_is_written_down_where_storage_does_not_cover_it() {
    let remembered = replay::remembered_until(&nonce()).millis();
    for (horizon, writes) in [(remembered, false), (remembered - 1, true), (remembered + 1, false)] {
        let mut shard = Shard { stored_horizon: UnixMillis::from_millis(horizon), ..shard(1) };
        let credential = Credential { nonce: Some(nonce()), ..Credential::default() };
        let (subject, plan) = ("m".to_owned(), "standard".to_owned());
        let look = look::Look { subject, plan, credential, level: None };
        assert_eq!(shard.look(&limits(1), look, 1, 0, NOON).1, writes, "{horizon}");
    }
}

#[test]
fn a_fund_is_covered_by_what_is_stored_of_its_day() {
    for (used, stored, is_covered) in [
        (7, (TODAY, nano(7)), true),
        (7, (TODAY, nano(6)), false),
        (7, (YESTERDAY, nano(8)), false),
        (0, (YESTERDAY, nano(0)), true),
    ] {
        let mut shard = covered(0, 0);
        let mut leased = fund(TODAY, used, 10);
        leased.stored = stored;
        shard.funds.insert(SERVICE.to_owned(), leased);
        let (turn, write) =
            shard.admit(&limits(1), Admission { worst: nano(0), ..admission(None) }, 1, 0, NOON);
        assert!(matches!(turn, Turn::Reply(Outcome::Admitted { .. })), "{turn:?}");
        assert_eq!(write, !is_covered, "{used} {stored:?}");
    }
}

#[test]
fn what_was_set_aside_since_the_row_was_written_is_covered_though_it_came_back() {
    for (since, writes) in [(0, false), (10, false), (11, true)] {
        let mut shard = covered(10, 20);
        shard.funds.get_mut(SERVICE).unwrap().since = nano(since);
        assert_eq!(admit(&mut shard, None).1, writes, "{since}");
    }
}

#[test]
fn a_twentieth_of_a_machines_cap_may_be_written_down_ahead() {
    for (spent, margin) in [(0, 60), (950, 40)] {
        let mut shard = covered(0, 0);
        shard.machines.get_mut("m").unwrap().account.reserve(nano(spent));
        admit(&mut shard, None);
        assert_eq!(shard.machines["m"].margin, nano(margin), "{spent}");
    }
}

#[test]
fn so_many_requests_are_in_flight_at_once() {
    for (count, is_admitted) in [(4_095, true), (4_096, false)] {
        let mut shard = covered(0, 0);
        (0..count).for_each(|number| open(&mut shard, &number.to_string(), after(1)));
        let (outcome, _) = admit(&mut shard, None);
        assert_eq!(matches!(outcome, Outcome::Admitted { .. }), is_admitted, "{count}");
        assert!(is_admitted || outcome == Outcome::Unavailable);
    }
}

#[test]
fn so_many_machines_are_in_memory_at_once() {
    for (count, name, is_admitted) in [(2_047, "new", true), (2_048, "new", false), (2_048, "7", true)] {
        let mut shard = covered(0, 0);
        shard.machines = (0..count).map(|number| (number.to_string(), Machine::default())).collect();
        let admission = Admission { subject: name.to_owned(), ..admission(None) };
        let (turn, _) = shard.admit(&limits(1), admission, 1, 0, NOON);
        let is_reply = matches!(turn, Turn::Reply(Outcome::Admitted { .. }));
        assert_eq!(is_reply, is_admitted, "{count} {name}");
    }
}

#[test]
fn while_the_model_is_off_nothing_is_set_aside_and_nobody_is_asked() {
    let mut shard = shard(1);
    let (by, reason) = ("ann".to_owned(), "a bill".to_owned());
    shard.revocations.add(Revocation { target: Target::Model, at: NOON, by, reason });
    let (outcome, _) = admit(&mut shard, None);
    assert!(matches!(outcome, Outcome::Admitted { budget: Budget::SwitchedOff, .. }), "{outcome:?}");
    assert_eq!((shard.machines["m"].account.used(), shard.sent), (nano(0), 0));
}

#[test]
fn the_treasury_is_asked_twice() {
    for (asked, is_asked) in [(0, true), (1, true), (2, false), (3, false)] {
        let request = shard(1).need_request(&limits(1), nano(1), &[], NOON);
        let (turn, write) = ask_first(request, Command::State, asked);
        assert_eq!((matches!(turn, Turn::Ask(..)), write), (is_asked, false), "{asked}");
        assert!(is_asked || turn == Turn::Reply(Outcome::Unavailable));
    }
}

#[test]
fn a_wait_is_told_in_nanoseconds_and_is_never_none() {
    assert_eq!([nanos_until(after(2), NOON), nanos_until(NOON, NOON)], [2_000_000, 1]);
}
