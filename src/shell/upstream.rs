//! The model, over HTTPS.

use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Response,
};

use crate::policy::settings::Settings;
use crate::seams::{Upstream, UpstreamError};

/// Bytes of an answer that are read. A chat completion with our `max_tokens` is a few kilobytes.
const MOST_BYTES: usize = 1_048_576;

/// The configured upstream.
pub struct Client {
    url: String,
    authorization: String,
}

impl Client {
    /// The upstream of these settings.
    pub fn new(settings: &Settings) -> Self {
        let key = settings.api_key.as_ref().map_or("", |key| key.expose());
        Self { url: settings.api_base.chat_completions(), authorization: format!("Bearer {key}") }
    }

    fn init(&self, body: String) -> worker::Result<RequestInit> {
        let headers = Headers::new();
        headers.set("Authorization", &self.authorization)?;
        headers.set("Content-Type", "application/json")?;
        headers.set("Accept", "application/json")?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post).with_headers(headers).with_body(Some(body.into()));
        Ok(init)
    }
}

impl Upstream for Client {
    async fn ask(&self, body: String, deadline: Duration) -> Result<Vec<u8>, UpstreamError> {
        let init = self.init(body).map_err(|_| UpstreamError::Connection)?;
        fetch_bounded(&self.url, init, MOST_BYTES, deadline).await
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
) -> Result<Vec<u8>, UpstreamError> {
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
            Err(UpstreamError::Timeout)
        }
    }
}

async fn exchange(request: Request, signal: &AbortSignal, most: usize) -> Result<Vec<u8>, UpstreamError> {
    let mut response =
        Fetch::Request(request).send_with_signal(signal).await.map_err(|_| UpstreamError::Connection)?;
    match response.status_code() {
        200 => {}
        // The provider's word that it did not take the request on. One that speaks of usage all the
        // same is not believed.
        status @ (400..=404 | 413 | 415 | 422 | 429) => {
            let body = read(&mut response, most).await.unwrap_or_default();
            let counted = String::from_utf8_lossy(&body).contains("\"usage\"");
            return Err(if counted { UpstreamError::Status(status) } else { UpstreamError::Refused(status) });
        }
        status => return Err(UpstreamError::Status(status)),
    }
    read(&mut response, most).await
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
