//! Bodies that are under way in this isolate. It has 128 MB for everything
//! (developers.cloudflare.com/workers/platform/limits), and of a body as much of it is taken as has come, however
//! slowly the rest does: so one caller has only so many of them, and all callers together so many bytes of large ones.
//! What honest clients send is small, and there in milliseconds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::units::UnixMillis;

/// A body of more bytes than this is a large one. The longest of the corpus of failures has half of it.
const LARGE: usize = 65_536;
/// How many small ones of a caller are under way at once, and how many large ones.
const MOST_SMALL: usize = 128;
const MOST_LARGE: usize = 4;
/// How many bytes of large ones of all callers, and of all bodies: large ones leave room for small ones.
const MOST_BYTES_OF_LARGE: usize = 50_331_648;
const MOST_BYTES: usize = 67_108_864;
/// How many bytes of callers whom nobody knows yet. They have a list of their own, and take no room of others.
const MOST_BYTES_OF_STRANGERS: usize = 4_194_304;

/// After so many, those that have long ended are forgotten, whoever has room still.
const SWEEP_EVERY: u64 = 1_024;

/// Them, by caller. In order and not by a hash: without a credential, callers choose what they are called by.
#[derive(Debug)]
pub struct Underway {
    of: BTreeMap<String, BTreeMap<u64, Body>>,
    /// The next one's number.
    next: u64,
    /// Of all of them.
    bytes: usize,
    most_bytes: usize,
}

impl Default for Underway {
    fn default() -> Self {
        Self { of: BTreeMap::new(), next: 0, bytes: 0, most_bytes: MOST_BYTES }
    }
}

#[derive(Clone, Copy, Debug)]
struct Body {
    bytes: usize,
    since: UnixMillis,
    until: UnixMillis,
}

/// By whom a body counts as under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'a> {
    /// Somebody whose head was verified.
    Known(&'a str),
    /// A network that enrols, whom nobody knows yet.
    Stranger(&'a str),
}

/// One of them, until this is dropped.
#[derive(Debug)]
pub struct Held {
    all: Rc<RefCell<Underway>>,
    whose: String,
    number: u64,
}

/// Begins one of `bytes` bytes, which is given up after `life`. `None` where there are too many.
#[must_use]
pub fn hold(
    all: &Rc<RefCell<Underway>>,
    whose: &str,
    bytes: usize,
    now: UnixMillis,
    life: Duration,
) -> Option<Held> {
    let body = Body { bytes, since: now, until: now.plus(life) };
    let number = all.try_borrow_mut().ok()?.begin(whose, body, now)?;
    Some(Held { all: Rc::clone(all), whose: whose.to_owned(), number })
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nobody else has it on loan: a step here ends before another begins.
        if let Ok(mut all) = self.all.try_borrow_mut() {
            all.end(&self.whose, self.number);
        }
    }
}

impl Body {
    const fn is_large(self) -> bool {
        self.bytes > LARGE
    }
}

impl Underway {
    /// Of callers whom nobody knows yet, by their networks.
    #[must_use]
    pub fn of_strangers() -> Self {
        Self { most_bytes: MOST_BYTES_OF_STRANGERS, ..Self::default() }
    }

    fn begin(&mut self, whose: &str, body: Body, now: UnixMillis) -> Option<u64> {
        let number = self.next;
        if !self.has_room(whose, body) || number.is_multiple_of(SWEEP_EVERY) {
            // The platform ends what is done for a request whose client is gone, and drops nothing of it. What began
            // later than now did so while the clock was ahead, and would count until it is there again.
            let counts = |body: &Body| body.since <= now && now <= body.until;
            self.of.values_mut().for_each(|bodies| bodies.retain(|_, body| counts(body)));
            self.of.retain(|_, bodies| !bodies.is_empty());
            self.bytes = self.sum(|_| true);
            if !self.has_room(whose, body) {
                return None;
            }
        }
        self.next = number.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(body.bytes);
        self.of.entry(whose.to_owned()).or_default().insert(number, body);
        Some(number)
    }

    fn has_room(&self, whose: &str, body: Body) -> bool {
        let most = if body.is_large() { MOST_LARGE } else { MOST_SMALL };
        let alike = |other: &&Body| other.is_large() == body.is_large();
        if self.of.get(whose).is_some_and(|bodies| bodies.values().filter(alike).count() >= most) {
            return false;
        }
        // Not looked through for what nearly everybody sends.
        if !body.is_large() {
            return self.bytes.saturating_add(body.bytes) <= self.most_bytes;
        }
        let others = self.sum(|other| other.is_large());
        // One comes in always, whatever MAX_BODY_BYTES is.
        others == 0 || others.saturating_add(body.bytes) <= MOST_BYTES_OF_LARGE
    }

