//! Answers given before, in the data centre's cache.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use worker::js_sys::futures::JsFuture;

use crate::seams::AnswerCache;
use crate::shell::edge::Edge;
use crate::shell::now;
use crate::stages::flights::Flights;
use crate::stages::recent::Recent;
use crate::units::UnixMillis;

/// The default cache. On `workers.dev` and in previews it keeps nothing.
pub struct Answers(pub Rc<Edge>);

/// The cache's keys are addresses. This one exists nowhere (RFC 2606).
fn address(key: &str) -> String {
    format!("https://answers.invalid/{key}")
}

thread_local! {
    static RECENT: RefCell<Recent> = RefCell::default();
    static FLIGHTS: RefCell<Flights> = RefCell::default();
}

impl AnswerCache for Answers {
    async fn get(&self, key: &str) -> Option<String> {
        if let Some(answer) = RECENT.with_borrow(|recent| recent.get(key, now())) {
            return Some(answer);
        }
        JsFuture::from(self.0.cached(&address(key))).await.ok()?.as_string()
    }

    fn remember(&self, key: &str, answer: &str, until: UnixMillis) {
        RECENT.with_borrow_mut(|recent| recent.put(key, answer, until));
    }

    fn begin(&self, key: &str, now: UnixMillis, until: UnixMillis) -> bool {
        FLIGHTS.with_borrow_mut(|flights| flights.begin(key, now, until))
    }

    fn end(&self, key: &str, until: UnixMillis) {
        FLIGHTS.with_borrow_mut(|flights| flights.end(key, until));
    }

    async fn put(&self, key: &str, answer: String, lifetime: Duration) {
        // A cache may forget; nothing depends on this.
        drop(JsFuture::from(self.0.keep(&address(key), &answer, lifetime.as_secs_f64())).await);
    }
}
