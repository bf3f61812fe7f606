//! The attacks by name: what each sends, how fast, and what it may be answered.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pip_aide_gateway::token::enrol::{Challenge, is_solution};
use pip_aide_gateway::token::keys::{Keyring, Purpose};
use pip_aide_gateway::units::UnixMillis;
use serde_json::json;

use super::arena::Arena;
use super::bombs::{self, LARGEST};
use super::flood::{Flood, Taken};
use super::requests::{analysis, head, network, request, token};
use super::slow::{Framing, Slow};
use super::strangers;
use crate::support::credentials::{Key, bearer, unix_seconds};
use crate::support::provider::claims;
use crate::support::{random_bytes, random_word};

/// Machines that attack by turns: somebody who enrolled so many, or stole their tokens.
const ATTACKERS: usize = 10;
/// Connections of one attacker's host.
const CONNECTIONS: usize = 200;
/// The work that enrolment asks for in these tests.
pub const DIFFICULTY: u8 = 8;

/// Makes the request of a number.
pub type Maker = Box<dyn FnMut(u64) -> Vec<u8>>;

/// Who else than machines with tokens is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Besides {
    /// Nobody.
    Nobody,
    /// Callers without a credential.
    Strangers,
    /// Those who have a token of an identity provider.
    Provider,
}

/// What an attack does.
#[derive(Clone, Copy)]
pub enum Means {
    /// So many requests a second.
    Flood(u32, fn(&Arena) -> Maker),
    /// So many connections whose bodies never end; whether a machine's token is in their heads.
    Slow(usize, bool),
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Attack {
    /// As it is called.
    pub name: &'static str,
    /// How it is done.
    pub means: Means,
    /// Whom it is about.
    pub besides: Besides,
    /// Every answer that it may get.
    pub answers: &'static [&'static str],
    /// Whether none of it reaches storage.
    pub is_free: bool,
}

impl Attack {
    /// Runs it for so long, at its own rate or a multiple of it.
    pub fn run(&self, arena: &Arena, time: Duration, times: f64) -> Taken {
        let port = arena.worker().port();
        match self.means {
            Means::Flood(rate, maker) => {
                let rate = (f64::from(rate) * times) as u32;
                Flood { rate, time, connections: CONNECTIONS }.run(port, maker(arena))
            }
            Means::Slow(connections, known) => {
                let connections = (connections as f64 * times) as usize;
                let token = token(&arena.key, "slow", None);
                let headers = [("Authorization", token.as_str())];
                let head = head("POST", "/v1/analyze", if known { &headers } else { &[] });
                Slow { connections, time }.run(port, &head, Framing::Length)
            }
        }
    }

    /// Requests a second, or connections, as they are stated.
    pub fn stated(&self) -> String {
        match self.means {
            Means::Flood(rate, _) => format!("{rate}/s"),
            Means::Slow(connections, _) => format!("{connections} open"),
        }
    }
}

const UNAUTHENTICATED: &[&str] = &["401 unauthenticated"];

/// All of them. What a rate is: 1,000 a second for identities and for what strangers send in small; for
/// large bodies what fills a line of 100 to 200 Mbit/s.
pub const ALL: [Attack; 15] = [
    Attack {
        name: "slow bodies of strangers",
        means: Means::Slow(200, false),
        besides: Besides::Nobody,
        answers: UNAUTHENTICATED,
        is_free: true,
    },
    Attack {
        name: "slow bodies of a machine",
        means: Means::Slow(200, true),
        besides: Besides::Nobody,
        answers: &["held open", "400 malformed-request", "429 rate-limited"],
        is_free: true,
    },
    Attack {
        name: "many and long headers",
        means: Means::Flood(1_000, strangers::headers),
        besides: Besides::Nobody,
        answers: UNAUTHENTICATED,
        is_free: true,
    },
    Attack {
        name: "oversized tokens",
        means: Means::Flood(1_000, strangers::oversized),
        besides: Besides::Nobody,
        answers: UNAUTHENTICATED,
        is_free: true,
    },
    Attack {
        name: "forged tokens of a provider",
        means: Means::Flood(1_000, forged),
        besides: Besides::Provider,
        answers: &["401 unauthenticated", "429 rate-limited"],
        is_free: true,
    },
    Attack {
        name: "names that are all new",
        means: Means::Flood(1_000, strangers::names),
        besides: Besides::Nobody,
        answers: UNAUTHENTICATED,
        is_free: true,
    },
    Attack {
        name: "new networks without a token",
        means: Means::Flood(1_000, networks),
        besides: Besides::Strangers,
        answers: &["200 rules", "429 rate-limited"],
        is_free: false,
    },
    Attack {
        name: "challenges, and wrong solutions",
        means: Means::Flood(1_000, enrolments),
        besides: Besides::Nobody,
        answers: &["200", "403 forbidden"],
        is_free: true,
    },
    Attack {
        name: "solved challenges",
        means: Means::Flood(1_000, solved),
        besides: Besides::Nobody,
        answers: &["201", "429 rate-limited"],
        is_free: false,
    },
    Attack {
        name: "new questions beyond the rate",
        means: Means::Flood(500, questions),
        besides: Besides::Nobody,
        answers: &["200 model", "429 rate-limited"],
        is_free: false,
    },
    Attack {
        name: "new machines",
        means: Means::Flood(200, machines),
        besides: Besides::Nobody,
        answers: &["200 rules"],
        is_free: false,
    },
    Attack {
        name: "unicode of 1 MiB",
        means: Means::Flood(20, unicode),
        besides: Besides::Nobody,
        answers: &["200 model", "200 cache", "200 rules", "429 rate-limited"],
        is_free: false,
    },
    Attack {
        name: "nesting of 1 MiB",
        means: Means::Flood(20, nesting),
        besides: Besides::Nobody,
        answers: &["400 malformed-request"],
        is_free: true,
    },
    Attack {
        name: "members of 1 MiB",
        means: Means::Flood(20, members),
        besides: Besides::Nobody,
        answers: &["400 malformed-request"],
        is_free: true,
    },
    Attack {
        name: "bodies that are too large",
        means: Means::Flood(20, too_large),
        besides: Besides::Nobody,
        answers: &["413 body-too-large"],
        is_free: true,
    },
];

