//! The ledger's Durable Object, and the Worker's way to it. Nothing is decided here: the object
//! loads, calls the pure transition and persists.

use std::cell::RefCell;

use worker::{DurableObject, Env, Method, Request, RequestInit, Response, SqlStorage, State, durable_object};

use crate::ledger::rows::{self, Row};
use crate::ledger::shard::Shard;
use crate::ledger::wire::{Command, Outcome};
use crate::policy::limits::Limits;
use crate::seams::{self, LedgerUnavailable};
use crate::shell::{now, settings};

/// The one object, while there is one shard.
const SHARD_NAME: &str = "shard-0";

/// The Worker's way to the ledger.
pub struct Client {
    env: Env,
}

impl Client {
    /// The ledger of this environment.
    pub const fn new(env: Env) -> Self {
        Self { env }
    }

    async fn exchange(&self, command: &Command) -> worker::Result<Outcome> {
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_body(Some(serde_json::to_string(command)?.into()));
        let request = Request::new_with_init("https://ledger.invalid/", &init)?;
        let stub = self.env.durable_object("LEDGER")?.get_by_name(SHARD_NAME)?;
        let mut response = stub.fetch_with_request(request).await?;
        if response.status_code() != 200 {
            return Err(worker::Error::RustError(format!("the ledger answered {}", response.status_code())));
        }
        Ok(serde_json::from_str(&response.text().await?)?)
    }
}

impl seams::Ledger for Client {
    async fn send(&self, _subject: &str, command: &Command) -> Result<Outcome, LedgerUnavailable> {
        self.exchange(command).await.map_err(|error| {
            worker::console_error!("ledger: {error}");
            LedgerUnavailable
        })
    }
}

/// A ledger object.
#[durable_object(fetch)]
pub struct Ledger {
    sql: SqlStorage,
    env: Env,
    /// `None` until the first command, and after a failure: then storage is asked again.
    shard: RefCell<Option<Shard>>,
}

impl DurableObject for Ledger {
    fn new(state: State, env: Env) -> Self {
        Self { sql: state.storage().sql(), env, shard: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> worker::Result<Response> {
        let command: Command = serde_json::from_str(&request.text().await?)?;
        let Ok(settings) = settings::read(&self.env) else {
            return Response::error("misconfigured", 503);
        };
        // From here to the reply nothing waits, so that no other request comes between: one step is
        // one transaction, and the output gate holds the reply until its rows are durable.
        let outcome = self.carry_out(&settings.limits, command);
        if outcome.is_err() {
            self.shard.replace(None);
        }
        Response::from_json(&outcome?)
    }
}

#[derive(serde::Deserialize)]
struct Stored {
    key: String,
    value: String,
}

impl Ledger {
    fn carry_out(&self, limits: &Limits, command: Command) -> worker::Result<Outcome> {
        let mut slot = self.shard.try_borrow_mut().map_err(|_| "the ledger is busy")?;
        let shard = match &mut *slot {
            Some(shard) => shard,
            empty => empty.insert(self.restore()?),
        };
        for key in shard.missing(limits, &command) {
            let value = self.row(&key)?;
            shard.load(&key, value.as_deref()).map_err(|_| "a stored row cannot be read")?;
        }
        let step = shard.step(limits, command, now()).map_err(|_| "a row cannot be written")?;
        for row in &step.rows {
            self.write(row)?;
        }
        Ok(step.outcome)
    }

    fn restore(&self) -> worker::Result<Shard> {
        // Without a rowid a row is one row written; with one, the key's index would be a second.
        self.sql.exec(
            "CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            None,
        )?;
        let mut shard = Shard::default();
        // What every command may need: the service's account, and who is revoked.
        let cursor = self.sql.exec(
            "SELECT key, value FROM state WHERE key IN (?, ?) OR (key >= ? AND key < ?)",
            vec![
                rows::SERVICE.into(),
                rows::ENROLMENTS.into(),
                rows::REVOKED.into(),
                // The next text after all that begin so: '0' follows '/'.
                "revoked0".into(),
            ],
        )?;
        for Stored { key, value } in cursor.to_array()? {
            shard.load(&key, Some(&value)).map_err(|_| "a stored row cannot be read")?;
        }
        Ok(shard)
    }

    fn row(&self, key: &str) -> worker::Result<Option<String>> {
        let cursor = self.sql.exec("SELECT key, value FROM state WHERE key = ?", vec![key.into()])?;
        let found: Vec<Stored> = cursor.to_array()?;
        Ok(found.into_iter().next().map(|stored| stored.value))
    }

    fn write(&self, row: &Row) -> worker::Result<()> {
        let Some(value) = &row.value else {
            return self.sql.exec("DELETE FROM state WHERE key = ?", vec![row.key.as_str().into()]).map(drop);
        };
        self.sql
            .exec(
                "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                vec![row.key.as_str().into(), value.as_str().into()],
            )
            .map(drop)
    }
}
