//! A ledger object: a shard or the treasury, as its name says. It loads, calls the pure transition
//! and persists.
//!
//! Between a message's arrival and its reply nothing waits, but for the treasury's answer; so one
//! step is one transaction, and the output gate holds the reply, and what is asked of the treasury
//! or of KV, until its rows are durable.

mod log;
mod storage;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::Promise;
use worker::js_sys::futures::future_to_promise;
use worker::{Delay, Env, SqlStorage, State, worker_sys::DurableObjectState};

use super::{TREASURY, call};
use crate::ledger::shard::{Shard, Step, Turn};
use crate::ledger::treasury::Treasury;
use crate::ledger::wire::state::Operations;
use crate::ledger::wire::treasury::{Answer, Errand, LeaseRequest};
use crate::ledger::wire::{Call, Message, Outcome};
use crate::policy::settings::Settings;
use crate::shell::{http, now, settings};
use crate::units::UnixMillis;

/// How often it is looked whether dense traffic is over.
const TIDY_AFTER: Duration = Duration::from_secs(3);

#[wasm_bindgen]
extern "C" {
    type AlarmStorage;

    /// The crate's own way goes through `chrono`, which is a tenth of the module.
    #[wasm_bindgen(method, catch, js_name = setAlarm)]
    fn set_alarm(this: &AlarmStorage, at_ms: f64) -> Result<Promise, JsValue>;
}

/// What `src/shell/entry.mjs` makes a Durable Object of.
#[wasm_bindgen]
pub struct LedgerCore(Rc<Object>);

struct Object {
    sql: SqlStorage,
    state: State,
    env: Env,
    /// Asleep until the first message, and after a failure: then storage is asked again.
    role: RefCell<Role>,
    /// Whether [`Object::tidy`] is under way.
    tidies: Cell<bool>,
    /// Whether a call begins, of which the shard has not heard.
    begins: Cell<bool>,
    /// Whether a reply waits for the journal's row.
    is_held: Cell<bool>,
    operations: Cell<Operations>,
    /// Rows that its SQL read, and wrote unasked, of which shard or treasury have not heard.
    unheard: Cell<(u64, u64)>,
}

enum Role {
    Asleep,
    Shard(Box<Shard>),
    Treasury(Box<Treasury>),
}

#[wasm_bindgen]
impl LedgerCore {
    /// A new incarnation of the object.
    #[wasm_bindgen(constructor)]
    pub fn new(state: DurableObjectState, env: Env) -> Self {
        let state = State::from(state);
        let sql = state.storage().sql();
        let role = RefCell::new(Role::Asleep);
        let (tidies, begins, is_held) = (Cell::new(false), Cell::new(false), Cell::new(false));
        let (operations, unheard) = (Cell::default(), Cell::default());
        Self(Rc::new(Object { sql, state, env, role, tidies, begins, is_held, operations, unheard }))
    }

    /// One message and its reply: a text, or the promise of one where the treasury has to be asked. Whether it
    /// `begins` a call, in which others may follow.
    pub fn exchange(&self, message: &str, begins: bool) -> Result<JsValue, JsValue> {
        if begins {
            self.0.count(|operations| operations.requests = operations.requests.saturating_add(1));
        }
        self.0.begins.set(begins);
        let call: Call = serde_json::from_str(message).map_err(worker::Error::from)?;
        let settings = self.0.settings()?;
        let answer = match call {
            Call::Treasury(errand) => self.0.treasury(&settings, errand)?,
            Call::Shard(message) => match self.0.shard(&settings, message, 0)? {
                Reply::Now(outcome) => text(&outcome)?,
                Reply::After(request, message) => {
                    let object = Rc::clone(&self.0);
                    let later = async move {
                        let outcome = object.ask_first(&settings, request, message).await?;
                        Ok(JsValue::from(text(&outcome)?))
                    };
                    return Ok(future_to_promise(later).into());
                }
            },
        };
        Ok(answer.into())
    }

    /// Ends a call of one or several messages: only now may the replies leave. After an error, none.
    pub fn conclude(&self) -> Result<(), JsValue> {
        if self.0.is_held.take() {
            self.0.flush()?;
        }
        Ok(())
    }

    /// The object's one alarm.
    pub fn alarm(&self) -> Promise {
        let object = Rc::clone(&self.0);
        future_to_promise(async move {
            object.ring().await;
            Ok(JsValue::UNDEFINED)
        })
    }
}

/// What a shard says to a message.
enum Reply {
    Now(Outcome),
    /// Only after the treasury has answered.
    After(LeaseRequest, Message),
}

