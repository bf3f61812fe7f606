//! Where the gateway meets what is not its own code. Each trait has one real implementation in
//! `shell` and stand-ins in tests.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::ledger::bucket::{Level, Quota};
use crate::ledger::kv_bucket::Taken;
use crate::ledger::logbook::label::Label;
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::{Command, Outcome, Settlement, Standing};
use crate::policy::settings::Provider;
use crate::policy::upstreams::Endpoint;
use crate::reject::Reject;
use crate::stages::breaker::Breakers;
use crate::stages::underway::{Held, Sender};
use crate::token::jwks::Jwks;
use crate::units::UnixMillis;

/// The body of a request, not read yet.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait Body {
    /// How many bytes of memory reading may take, of a body that is at most `most` bytes long.
    fn expected(&self, most: usize) -> usize {
        most
    }

    /// Reads the whole body, counting what arrives: [`Reject::BodyTooLarge`] beyond `most` bytes,
    /// whatever was announced, and [`Reject::MalformedRequest`] when it breaks off.
    async fn read(self, most: usize) -> Result<Vec<u8>, Reject>;
}

/// Too many bodies are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// The identity provider's published keys.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait KeyStore {
    /// The keys to verify `token` with, fetched first where that is due. `None` when there are none
    /// to be trusted: the token is then refused, and only that.
    async fn keys_for(&self, provider: &Provider, token: &str, now: UnixMillis) -> Option<Rc<Jwks>>;

    /// Whether a token from that network may be verified here; the nanoseconds to wait where too many were forged.
    fn may_try(&self, token: &str, network: &str, now: UnixMillis) -> Result<(), u64> {
        let _ = (token, network, now);
        Ok(())
    }

    /// Notes whether a token's signature was forged.
    fn tried(&self, token: &str, network: &str, is_forged: bool, now: UnixMillis) {
        let _ = (token, network, is_forged, now);
    }
}

/// The ledger could not be asked, or its answer not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerUnavailable;

/// The ledger: its shards and its treasury.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait Ledger {
    /// Sends a command to the shard of a subject, one round trip.
    async fn send(&self, subject: &str, command: Command) -> Result<Outcome, LedgerUnavailable>;
    /// Tells a shard by its number.
    async fn tell(&self, shard: u32, command: Command) -> Result<Outcome, LedgerUnavailable>;
    /// Ends a request, at once or together with another message to the same shard. An error means
    /// that it is not known to have arrived.
    async fn settle(&self, settlement: Settlement) -> Result<(), LedgerUnavailable>;
    /// Sends an errand to the treasury.
    async fn treasury(&self, errand: Errand) -> Result<Answer, LedgerUnavailable>;
}

/// Buckets outside the ledger, where `LIMIT_STORE` says so.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait Buckets {
    /// Takes a token of a subject's bucket. `None` where the ledger keeps the buckets.
    async fn take(&self, subject: &str, quota: Quota, now: UnixMillis) -> Option<Taken>;
    /// What is left in it.
    async fn level(&self, subject: &str, quota: Quota, now: UnixMillis) -> Option<Level>;
    /// Writes a bucket down: its theoretical arrival time, and how long it is to live. Best effort.
    async fn write(&self, subject: &str, tat: u64, life: Duration);

    /// Notes that the ledger found a bucket empty for so many nanoseconds more, for a request that came at
    /// `since`.
    fn note_wait(&self, subject: &str, nanos: u64, standing: &Standing, since: UnixMillis) {
        let _ = (subject, nanos, standing, since);
    }

    /// Takes a token of the bucket that all callers without a credential share here; the nanoseconds to wait
    /// where it is empty.
    fn take_of_strangers(&self, now: UnixMillis) -> Result<(), u64> {
        let _ = now;
        Ok(())
    }

    /// Takes one look of those that a subject has; the nanoseconds to wait where it has none.
    fn take_look(&self, subject: &str, now: UnixMillis) -> Result<(), u64> {
        let _ = (subject, now);
        Ok(())
    }

    /// Begins to read a body, of so many bytes at most and for no longer than `life`: until that is dropped, it
    /// counts. `Err` where too many are under way here.
    fn hold_body(
        &self,
        sender: Sender<'_>,
        bytes: usize,
        now: UnixMillis,
        life: Duration,
    ) -> Result<Option<Held>, TooMany> {
        let _ = (sender, bytes, now, life);
        Ok(None)
    }

    /// Gives back a token that [`Buckets::take`] took for a request that the ledger then turned away.
    fn give_back(&self, subject: &str, quota: Quota) {
        let _ = (subject, quota);
    }

    /// How much longer a subject on this plan has to wait by what was noted, in nanoseconds, and how it
    /// stands.
    fn wait_of(&self, subject: &str, plan: &str, now: UnixMillis) -> Option<(u64, Standing)> {
        let _ = (subject, plan, now);
        None
    }
}

/// Why the upstream gave no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamError {
    /// It refused the request with a 4xx status that says so: nothing was generated.
    Refused(u16),
    /// It failed with this status, or answered with a redirect; what it did before is not known.
    Status(u16),
    /// The connection failed, or the body was cut short.
    Connection,
    /// The total deadline passed.
    Timeout,
    /// The body is larger than any answer should be.
    TooLarge,
    /// The body is no completion with an answer in it.
    Unusable,
    /// None was asked: each failed too often lately.
    Resting,
}

/// A call that gave no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Why.
    pub error: UpstreamError,
    /// How long the upstream wants to be left alone (RFC 9110, 10.2.3).
    pub retry_after: Option<Duration>,
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        Self { error, retry_after: None }
    }
}

/// The OpenAI-compatible models.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait Upstream {
    /// Posts a chat completion request and gives the body of a 200, all within `deadline`.
    async fn ask(&self, to: &Endpoint, body: String, deadline: Duration) -> Result<Vec<u8>, Failed>;

    /// Waits before another call.
    async fn pause(&self, span: Duration);

    /// What is known of the upstreams here.
    fn breakers(&self) -> &RefCell<Breakers>;
}

/// Answers given before to the same question. A cache may forget at any time, so it has no errors.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait AnswerCache {
    /// The answer kept under `key`.
    async fn get(&self, key: &str) -> Option<String>;
    /// Keeps an answer at once, for those who ask here before [`Self::put`] is done.
    fn remember(&self, key: &str, answer: &str, until: UnixMillis) {
        let _ = (key, answer, until);
    }

    /// Notes that the question under `key` is being asked here until then at the latest. `false`
    /// where it is being asked already, by another request.
    fn begin(&self, key: &str, now: UnixMillis, until: UnixMillis) -> bool {
        let _ = (key, now, until);
        true
    }

    /// It is not any more.
    fn end(&self, key: &str, until: UnixMillis) {
        let _ = (key, until);
    }

    /// Keeps an answer for `lifetime`.
    async fn put(&self, key: &str, answer: String, lifetime: Duration);
}

/// A key of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Its metadata. Others than this gateway wrote none.
    pub label: Option<Label>,
}

/// Some keys of the log, in their order as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// At most a thousand.
    pub keys: Vec<Listed>,
    /// Where the next listing begins; `None` after the last.
    pub next: Option<String>,
}

/// The log could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogUnavailable;

/// The log as KV has it: keys may be listed late, and be gone when they are read.
#[allow(async_fn_in_trait, reason = "used generically within one crate, on one thread")]
pub trait LogStore {
    /// Lists keys, from the beginning or from where an earlier listing ended.
    async fn list(&self, from: Option<&str>) -> Result<Listing, LogUnavailable>;
    /// Reads the values of some keys, all at a time.
    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, LogUnavailable>;
}
