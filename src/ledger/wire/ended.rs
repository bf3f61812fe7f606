//! What the counters are told: how a request ended, and what never came as far as the ledger.

use serde::{Deserialize, Serialize};

use crate::ledger::tally::counts::Counts;

/// How an admitted request ended. Log, counters and metrics have the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// With at least one command.
    Answered,
    /// Without a command.
    Uncertain,
    /// A cap was reached and no rule had an answer.
    SpendCapReached,
    /// The upstream failed, or the operator has switched it off, and no rule had an answer.
    UpstreamFailed,
    /// The upstream was too slow and no rule had an answer.
    UpstreamTimeout,
    /// Nobody told in time.
    Unsettled,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Answered,
        Self::Uncertain,
        Self::SpendCapReached,
        Self::UpstreamFailed,
        Self::UpstreamTimeout,
        Self::Unsettled,
    ];

    /// Where it is counted. Stored counts go by it: a new one comes last.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Uncertain => "uncertain",
            Self::SpendCapReached => "spend-cap-reached",
            Self::UpstreamFailed => "upstream-failed",
            Self::UpstreamTimeout => "upstream-timeout",
            Self::Unsettled => "unsettled",
        }
    }
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A built-in rule, or that there is none.
    Rules,
    /// The answer to the same question before.
    Cache,
    /// The model.
    Model,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rules, Self::Cache, Self::Model];

    /// Where it is counted. Stored counts go by it: a new one comes last.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Cache => "cache",
            Self::Model => "model",
        }
    }
}

/// The end of a request, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// How.
    pub outcome: Ending,
    /// Whose answer it was, where there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub source: Option<Source>,
    /// Tokens that the provider counted, of prompt and completion.
    #[serde(skip_serializing_if = "is_none", default)]
    pub tokens: (u64, u64),
    /// Milliseconds from its arrival to its answer.
    pub ms: u64,
}

fn is_none(tokens: &(u64, u64)) -> bool {
    *tokens == (0, 0)
}

/// Why a request was refused, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No credential, or one that does not verify.
    Unauthenticated,
    /// It cannot be read: malformed, too large, or no JSON.
    Malformed,
    /// The credential is out of use.
    Revoked,
    /// Its plan does not exist.
    Forbidden,
    /// A nonce that was admitted before.
    Replayed,
    /// The bucket is empty.
    RateLimited,
    /// As many as are allowed are in flight.
    Concurrency,
    /// The ledger did not answer, or could not say.
    Unavailable,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Unauthenticated,
        Self::Malformed,
        Self::Revoked,
        Self::Forbidden,
        Self::Replayed,
        Self::RateLimited,
        Self::Concurrency,
        Self::Unavailable,
    ];

    /// Where it is counted. Stored counts go by it: a new one comes last.
    #[must_use]
    pub const fn place(self) -> usize {
        self as usize
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Malformed => "malformed",
            Self::Revoked => "revoked",
            Self::Forbidden => "forbidden",
            Self::Replayed => "replayed",
            Self::RateLimited => "rate-limited",
            Self::Concurrency => "concurrency",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What an isolate has seen and no shard has heard of. It rides with a message that goes anyway, so that a
/// stranger costs neither a call nor a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct News {
    /// Requests to the Worker, whatever became of them.
    pub requests: u64,
    /// KV reads of the isolate's own: buckets, where they are kept there, and the log, where operators look.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub kv_reads: u64,
    /// KV writes of its own: buckets.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub kv_writes: u64,
    /// KV lists of its own: the log.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub kv_lists: u64,
    /// Requests to the analyse routes that were refused before the ledger was asked.
    #[serde(skip_serializing_if = "Counts::is_empty", default)]
    pub refused: Counts,
}

fn is_nothing(count: &u64) -> bool {
    *count == 0
}

impl News {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Notes a refusal.
    pub fn refuse(&mut self, reason: Reason) {
        self.refused.add(reason.place(), 1);
    }

    /// Takes in other news.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.kv_reads = self.kv_reads.saturating_add(other.kv_reads);
        self.kv_writes = self.kv_writes.saturating_add(other.kv_writes);
        self.kv_lists = self.kv_lists.saturating_add(other.kv_lists);
        self.refused.take_in(&other.refused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_on_the_wire_and_for_people() {
        let wire = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for ending in Ending::ALL {
            assert_eq!(wire(serde_json::to_value(ending).unwrap()), ending.name());
        }
        for source in Source::ALL {
            assert_eq!(wire(serde_json::to_value(source).unwrap()), source.name());
        }
    }

    #[test]
    fn places_are_stored_and_do_not_change() {
        let names = Ending::ALL.map(|ending| (ending.place(), ending.name()));
        let expected = [
            "answered",
            "uncertain",
            "spend-cap-reached",
            "upstream-failed",
            "upstream-timeout",
            "unsettled",
        ];
        assert_eq!(names, std::array::from_fn(|place| (place, expected[place])));
        let names = Source::ALL.map(|source| (source.place(), source.name()));
        assert_eq!(names, [(0, "rules"), (1, "cache"), (2, "model")]);
        let names = Reason::ALL.map(|reason| (reason.place(), reason.name()));
        let expected = [
            "unauthenticated",
            "malformed",
            "revoked",
            "forbidden",
            "replayed",
            "rate-limited",
            "concurrency",
            "unavailable",
        ];
        assert_eq!(names, std::array::from_fn(|place| (place, expected[place])));
    }

    #[test]
    fn they_have_one_form() {
        let ended =
            Ended { outcome: Ending::Answered, source: Some(Source::Model), tokens: (120, 45), ms: 812 };
        let text = r#"{"outcome":"answered","source":"model","tokens":[120,45],"ms":812}"#;
        assert_eq!(serde_json::to_string(&ended).unwrap(), text);
        assert_eq!(serde_json::from_str::<Ended>(text).unwrap(), ended);
        let ended = Ended { outcome: Ending::UpstreamFailed, source: None, tokens: (0, 0), ms: 0 };
        let text = r#"{"outcome":"upstream-failed","ms":0}"#;
        assert_eq!(serde_json::to_string(&ended).unwrap(), text);
        assert_eq!(serde_json::from_str::<Ended>(text).unwrap(), ended);
        let mut news = News { requests: 3, ..News::default() };
        news.refuse(Reason::RateLimited);
        news.add(&news.clone());
        let text = r#"{"requests":6,"refused":[0,0,0,0,0,2]}"#;
        assert_eq!(serde_json::to_string(&news).unwrap(), text);
        assert_eq!(serde_json::from_str::<News>(text).unwrap(), news);
        assert!(!news.is_empty() && News::default().is_empty());
        let news = News { kv_reads: 1, kv_writes: 2, kv_lists: 3, ..News::default() };
        let text = r#"{"requests":0,"kv_reads":1,"kv_writes":2,"kv_lists":3}"#;
        assert_eq!(serde_json::to_string(&news).unwrap(), text);
        assert_eq!(serde_json::from_str::<News>(text).unwrap(), news);
    }
}
