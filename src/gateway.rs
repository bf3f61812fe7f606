//! The stages in their order, and nothing else.

use std::time::Duration;

use serde::Serialize;

use crate::ledger::bucket::Level;
use crate::ledger::wire::Refusal;
use crate::policy::plans::STANDARD;
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams::{AnswerCache, Body, Buckets, KeyStore, Ledger, LedgerUnavailable, TooMany, Upstream};
use crate::stages::accept::{Head, Interface, accept_body, accept_head, accept_json};
use crate::stages::admit::{Admitted, admit};
use crate::stages::answer::{Answered, answer, keep};
use crate::stages::authenticate::{Refused, Verified, Verifying, authenticate, foreign_token};
use crate::stages::beforehand::{may_come, still_waits, unseen};
use crate::stages::enrol;
use crate::stages::record::record;
use crate::stages::underway::Sender;
use crate::token::Denied;
use crate::token::network::Network;
use crate::units::UnixMillis;

/// What the stages work with.
#[derive(Debug)]
pub struct Services<L, B, U, C, K> {
    /// The ledger.
    pub ledger: L,
    /// Buckets outside it.
    pub buckets: B,
    /// The model.
    pub upstream: U,
    /// Answers given before.
    pub cache: C,
    /// The identity provider's keys.
    pub keys: K,
}

/// A request as the edge hands it over.
#[derive(Debug)]
pub struct Request<B> {
    /// A fresh unguessable id.
    pub id: String,
    /// Fresh unguessable text for the prompt's delimiter.
    pub random: String,
    /// Method, path and headers.
    pub head: Head,
    /// The body, not read yet.
    pub body: B,
}

/// What became of an analyse request, for operators.
#[derive(Debug)]
pub struct Report {
    /// When it came.
    pub started: UnixMillis,
    /// When it had its answer.
    pub ended: UnixMillis,
    /// The status of that.
    pub status: u16,
    /// Who sent it, where that is known.
    pub caller: Option<Box<Verified>>,
    /// How it ended.
    pub end: End,
}

/// How an analyse request ended.
#[derive(Debug)]
pub enum End {
    /// Turned down before an answer was looked for.
    Rejected(Reject),
    /// Answered, or given up after looking; and whether the settlement arrived.
    Done(Box<Answered>, Result<(), LedgerUnavailable>),
}

/// `POST /analyze_error` and `POST /v1/analyze`:
///
/// 1. accept the head: 415, 400
/// 2. authenticate: 401
/// 3. accept the body: 413, 400; 429 rate-limited before it is read, where too many are under way or it is short and
///    the wait is known here, and before it is looked into, where it is long
/// 4. admit: 429 rate-limited, 403, 503 ledger-unavailable
/// 5. answer: 200, 429 spend-cap-reached, and on `/v1/analyze` 502 and 504
/// 6. record: after the reply, whether or not anybody still waits for it
///
/// `reply` is called once, as soon as the reply exists.
pub async fn analyze<R: Body, L: Ledger, B: Buckets, U: Upstream, C: AnswerCache, K: KeyStore>(
    interface: Interface,
    request: Request<R>,
    settings: &Settings,
    services: &Services<L, B, U, C, K>,
    clock: impl Fn() -> UnixMillis,
    reply: impl FnOnce(Reply),
) -> Report {
    let started = clock();
    let Request { id, random, head, body } = request;
    let admitted = match enter(interface, &id, &head, body, settings, services, &clock).await {
        Ok(admitted) => admitted,
        Err(Refused { reject, caller }) => {
            reply(problem::reply(&reject, &id));
            let status = reject.kind().status;
            return Report { started, ended: clock(), status, caller, end: End::Rejected(reject) };
        }
    };
    // 5.
    let mut answered =
        answer(&admitted, settings, &services.upstream, &services.cache, &random, &clock).await;
    reply(render(&admitted, &answered));
    let (status, ended) =
        (answered.result.as_ref().map_or_else(|reject| reject.kind().status, |_| 200), clock());
    // 6.
    let recorded = record(&admitted, &answered, settings, &services.ledger, started, ended).await;
    if let Some((tat, life)) = admitted.ticket.bucket {
        let subject = admitted.submitted.verified.subject().to_string();
        services.buckets.write(&subject, tat, life).await;
    }
    keep(&mut answered, &services.cache).await;
    let caller = Some(Box::new(admitted.submitted.verified));
    Report { started, ended, status, caller, end: End::Done(Box::new(answered), recorded) }
}