    fn sum(&self, counts: impl Fn(&Body) -> bool) -> usize {
        let all = self.of.values().flat_map(BTreeMap::values).filter(|body| counts(body));
        all.fold(0, |sum, body| sum.saturating_add(body.bytes))
    }

    fn end(&mut self, whose: &str, number: u64) {
        let Some(bodies) = self.of.get_mut(whose) else { return };
        if let Some(body) = bodies.remove(&number) {
            self.bytes = self.bytes.saturating_sub(body.bytes);
        }
        if bodies.is_empty() {
            self.of.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Duration = Duration::from_secs(43);
    const MEGABYTE: usize = 1_048_576;

    fn at(seconds: u64) -> UnixMillis {
        UnixMillis::from_seconds(1_800_000_000 + seconds)
    }

    fn begin(all: &Rc<RefCell<Underway>>, whose: &str, bytes: usize, seconds: u64) -> Option<Held> {
        hold(all, whose, bytes, at(seconds), LIFE)
    }

    #[test]
    fn a_caller_has_few_large_ones_and_more_small_ones_and_others_do_not_notice() {
        for (bytes, most) in [(LARGE + 1, 4), (LARGE, 128), (0, 128)] {
            let all = Rc::default();
            let mut held: Vec<Option<Held>> = (0..most).map(|_| begin(&all, "a", bytes, 0)).collect();
            assert!(held.iter().all(Option::is_some), "{bytes}");
            assert!(begin(&all, "a", bytes, 0).is_none(), "{bytes}");
            assert!(begin(&all, "b", bytes, 0).is_some(), "{bytes}");
            let other = if bytes > LARGE { 1 } else { MEGABYTE };
            assert!(begin(&all, "a", other, 0).is_some(), "{bytes}");
            drop(held.pop());
            assert!(begin(&all, "a", bytes, 0).is_some(), "one has ended");
        }
    }

    #[test]
    fn all_large_ones_together_have_a_bound_and_small_ones_pass_it() {
        let all = Rc::default();
        let names: Vec<String> = (0..12).map(|number| format!("a{number}")).collect();
        let held: Vec<Held> =
            names.iter().flat_map(|name| (0..4).filter_map(|_| begin(&all, name, MEGABYTE, 0))).collect();
        assert_eq!(held.len(), 48);
        assert!(begin(&all, "b", MEGABYTE, 0).is_none());
        assert!(begin(&all, "b", LARGE, 0).is_some());
        drop(held);
        assert!(begin(&all, "b", MEGABYTE, 0).is_some());
        assert!(all.borrow().of.is_empty(), "nothing is left of what has ended");
        assert!(begin(&all, "b", 60 * MEGABYTE, 0).is_some(), "one alone is let in");
    }

    #[test]
    fn all_bodies_together_have_a_bound_and_strangers_one_of_their_own() {
        for (strangers, most) in [(false, 1_024), (true, 64)] {
            let all = if strangers { Underway::of_strangers() } else { Underway::default() };
            let all = Rc::new(RefCell::new(all));
            let names: Vec<String> = (0..32).map(|number| format!("a{number}")).collect();
            let held: Vec<Held> =
                names.iter().flat_map(|name| (0..128).filter_map(|_| begin(&all, name, LARGE, 0))).collect();
            assert_eq!(held.len(), most);
            assert!(begin(&all, "b", 1, 0).is_none() && begin(&all, "b", 0, 0).is_some());
            drop(held);
            assert_eq!(all.borrow().bytes, 0);
            assert!(begin(&all, "b", LARGE, 0).is_some());
        }
    }

    #[test]
    fn what_was_never_ended_counts_no_longer_than_it_could_last() {
        let all = Rc::default();
        for _ in 0..4 {
            std::mem::forget(begin(&all, "a", MEGABYTE, 0));
        }
        assert!(begin(&all, "a", MEGABYTE, 43).is_none());
        assert!(begin(&all, "a", MEGABYTE, 44).is_some());
        // Nor do those that began while the clock was two hours ahead.
        for _ in 0..4 {
            std::mem::forget(begin(&all, "b", MEGABYTE, 7_200));
        }
        assert!(begin(&all, "b", MEGABYTE, 44).is_some());
        // Nor do they stay in memory, of however many callers there were one each.
        for number in 0..10_000_u64 {
            std::mem::forget(begin(&all, &number.to_string(), 0, 100 * number));
        }
        assert!(all.borrow().of.len() <= 1_025, "{}", all.borrow().of.len());
    }
}
