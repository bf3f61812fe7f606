//! Operators' routes: who asks is proved first, whatever the route.

use crate::gateway::{Request, json};
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams::{Body, Ledger, LogStore};
use crate::stages::accept::{Head, Operation, accept_json};
use crate::stages::authenticate::authenticate_operator;
use crate::stages::oversee::query::Parameters;
use crate::stages::oversee::{kill_switch, ledger, logs, machines, metrics, usage};
use crate::stages::revoke;
use crate::units::UnixMillis;

/// Most bytes of a body.
const MOST_BODY_BYTES: usize = 4_096;

/// `/admin/...`: 200; 400, 401, 403, 404, 413, 415, 503.
pub async fn operate<B: Body, L: Ledger, S: LogStore>(
    operation: Operation,
    request: Request<B>,
    settings: &Settings,
    ledger: &L,
    store: &S,
    now: UnixMillis,
) -> Reply {
    let Request { id, head, body, .. } = request;
    let operator = match authenticate_operator(&head, settings, now) {
        Ok(operator) => operator,
        Err(reject) => return problem::reply(&reject, &id),
    };
    let Head { method, path, query, .. } = &head;
    if matches!(operation, Operation::Machine | Operation::KillSwitch | Operation::Metrics)
        && let Err(reject) = Parameters::read(query, &[], "This route takes no parameters.")
    {
        return problem::reply(&reject, &id);
    }
    let limits = &settings.limits;
    match operation {
        Operation::Ledger => json(200, &id, ledger::ledger(ledger).await),
        Operation::Logs => json(200, &id, logs::logs(query, &id, ledger, store).await),
        Operation::Usage => json(200, &id, usage::usage(query, &id, limits, ledger, now).await),
        Operation::Machines => json(200, &id, machines::machines(query, &id, ledger).await),
        Operation::Machine => json(200, &id, machines::machine(path, &id, ledger).await),
        Operation::Metrics => match metrics::metrics(limits, ledger, now).await {
            Ok(page) => Reply::new(200, metrics::MEDIA_TYPE, &id, page),
            Err(reject) => problem::reply(&reject, &id),
        },
        Operation::Revocations => {
            let revoked = async {
                let body = body_of(&head, body).await?;
                revoke::revoke(method, &body, operator, ledger, now).await
            };
            json(200, &id, revoked.await)
        }
        Operation::KillSwitch => {
            let switched = async {
                let body = body_of(&head, body).await?;
                kill_switch::kill_switch(method, &body, operator, &id, ledger, now).await
            };
            json(200, &id, switched.await)
        }
    }
}

/// The body of a request that changes something; the others' is not read.
async fn body_of<B: Body>(head: &Head, body: B) -> Result<Vec<u8>, Reject> {
    if !matches!(head.method.as_str(), "POST" | "PUT" | "DELETE") {
        return Ok(Vec::new());
    }
    accept_json(head)?;
    body.read(MOST_BODY_BYTES).await
}
