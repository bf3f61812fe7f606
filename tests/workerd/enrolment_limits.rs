//! The limits of enrolment in time and number: challenges made with the gateway's own key and code,
//! dated as the test needs them, for networks as many as it needs.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use pip_aide_gateway::token::difficulty;
use pip_aide_gateway::token::enrol::{Challenge, is_solution};
use pip_aide_gateway::token::keys::{Keyring, Purpose};
use pip_aide_gateway::units::UnixMillis;
use serde_json::{Value, json};

use crate::support::credentials::{Key, unix_seconds};
use crate::support::door::Door as _;
use crate::support::enrol::{address, post, solved};
use crate::support::fleet::Fleet;
use crate::support::gateway::Settings;
use crate::support::random_bytes;

const BASE: u8 = 8;

fn easy() -> Settings {
    Settings::new().unhurried().var("ENROLLMENT_DIFFICULTY", &BASE.to_string())
}

/// A challenge of this moment and its solution, as the body of an enrolment.
fn made(key: &Key, network: &str, difficulty: u8, issued_at: u64) -> Value {
    let ring = Keyring::parse(&key.setting()).expect("a ring");
    let subkey = ring.signing().subkey(Purpose::Challenge);
    let moment = UnixMillis::from_seconds(issued_at);
    let challenge = Challenge::issue(&subkey, network, difficulty, moment, random_bytes());
    let solution = (0_u64..)
        .map(|number| number.to_string())
        .find(|solution| is_solution(&challenge, solution, difficulty))
        .expect("there is always another number");
    json!({ "challenge": challenge, "solution": solution })
}

#[test]
fn a_challenge_that_has_expired_is_forbidden() {
    let settings = easy();
    let key = settings.key().clone();
    let fleet = Fleet::start(&[("worker", settings)]);
    let (worker, home, now) = (fleet.member("worker"), address(), unix_seconds());
    let send = |issued_at: u64| post(&worker, &home, "/v1/enroll", &made(&key, &home, BASE, issued_at));
    for (name, issued_at) in [
        ("a second over", now - 301),
        ("a minute over", now - 360),
        ("a day old", now - 86_400),
        ("of the epoch", 0),
        ("of tomorrow", now + 86_400),
        ("of the next minute but one", now + 120),
        ("of the end of time", u64::MAX / 1_000),
    ] {
        let reply = send(issued_at);
        assert_eq!(reply.status, 403, "{name}: {reply:?}");
        reply.assert_problem(403, "forbidden");
    }
    for (name, issued_at) in
        [("just made", now), ("four minutes old", now - 240), ("a little early", now + 10)]
    {
        let reply = send(issued_at);
        assert_eq!(reply.status, 201, "{name}: {reply:?}");
    }
}

#[test]
fn a_challenge_that_is_easier_than_it_may_be_is_not_taken_when_many_enrol() {
    let settings = easy();
    let key = settings.key().clone();
    let fleet = Fleet::start(&[("worker", settings)]);
    let worker = fleet.member("worker");
    let now = unix_seconds();
    for _ in 0..64 {
        let home = address();
        let reply = post(&worker, &home, "/v1/enroll", &made(&key, &home, BASE + 3, now));
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    // Saved up while it was easy: more than two bits below what is asked for now.
    let home = address();
    let reply = post(&worker, &home, "/v1/enroll", &made(&key, &home, BASE, now));
    reply.assert_problem(429, "rate-limited");
    assert!(reply.retry_after() >= 1, "{reply:?}");
    assert_eq!(post(&worker, &home, "/v1/enroll", &solved(&worker, &home)).status, 201, "a new one is");
}

#[test]
fn two_thousand_machines_enrol_a_day_from_all_networks_together_and_no_more() {
    const MOST: usize = 2_000;
    const MORE: usize = 40;
    // The day changes twelve hours from now, not in the middle of this.
    let hour = (unix_seconds() / 3_600 + 12) % 24;
    let settings = easy().var("DAY_STARTS_AT", &format!("{hour:02}:00Z"));
    let key = settings.key().clone();
    let fleet = Fleet::start(&[("worker", settings)]);
    let worker = fleet.member("worker");
    let (next, statuses) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<u16, usize>::new()));
    let enrol = |network: &str, number: usize| {
        // As hard as it must be when the ledger has seen a few more than it has, and two bits less:
        // what it lets pass.
        let lately = u32::try_from(number + 64).expect("a small number");
        let difficulty = difficulty::rising(BASE, lately).saturating_sub(2).max(BASE);
        post(&worker, network, "/v1/enroll", &made(&key, network, difficulty, unix_seconds()))
    };
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= MOST + MORE {
                        return;
                    }
                    // Far from the share of any one network.
                    let network = format!("10.77.{}.{}", number / 20 / 256, number / 20 % 256);
                    let reply = enrol(&network, number);
                    if reply.status == 429 {
                        reply.assert_problem(429, "rate-limited");
                        assert!((3_600..=86_400).contains(&reply.retry_after()), "{reply:?}");
                    }
                    *statuses.lock().expect("no thread panicked").entry(reply.status).or_default() += 1;
                }
            });
        }
    });
    let statuses = statuses.into_inner().expect("no thread panicked");
    assert_eq!(statuses, BTreeMap::from([(201, MOST), (429, MORE)]));
    // Nor for somebody who was never here, whatever the work.
    let reply = enrol(&address(), 1 << 20);
    reply.assert_problem(429, "rate-limited");
    // Who has a token does not notice.
    let token = crate::support::credentials::bearer(&key.token("enrolled-long-ago"));
    assert_eq!(worker.look(&token).status, 200);
}
