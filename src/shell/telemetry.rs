//! Lines on the console and points for the Analytics Engine.

use std::cell::{Cell, OnceCell};

use wasm_bindgen::JsValue;
use worker::Env;

use crate::gateway::Report;
use crate::shell::edge::{Edge, console_log};
use crate::shell::now;
use crate::telemetry::line::{self, Request};
use crate::telemetry::point;
use crate::telemetry::sieve::Sieve;
use crate::units::UnixMillis;

const ANALYTICS: &str = "ANALYTICS";

thread_local! {
    static SIEVE: Cell<Sieve> = const { Cell::new(Sieve::new()) };
    static HAS_ANALYTICS: OnceCell<bool> = const { OnceCell::new() };
}

/// What operators see of an analysis.
pub fn tell(edge: &Edge, request: &Request<'_>, report: &Report) {
    match line::is_bounded(report) {
        Some(true) => console_log(&line::of_analysis(request, report, left_out())),
        Some(false) if passes(report.ended) => {
            console_log(&line::of_analysis(request, report, left_out()));
        }
        Some(false) | None => {}
    }
    if has_analytics(|| edge.env())
        && let Some(point) = point::of_analysis(request, report)
    {
        edge.point(&point);
    }
}

/// What they see of another request that has been answered with this status. Strangers are not told of.
pub fn tell_other(request: &Request<'_>, status: u16, started: UnixMillis) {
    let ended = now();
    if status != 401 && passes(ended) {
        console_log(&line::of_other(request, status, (started, ended), left_out()));
    }
}

fn passes(now: UnixMillis) -> bool {
    with_sieve(|sieve| sieve.passes(now))
}

fn left_out() -> u64 {
    with_sieve(Sieve::take_left_out)
}

fn with_sieve<T>(change: impl FnOnce(&mut Sieve) -> T) -> T {
    let mut sieve = SIEVE.get();
    let changed = change(&mut sieve);
    SIEVE.set(sieve);
    changed
}

fn has_analytics(env: impl FnOnce() -> Env) -> bool {
    let look =
        || js_sys::Reflect::get(&env(), &JsValue::from(ANALYTICS)).is_ok_and(|binding| binding.is_object());
    HAS_ANALYTICS.with(|cell| *cell.get_or_init(look))
}