fn text<T: Serialize>(answer: &T) -> worker::Result<String> {
    Ok(serde_json::to_string(answer)?)
}

impl Object {
    fn settings(&self) -> worker::Result<Rc<Settings>> {
        settings::read(|| self.env.clone()).map_err(|_| "misconfigured".into())
    }

    fn count(&self, change: impl Fn(&mut Operations)) {
        let mut operations = self.operations.get();
        change(&mut operations);
        self.operations.set(operations);
    }

    fn treasury(&self, settings: &Settings, errand: Errand) -> worker::Result<String> {
        let mut answer = self.guarded(|| {
            let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
            if !matches!(*role, Role::Treasury(_)) {
                *role = Role::Treasury(Box::new(self.restore_treasury()?));
            }
            let Role::Treasury(treasury) = &mut *role else { return Err("no treasury".into()) };
            treasury.note_rows(self.unheard.take(), now());
            let random = u64::from_be_bytes(http::random());
            let step = treasury
                .step(&settings.limits, errand, random, now())
                .map_err(|_| "a row cannot be written")?;
            self.write_all(&step.rows)?;
            Ok(step.answer)
        })?;
        if let Answer::State(state) = &mut answer {
            state.operations = self.operations.get();
        }
        text(&answer)
    }

    /// One step of the shard; what it starts besides its reply goes on by itself.
    fn shard(
        self: &Rc<Self>,
        settings: &Rc<Settings>,
        message: Message,
        asked: u32,
    ) -> worker::Result<Reply> {
        let (to, of) = (message.to, message.of);
        let (step, unsure) = self.guarded(|| {
            let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
            let restored = !matches!(*role, Role::Shard(_));
            let shard = self.awake(&mut role)?;
            for key in shard.missing(&settings.limits, &message) {
                let value = self.row(&key)?;
                shard.load(&key, value.as_deref()).map_err(|_| "a stored row cannot be read")?;
            }
            if shard.lists_machines(&message) {
                shard.load_listed(self.machines()?).map_err(|_| "a stored row cannot be read")?;
            }
            shard.note_rows(self.unheard.take(), now());
            if self.begins.take() {
                shard.note_call(now());
            }
            let step =
                shard.step(&settings.limits, message, asked, now()).map_err(|_| "a row cannot be written")?;
            self.write_all(&step.rows)?;
            Ok((step, restored.then(|| shard.unsure_batch()).flatten()))
        })?;
        if let Some(batch) = unsure {
            self.look_for(settings, batch);
        }
        if step.is_held {
            self.is_held.set(true);
        }
        let turn = self.follow_up(settings, step);
        Ok(match turn {
            Turn::Reply(Outcome::State(mut state)) => {
                state.operations = self.operations.get();
                Reply::Now(Outcome::State(state))
            }
            Turn::Reply(outcome) => Reply::Now(outcome),
            Turn::Ask(request, command) => {
                Reply::After(request, Message { to, of, command: Some(command), ..Message::default() })
            }
        })
    }

    /// Makes durable what replies that are held say.
    fn flush(&self) -> worker::Result<()> {
        self.guarded(|| {
            let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
            let Role::Shard(shard) = &mut *role else { return Ok(()) };
            let row = shard.flush().map_err(|_| "a row cannot be written")?;
            row.iter().try_for_each(|row| self.write(row))
        })
    }

    /// Starts what a step asks for besides its reply.
    fn follow_up(self: &Rc<Self>, settings: &Rc<Settings>, step: Step) -> Turn {
        if let Some(at) = step.alarm {
            self.set_alarm(at);
        }
        if let Some(request) = step.ask {
            let (object, settings) = (Rc::clone(self), Rc::clone(settings));
            self.state.wait_until(async move { drop(object.ask(&settings, request).await) });
        }
        if let Some(batch) = step.batch {
            let (object, settings) = (Rc::clone(self), Rc::clone(settings));
            self.state.wait_until(async move { object.write_log(&settings, batch).await });
        }
        if step.is_ahead && !self.tidies.replace(true) {
            let (object, settings) = (Rc::clone(self), Rc::clone(settings));
            self.state.wait_until(async move { object.tidy(&settings).await });
        }
        step.turn
    }

