//! Answers that this isolate gave lately, in memory: the platform's cache takes a moment to know them,
//! and a client that did not get its answer asks again at once.

use std::collections::{HashMap, VecDeque};

use crate::units::UnixMillis;

/// How many are kept, and how long each may be: half a megabyte in all.
const MOST: usize = 64;
const LONGEST: usize = 8_192;

/// The answers, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    by_key: HashMap<String, (String, UnixMillis)>,
    order: VecDeque<String>,
}

impl Recent {
    /// The answer under `key`, if it still holds.
    #[must_use]
    pub fn get(&self, key: &str, now: UnixMillis) -> Option<String> {
        self.by_key.get(key).filter(|(_, until)| now < *until).map(|(answer, _)| answer.clone())
    }

    /// Keeps an answer until then, and forgets the oldest where there are too many.
    pub fn put(&mut self, key: &str, answer: &str, until: UnixMillis) {
        if answer.len() > LONGEST {
            return;
        }
        if self.by_key.insert(key.to_owned(), (answer.to_owned(), until)).is_none() {
            self.order.push_back(key.to_owned());
        }
        while self.order.len() > MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_until_its_time_and_few_are_kept() {
        let at = UnixMillis::from_seconds;
        let mut recent = Recent::default();
        recent.put("a", "1", at(10));
        assert_eq!(recent.get("a", at(9)).as_deref(), Some("1"));
        assert_eq!(recent.get("a", at(10)), None);
        recent.put("a", "2", at(20));
        assert_eq!(recent.get("a", at(15)).as_deref(), Some("2"));
        recent.put("b", &"x".repeat(9_000), at(20));
        assert_eq!(recent.get("b", at(1)), None);
        for number in 0..500 {
            recent.put(&number.to_string(), "x", at(20));
            recent.put("a", "2", at(20));
        }
        assert!(recent.by_key.len() <= MOST && recent.order.len() <= MOST);
        assert!(recent.get("499", at(1)).is_some() && recent.get("1", at(1)).is_none());
    }
}
