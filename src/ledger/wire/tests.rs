//! The forms of the messages. A Worker and an object of another version may talk to each other
//! while a deployment is rolled out, so a change here has to be one on purpose.

use super::ended::{Ending, Reason};
use super::treasury::{
    Answer, Enrolled, Enrolment, EnrolmentVerdict, Errand, Lease, LeaseRequest, Number, PoolLease,
    PoolRequest, Want,
};
use super::*;
use crate::policy::day::Day;

const AT: UnixMillis = UnixMillis::from_millis(5);

fn pinned<T>(value: &T, text: &str)
where
    T: Serialize + for<'a> Deserialize<'a> + PartialEq + std::fmt::Debug,
{
    assert_eq!(serde_json::to_string(value).unwrap(), text);
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), value);
}

fn revocation() -> Revocation {
    let target = Target::Machine("m".to_owned());
    Revocation { target, at: AT, by: "boss".to_owned(), reason: "lost".to_owned() }
}

fn standing() -> Standing {
    Standing {
        plan: "standard".to_owned(),
        rate_count: 6,
        rate_window: 60,
        burst: 3,
        level: Level { remaining: 2, next_in: 7 },
        in_flight: 1,
        concurrency: 2,
        spent: NanoUsd::from_nanos(8),
        cap: NanoUsd::from_nanos(9),
        now: AT,
        resets_at: UnixMillis::from_millis(6),
    }
}

