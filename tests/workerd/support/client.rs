//! Requests that keep to HTTP, and what every answer must have.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Method, Request};

/// An answer, read whole.
#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let start: String = text.chars().take(2_000).collect();
        write!(formatter, "{} {:?} {start}", self.status, self.headers)
    }
}

impl Reply {
    /// Sends one request and reads its answer. `None` when the connection broke first.
    pub fn of(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Option<Self> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let mut request = Request::builder().method(Method::try_from(method).expect("a method")).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => agent.run(request.body(body).expect("a request")),
            None => agent.run(request.body(()).expect("a request")),
        };
        let mut answer = answer.ok()?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), value.to_str().expect("an ASCII header").to_owned())
            })
            .collect();
        let body = answer.body_mut().with_config().limit(1 << 24).read_to_vec().ok()?;
        Some(Self { status: answer.status().as_u16(), headers, body })
    }

    /// A header's value, of the only header with that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} comes twice: {self:?}");
        value
    }

    /// All headers of a name, joined as HTTP allows.
    pub fn header_list(&self, name: &str) -> String {
        let values: Vec<&str> =
            self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect();
        values.join(", ")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The id that this answer goes by.
    pub fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap_or_else(|| panic!("X-Request-Id is missing: {self:?}"))
    }

    /// What the contract promises of every answer, whatever it is.
    #[track_caller]
    pub fn assert_common_headers(&self) {
        assert!(!self.request_id().is_empty(), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
    }

    /// Checks that this is the problem document of that slug, and gives it.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "a {slug} was expected: {self:?}");
        let media_type = self.header("content-type").unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        assert_eq!(essence, "application/problem+json", "{self:?}");
        let problem = self.json();
        let text =
            |name: &str| problem[name].as_str().unwrap_or_else(|| panic!("{name} is no text: {problem}"));
        let last = text("type").rsplit(['/', ':', '#']).next().unwrap_or_default();
        assert_eq!(last, slug, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(!text("title").is_empty(), "{problem}");
        assert!(!text("detail").is_empty(), "{problem}");
        assert_eq!(text("request_id"), self.request_id(), "{problem}");
        problem
    }

    /// `Retry-After` in whole seconds.
    #[track_caller]
    pub fn retry_after(&self) -> u64 {
        let value = self.header("retry-after").unwrap_or_else(|| panic!("Retry-After is missing: {self:?}"));
        value.parse().unwrap_or_else(|_| panic!("Retry-After is no whole number: {value:?}"))
    }

    /// Checks `RateLimit-Policy` and `RateLimit` as structured fields, and gives what is left of
    /// the limit with that name.
    #[track_caller]
    pub fn assert_rate_limit(&self, name: &str) -> i64 {
        let policies = limits(&self.header_list("ratelimit-policy"), "q");
        let left = limits(&self.header_list("ratelimit"), "r");
        assert!(!policies.is_empty(), "RateLimit-Policy is missing: {self:?}");
        for (limit, remaining) in &left {
            let quota = policies.iter().find(|(policy, _)| policy == limit);
            let (_, quota) = quota.unwrap_or_else(|| panic!("{limit} has no policy: {self:?}"));
            assert!(*quota > 0 && *remaining >= 0, "{limit}: {self:?}");
        }
        let (_, remaining) = left
            .iter()
            .find(|(limit, _)| limit == name)
            .unwrap_or_else(|| panic!("RateLimit has no {name:?}: {self:?}"));
        *remaining
    }
}

/// The named items of a structured list, each with its whole-number parameter.
fn limits(field: &str, parameter: &str) -> Vec<(String, i64)> {
    let list: sfv::List = sfv::Parser::new(field)
        .parse()
        .unwrap_or_else(|error| panic!("no structured list: {field:?}: {error}"));
    list.iter()
        .map(|entry| {
            let sfv::ListEntry::Item(item) = entry else { panic!("an inner list: {field:?}") };
            let name = item.bare_item.as_string().unwrap_or_else(|| panic!("a name is no string: {field:?}"));
            let value = item
                .params
                .get(parameter)
                .and_then(sfv::BareItem::as_integer)
                .unwrap_or_else(|| panic!("no whole number {parameter}: {field:?}"));
            (name.as_str().to_owned(), i64::from(value))
        })
        .collect()
}