/// Steps 1 to 4.
async fn enter<R: Body, L: Ledger, B: Buckets, U, C, K: KeyStore>(
    interface: Interface,
    id: &str,
    head: &Head,
    body: R,
    settings: &Settings,
    services: &Services<L, B, U, C, K>,
    clock: impl Fn() -> UnixMillis,
) -> Result<Admitted, Refused> {
    // 1.
    let accepted = accept_head(interface, head)?;
    // 2.
    let verifying = identify(head, settings, &services.keys, clock()).await?;
    // 3.
    let most = settings.max_body_bytes;
    let now = clock();
    // Of a length that was told, and not as long as any may be.
    let expected = body.expected(most);
    let is_short = expected <= UNREAD && expected < most;
    if let Some(Err(reject)) = verifying
        .known()
        .filter(|_| is_short)
        .map(|caller| may_come(caller, settings, &services.buckets, now))
    {
        return Err(verifying.refused(reject));
    }
    let sender = verifying.sender(&network_of(head));
    let held = services.buckets.hold_body(Sender::Known(&sender), expected, now, body_life(most));
    let Ok(_held) = held else {
        let full = Level { remaining: 0, next_in: 0 };
        let reject = unseen(verifying.plan(), settings, Refusal::Concurrency, full, now);
        return Err(verifying.refused(reject));
    };
    let body = match body.read(most).await {
        Ok(body) => body,
        Err(reject) => return Err(verifying.refused(reject)),
    };
    // Where the head is signed: first that it is the body that was signed.
    let verified = verifying.with_body(&body)?;
    // Others of the same caller may have been sent away meanwhile.
    let late = if is_short {
        still_waits(&verified, &services.buckets, clock())
    } else {
        may_come(&verified, settings, &services.buckets, clock())
    };
    if let Err(reject) = late {
        return Err(Refused::to(verified, reject));
    }
    let submitted = accept_body(accepted, verified, &body)?;
    // 4. At the price of now: a body can take its time.
    admit(submitted, id, settings, &services.ledger, &services.buckets, clock()).await
}

/// A body of at most so many bytes is left unread where its sender has to wait: it costs little to let pass, while a
/// client that is still sending a longer one would not hear the answer.
const UNREAD: usize = 16_384;

/// Longer than `edge.mjs` waits for a body of so many bytes: 10 seconds, and one more for each 32 KB.
fn body_life(most: usize) -> Duration {
    let more = u64::try_from(most / 32_000).unwrap_or(u64::MAX);
    Duration::from_secs(11_u64.saturating_add(more))
}

/// Verifies the head. The provider's keys are looked at only for a token that they alone can verify.
pub(crate) async fn identify<K: KeyStore>(
    head: &Head,
    settings: &Settings,
    keys: &K,
    now: UnixMillis,
) -> Result<Verifying, Reject> {
    let foreign = settings.provider.as_ref().and_then(|provider| Some((provider, foreign_token(head)?)));
    let Some((provider, token)) = foreign else { return authenticate(head, settings, None, now) };
    let jwks = keys.keys_for(provider, &token, now).await;
    // Nothing is waited for from here to the end of the verification, so that none slips by beside another.
    let network = network_of(head);
    if let Err(wait) = keys.may_try(&token, &network, now) {
        let level = Level { remaining: 0, next_in: wait };
        return Err(unseen(STANDARD, settings, Refusal::Rate(wait), level, now));
    }
    let verifying = authenticate(head, settings, jwks.as_deref(), now);
    match verifying {
        Ok(_) => keys.tried(&token, &network, false, now),
        Err(Reject::Unauthenticated(Denied::BadSignature)) => keys.tried(&token, &network, true, now),
        Err(_) => {}
    }
    verifying
}