/// Tokens that name the provider's key and have a signature of no key, each from a network of its own.
fn forged(arena: &Arena) -> Maker {
    let (provider, kid) = arena.provider.as_ref().expect("this attack has a provider");
    let token = provider.token(kid, &json!({}), &claims("user"));
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let signed = signed.to_owned();
    let from = u64::from_le_bytes(random_bytes());
    Box::new(move |number| {
        // Less than any modulus of 2,048 bits, so that it is a signature to reckon with.
        let signature: Vec<u8> =
            [0; 32].into_iter().chain((0..7).flat_map(|_| random_bytes::<32>())).collect();
        let token = bearer(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
        let address = network(from.wrapping_add(number));
        analysis(&[("Authorization", &token), ("CF-Connecting-IP", &address)], crate::front_door::NO_CV2)
    })
}

/// Each request comes from a network of its own, and asks what a rule knows.
fn networks(_: &Arena) -> Maker {
    let from = u64::from_le_bytes(random_bytes());
    Box::new(move |number| {
        let address = network(from.wrapping_add(number));
        analysis(&[("CF-Connecting-IP", &address)], crate::front_door::NO_CV2)
    })
}

/// Half of them ask for a challenge, half send a wrong solution to one that is not expired.
fn enrolments(arena: &Arena) -> Maker {
    let key = arena.key.clone();
    let from = u64::from_le_bytes(random_bytes());
    Box::new(move |number| {
        let address = network(from.wrapping_add(number));
        let headers = [("CF-Connecting-IP", address.as_str())];
        if number % 2 == 0 {
            return request("POST", "/v1/enroll/challenge", &headers, b"{}");
        }
        let challenge = challenge(&key, &address);
        let wrong = solution(&challenge, false);
        let body = json!({ "challenge": challenge, "solution": wrong }).to_string();
        request("POST", "/v1/enroll", &headers, body.as_bytes())
    })
}

/// The work is done for each. With the gateway's own key, as nobody could ask for them so fast.
fn solved(arena: &Arena) -> Maker {
    let key = arena.key.clone();
    let from = u64::from_le_bytes(random_bytes());
    Box::new(move |number| {
        let address = network(from.wrapping_add(number));
        let challenge = challenge(&key, &address);
        let right = solution(&challenge, true);
        let body = json!({ "challenge": challenge, "solution": right }).to_string();
        request("POST", "/v1/enroll", &[("CF-Connecting-IP", &address)], body.as_bytes())
    })
}

fn challenge(key: &Key, network: &str) -> String {
    let ring = Keyring::parse(&key.setting()).expect("a ring");
    let subkey = ring.signing().subkey(Purpose::Challenge);
    Challenge::issue(&subkey, network, DIFFICULTY, UnixMillis::from_seconds(unix_seconds()), random_bytes())
}

fn solution(challenge: &str, right: bool) -> String {
    (0_u64..)
        .map(|number| number.to_string())
        .find(|solution| is_solution(challenge, solution, DIFFICULTY) == right)
        .expect("there is always another number")
}

/// The tokens of those who attack.
fn attackers(key: &Key) -> Vec<String> {
    (0..ATTACKERS).map(|_| token(key, &format!("attacker-{}", random_word()), None)).collect()
}

/// Questions that no cache can have an answer to.
fn questions(arena: &Arena) -> Maker {
    let tokens = attackers(&arena.key);
    Box::new(move |number| {
        let word = random_word();
        let question =
            format!("Command: pip install {word}\nExit Code: 1\n\n--- stderr ---\n{}", word.repeat(100));
        analysis(&[("Authorization", &tokens[number as usize % ATTACKERS])], &question)
    })
}

/// Each machine asks once: of those whose names a key vouches for, any number.
fn machines(arena: &Arena) -> Maker {
    let key = arena.key.clone();
    Box::new(move |_| {
        let token = token(&key, &format!("one-of-many-{}", random_word()), None);
        analysis(&[("Authorization", &token)], crate::front_door::NO_CV2)
    })
}

fn posted(arena: &Arena, bodies: Vec<Vec<u8>>) -> Maker {
    let tokens = attackers(&arena.key);
    Box::new(move |number| {
        let headers = [("Authorization", tokens[number as usize % ATTACKERS].as_str())];
        request("POST", "/v1/analyze", &headers, &bodies[number as usize % bodies.len()])
    })
}

fn unicode(arena: &Arena) -> Maker {
    posted(arena, (0..bombs::texts().len() as u64).map(bombs::unicode).collect())
}

fn nesting(arena: &Arena) -> Maker {
    posted(arena, vec![bombs::nested(0, LARGEST), bombs::wide(LARGEST), bombs::nested(1, LARGEST)])
}

fn members(arena: &Arena) -> Maker {
    posted(arena, vec![bombs::members(0, LARGEST), bombs::members(1, LARGEST)])
}

fn too_large(arena: &Arena) -> Maker {
    posted(arena, vec![vec![b' '; LARGEST + 1]])
}
