//! Keys change while requests flow. A changed secret is a new version of the Worker, and for a while
//! the old version and the new answer side by side: which of them, no client can tell. Here the
//! versions of a rotation stand on ports of their own, in one workerd and with one ledger.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::front_door::NO_CV2;
use crate::signed::assert_stranger;
use crate::support::client::Reply;
use crate::support::credentials::{Key, bearer};
use crate::support::door::Door as _;
use crate::support::enrol::{address, post, solved};
use crate::support::fleet::{Fleet, Member};
use crate::support::gateway::{Settings, request_body};
use crate::support::random_word;
use crate::support::raw::{Then, exchange};
use crate::support::signing::ToSign;

/// Requests begin this often: 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// Requests in each step, so four seconds of them.
const EACH_STEP: usize = 200;
/// One in so many is a machine that enrols. In all three steps they stay below 64, from where on a
/// version that has just started would give out challenges that are too easy, as SECURITY.md tells.
const ENROLS: usize = 10;

/// What `gatectl keys rotate` makes of a ring.
fn rotate(ring: &str, change: &[&str]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gatectl"))
        .args(["keys", "rotate", "--stdin"])
        .args(change)
        .env_remove("TOKEN_KEYS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gatectl starts");
    child.stdin.take().expect("a pipe").write_all(ring.as_bytes()).expect("it reads the ring");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "gatectl keys rotate {change:?}");
    String::from_utf8(output.stdout).expect("a ring is text").trim().to_owned()
}

/// The versions of one rotation, in the order that the README tells.
struct Rotation {
    fleet: Fleet,
    old: Key,
    new: Key,
    operator: Key,
}

impl Rotation {
    /// The names of the versions: each step is from one to the next.
    const VERSIONS: [&str; 4] = ["before", "added", "first", "removed"];

    fn start() -> Self {
        let settings = Settings::new().unhurried().var("ENROLLMENT_DIFFICULTY", "8");
        let old = settings.key().clone();
        let before = old.setting();
        let added = rotate(&before, &["--standby", "--kid", "client-2"]);
        let first = rotate(&added, &["--promote", "client-2"]);
        let removed = rotate(&first, &["--retire", &old.kid]);
        assert_eq!(first, format!("{removed},{before}"));
        assert_eq!(added, format!("{before},{removed}"));
        let (kid, secret) = removed.split_once('=').expect("a ring of one");
        let new = Key { kid: kid.to_owned(), secret: secret.to_owned() };
        let workers: Vec<(&str, Settings)> = Self::VERSIONS
            .into_iter()
            .zip([before, added, first, removed])
            .map(|(name, ring)| (name, settings.clone().secret("TOKEN_KEYS", &ring)))
            .collect();
        let operator = settings.operator_key().clone();
        Self { fleet: Fleet::start(&workers), old, new, operator }
    }

    fn version(&self, name: &str) -> Member {
        self.fleet.member(name)
    }
}

fn analyze(version: Member, token: &str) -> Reply {
    version.post("/v1/analyze", &bearer(token), &request_body(NO_CV2))
}

fn signed(version: Member, key: &Key, secret: Option<String>, machine: &str) -> Reply {
    let to_sign = ToSign { secret, ..ToSign::analysis(key, machine) };
    to_sign.sign(&version).send(&version)
}

/// One machine's way in: the challenge of one version, redeemed at the other; what that gives out,
/// used at both.
fn enrol_across(issuing: Member, redeeming: Member) -> Vec<(&'static str, Reply)> {
    let home = address();
    let challenge = solved(&issuing, &home);
    let enrolled = post(&redeeming, &home, "/v1/enroll", &challenge);
    let mut replies = vec![("enrolment", enrolled.clone())];
    if enrolled.status == 201 {
        let enrolled = enrolled.json();
        let text = |name: &str| enrolled[name].as_str().expect("text").to_owned();
        let (kid, machine) = enrolled["keyid"].as_str().and_then(|id| id.split_once(':')).expect("a keyid");
        let key = Key { kid: kid.to_owned(), secret: String::new() };
        for version in [issuing, redeeming] {
            replies.push(("token just given out", analyze(version, &text("token"))));
            let secret = Some(text("signing_secret"));
            replies.push(("secret just given out", signed(version, &key, secret, machine)));
        }
        replies.push(("challenge used before", post(&issuing, &home, "/v1/enroll", &challenge)));
    }
    replies
}

/// Requests at 50 a second, alternating over both versions of a step, with the credentials that are
/// in use. Gives what each was and how it was answered.
fn flow(versions: [Member; 2], keys: &[&Key]) -> Vec<(&'static str, Reply)> {
    let replies = Mutex::new(Vec::new());
    let keep = |name, reply| replies.lock().expect("no thread panicked").push((name, reply));
    let tokens: Vec<String> = keys.iter().map(|key| key.token("rotating")).collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..EACH_STEP {
            let due = PACE * u32::try_from(number).expect("a small number");
            std::thread::sleep(due.saturating_sub(started.elapsed()));
            let (one, other) = (versions[number % 2], versions[(number + 1) % 2]);
            let turn = number / 2 % keys.len();
            let (key, token, keep) = (keys[turn], &tokens[turn], &keep);
            scope.spawn(move || match number % ENROLS {
                9 if (number / ENROLS).is_multiple_of(2) => {
                    enrol_across(one, other).into_iter().for_each(|(name, reply)| keep(name, reply));
                }
                9 => enrol_across(other, one).into_iter().for_each(|(name, reply)| keep(name, reply)),
                2 | 3 | 6 => keep("signed request", signed(one, key, None, "rotating")),
                4 => keep("look", one.look(&bearer(token))),
                _ => keep("token", analyze(one, token)),
            });
        }
    });
    let took = started.elapsed();
    assert!(took < 3 * PACE * u32::try_from(EACH_STEP).expect("small"), "not at that pace: {took:?}");
    replies.into_inner().expect("no thread panicked")
}