    /// Waits until traffic is not dense any more, and then writes what is gone, no more. While it
    /// waits, the platform does not put the object away.
    async fn tidy(self: &Rc<Self>, settings: &Rc<Settings>) {
        loop {
            Delay::from(TIDY_AFTER).await;
            let tidied = self.guarded(|| {
                let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
                let Role::Shard(shard) = &mut *role else { return Ok(None) };
                let step = shard.tidy(now()).map_err(|_| "a row cannot be written")?;
                if let Some(step) = &step {
                    self.write_all(&step.rows)?;
                }
                Ok(Some(step))
            });
            match tidied {
                // Still dense.
                Ok(Some(None)) => {}
                Ok(Some(Some(step))) => {
                    self.tidies.set(false);
                    self.follow_up(settings, step);
                    return;
                }
                Ok(None) | Err(_) => return self.tidies.set(false),
            }
        }
    }

    async fn ask_first(
        self: &Rc<Self>,
        settings: &Rc<Settings>,
        mut request: LeaseRequest,
        mut message: Message,
    ) -> worker::Result<Outcome> {
        for asked in 1..=2 {
            if self.ask(settings, request).await.is_err() {
                return Ok(Outcome::Unavailable);
            }
            match self.shard(settings, message, asked)? {
                Reply::Now(outcome) if self.is_held.take() => return self.flush().map(|()| outcome),
                Reply::Now(outcome) => return Ok(outcome),
                Reply::After(again, unanswered) => (request, message) = (again, unanswered),
            }
        }
        Ok(Outcome::Unavailable)
    }

    /// Asks the treasury, and takes its answer in.
    async fn ask(&self, settings: &Settings, request: LeaseRequest) -> worker::Result<()> {
        self.count(|operations| {
            operations.treasury_requests = operations.treasury_requests.saturating_add(1)
        });
        let errand = text(&Call::Treasury(Errand::Lease(request)))?;
        let answer: Answer = serde_json::from_str(&call(&self.env, TREASURY, &errand).await?)?;
        self.guarded(|| {
            let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
            // Restored meanwhile, it has numbers of its own, and the answer is not for it.
            let Role::Shard(shard) = &mut *role else { return Ok(()) };
            let rows =
                shard.answered(&settings.limits, answer, now()).map_err(|_| "a row cannot be written")?;
            self.write_all(&rows)
        })
    }

    /// The alarm. Whatever fails, it rings again while something waits for it.
    async fn ring(self: &Rc<Self>) {
        self.count(|operations| operations.requests = operations.requests.saturating_add(1));
        let rung = self.settings().and_then(|settings| {
            let (step, unsure) = self.guarded(|| {
                let mut role = self.role.try_borrow_mut().map_err(|_| "the ledger is busy")?;
                let restored = !matches!(*role, Role::Shard(_));
                let shard = self.awake(&mut role)?;
                shard.note_rows(self.unheard.take(), now());
                let step = shard.tick(&settings.limits, now()).map_err(|_| "a row cannot be written")?;
                self.write_all(&step.rows)?;
                self.sweep(shard)?;
                Ok((step, restored.then(|| shard.unsure_batch()).flatten()))
            })?;
            if let Some(batch) = unsure {
                self.look_for(&settings, batch);
            }
            self.follow_up(&settings, step);
            Ok(())
        });
        if let Err(error) = rung {
            worker::console_error!("ledger: the alarm failed: {error}");
            self.set_alarm(now().plus(Duration::from_secs(60)));
        }
    }

    fn set_alarm(&self, at: UnixMillis) {
        let storage = self.state.storage();
        let storage: &AlarmStorage = storage.as_raw().unchecked_ref();
        #[expect(clippy::cast_precision_loss, reason = "a moment in milliseconds is far below 2^53")]
        let set = storage.set_alarm(at.millis() as f64);
        if set.is_err() {
            worker::console_error!("ledger: the alarm cannot be set");
        }
        self.count(|operations| operations.rows_written = operations.rows_written.saturating_add(1));
    }

    /// Runs a step; after a failure storage is asked again, as memory may be ahead of it.
    fn guarded<T>(&self, step: impl FnOnce() -> worker::Result<T>) -> worker::Result<T> {
        let result = step();
        if result.is_err()
            && let Ok(mut role) = self.role.try_borrow_mut()
        {
            *role = Role::Asleep;
        }
        result
    }

    fn awake<'r>(&self, role: &'r mut Role) -> worker::Result<&'r mut Shard> {
        if !matches!(role, Role::Shard(_)) {
            *role = Role::Shard(Box::new(self.restore_shard()?));
        }
        match role {
            Role::Shard(shard) => Ok(shard),
            _ => Err("no shard".into()),
        }
    }
}
