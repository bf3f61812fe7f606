//! The Worker's way to the ledger.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use worker::Delay;
use worker::js_sys::futures::JsFuture;

use super::TREASURY;
use crate::ledger::outbox::{Outbox, Then, WAIT};
use crate::ledger::wire::ended::Reason;
use crate::ledger::wire::treasury::{Answer, Errand};
use crate::ledger::wire::{Call, Command, Message, Outcome, Route, Settlement};
use crate::seams::{self, LedgerUnavailable};
use crate::shell::edge::Edge;
use crate::shell::now;

/// How often a subject's shard is looked for anew.
const TRIES: usize = 3;

thread_local! {
    /// How subjects are spread, as far as this isolate has heard.
    static ROUTE: Cell<Option<Route>> = const { Cell::new(None) };
    static OUTBOX: RefCell<Outbox> = RefCell::default();
}

/// Notes a request to the Worker, for the counters.
pub fn note_request() {
    OUTBOX.with_borrow_mut(Outbox::note_request);
}

/// Notes reads of KV, by key.
pub fn note_kv_reads(keys: usize) {
    let keys = u64::try_from(keys).unwrap_or(u64::MAX);
    OUTBOX.with_borrow_mut(|outbox| outbox.note_kv_reads(keys));
}

/// Notes a write to KV.
pub fn note_kv_write() {
    OUTBOX.with_borrow_mut(Outbox::note_kv_write);
}

/// Notes a list of KV's keys.
pub fn note_kv_list() {
    OUTBOX.with_borrow_mut(Outbox::note_kv_list);
}

/// Notes a request that was refused without the ledger.
pub fn note_refusal(reason: Reason) {
    OUTBOX.with_borrow_mut(|outbox| outbox.note_refusal(reason));
}

/// What an object of the ledger says. In a box, since otherwise each place that asks would have the whole way
/// there and back in its code: a tenth of the module.
type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerUnavailable>> + 'a>>;

/// The ledger of this environment.
pub struct Client {
    edge: Rc<Edge>,
    shards: u32,
}

impl Client {
    /// With the number of shards in the settings, which holds where nothing else was heard.
    pub const fn new(edge: Rc<Edge>, shards: u32) -> Self {
        Self { edge, shards }
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        name: &str,
        message: &Call,
    ) -> Result<T, LedgerUnavailable> {
        let answer = async {
            let message = serde_json::to_string(message)?;
            let answer = JsFuture::from(self.edge.ledger(name, &message)?).await?;
            // What is no text is no JSON either.
            Ok(serde_json::from_str(&answer.as_string().unwrap_or_default())?)
        };
        answer.await.map_err(|error: worker::Error| {
            worker::console_error!("ledger: {error}");
            LedgerUnavailable
        })
    }

    fn message(&self, message: Message) -> Told<'_, Outcome> {
        Box::pin(self.message_and_hear(message))
    }

    async fn message_and_hear(&self, mut message: Message) -> Result<Outcome, LedgerUnavailable> {
        let Message { to, .. } = message;
        message.news = OUTBOX.with_borrow_mut(Outbox::take_news);
        let call = Call::Shard(message);
        let outcome = self.exchange(&format!("shard-{to}"), &call).await;
        if outcome.is_err()
            && let Call::Shard(Message { settled, news, .. }) = call
        {
            OUTBOX.with_borrow_mut(|outbox| {
                outbox.put_news_back(&news);
                if !settled.is_empty() {
                    outbox.put_back(to, settled);
                }
            });
        }
        outcome
    }

    /// Sends what waits for a shard by itself.
    async fn flush(&self, shard: u32, settled: Vec<Settlement>) -> Result<(), LedgerUnavailable> {
        if settled.is_empty() {
            return Ok(());
        }
        let of = ROUTE.get().map_or(self.shards, |route| route.shards);
        self.message(Message { to: shard, of, settled, ..Message::default() }).await.map(drop)
    }

    async fn route(&self) -> Result<Route, LedgerUnavailable> {
        if let Some(route) = ROUTE.get() {
            return Ok(route);
        }
        // With one shard there is nothing to know.
        if self.shards == 1 {
            return Ok(Route { shards: 1, salt: 0 });
        }
        match seams::Ledger::treasury(self, Errand::Route).await? {
            Answer::Route(route) => {
                ROUTE.set(Some(route));
                Ok(route)
            }
            _ => Err(LedgerUnavailable),
        }
    }
}

impl seams::Ledger for Client {
    async fn send(&self, subject: &str, command: Command) -> Result<Outcome, LedgerUnavailable> {
        let mut route = self.route().await?;
        for _ in 0..TRIES {
            let to = route.shard_of(subject);
            let settled = OUTBOX.with_borrow_mut(|outbox| outbox.ride(to, now()));
            let command = Some(command.clone());
            match self
                .message(Message { to, of: route.shards, settled, command, ..Message::default() })
                .await?
            {
                Outcome::Moved(moved) => {
                    route = moved;
                    ROUTE.set(Some(moved));
                }
                outcome => return Ok(outcome),
            }
        }
        Err(LedgerUnavailable)
    }

    async fn tell(&self, shard: u32, command: Command) -> Result<Outcome, LedgerUnavailable> {
        let of = ROUTE.get().map_or(self.shards, |route| route.shards);
        self.message(Message { to: shard, of, command: Some(command), ..Message::default() }).await
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), LedgerUnavailable> {
        let shard = settlement.shard;
        match OUTBOX.with_borrow_mut(|outbox| outbox.add(settlement, now())) {
            Then::Nothing => Ok(()),
            Then::Send => {
                let settled = OUTBOX.with_borrow_mut(|outbox| outbox.take(shard));
                self.flush(shard, settled).await
            }
            Then::SendLater => {
                Delay::from(WAIT).await;
                let settled = OUTBOX.with_borrow_mut(|outbox| outbox.keep_promise(shard));
                self.flush(shard, settled).await
            }
        }
    }

    async fn treasury(&self, errand: Errand) -> Result<Answer, LedgerUnavailable> {
        let told: Told<'_, Answer> =
            Box::pin(async move { self.exchange(TREASURY, &Call::Treasury(errand)).await });
        told.await
    }
}
