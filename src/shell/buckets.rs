//! Buckets in `LIMITS_KV`, where `LIMIT_STORE` is `kv`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use worker::Env;

use crate::ledger::bucket::{Level, Quota};
use crate::ledger::kv_bucket::{Buckets, Taken};
use crate::ledger::wire::Standing;
use crate::ledger::wire::ended::Reason;
use crate::seams::{self, TooMany};
use crate::shell::ledger::client::{note_kv_reads, note_kv_write, note_refusal};
use crate::stages::looks::Looks;
use crate::stages::strangers::Strangers;
use crate::stages::underway::{self, Held, Sender, Underway};
use crate::stages::waiting::Waiting;
use crate::units::UnixMillis;

const BINDING: &str = "LIMITS_KV";

thread_local! {
    static BUCKETS: RefCell<Buckets> = RefCell::default();
    static WAITING: RefCell<Waiting> = RefCell::default();
    static STRANGERS: RefCell<Strangers> = RefCell::default();
    static LOOKS: RefCell<Looks> = RefCell::default();
    static UNDERWAY: Rc<RefCell<Underway>> = Rc::default();
    static STRANGERS_UNDERWAY: Rc<RefCell<Underway>> = Rc::new(RefCell::new(Underway::of_strangers()));
}

/// The buckets of this environment; `None` where the ledger keeps them.
pub struct Store(pub Option<Env>);

impl Store {
    /// Reads a bucket, where this isolate has not read it lately. KV that does not answer costs the
    /// bound nothing that this isolate knows of.
    async fn freshen(&self, env: &Env, subject: &str, now: UnixMillis) {
        if !BUCKETS.with_borrow(|buckets| buckets.is_stale(subject, now)) {
            return;
        }
        note_kv_reads(1);
        let text = match env.kv(BINDING) {
            Ok(namespace) => namespace.get(&key(subject)).text().await.ok().flatten(),
            Err(_) => None,
        };
        let tat = text.and_then(|text| text.parse().ok());
        BUCKETS.with_borrow_mut(|buckets| buckets.read(subject, tat, now));
    }
}

fn key(subject: &str) -> String {
    format!("bucket/{subject}")
}

impl seams::Buckets for Store {
    async fn take(&self, subject: &str, quota: Quota, now: UnixMillis) -> Option<Taken> {
        let env = self.0.as_ref()?;
        self.freshen(env, subject, now).await;
        let taken = BUCKETS.with_borrow_mut(|buckets| buckets.take(subject, quota, now));
        // The ledger does not hear of it otherwise.
        if matches!(taken, Taken::No { .. }) {
            note_refusal(Reason::RateLimited);
        }
        Some(taken)
    }

    async fn level(&self, subject: &str, quota: Quota, now: UnixMillis) -> Option<Level> {
        let env = self.0.as_ref()?;
        self.freshen(env, subject, now).await;
        Some(BUCKETS.with_borrow(|buckets| buckets.level(subject, quota, now)))
    }

    async fn write(&self, subject: &str, tat: u64, life: Duration) {
        let put =
            self.0.as_ref().and_then(|env| env.kv(BINDING).ok()?.put(&key(subject), tat.to_string()).ok());
        let Some(put) = put else { return };
        note_kv_write();
        if put.expiration_ttl(life.as_secs().max(60)).execute().await.is_err() {
            worker::console_warn!("LIMITS_KV refused a bucket: other isolates hear of it later");
        }
    }

    fn note_wait(&self, subject: &str, nanos: u64, standing: &Standing, since: UnixMillis) {
        WAITING.with_borrow_mut(|waiting| waiting.note(subject, nanos, standing, since));
    }

    fn take_of_strangers(&self, now: UnixMillis) -> Result<(), u64> {
        let taken = STRANGERS.with_borrow_mut(|strangers| strangers.take(now));
        // The ledger does not hear of it otherwise.
        if taken.is_err() {
            note_refusal(Reason::RateLimited);
        }
        taken
    }

    fn take_look(&self, subject: &str, now: UnixMillis) -> Result<(), u64> {
        let taken = LOOKS.with_borrow_mut(|looks| looks.take(subject, now));
        // The ledger does not hear of it otherwise.
        if taken.is_err() {
            note_refusal(Reason::RateLimited);
        }
        taken
    }

    fn hold_body(
        &self,
        sender: Sender<'_>,
        bytes: usize,
        now: UnixMillis,
        life: Duration,
    ) -> Result<Option<Held>, TooMany> {
        let (list, whose) = match sender {
            Sender::Known(subject) => (&UNDERWAY, subject),
            Sender::Stranger(network) => (&STRANGERS_UNDERWAY, network),
        };
        let held = list.with(|all| underway::hold(all, whose, bytes, now, life));
        // The ledger does not hear of it otherwise. Of strangers it counts nothing.
        if held.is_none() && matches!(sender, Sender::Known(_)) {
            note_refusal(Reason::RateLimited);
        }
        held.map(Some).ok_or(TooMany)
    }

    fn give_back(&self, subject: &str, quota: Quota) {
        BUCKETS.with_borrow_mut(|buckets| buckets.give_back(subject, quota));
    }

    fn wait_of(&self, subject: &str, plan: &str, now: UnixMillis) -> Option<(u64, Standing)> {
        let wait = WAITING.with_borrow(|waiting| waiting.of(subject, plan, now));
        // The ledger does not hear of it otherwise.
        if wait.is_some() {
            note_refusal(Reason::RateLimited);
        }
        wait
    }
}