#[test]
fn what_a_shard_is_told_has_one_form() {
    let admit = Command::Admit(Admission {
        id: "r1".to_owned(),
        subject: "laptop".to_owned(),
        plan: "standard".to_owned(),
        credential: Credential {
            issued_at: AT,
            jti: Some("t1".to_owned()),
            nonce: Some(Nonce { hash: u64::MAX, fresh_until: UnixMillis::from_millis(9) }),
        },
        worst: NanoUsd::from_nanos(7),
        lifetime_ms: 30_000,
        level: None,
    });
    let settled = Settlement {
        id: "r0".to_owned(),
        subject: "laptop".to_owned(),
        charge: Charge::Actual(NanoUsd::from_nanos(3)),
        shard: 1,
        record: Some("{}".to_owned()),
        ended: Some(Ended { outcome: Ending::Uncertain, source: None, tokens: (0, 0), ms: 8 }),
    };
    let mut news = News { requests: 2, ..News::default() };
    news.refuse(Reason::Unauthenticated);
    let message = Message { to: 1, of: 4, settled: vec![settled], news, command: Some(admit) };
    pinned(
        &Call::Shard(message),
        r#"{"shard":{"to":1,"of":4,"settled":[{"id":"r0","subject":"laptop","charge":{"actual":3},"shard":1,"record":{},"ended":{"outcome":"uncertain","ms":8}}],"news":{"requests":2,"refused":[1]},"command":{"admit":{"id":"r1","subject":"laptop","plan":"standard","credential":{"issued_at":5,"jti":"t1","nonce":{"hash":18446744073709551615,"fresh_until":9}},"worst":7,"lifetime_ms":30000}}}}"#,
    );
    pinned(&Message { to: 1, of: 4, ..Message::default() }, r#"{"to":1,"of":4}"#);
    for (command, text) in [
        (
            Command::Look {
                subject: "m".to_owned(),
                plan: "p".to_owned(),
                credential: Credential::default(),
                level: Some(Level { remaining: 1, next_in: 2 }),
            },
            r#"{"look":{"subject":"m","plan":"p","credential":{"issued_at":0},"level":{"remaining":1,"next_in":2}}}"#,
        ),
        (
            Command::Revoke { revocation: revocation(), revision: 3 },
            r#"{"revoke":{"revocation":{"target":{"machine":"m"},"at":5,"by":"boss","reason":"lost"},"revision":3}}"#,
        ),
        (
            Command::Restore { target: Target::IssuedBefore(AT), revision: 4 },
            r#"{"restore":{"target":{"issued_before":5},"revision":4}}"#,
        ),
        (
            Command::Revoke { revocation: Revocation { target: Target::Model, ..revocation() }, revision: 3 },
            r#"{"revoke":{"revocation":{"target":"model","at":5,"by":"boss","reason":"lost"},"revision":3}}"#,
        ),
        (Command::State, r#""state""#),
        (Command::Usage { since: Day::from_number(4) }, r#"{"usage":{"since":4}}"#),
        (
            Command::Machines { order: usage::Order::Spent, limit: 20 },
            r#"{"machines":{"order":"spent","limit":20}}"#,
        ),
        (Command::Machine { subject: "m".to_owned() }, r#"{"machine":{"subject":"m"}}"#),
        (
            Command::Waiting(waiting::Query {
                machine: Some("m".to_owned()),
                from: AT,
                before: Some(waiting::Position(AT, 7, 1)),
                most: 50,
            }),
            r#"{"waiting":{"machine":"m","from":5,"before":[5,7,1],"most":50}}"#,
        ),
    ] {
        pinned(&command, text);
    }
}

#[test]
fn records_that_wait_have_one_form() {
    let key = format!("m:{}", AT.rfc3339());
    let label = crate::ledger::logbook::label::Label::of([key.as_str()].into_iter());
    let waiting = waiting::Waiting {
        records: vec![waiting::Record { key: key.clone(), line: r#"{"a":1}"#.to_owned() }],
        is_cut: true,
        left: vec![waiting::Left { key, label }],
    };
    pinned(
        &Outcome::Waiting(waiting),
        r#"{"waiting":{"records":[{"key":"m:1970-01-01T00:00:00.005Z","line":{"a":1}}],"is_cut":true,"left":[{"key":"m:1970-01-01T00:00:00.005Z","label":{"first":5,"last":5,"count":1,"hashes":7,"machines":"AGhAAABAACE"}}]}}"#,
    );
}

#[test]
fn what_a_shard_answers_has_one_form() {
    let outcome = Outcome::Admitted {
        budget: Budget::Reached(Cap::Service),
        record_at: AT,
        shard: 1,
        standing: standing(),
    };
    pinned(
        &outcome,
        r#"{"admitted":{"budget":{"reached":"service"},"record_at":5,"shard":1,"standing":{"plan":"standard","rate_count":6,"rate_window":60,"burst":3,"level":{"remaining":2,"next_in":7},"in_flight":1,"concurrency":2,"spent":8,"cap":9,"now":5,"resets_at":6}}}"#,
    );
    for (outcome, text) in [
        (Outcome::Moved(Route { shards: 4, salt: 9 }), r#"{"moved":{"shards":4,"salt":9}}"#),
        (Outcome::Settled, r#""settled""#),
        (Outcome::Changed, r#""changed""#),
        (Outcome::Unavailable, r#""unavailable""#),
        (Outcome::Revoked, r#""revoked""#),
        (Outcome::Replayed, r#""replayed""#),
        (Outcome::UnknownPlan, r#""unknown_plan""#),
    ] {
        pinned(&outcome, text);
    }
}

#[test]
fn what_the_treasury_is_told_has_one_form() {
    let request = LeaseRequest {
        shard: 1,
        number: Number(2, 3),
        day: Day::from_number(4),
        holds_only: true,
        revision: 5,
        pools: vec![PoolRequest {
            pool: "service".to_owned(),
            held: NanoUsd::from_nanos(6),
            want: Want::Need(NanoUsd::from_nanos(7)),
        }],
    };
    pinned(
        &Call::Treasury(Errand::Lease(request)),
        r#"{"treasury":{"lease":{"shard":1,"number":[2,3],"day":4,"holds_only":true,"revision":5,"pools":[{"pool":"service","held":6,"want":{"need":7}}]}}}"#,
    );
    let enrolment = Enrolment {
        challenge: "c".to_owned(),
        network: "192.0.2.7".to_owned(),
        difficulty: 18,
        expires_at: AT,
    };
    for (errand, text) in [
        (Errand::Route, r#""route""#),
        (
            Errand::Enrol(enrolment),
            r#"{"enrol":{"challenge":"c","network":"192.0.2.7","difficulty":18,"expires_at":5}}"#,
        ),
        (
            Errand::Revoke(revocation()),
            r#"{"revoke":{"target":{"machine":"m"},"at":5,"by":"boss","reason":"lost"}}"#,
        ),
        (Errand::Restore { target: Target::Jti("t".to_owned()) }, r#"{"restore":{"target":{"jti":"t"}}}"#),
        (Errand::Revocations, r#""revocations""#),
        (Errand::State, r#""state""#),
    ] {
        pinned(&errand, text);
    }
}

#[test]
fn what_the_treasury_answers_has_one_form() {
    let lease = Lease {
        number: Number(2, 3),
        day: Day::from_number(4),
        route: Route { shards: 4, salt: 9 },
        moved: false,
        pools: vec![PoolLease {
            pool: "service".to_owned(),
            granted: NanoUsd::from_nanos(6),
            cap: NanoUsd::from_nanos(8),
            dry: true,
        }],
        revision: 5,
        revocations: None,
    };
    for (answer, text) in [
        (
            Answer::Lease(lease),
            r#"{"lease":{"number":[2,3],"day":4,"route":{"shards":4,"salt":9},"pools":[{"pool":"service","granted":6,"cap":8,"dry":true}],"revision":5}}"#,
        ),
        (Answer::Stale, r#""stale""#),
        (
            Answer::Enrolled(Enrolled { verdict: EnrolmentVerdict::TooMany(7), recent: 3 }),
            r#"{"enrolled":{"verdict":{"too_many":7},"recent":3}}"#,
        ),
        (
            Answer::Changed { changed: true, revision: 6, shards: vec![0, 1] },
            r#"{"changed":{"changed":true,"revision":6,"shards":[0,1]}}"#,
        ),
        (
            Answer::Revocations { revocations: vec![revocation()] },
            r#"{"revocations":{"revocations":[{"target":{"machine":"m"},"at":5,"by":"boss","reason":"lost"}]}}"#,
        ),
    ] {
        pinned(&answer, text);
    }
}

#[test]
fn subjects_spread_evenly_and_stay_where_they_are() {
    let route = Route { shards: 8, salt: 9 };
    let mut counts = [0_u32; 8];
    for number in 0..8_000 {
        let shard = route.shard_of(&format!("machine-{number}"));
        assert_eq!(shard, route.shard_of(&format!("machine-{number}")));
        counts[usize::try_from(shard).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    // Stored, in that machines are where it says: it must not change.
    assert_eq!(["a", "b", "c", "d"].map(|subject| route.shard_of(subject)), PINNED);
    let of_48 = Route { shards: 48, salt: 9 };
    assert_eq!(["a", "b", "c", "d"].map(|subject| of_48.shard_of(subject)), PINNED_OF_48);
    assert_eq!(Route { shards: 1, salt: 9 }.shard_of("a"), 0);
    let other = Route { shards: 8, salt: 10 };
    let moved = (0..100).filter(|number| {
        let subject = format!("machine-{number}");
        route.shard_of(&subject) != other.shard_of(&subject)
    });
    assert!(moved.count() > 70, "without the salt nobody can tell");
}

/// Reckoned with another implementation of SHA-256.
const PINNED: [u32; 4] = [7, 4, 5, 6];
const PINNED_OF_48: [u32; 4] = [39, 20, 37, 6];

#[test]
fn caps_have_the_same_names_on_the_wire_and_for_people() {
    for (cap, name) in [(Cap::Machine, "machine"), (Cap::Plan, "plan"), (Cap::Service, "service")] {
        assert_eq!(cap.name(), name);
        pinned(&cap, &format!("\"{name}\""));
    }
}
