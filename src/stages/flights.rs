//! Questions that the model is being asked in this isolate: who asks the same meanwhile waits for that
//! answer, and pays nothing. A client that gave up waiting asks again while its first question is
//! still under way.

use std::collections::HashMap;
use std::time::Duration;

use crate::seams::{AnswerCache, Upstream};
use crate::units::UnixMillis;

/// How many are kept in mind; those beyond are asked without.
const MOST: usize = 256;

/// How often one who waits looks again. A timer, because no request may wait on the input or output of
/// another (developers.cloudflare.com/workers/observability/errors, "Cannot perform I/O on behalf of
/// a different request").
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Since when each question is being asked, and until when at the latest, by its key.
#[derive(Debug, Default)]
pub struct Flights(HashMap<String, Span>);

#[derive(Clone, Copy, Debug)]
struct Span {
    since: UnixMillis,
    until: UnixMillis,
}

impl Span {
    /// Not of one that began while the clock was ahead: if it never ended, all who ask would wait until it is there again.
    fn has(self, now: UnixMillis) -> bool {
        self.since <= now && now < self.until
    }
}

impl Flights {
    /// Notes that a question is being asked until then at the latest. `false` where somebody else is
    /// at it.
    pub fn begin(&mut self, key: &str, now: UnixMillis, until: UnixMillis) -> bool {
        if self.0.get(key).is_some_and(|span| span.has(now)) {
            return false;
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, span| span.has(now));
        }
        if self.0.len() < MOST {
            self.0.insert(key.to_owned(), Span { since: now, until });
        }
        true
    }

    /// It is not any more. `until` as it was begun: what another began since stays.
    pub fn end(&mut self, key: &str, until: UnixMillis) {
        if self.0.get(key).is_some_and(|span| span.until == until) {
            self.0.remove(key);
        }
    }
}

/// A question that is being asked; it ends when this goes out of scope.
#[derive(Debug)]
pub struct Flight<'a, C: AnswerCache> {
    cache: &'a C,
    key: &'a str,
    until: UnixMillis,
}

/// How a request came to ask.
#[derive(Debug)]
pub struct Turn<'a, C: AnswerCache> {
    /// What says that it asks; `None` where its time was up first.
    pub flight: Option<Flight<'a, C>>,
    /// Whether another asked the same before, whose answer may be there now.
    pub has_waited: bool,
}

/// Waits until nobody else asks the same, at most until the deadline.
pub async fn turn<'a, C: AnswerCache, U: Upstream>(
    cache: &'a C,
    key: &'a str,
    upstream: &U,
    deadline: UnixMillis,
    clock: impl Fn() -> UnixMillis,
) -> Turn<'a, C> {
    let mut has_waited = false;
    while clock() < deadline {
        if cache.begin(key, clock(), deadline) {
            return Turn { flight: Some(Flight { cache, key, until: deadline }), has_waited };
        }
        has_waited = true;
        upstream.pause(LOOK_EVERY).await;
    }
    Turn { flight: None, has_waited }
}

impl<C: AnswerCache> Drop for Flight<'_, C> {
    fn drop(&mut self) {
        self.cache.end(self.key, self.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_at_a_time_and_one_that_never_ended_is_forgotten() {
        let at = UnixMillis::from_seconds;
        let mut flights = Flights::default();
        assert!(flights.begin("a", at(0), at(25)));
        assert!(!flights.begin("a", at(24), at(49)));
        assert!(flights.begin("b", at(24), at(49)));
        assert!(flights.begin("a", at(25), at(50)), "the first did not end");
        flights.end("a", at(25));
        assert!(!flights.begin("a", at(26), at(51)), "the late end of the first is not the second's");
        flights.end("a", at(50));
        assert!(flights.begin("a", at(26), at(51)));
        for number in 0..1_000 {
            assert!(flights.begin(&number.to_string(), at(30), at(55)));
        }
        assert!(flights.0.len() <= MOST);
        assert!(flights.begin("c", at(60), at(85)) && !flights.begin("c", at(61), at(86)));
        // One that began while the clock was two hours ahead, and never ended.
        assert!(flights.begin("d", at(7_260), at(7_285)) && flights.begin("d", at(62), at(87)));
        assert!(!flights.begin("d", at(62), at(87)));
    }
}
