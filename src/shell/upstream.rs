//! The models, over HTTPS.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Response,
};

use crate::policy::upstreams::Endpoint;
use crate::seams::{Failed, Upstream, UpstreamError};
use crate::stages::breaker::Breakers;

/// Bytes of an answer that are read. A chat completion with our `max_tokens` is a few kilobytes.
const MOST_BYTES: usize = 1_048_576;

thread_local! {
    static BREAKERS: Rc<RefCell<Breakers>> = Rc::default();
}

/// The upstreams, as this isolate knows them.
pub struct Client(Rc<RefCell<Breakers>>);

impl Client {
    /// All of them.
    pub fn new() -> Self {
        Self(BREAKERS.with(Rc::clone))
    }
}

fn init(to: &Endpoint, body: String) -> worker::Result<RequestInit> {
    let headers = Headers::new();
    headers.set("Authorization", &format!("Bearer {}", to.key.expose()))?;
    headers.set("Content-Type", "application/json")?;
    headers.set("Accept", "application/json")?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_headers(headers).with_body(Some(body.into()));
    Ok(init)
}

impl Upstream for Client {
    async fn ask(&self, to: &Endpoint, body: String, deadline: Duration) -> Result<Vec<u8>, Failed> {
        let init = init(to, body).map_err(|_| UpstreamError::Connection)?;
        fetch_bounded(&to.api_base.chat_completions(), init, MOST_BYTES, deadline).await
    }

    async fn pause(&self, span: Duration) {
        Delay::from(span).await;
    }

    fn breakers(&self) -> &RefCell<Breakers> {
        &self.0
    }
}

/// Fetches a body of at most `most` bytes, all within `deadline`, from where the operator said and
/// nowhere else.
///
/// One deadline for all of it: a provider that queues sends blank lines for minutes, which keeps
/// every shorter time limit from firing.
pub async fn fetch_bounded(
    url: &str,
    mut init: RequestInit,
    most: usize,
    deadline: Duration,
) -> Result<Vec<u8>, Failed> {
    // Followed, a redirect would carry the key to wherever it points.
    init.with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init).map_err(|_| UpstreamError::Connection)?;
    let controller = AbortController::default();
    let signal = controller.signal();
    let exchange = exchange(request, &signal, most);
    let timer = Delay::from(deadline);
    pin_mut!(exchange, timer);
    match select(exchange, timer).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => {
            controller.abort();
            Err(UpstreamError::Timeout.into())
        }
    }
}

async fn exchange(request: Request, signal: &AbortSignal, most: usize) -> Result<Vec<u8>, Failed> {
    let mut response =
        Fetch::Request(request).send_with_signal(signal).await.map_err(|_| UpstreamError::Connection)?;
    let error = match response.status_code() {
        200 => return Ok(read(&mut response, most).await?),
        // The provider's word that it did not take the request on. One that speaks of usage all the
        // same is not believed.
        status @ (400..=404 | 413 | 415 | 422 | 429) => {
            let body = read(&mut response, most).await.unwrap_or_default();
            let counted = String::from_utf8_lossy(&body).contains("\"usage\"");
            if counted { UpstreamError::Status(status) } else { UpstreamError::Refused(status) }
        }
        status => UpstreamError::Status(status),
    };
    Err(Failed { error, retry_after: retry_after(&response) })
}

/// RFC 9110, 10.2.3: seconds, or a date.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get("Retry-After").ok()??;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = js_sys::Date::parse(&text);
    // A day's worth at most; NaN is no number of milliseconds.
    let left = (until - js_sys::Date::now()).clamp(0.0, 86_400_000.0);
    left.is_finite().then(|| Duration::from_secs_f64(left / 1_000.0))
}

/// Reads a whole body of at most `most` bytes.
async fn read(response: &mut Response, most: usize) -> Result<Vec<u8>, UpstreamError> {
    let mut stream = response.stream().map_err(|_| UpstreamError::Connection)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| UpstreamError::Connection)?;
        if body.len().saturating_add(chunk.len()) > most {
            return Err(UpstreamError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
