//! What the tests speak to: a Worker, however it was started.

use std::sync::Arc;

use super::client::Reply;

/// A Worker that listens.
pub trait Door {
    /// A URL of it.
    fn url(&self, path: &str) -> String;

    /// Sends a request and checks what every answer must have.
    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply;

    /// Posts JSON with an `Authorization` header.
    #[track_caller]
    fn post(&self, path: &str, authorization: &str, body: &[u8]) -> Reply {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        self.send("POST", path, &headers, Some(body))
    }

    /// Looks at the limits of whoever has this `Authorization`.
    #[track_caller]
    fn look(&self, authorization: &str) -> Reply {
        self.send("GET", "/v1/me", &[("Authorization", authorization)], None)
    }
}

impl<D: Door> Door for Arc<D> {
    fn url(&self, path: &str) -> String {
        D::url(self, path)
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        D::send(self, method, path, headers, body)
    }
}
