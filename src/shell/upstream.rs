//! The models, over HTTPS.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsCast;
use worker::Delay;
use worker::js_sys::futures::JsFuture;

use crate::policy::upstreams::Endpoint;
use crate::seams::{Failed, Upstream, UpstreamError};
use crate::shell::edge::Edge;
use crate::stages::breaker::Breakers;
use crate::telemetry::trace::Trace;

/// Bytes of an answer that are read. A chat completion with our `max_tokens` is a few kilobytes.
const MOST_BYTES: usize = 1_048_576;

thread_local! {
    static BREAKERS: Rc<RefCell<Breakers>> = Rc::default();
}

/// The upstreams, as this isolate knows them.
pub struct Client {
    edge: Rc<Edge>,
    trace: Rc<Trace>,
    breakers: Rc<RefCell<Breakers>>,
}

impl Client {
    /// All of them, which get to know the trace.
    pub fn new(edge: Rc<Edge>, trace: Rc<Trace>) -> Self {
        Self { edge, trace, breakers: BREAKERS.with(Rc::clone) }
    }
}

impl Upstream for Client {
    async fn ask(&self, to: &Endpoint, body: String, deadline: Duration) -> Result<Vec<u8>, Failed> {
        let post = Post { key: to.key.expose(), json: &body, trace: &self.trace };
        fetch(&self.edge, &to.api_base.chat_completions(), Some(post), MOST_BYTES, deadline).await
    }

    async fn pause(&self, span: Duration) {
        Delay::from(span).await;
    }

    fn breakers(&self) -> &RefCell<Breakers> {
        &self.breakers
    }
}

/// What is posted, and the key and the trace that go with it.
pub struct Post<'a> {
    key: &'a str,
    json: &'a str,
    trace: &'a Trace,
}

/// Fetches a body of at most `most` bytes, all within `deadline`, from where the operator said and
/// nowhere else.
pub async fn fetch(
    edge: &Edge,
    url: &str,
    post: Option<Post<'_>>,
    most: usize,
    deadline: Duration,
) -> Result<Vec<u8>, Failed> {
    let authorization = post.as_ref().map(|post| format!("Bearer {}", post.key));
    let traceparent = post.as_ref().map(|post| post.trace.parent());
    let tracestate = post.as_ref().and_then(|post| post.trace.state.clone());
    // Bytes, so that the text is not made UTF-16 in between.
    let content = post.map(|post| Uint8Array::from(post.json.as_bytes()));
    let deadline = deadline.as_secs_f64() * 1_000.0;
    let fetched = edge.fetch(url, authorization, content, most, deadline, traceparent, tracestate);
    let fetched = JsFuture::from(fetched).await.map_err(|error| {
        let is_timeout = error.dyn_ref::<js_sys::Error>().is_some_and(|error| error.name() == "TimeoutError");
        if is_timeout { UpstreamError::Timeout } else { UpstreamError::Connection }
    })?;
    if let Some(body) = fetched.dyn_ref::<Uint8Array>() {
        return Ok(body.to_vec());
    }
    let Ok(failed) = fetched.dyn_into::<Array>() else {
        return Err(UpstreamError::TooLarge.into());
    };
    let status = failed.get(0).as_f64().unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a status has three digits; `as` brings any other number into range"
    )]
    let status = status as u16;
    let error = match status {
        // The provider's word that it did not take the request on. One that speaks of usage all the
        // same is not believed.
        400..=404 | 413 | 415 | 422 | 429 => {
            let body = failed.get(2).dyn_into::<Uint8Array>().map(|body| body.to_vec()).unwrap_or_default();
            let counted = String::from_utf8_lossy(&body).contains("\"usage\"");
            if counted { UpstreamError::Status(status) } else { UpstreamError::Refused(status) }
        }
        status => UpstreamError::Status(status),
    };
    Err(Failed { error, retry_after: failed.get(1).as_string().and_then(|text| retry_after(&text)) })
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = js_sys::Date::parse(text);
    // A day's worth at most; NaN is no number of milliseconds.
    let left = (until - js_sys::Date::now()).clamp(0.0, 86_400_000.0);
    left.is_finite().then(|| Duration::from_secs_f64(left / 1_000.0))
}
