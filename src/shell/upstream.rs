//! The model, over HTTPS.

use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, pin_mut};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
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
            status @ 400..=499 => return Err(UpstreamError::Refused(status)),
            status => return Err(UpstreamError::Status(status)),
        }
        let mut stream = response.stream().map_err(|_| UpstreamError::Connection)?;
        let mut answer = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| UpstreamError::Connection)?;
            if answer.len().saturating_add(chunk.len()) > MOST_BYTES {
                return Err(UpstreamError::TooLarge);
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
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
