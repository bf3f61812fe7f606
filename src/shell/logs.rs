//! The log in `LOGS_KV`, read.

use std::rc::Rc;

use serde::Deserialize;
use serde_json::value::RawValue;
use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::Array;
use worker::js_sys::futures::JsFuture;

use crate::seams::{Listed, Listing, LogStore, LogUnavailable};
use crate::shell::edge::Edge;
use crate::shell::ledger::client::{note_kv_list, note_kv_reads};

/// The log of this environment.
pub struct Store(pub Rc<Edge>);

/// What `edge.mjs` makes of a listing.
#[derive(Deserialize)]
struct Page<'a>(#[serde(borrow)] Vec<(String, &'a RawValue)>, Option<String>);

impl LogStore for Store {
    async fn list(&self, from: Option<&str>) -> Result<Listing, LogUnavailable> {
        note_kv_list();
        let listed = JsFuture::from(self.0.log_keys(from)).await.map_err(|error| refused(&error))?;
        let listed = listed.as_string().unwrap_or_default();
        let Page(keys, next) = serde_json::from_str(&listed).map_err(|_| LogUnavailable)?;
        // Metadata of another form is somebody else's.
        let keys = keys
            .into_iter()
            .map(|(key, metadata)| Listed { key, label: serde_json::from_str(metadata.get()).ok() });
        Ok(Listing { keys: keys.collect(), next })
    }

    async fn read(&self, keys: &[&str]) -> Result<Vec<Option<String>>, LogUnavailable> {
        note_kv_reads(keys.len());
        let keys = serde_json::to_string(keys).map_err(|_| LogUnavailable)?;
        let values = JsFuture::from(self.0.log_values(&keys)).await;
        let values = values.map_err(|error| refused(&error))?;
        let values = values.dyn_into::<Array>().map_err(|_| LogUnavailable)?;
        Ok(values.iter().map(|value| value.as_string()).collect())
    }
}

fn refused(error: &JsValue) -> LogUnavailable {
    worker::console_error!("LOGS_KV cannot be read: {error:?}");
    LogUnavailable
}
