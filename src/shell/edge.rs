//! The border to JavaScript: `edge.mjs` says what is on the other side, and why it is there.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::Env;
use worker::js_sys::Promise;

#[wasm_bindgen]
extern "C" {
    /// A line on the console.
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    pub fn console_log(line: &str);

    /// One request, and what the stages need of the platform while they serve it.
    pub type Edge;

    /// The Worker's bindings.
    #[wasm_bindgen(method, getter)]
    pub fn env(this: &Edge) -> Env;

    /// The body as a `Uint8Array`, `null` when it has more than `most` bytes.
    #[wasm_bindgen(method)]
    pub fn body(this: &Edge, most: usize, drained: usize) -> Promise;

    /// How many bytes of memory the body may take until it is there.
    #[wasm_bindgen(method)]
    pub fn expected(this: &Edge, most: usize) -> usize;

    /// Gives the response. `headers` are lines of name and value.
    #[wasm_bindgen(method, catch)]
    pub fn reply(this: &Edge, status: u16, headers: &str, body: Option<&str>) -> Result<(), JsValue>;

    /// An object's answer, a string.
    #[wasm_bindgen(method, catch)]
    pub fn ledger(this: &Edge, name: &str, message: &str) -> Result<Promise, JsValue>;

    /// The body of a 200 as a `Uint8Array`, or a list of status, `Retry-After` and body, or `null` for a
    /// body that is too long. `deadline` in milliseconds.
    #[wasm_bindgen(method)]
    pub fn fetch(
        this: &Edge,
        url: &str,
        authorization: Option<String>,
        content: Option<js_sys::Uint8Array>,
        most: usize,
        deadline: f64,
        traceparent: Option<String>,
        tracestate: Option<String>,
    ) -> Promise;

    /// Keys of the log with their metadata, and where the listing ended: JSON.
    #[wasm_bindgen(method, js_name = logKeys)]
    pub fn log_keys(this: &Edge, from: Option<&str>) -> Promise;

    /// The values of these, a list in JSON: a list of strings and `null`s.
    #[wasm_bindgen(method, js_name = logValues)]
    pub fn log_values(this: &Edge, keys: &str) -> Promise;

    /// Writes a point, JSON, to the Analytics Engine.
    #[wasm_bindgen(method)]
    pub fn point(this: &Edge, json: &str);

    /// What the data centre's cache has under an address, a string or `undefined`.
    #[wasm_bindgen(method)]
    pub fn cached(this: &Edge, address: &str) -> Promise;

    /// Keeps a text there.
    #[wasm_bindgen(method)]
    pub fn keep(this: &Edge, address: &str, answer: &str, seconds: f64) -> Promise;
}
