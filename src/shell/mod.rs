//! The only code that names the Workers runtime: it turns its requests, objects and stores into the
//! plain types of the rest, and back.

mod buckets;
mod cache;
mod edge;
mod enrolments;
mod http;
mod keys;
mod ledger;
mod logs;
mod settings;
mod telemetry;
mod upstream;

use std::rc::Rc;

use edge::Edge;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::console_error;
use worker::js_sys::Promise;
use worker::js_sys::futures::future_to_promise;

use crate::begin::begin;
use crate::bytes::hex;
use crate::cors;
use crate::gateway::{self, Services};
use crate::me;
use crate::operators;
use crate::policy::settings::Settings;
use crate::problem;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::stages::accept::{Head, Interface, Route, route};
use crate::status;
use crate::telemetry::line::Request;
use crate::telemetry::trace::Trace;
use crate::units::UnixMillis;

/// What `src/shell/entry.mjs` makes a Worker of.
#[wasm_bindgen]
pub struct Gateway;

#[wasm_bindgen]
impl Gateway {
    /// The same for all requests.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default, reason = "it is made in JavaScript")]
    pub fn new() -> Self {
        Self
    }

    /// Every request to the Worker: its head as lines, and what it needs of the platform. The response goes
    /// to `edge`. Where something waits for the platform, the promise is of the end of all that is done for the request.
    pub fn serve(&self, head: &str, edge: Edge) -> Option<Promise> {
        let (head, origin) = http::head(head);
        let rest = begin(serve(head, origin, Rc::new(edge)))?;
        Some(future_to_promise(async move {
            rest.await;
            Ok(JsValue::UNDEFINED)
        }))
    }
}

async fn serve(head: Head, origin: Option<String>, edge: Rc<Edge>) {
    ledger::client::note_request();
    let id = http::request_id();
    let bodyless = head.method == "HEAD";
    let settings = settings::read(|| edge.env());
    let origins = settings.as_ref().map_or(&[][..], |settings| &settings.cors_origins);
    let allowed = cors::allowed(origin.as_deref(), origins);
    if let Some(reply) = cors::preflight(&head.method, &head.path, allowed.as_deref(), &id) {
        return http::respond(&edge, &reply, false);
    }
    let respond = |reply: Reply| http::respond(&edge, &cors::expose(reply, allowed.as_deref()), bodyless);
    let (settings, route) = match route(&head.method, &head.path) {
        Ok(Route::Health) => return respond(status::health(&id)),
        Ok(Route::Ready) => {
            return respond(status::ready(&settings::faults(|| edge.env(), &settings), &id));
        }
        // A gateway that is not set up right serves nothing else, lest a limit be off unnoticed.
        route => match usable(&edge, settings).and_then(|settings| Ok((settings, route?))) {
            Ok(usable) => usable,
            Err(reject) => return respond(problem::reply(&reject, &id)),
        },
    };
    let ledger = ledger_of(&edge, &settings);
    // Who calls the others is known, or turned away.
    let told = matches!(route, Route::Me) || head.path.starts_with("/admin/");
    let seen = told.then(|| (now(), route_name(&head), id.clone(), trace_of(&head, &id, http::random())));
    let request = |id: String, head: Head| request_of(id, head, &edge);
    let reply = match route {
        // The response leaves before the request is recorded.
        Route::Analyze(interface) => {
            return analyze(interface, request(id, head), &settings, ledger, &edge, respond).await;
        }
        Route::Health | Route::Ready | Route::Home => status::home(&id),
        Route::OpenApi => status::openapi(&id),
        Route::Me => {
            let (buckets, keys) = (buckets_of(&edge, &settings), keys::Keys(Rc::clone(&edge)));
            me::show(&head, &id, &settings, &ledger, &buckets, &keys, now()).await
        }
        Route::Challenge => {
            let recent = enrolments::lately(now());
            let buckets = buckets_of(&edge, &settings);
            gateway::challenge(request(id, head), &settings, &buckets, recent, http::random(), now()).await
        }
        Route::Enroll => {
            let (buckets, heard) = (buckets_of(&edge, &settings), || enrolments::just_now(now()));
            let (random, request) = (http::random(), request(id, head));
            let (reply, recent) =
                gateway::enroll(request, &settings, &ledger, &buckets, heard, random, now()).await;
            enrolments::heard(recent, now());
            reply
        }
        Route::Operators(operation) => {
            let store = logs::Store(Rc::clone(&edge));
            operators::operate(operation, request(id, head), &settings, &ledger, &store, now()).await
        }
    };
    let status = reply.status;
    respond(reply);
    if let Some((started, route, id, trace)) = &seen {
        telemetry::tell_other(&Request { route, id, trace }, status, *started);
    }
}

fn ledger_of(edge: &Rc<Edge>, settings: &Settings) -> ledger::client::Client {
    ledger::client::Client::new(Rc::clone(edge), settings.limits.shards)
}

fn buckets_of(edge: &Edge, settings: &Settings) -> buckets::Store {
    buckets::Store(settings.buckets_in_kv.then(|| edge.env()))
}

/// The settings, if they and the bindings are in order; what is wrong goes to the console.
fn usable(edge: &Edge, settings: Result<Rc<Settings>, settings::Faults>) -> Result<Rc<Settings>, Reject> {
    let faults = settings::faults(|| edge.env(), &settings);
    match settings {
        Ok(settings) if faults.is_empty() => Ok(settings),
        _ => {
            for fault in faults.iter() {
                console_error!("misconfigured: {fault}");
            }
            Err(Reject::Misconfigured)
        }
    }
}

fn request_of(id: String, head: Head, edge: &Rc<Edge>) -> gateway::Request<http::Body> {
    gateway::Request { id, random: String::new(), head, body: http::Body(Rc::clone(edge)) }
}

/// Runs the stages.
async fn analyze(
    interface: Interface,
    mut request: gateway::Request<http::Body>,
    settings: &Settings,
    ledger: ledger::client::Client,
    edge: &Rc<Edge>,
    respond: impl FnOnce(Reply),
) {
    // Unguessable both: text for the prompt's delimiter, and this request's part in a trace.
    let random: [u8; 24] = http::random();
    let (delimiter, span) = random.split_at(16);
    request.random = hex(delimiter);
    let trace = Rc::new(trace_of(&request.head, &request.id, span.try_into().unwrap_or_default()));
    let (id, route) = (request.id.clone(), route_name(&request.head));
    let services = Services {
        buckets: buckets_of(edge, settings),
        ledger,
        upstream: upstream::Client::new(Rc::clone(edge), Rc::clone(&trace)),
        cache: cache::Answers(Rc::clone(edge)),
        keys: keys::Keys(Rc::clone(edge)),
    };
    let report = gateway::analyze(interface, request, settings, &services, now, respond).await;
    telemetry::tell(edge, &Request { route: &route, id: &id, trace: &trace }, &report);
}

fn trace_of(head: &Head, id: &str, span: [u8; 8]) -> Trace {
    let (parent, state) = &head.trace;
    Trace::of(parent.as_deref(), state.as_deref(), id, span)
}

/// `POST /v1/analyze`, of a route that there is.
fn route_name(head: &Head) -> String {
    format!("{} {}", head.method, head.path)
}

/// The moment, by the platform's clock.
fn now() -> UnixMillis {
    // No object is made for it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number far below 2^53; a negative one would become 0"
    )]
    let millis = js_sys::Date::now() as u64;
    UnixMillis::from_millis(millis)
}
