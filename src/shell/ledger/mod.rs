//! The ledger's Durable Objects, and the Worker's way to them. Nothing is decided here.

pub mod client;
mod object;

use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;
use worker::js_sys::Promise;
use worker::js_sys::futures::JsFuture;
use worker::wasm_bindgen::JsValue;

/// The binding of the objects.
const BINDING: &str = "LEDGER";
/// The name of the treasury among them.
const TREASURY: &str = "treasury";

#[wasm_bindgen]
extern "C" {
    /// A stub, by its one method (`src/shell/entry.mjs`). A call with a text costs less than half of
    /// a `fetch` with bodies.
    type Stub;

    #[wasm_bindgen(method, catch)]
    fn exchange(this: &Stub, message: &str) -> Result<Promise, JsValue>;
}

/// Calls an object by its name.
async fn call(env: &Env, name: &str, message: &str) -> worker::Result<String> {
    let stub: Stub = env.durable_object(BINDING)?.get_by_name(name)?.into_rpc();
    let answer = JsFuture::from(stub.exchange(message)?).await?;
    answer.as_string().ok_or_else(|| worker::Error::RustError("the ledger's answer is no text".to_owned()))
}
