//! The log in `LOGS_KV`, read.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use worker::Env;

use crate::ledger::logbook::label::Label;
use crate::seams::{Listed, Listing, LogStore, LogUnavailable};

const BINDING: &str = "LOGS_KV";

/// The log of this environment.
pub struct Store(pub Env);

impl LogStore for Store {
    async fn list(&self, from: Option<&str>) -> Result<Listing, LogUnavailable> {
        let listed = async {
            let mut list = self.0.kv(BINDING)?.list();
            if let Some(from) = from {
                list = list.cursor(from.to_owned());
            }
            Ok(list.execute().await?)
        };
        let listed: worker::Result<_> = listed.await;
        let listed = listed.map_err(|error| refused(&error))?;
        let keys = listed.keys.into_iter().map(|key| {
            // Metadata of another form is somebody else's.
            let label: Option<Label> =
                key.metadata.and_then(|metadata| serde_json::from_value(metadata).ok());
            Listed { key: key.name, label }
        });
        let next = listed.cursor.filter(|cursor| !listed.list_complete && !cursor.is_empty());
        Ok(Listing { keys: keys.collect(), next })
    }

    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, LogUnavailable> {
        let namespace = self.0.kv(BINDING).map_err(|error| refused(&error))?;
        let reads = keys.iter().map(|key| namespace.get(key).text()).collect();
        let values: Result<Vec<_>, _> = all(reads).await.into_iter().collect();
        values.map_err(|error| refused(&error.into()))
    }
}

fn refused(error: &worker::Error) -> LogUnavailable {
    worker::console_error!("LOGS_KV cannot be read: {error}");
    LogUnavailable
}

/// Waits for all of them.
async fn all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut waiting: Vec<(Pin<Box<F>>, Option<F::Output>)> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        for (future, output) in &mut waiting {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if waiting.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}