#[test]
fn keys_change_under_fifty_requests_a_second_while_both_versions_answer() {
    let rotation = Rotation::start();
    let (old, new) = (&rotation.old, &rotation.new);
    let [before, added, first, removed] = Rotation::VERSIONS.map(|name| rotation.version(name));
    // The old key's credentials are out of use when it goes: that is what the last step waits for.
    for (step, versions, keys) in [
        ("the new key is added", [before, added], vec![old]),
        ("the new key is made first", [added, first], vec![old, new]),
        ("the old key is removed", [first, removed], vec![new]),
    ] {
        let replies = flow(versions, &keys);
        assert!(replies.len() > EACH_STEP, "{step}: {}", replies.len());
        for (name, reply) in &replies {
            let wanted = match *name {
                "enrolment" => 201,
                "challenge used before" => 403,
                _ => 200,
            };
            assert_eq!(reply.status, wanted, "{step}: a {name}: {reply:?}");
        }
        let enrolled = replies.iter().filter(|(name, _)| *name == "enrolment").count();
        assert_eq!(enrolled, EACH_STEP / ENROLS, "{step}");
    }
    // Up to its last moment the old key was good, and then all that it made is a stranger's.
    let token = old.token("rotating");
    assert_eq!(analyze(first, &token).status, 200);
    assert_eq!(signed(first, old, None, "rotating").status, 200);
    assert_stranger(&analyze(removed, &token));
    assert_stranger(&signed(removed, old, None, "rotating"));
    let renamed = Key { kid: new.kid.clone(), secret: old.secret.clone() };
    assert_stranger(&analyze(removed, &renamed.token("rotating")));
    let home = address();
    let late = solved(&before, &home);
    post(&removed, &home, "/v1/enroll", &late).assert_problem(403, "forbidden");
    assert_eq!(post(&first, &home, "/v1/enroll", &late).status, 201);
}

/// Why the new key has to verify everywhere before it signs anywhere: this is the outage that the
/// order avoids, and what the test above would see.
#[test]
fn a_key_that_signs_before_every_version_knows_it_locks_machines_out() {
    let rotation = Rotation::start();
    let [before, _, first, _] = Rotation::VERSIONS.map(|name| rotation.version(name));
    let home = address();
    let enrolled = post(&first, &home, "/v1/enroll", &solved(&first, &home));
    assert_eq!(enrolled.status, 201, "{enrolled:?}");
    let token = enrolled.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(analyze(first, &token).status, 200);
    assert_stranger(&analyze(before, &token));
    assert_stranger(&signed(before, &rotation.new, None, "rotating"));
    let challenge = solved(&first, &home);
    post(&before, &home, "/v1/enroll", &challenge).assert_problem(403, "forbidden");
    // The other way round there is no harm: the new version knows both.
    assert_eq!(post(&first, &home, "/v1/enroll", &solved(&before, &home)).status, 201);
}

#[test]
fn what_one_version_admitted_the_other_does_not_admit_again() {
    let rotation = Rotation::start();
    let [before, added, ..] = Rotation::VERSIONS.map(|name| rotation.version(name));
    let sign = |nonce: &str| {
        let to_sign = ToSign { nonce: nonce.to_owned(), ..ToSign::look(&rotation.old, "rotating") };
        to_sign.sign(&before)
    };
    // The same bytes, `Host` included, as the edge would hand them to either version.
    let send = |version: Member, headers: &[(String, String)]| {
        let mut head = format!("GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", before.port());
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        exchange(version.port(), format!("{head}\r\n").as_bytes(), Then::Wait).expect("an answer")
    };
    for [one, other] in [[before, added], [added, before]] {
        let request = sign(&random_word()).headers;
        let reply = send(one, &request);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_stranger(&send(other, &request));
        assert_stranger(&send(one, &request));
    }
    let home = address();
    let challenge = solved(&before, &home);
    assert_eq!(post(&added, &home, "/v1/enroll", &challenge).status, 201);
    post(&before, &home, "/v1/enroll", &challenge).assert_problem(403, "forbidden");
    // A revocation at one of them is in force at the other, on the very next request.
    let token = rotation.old.token("stolen");
    assert_eq!(analyze(before, &token).status, 200);
    assert_eq!(analyze(added, &token).status, 200);
    let authorization = bearer(&rotation.operator.operator_token("alice"));
    let body = json!({ "machine": "stolen", "reason": "lost" }).to_string();
    assert_eq!(added.post("/admin/revocations", &authorization, body.as_bytes()).status, 200);
    analyze(before, &token).assert_problem(403, "revoked");
    analyze(added, &token).assert_problem(403, "revoked");
}