/// Whence a request comes, as far as that is known.
fn network_of(head: &Head) -> String {
    let network = head.client_address.as_deref().map(Network::parse);
    network.and_then(Result::ok).map_or_else(String::new, |network| network.to_string())
}

fn render(admitted: &Admitted, answered: &Answered) -> Reply {
    let id = &admitted.ticket.request_id;
    match &answered.result {
        Ok(answer) => {
            let body = serde_json::to_string(answer).unwrap_or_else(|_| String::from("{}"));
            Reply::new(200, "application/json", id, body).with_limits(&admitted.ticket.standing)
        }
        // Those that refuse because of a limit say how the caller stands by themselves.
        Err(reject @ (Reject::RateLimited(..) | Reject::SpendCapReached(..))) => problem::reply(reject, id),
        Err(reject) => problem::reply(reject, id).with_limits(&admitted.ticket.standing),
    }
}

/// A stranger's body, once there is room for it: of it 4 KB are read, for ten seconds at most.
async fn strangers_body<R: Body, B: Buckets>(
    head: &Head,
    body: R,
    buckets: &B,
    now: UnixMillis,
) -> Result<Vec<u8>, Reject> {
    const MOST: usize = enrol::MOST_BODY_BYTES;
    accept_json(head)?;
    let network = network_of(head);
    let held = buckets.hold_body(Sender::Stranger(&network), body.expected(MOST), now, body_life(MOST));
    let _held = held.map_err(|TooMany| Reject::EnrolmentLimited(STRANGERS_WAIT))?;
    body.read(MOST).await
}

/// Seconds until a stranger whose body found no room should come again.
const STRANGERS_WAIT: u64 = 5;

/// `POST /v1/enroll/challenge`: 200; 400, 403, 413, 415, 429. Touches nothing.
pub async fn challenge<R: Body, B: Buckets>(
    request: Request<R>,
    settings: &Settings,
    buckets: &B,
    recent: u32,
    random: [u8; 16],
    now: UnixMillis,
) -> Reply {
    let Request { id, head, body, .. } = request;
    let issued = async {
        let body = strangers_body(&head, body, buckets, now).await?;
        enrol::challenge(&head, &body, settings, recent, random, now)
    };
    json(200, &id, issued.await)
}

/// `POST /v1/enroll`: 201; 400, 403, 413, 415, 429, 503. Also how many enrolled lately, where the
/// ledger said so; `heard` tells what it said a moment ago.
pub async fn enroll<R: Body, L: Ledger, B: Buckets>(
    request: Request<R>,
    settings: &Settings,
    ledger: &L,
    buckets: &B,
    heard: impl FnOnce() -> Option<u32>,
    random: [u8; 32],
    now: UnixMillis,
) -> (Reply, Option<u32>) {
    let Request { id, head, body, .. } = request;
    match strangers_body(&head, body, buckets, now).await {
        Ok(body) => {
            let (result, recent) = enrol::redeem(&head, &body, settings, ledger, heard(), random, now).await;
            (json(201, &id, result), recent)
        }
        Err(reject) => (problem::reply(&reject, &id), None),
    }
}

/// An answer as JSON, or the problem.
pub(crate) fn json<T: Serialize>(status: u16, id: &str, result: Result<T, Reject>) -> Reply {
    match result.map(|answer| serde_json::to_string(&answer)) {
        Ok(Ok(body)) => Reply::new(status, "application/json", id, body),
        Ok(Err(_)) => problem::reply(&Reject::Misconfigured, id),
        Err(reject) => problem::reply(&reject, id),
    }
}
