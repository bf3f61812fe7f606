//! Requests in, responses out.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use worker::{Headers, Request, Response};

use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams;
use crate::stages::accept::{Head, SignedHead};

/// A fresh id of 128 random bits, in hexadecimal.
pub fn request_id() -> String {
    random::<16>().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut random = [0_u8; N];
    if getrandom::fill(&mut random).is_err() {
        // What is guessed can be taken, so better no answer at all. The platform always has
        // randomness within a request.
        worker::console_error!("no randomness");
        worker::wasm_bindgen::throw_str("no randomness");
    }
    random
}

/// What the stages need to know of a request's head.
pub fn head(request: &Request) -> worker::Result<Head> {
    let headers = request.headers();
    Ok(Head {
        method: request.inner().method(),
        path: request.path(),
        content_type: headers.get("Content-Type")?,
        content_encoding: headers.get("Content-Encoding")?,
        authorization: headers.get("Authorization")?,
        signed: signed_head(request)?,
        client_address: headers.get("CF-Connecting-IP")?,
    })
}

/// What a signature may cover, where the request has one.
fn signed_head(request: &Request) -> worker::Result<Option<SignedHead>> {
    let headers = request.headers();
    if !headers.has("Signature")? && !headers.has("Signature-Input")? {
        return Ok(None);
    }
    let url = request.url()?;
    let fields: BTreeMap<String, String> = headers.entries().collect();
    // The client signs the authority that it asked for, which is what `Host` holds.
    let authority = fields.get("host").cloned().or_else(|| {
        let host = url.host_str()?;
        Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    });
    Ok(Some(SignedHead {
        scheme: url.scheme().to_owned(),
        authority: authority.unwrap_or_default(),
        query: url.query().map(str::to_owned),
        fields,
        has_body: request.inner().body().is_some(),
    }))
}

/// A reply as the runtime sends it.
pub fn respond(reply: Reply, bodyless: bool) -> worker::Result<Response> {
    let headers = Headers::new();
    for (name, value) in &reply.headers {
        headers.append(name, value)?;
    }
    let response =
        if bodyless || reply.status == 204 { Response::empty()? } else { Response::ok(reply.body)? };
    Ok(response.with_status(reply.status).with_headers(headers))
}

/// How many times the longest body is read, and thrown away, before a body that is too long is cut
/// off: a client that is still sending does not hear the answer, and what it sends next over the
/// same connection is lost.
const DRAINED: usize = 4;

/// A request's body.
pub struct Body(pub Request);

impl seams::Body for Body {
    async fn read(mut self, most: usize) -> Result<Vec<u8>, Reject> {
        const BROKEN: Reject = Reject::MalformedRequest("The body broke off.");
        let Ok(mut stream) = self.0.stream() else {
            return Ok(Vec::new());
        };
        let mut body = Vec::new();
        let mut length: usize = 0;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| BROKEN)?;
            length = length.saturating_add(chunk.len());
            if length <= most {
                body.extend_from_slice(&chunk);
            } else if length > most.saturating_mul(DRAINED) {
                break;
            }
        }
        if length <= most { Ok(body) } else { Err(Reject::BodyTooLarge(most)) }
    }
}
