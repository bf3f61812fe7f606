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

    async fn exchange(&self, body: String, signal: &AbortSignal) -> Result<Vec<u8>, UpstreamError> {
        let request = self.request(body).map_err(|_| UpstreamError::Connection)?;
        let mut response =
            Fetch::Request(request).send_with_signal(signal).await.map_err(|_| UpstreamError::Connection)?;
        match response.status_code() {
            200 => {}
            // The provider's word that it did not take the request on. One that speaks of usage all
            // the same is not believed.
            status @ (400..=404 | 413 | 415 | 422 | 429) => {
                let body = read(&mut response).await.unwrap_or_default();
                let counted = String::from_utf8_lossy(&body).contains("\"usage\"");
                return Err(if counted {
                    UpstreamError::Status(status)
                } else {
                    UpstreamError::Refused(status)
                });
            }
            status => return Err(UpstreamError::Status(status)),
        }
        read(&mut response).await
    }

    fn request(&self, body: String) -> worker::Result<Request> {
        let headers = Headers::new();
        headers.set("Authorization", &self.authorization)?;
        headers.set("Content-Type", "application/json")?;
        headers.set("Accept", "application/json")?;
        let mut init = RequestInit::new();
        init.with_method(Method::Post)
            .with_headers(headers)
            // Followed, a redirect would carry the key to wherever it points.
            .with_redirect(RequestRedirect::Manual)
            .with_body(Some(body.into()));
        Request::new_with_init(&self.url, &init)
    }
}

/// Reads a whole body of at most [`MOST_BYTES`].
async fn read(response: &mut Response) -> Result<Vec<u8>, UpstreamError> {
    let mut stream = response.stream().map_err(|_| UpstreamError::Connection)?;
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| UpstreamError::Connection)?;
        if body.len().saturating_add(chunk.len()) > MOST_BYTES {
            return Err(UpstreamError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl Upstream for Client {
    async fn ask(&self, body: String, deadline: Duration) -> Result<Vec<u8>, UpstreamError> {
        let controller = AbortController::default();
        let signal = controller.signal();
        let exchange = self.exchange(body, &signal);
        let timer = Delay::from(deadline);
        pin_mut!(exchange, timer);
        // One deadline for all of it: a provider that queues sends blank lines for minutes, which
        // keeps every shorter time limit from firing.
        match select(exchange, timer).await {
            Either::Left((result, _)) => result,
            Either::Right(((), _)) => {
                controller.abort();
                Err(UpstreamError::Timeout)
            }
        }
    }
}
