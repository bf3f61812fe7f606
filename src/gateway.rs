//! The stages in their order, and nothing else.

use crate::ledger::wire::{Command, Outcome};
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams::{AnswerCache, Body, Ledger, LogStore, Upstream};
use crate::stages::accept::{Head, Interface, accept_body, accept_head};
use crate::stages::admit::{Admitted, admit};
use crate::stages::answer::{Answered, answer};
use crate::stages::authenticate::authenticate;
use crate::stages::record::{Recorded, record};
use crate::units::UnixMillis;

/// What the stages work with.
#[derive(Debug)]
pub struct Services<L, U, S, C> {
    /// The ledger.
    pub ledger: L,
    /// The model.
    pub upstream: U,
    /// The log.
    pub log: S,
    /// Answers given before.
    pub cache: C,
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

/// What became of an analyse request, for the console.
#[derive(Debug)]
pub enum Report {
    /// Turned down before an answer was looked for.
    Rejected(Reject),
    /// Answered, or given up after looking; and what could not be recorded.
    Done(Box<Answered>, Recorded),
}

/// `POST /analyze_error` and `POST /v1/analyze`:
///
/// 1. accept the head: 415, 400
/// 2. authenticate: 401
/// 3. accept the body: 413, 400
/// 4. admit: 429 rate-limited, 403, 503 ledger-unavailable
/// 5. answer: 200, 429 spend-cap-reached, and on `/v1/analyze` 502 and 504
/// 6. record: after the reply, whether or not anybody still waits for it
///
/// `reply` is called once, as soon as the reply exists.
pub async fn analyze<B: Body, L: Ledger, U: Upstream, S: LogStore, C: AnswerCache>(
    interface: Interface,
    request: Request<B>,
    settings: &Settings,
    services: &Services<L, U, S, C>,
    clock: impl Fn() -> UnixMillis,
    reply: impl FnOnce(Reply),
) -> Report {
    let started = clock();
    let Request { id, random, head, body } = request;
    let admitted = match enter(interface, &id, &head, body, settings, &services.ledger, &clock).await {
        Ok(admitted) => admitted,
        Err(reject) => {
            reply(problem::reply(&reject, &id));
            return Report::Rejected(reject);
        }
    };
    // 5.
    let answered = answer(&admitted, settings, &services.upstream, &services.cache, &random, &clock).await;
    reply(render(&admitted, &answered));
    // 6.
    let recorded =
        record(&admitted, &answered, settings, &services.ledger, &services.log, started, clock()).await;
    Report::Done(Box::new(answered), recorded)
}

/// Steps 1 to 4.
async fn enter<B: Body, L: Ledger>(
    interface: Interface,
    id: &str,
    head: &Head,
    body: B,
    settings: &Settings,
    ledger: &L,
    clock: impl Fn() -> UnixMillis,
) -> Result<Admitted, Reject> {
    // 1.
    let accepted = accept_head(interface, head)?;
    // 2.
    let verified = authenticate(head, settings, clock())?;
    // 3.
    let body = body.read(settings.max_body_bytes).await?;
    let submitted = accept_body(accepted, verified, &body)?;
    // 4. At the price of now: a body can take its time.
    admit(submitted, id, settings, ledger, clock()).await
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

/// `GET /v1/me`: 401, 403, 503, or how the caller stands with its limits.
pub async fn me<L: Ledger>(head: &Head, id: &str, settings: &Settings, ledger: &L, now: UnixMillis) -> Reply {
    match look(head, settings, ledger, now).await {
        Ok((name, standing)) => {
            let body = serde_json::json!({
                "machine_id": name,
                "plan": standing.plan,
                "rate": {
                    "requests": standing.rate_count,
                    "window_seconds": standing.rate_window,
                    "burst": standing.burst,
                    "remaining": standing.level.remaining,
                },
                "concurrency": { "in_flight": standing.in_flight, "limit": standing.concurrency },
                "spend": {
                    "today_usd": standing.spent.to_string(),
                    "cap_usd": standing.cap.to_string(),
                    "resets_at": standing.resets_at.rfc3339(),
                },
                "request_id": id,
            });
            Reply::new(200, "application/json", id, body.to_string()).with_limits(&standing)
        }
        Err(reject) => problem::reply(&reject, id),
    }
}

async fn look<L: Ledger>(
    head: &Head,
    settings: &Settings,
    ledger: &L,
    now: UnixMillis,
) -> Result<(String, crate::ledger::wire::Standing), Reject> {
    let verified = authenticate(head, settings, now)?;
    let subject = verified.subject().to_string();
    let command = Command::Look { subject: subject.clone(), plan: verified.plan().to_owned() };
    match ledger.send(&subject, &command).await.map_err(|_| Reject::LedgerUnavailable)? {
        Outcome::Standing(standing) => Ok((subject, standing)),
        Outcome::UnknownPlan => Err(Reject::Forbidden("The credential's plan does not exist here.")),
        _ => Err(Reject::LedgerUnavailable),
    }
}
