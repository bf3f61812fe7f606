//! Enrolment: a machine that nobody knows pays with work for credentials of its own. What costs
//! storage comes after the work is checked.

use serde::Serialize;
use std::time::Duration;

use crate::bytes::hex;
use crate::ledger::enrolment::is_too_easy;
use crate::ledger::wire::treasury::{Answer, Enrolment, EnrolmentVerdict, Errand};
use crate::policy::settings::Settings;
use crate::reject::Reject;
use crate::seams::Ledger;
use crate::stages::accept::Head;
use crate::token::difficulty;
use crate::token::enrol::{self, CHALLENGE_LIFE, Challenge};
use crate::token::jwt::{self, NewToken, TokenPolicy};
use crate::token::keys::Purpose;
use crate::token::machine_id::MachineId;
use crate::token::network::Network;
use crate::token::signed::keyid;
use crate::token::strict_json::{Json, Object};
use crate::units::UnixMillis;

/// Most bytes of an enrolment's body.
pub const MOST_BODY_BYTES: usize = 4_096;

const OFF: Reject = Reject::Forbidden("Machines cannot enrol here. Ask the operator for a token.");
const FAILED: Reject = Reject::Forbidden("The challenge was not met. Ask for a new one.");
/// Another challenge is more work.
const TOO_EASY: Reject = Reject::EnrolmentLimited(1);
const FORM: Reject = Reject::MalformedRequest("Send a JSON object whose members are strings.");

/// The answer to `POST /v1/enroll/challenge`.
#[derive(Debug, Serialize)]
pub struct Issued {
    challenge: String,
    algorithm: &'static str,
    difficulty: u8,
    expires_in: u64,
}

/// The answer to `POST /v1/enroll`.
#[derive(Serialize)]
pub struct Credentials {
    machine_id: String,
    token: String,
    expires_at: String,
    keyid: String,
    signing_secret: String,
}

/// Issues a challenge. Touches nothing: it can be asked for by anybody. `recent` is how many
/// enrolled lately, as far as this isolate has heard.
///
/// # Errors
/// [`Reject::Forbidden`] when enrolment is off, [`Reject::MalformedRequest`].
pub fn challenge(
    head: &Head,
    body: &[u8],
    settings: &Settings,
    recent: u32,
    random: [u8; 16],
    now: UnixMillis,
) -> Result<Issued, Reject> {
    if !settings.enrolment {
        return Err(OFF);
    }
    members(body)?;
    let difficulty = difficulty::rising(settings.limits.enrolment_difficulty, recent);
    let subkey = settings.token_keys.signing().subkey(Purpose::Challenge);
    let challenge = Challenge::issue(&subkey, &network(head)?, difficulty, now, random);
    Ok(Issued { challenge, algorithm: "sha-256", difficulty, expires_in: CHALLENGE_LIFE.as_secs() })
}

/// Redeems a challenge: 1. form and work, by computing alone; 2. the ledger, which takes a challenge
/// once and so many a network and a day; 3. the credentials. Also tells how many enrolled lately. `heard` is how many
/// the ledger said a moment ago: what it would find too easy by that is not sent to it, lest a flood of easy
/// challenges use up the calls of a day.
///
/// # Errors
/// [`Reject::Forbidden`], [`Reject::EnrolmentLimited`], [`Reject::MalformedRequest`],
/// [`Reject::LedgerUnavailable`].
pub async fn redeem<L: Ledger>(
    head: &Head,
    body: &[u8],
    settings: &Settings,
    ledger: &L,
    heard: Option<u32>,
    random: [u8; 32],
    now: UnixMillis,
) -> (Result<Credentials, Reject>, Option<u32>) {
    // 1.
    let asked = match work(head, body, settings, now) {
        Ok(asked) => asked,
        Err(reject) => return (Err(reject), None),
    };
    let base = settings.limits.enrolment_difficulty;
    if heard.is_some_and(|recent| is_too_easy(asked.difficulty, base, recent)) {
        return (Err(TOO_EASY), None);
    }
    // 2.
    let enrolled = match ledger.treasury(Errand::Enrol(asked)).await {
        Ok(Answer::Enrolled(enrolled)) => enrolled,
        _ => return (Err(Reject::LedgerUnavailable), None),
    };
    let result = match enrolled.verdict {
        EnrolmentVerdict::Accepted => credentials(settings, random, now),
        EnrolmentVerdict::Used => Err(FAILED),
        EnrolmentVerdict::TooEasy => Err(TOO_EASY),
        EnrolmentVerdict::TooMany(seconds) => Err(Reject::EnrolmentLimited(seconds)),
    };
    // 3.
    (result, Some(enrolled.recent))
}

fn work(head: &Head, body: &[u8], settings: &Settings, now: UnixMillis) -> Result<Enrolment, Reject> {
    if !settings.enrolment {
        return Err(OFF);
    }
    let members = members(body)?;
    let text = |name| match members.get(name) {
        Some(Json::Text(text)) if !text.is_empty() => Ok(text.as_str()),
        _ => Err(Reject::MalformedRequest("challenge and solution must be strings that are not empty.")),
    };
    let (challenge, solution) = (text("challenge")?, text("solution")?);
    let network = network(head)?;
    let redeemed =
        enrol::redeem(challenge, solution, &settings.token_keys, &network, now).map_err(|_| FAILED)?;
    Ok(Enrolment {
        challenge: hex(&redeemed.id),
        network,
        difficulty: redeemed.difficulty,
        expires_at: redeemed.expires_at,
    })
}

fn credentials(settings: &Settings, random: [u8; 32], now: UnixMillis) -> Result<Credentials, Reject> {
    let (for_id, for_token) = random.split_at(16);
    // The id begins with the time: what was issued before a moment can be told by it (see
    // `ledger::revocation::enrolled_at`).
    let id = format!("e{:08x}-{}", now.seconds(), hex(for_id));
    let machine = MachineId::parse(&id).map_err(|_| Reject::Misconfigured)?;
    let policy = TokenPolicy {
        issuer: &settings.token_issuer,
        audience: &settings.token_audience,
        ttl_days: settings.token_ttl_days,
    };
    let new = NewToken {
        machine: &machine,
        plan: None,
        life: Duration::from_secs(settings.token_ttl_days.saturating_mul(86_400)),
        random: for_token.try_into().map_err(|_| Reject::Misconfigured)?,
    };
    let minted = jwt::mint(&settings.token_keys, &policy, &new, now).map_err(|_| Reject::Misconfigured)?;
    let key = settings.token_keys.signing();
    Ok(Credentials {
        expires_at: minted.claims.expires_at.rfc3339(),
        token: minted.token,
        keyid: keyid(key.kid(), &machine),
        signing_secret: key.subkey(Purpose::RequestSigning { machine: &machine }).reveal_secret(),
        machine_id: id,
    })
}

/// The client's network, which the platform tells. Without it there would be nothing to count by.
fn network(head: &Head) -> Result<String, Reject> {
    let address = head.client_address.as_deref().map(Network::parse);
    match address {
        Some(Ok(network)) => Ok(network.to_string()),
        _ => Err(Reject::Forbidden("The client's address is not known, so it cannot enrol.")),
    }
}

fn members(body: &[u8]) -> Result<Object, Reject> {
    let members = Object::read(body).map_err(|_| FORM)?;
    let all_text = members.names().all(|name| matches!(members.get(name), Some(Json::Text(_))));
    if all_text { Ok(members) } else { Err(FORM) }
}
