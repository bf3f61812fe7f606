//! Requests in, responses out.

use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use worker::js_sys::futures::JsFuture;

use crate::bytes::hex;
use crate::reject::Reject;
use crate::reply::Reply;
use crate::seams;
use crate::shell::edge::Edge;
use crate::stages::accept::{Head, SignedHead};

/// A fresh id of 128 random bits, in hexadecimal.
pub fn request_id() -> String {
    hex(&random::<16>())
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

/// What the stages need to know of a request's head, and its origin, from the lines of `edge.mjs`.
pub fn head(lines: &str) -> (Head, Option<String>) {
    let mut lines = lines.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, address) = (next().to_owned(), next());
    // With its query where the route may have a use for it.
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut header = || next().strip_prefix('=').map(str::to_owned);
    let (content_type, content_encoding, authorization) = (header(), header(), header());
    let (client_address, origin) = (header(), header());
    let trace = (header(), header());
    let signed = signed_head(lines);
    let head = Head {
        method,
        path,
        query,
        content_type,
        content_encoding,
        authorization,
        signed,
        trace,
        client_address,
    };
    (head, origin)
}

/// What a signature may cover, where the request has one.
fn signed_head<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<SignedHead> {
    let scheme = lines.next()?.to_owned();
    let (host, query, body) = (lines.next()?, lines.next()?, lines.next()?);
    let fields: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    // The client signs the authority that it asked for, which is what `Host` holds.
    let authority = fields.get("host").map_or(host, String::as_str).to_owned();
    let query = query.strip_prefix('?').map(str::to_owned);
    Some(SignedHead { scheme, authority, query, fields, has_body: !body.is_empty() })
}

/// Sends a reply.
pub fn respond(edge: &Edge, reply: &Reply, bodyless: bool) {
    let mut headers = String::with_capacity(512);
    for (name, value) in &reply.headers {
        if !headers.is_empty() {
            headers.push('\n');
        }
        headers.push_str(name);
        headers.push(':');
        headers.push_str(value);
    }
    let body = (!bodyless && reply.status != 204).then_some(reply.body.as_str());
    if edge.reply(reply.status, &headers, body).is_err() {
        // No header of ours is malformed; but nobody may be left waiting.
        worker::console_error!("a reply could not be made");
        drop(edge.reply(500, "Cache-Control:no-store", None));
    }
}

/// How many times the longest body is read, and thrown away, before a body that is too long is cut
/// off: a client that is still sending does not hear the answer, and what it sends next over the
/// same connection is lost.
const DRAINED: usize = 4;

/// A request's body.
pub struct Body(pub Rc<Edge>);

impl seams::Body for Body {
    fn expected(&self, most: usize) -> usize {
        self.0.expected(most)
    }

    async fn read(self, most: usize) -> Result<Vec<u8>, Reject> {
        const BROKEN: Reject = Reject::MalformedRequest("The body broke off, or took too long.");
        let body = JsFuture::from(self.0.body(most, most.saturating_mul(DRAINED)));
        match body.await.map_err(|_| BROKEN)?.dyn_into::<Uint8Array>() {
            Ok(body) => Ok(body.to_vec()),
            Err(_) => Err(Reject::BodyTooLarge(most)),
        }
    }
}
