//! The only code that names the Workers runtime: it turns its requests, objects and stores into the
//! plain types of the rest, and back.

mod buckets;
mod cache;
mod enrolments;
mod http;
mod keys;
mod ledger;
mod settings;
mod upstream;

use std::rc::Rc;

use futures_channel::oneshot;
use worker::{Context, Env, Request, Response, console_error, event};

use crate::cors;
use crate::gateway::{self, Report, Services};
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::stages::accept::{Head, Interface, Route, route};
use crate::stages::answer::Answered;
use crate::status;
use crate::units::UnixMillis;

/// Every request to the Worker.
#[event(fetch, respond_with_errors)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    let id = http::request_id();
    let head = http::head(&request)?;
    let origin = request.headers().get("Origin")?;
    let settings = settings::read(&env);
    let origins = settings.as_ref().map_or(&[][..], |settings| &settings.cors_origins);
    let allowed = cors::allowed(origin.as_deref(), origins);
    if let Some(reply) = cors::preflight(&head.method, &head.path, allowed.as_deref(), &id) {
        return http::respond(reply, false);
    }
    let bodyless = head.method == "HEAD";
    let route = route(&head.method, &head.path);
    let reply = match route {
        Ok(Route::Health) => status::health(&id),
        Ok(Route::Ready) => status::ready(&settings::faults(&env, &settings), &id),
        // A gateway that is not set up right serves nothing else, lest a limit be off unnoticed.
        route => match usable(&env, settings).and_then(|settings| Ok((settings, route?))) {
            Err(reject) => problem::reply(&reject, &id),
            Ok((_, Route::Health | Route::Ready | Route::Home)) => status::home(&id),
            Ok((_, Route::OpenApi)) => status::openapi(&id),
            Ok((settings, Route::Me)) => {
                // Apart from the connection too: it may be this request that fetches a provider's
                // keys, which others wait for.
                let own_id = id.clone();
                apart(&context, &id, |reply| async move {
                    let buckets = buckets_of(&env, &settings);
                    let ledger = ledger_of(env, &settings);
                    let standing =
                        gateway::me(&head, &own_id, &settings, &ledger, &buckets, &keys::Keys, now()).await;
                    drop(reply.send(standing));
                })
                .await
            }
            Ok((settings, Route::Challenge)) => {
                let recent = enrolments::lately(now());
                let request = request_of(&id, head, request);
                gateway::challenge(request, &settings, recent, http::random(), now()).await
            }
            Ok((settings, Route::Enroll)) => {
                let request = request_of(&id, head, request);
                let ledger = ledger_of(env, &settings);
                let (reply, recent) =
                    gateway::enroll(request, &settings, &ledger, http::random(), now()).await;
                enrolments::heard(recent, now());
                reply
            }
            Ok((settings, Route::Revocations)) => {
                let request = request_of(&id, head, request);
                let ledger = ledger_of(env, &settings);
                gateway::revocations(request, &settings, &ledger, now()).await
            }
            Ok((settings, Route::LedgerState)) => {
                let ledger = ledger_of(env, &settings);
                gateway::ledger_state(&head, &id, &settings, &ledger, now()).await
            }
            Ok((settings, Route::Analyze(interface))) => {
                analyze(interface, id, head, request, settings, env, &context).await
            }
        },
    };
    http::respond(cors::expose(reply, allowed.as_deref()), bodyless)
}

fn ledger_of(env: Env, settings: &Settings) -> ledger::client::Client {
    ledger::client::Client::new(env, settings.limits.shards)
}

fn buckets_of(env: &Env, settings: &Settings) -> buckets::Store {
    buckets::Store(settings.buckets_in_kv.then(|| env.clone()))
}

/// The settings, if they and the bindings are in order; what is wrong goes to the console.
fn usable(env: &Env, settings: Result<Rc<Settings>, settings::Faults>) -> Result<Rc<Settings>, Reject> {
    let faults = settings::faults(env, &settings);
    match settings {
        Ok(settings) if faults.is_empty() => Ok(settings),
        _ => {
            for fault in faults {
                console_error!("misconfigured: {fault}");
            }
            Err(Reject::Misconfigured)
        }
    }
}

fn request_of(id: &str, head: Head, request: Request) -> gateway::Request<http::Body> {
    gateway::Request { id: id.to_owned(), random: String::new(), head, body: http::Body(request) }
}

/// Runs the stages apart from the client's connection: what was admitted is answered, settled and
/// logged also when nobody waits for it any more.
async fn analyze(
    interface: Interface,
    id: String,
    head: Head,
    request: Request,
    settings: Rc<Settings>,
    env: Env,
    context: &Context,
) -> Reply {
    let request =
        gateway::Request { id: id.clone(), random: http::request_id(), head, body: http::Body(request) };
    apart(context, &id, |sender| async move {
        let services = Services {
            buckets: buckets_of(&env, &settings),
            ledger: ledger_of(env, &settings),
            upstream: upstream::Client::new(),
            cache: cache::Answers,
            keys: keys::Keys,
        };
        let reply = |reply| drop(sender.send(reply));
        let report = gateway::analyze(interface, request, &settings, &services, now, reply).await;
        tell(&report);
    })
    .await
}

/// Runs a task that goes on when the client hangs up (`waitUntil`), and waits for the reply that it
/// sends.
async fn apart<F: Future<Output = ()> + 'static>(
    context: &Context,
    id: &str,
    task: impl FnOnce(oneshot::Sender<Reply>) -> F,
) -> Reply {
    let (sender, receiver) = oneshot::channel();
    context.wait_until(task(sender));
    // The sender is dropped without a word only if the task was ended from outside.
    receiver.await.unwrap_or_else(|_| problem::reply(&Reject::LedgerUnavailable, id))
}

/// What operators should see of a request that did not go well.
fn tell(report: &Report) {
    match report {
        Report::Rejected(Reject::LedgerUnavailable) => console_error!("ledger-unavailable"),
        Report::Rejected(_) => {}
        Report::Done(answered, recorded) => {
            let Answered { upstream_error, .. } = answered.as_ref();
            if let Some(error) = upstream_error {
                console_error!("upstream: {error:?}");
            }
            if recorded.is_err() {
                console_error!(
                    "a settlement may be lost: its reservation is charged in full when it expires"
                );
            }
        }
    }
}

/// The moment, by the platform's clock.
fn now() -> UnixMillis {
    UnixMillis::from_millis(worker::Date::now().as_millis())
}
