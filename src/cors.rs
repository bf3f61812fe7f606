//! Browsers from other origins (the Fetch standard's CORS protocol): only those in `CORS_ORIGINS`.

use crate::reply::Reply;
use crate::stages::accept::{Route, route};

/// The request's origin, if it is one of those allowed.
#[must_use]
pub fn allowed(origin: Option<&str>, origins: &[String]) -> Option<String> {
    origins.iter().find(|allowed| Some(allowed.as_str()) == origin).cloned()
}

/// The answer to a preflight of an allowed origin. Others get what `OPTIONS` gets anyway.
#[must_use]
pub fn preflight(method: &str, path: &str, allowed: Option<&str>, request_id: &str) -> Option<Reply> {
    let origin = allowed.filter(|_| method == "OPTIONS")?;
    let methods = match (route("POST", path), route("GET", path)) {
        (Ok(Route::Analyze(_)), _) => "POST",
        (_, Ok(_)) => "GET",
        _ => return None,
    };
    let reply = Reply::new(204, "text/plain", request_id, String::new())
        .with_header("Access-Control-Allow-Methods", methods)
        .with_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
        .with_header("Access-Control-Max-Age", "3600");
    Some(expose(reply, Some(origin)))
}

/// A reply that an allowed origin may read.
#[must_use]
pub fn expose(reply: Reply, allowed: Option<&str>) -> Reply {
    match allowed {
        None => reply,
        Some(origin) => reply
            .with_header("Access-Control-Allow-Origin", origin)
            .with_header("Vary", "Origin")
            .with_header(
                "Access-Control-Expose-Headers",
                "X-Request-Id, RateLimit, RateLimit-Policy, Retry-After",
            ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_origins_are_allowed() {
        let origins = vec!["https://pip.example".to_owned()];
        assert_eq!(allowed(Some("https://pip.example"), &origins).as_deref(), Some("https://pip.example"));
        for origin in
            [None, Some("null"), Some("https://pip.example.evil.example"), Some("http://pip.example")]
        {
            assert_eq!(allowed(origin, &origins), None, "{origin:?}");
        }
        assert_eq!(allowed(Some("https://pip.example"), &[]), None);
        assert!(preflight("OPTIONS", "/v1/analyze", Some("https://pip.example"), "r").is_some());
        assert!(preflight("OPTIONS", "/v1/analyze", None, "r").is_none());
        assert!(preflight("OPTIONS", "/nowhere", Some("https://pip.example"), "r").is_none());
    }
}
