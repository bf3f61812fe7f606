//! A running gateway, asked over HTTP as an operator.

use std::time::Duration;

use pip_aide_gateway::policy::api_base::ApiBase;
use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::http::Request;

use crate::access::Token;
use crate::output::Failure;
use crate::terminal::plain;

/// For a whole request.
const DEADLINE: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const MOST_BYTES: u64 = 16 * 1_048_576;

/// What to do with a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Add.
    Post,
    /// Take away.
    Delete,
    /// Set.
    Put,
}

/// A gateway's address, and the token that it is shown.
pub struct Gateway {
    base: ApiBase,
    token: Token,
    agent: ureq::Agent,
}

impl Gateway {
    /// Checks the address. The token goes nowhere that others can listen.
    pub fn new(address: &str, token: Token) -> Result<Self, Failure> {
        let base = ApiBase::parse(address).ok_or_else(|| {
            Failure::new(
                "--gateway takes the gateway's address, such as https://gateway.example; http:// only for \
                 this machine, such as http://127.0.0.1:8787",
            )
        })?;
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(DEADLINE))
            .build()
            .new_agent();
        Ok(Self { base, token, agent })
    }

    /// What a path says, in a form that is known.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Value), Failure> {
        let answer = self.send(Method::Get, path, None)?;
        let read = serde_json::from_value(answer.clone()).map_err(|_| Self::not_one())?;
        Ok((read, answer))
    }

    /// One request and its answer, or what the gateway has against it in a sentence.
    pub fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let agent = &self.agent;
        let token = self.token.show()?;
        let method = match method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
            Method::Put => "PUT",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base.as_str()))
            .header("Authorization", format!("Bearer {token}"))
            .header("Accept", "application/json, application/problem+json");
        let sent = match body {
            Some(body) => request
                .header("Content-Type", "application/json")
                .body(body.to_string())
                .map(|request| agent.run(request)),
            None => request.body(()).map(|request| agent.run(request)),
        };
        let answer = sent.map_err(ureq::Error::from).and_then(|answer| answer);
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let text = text.map_err(|error| self.unreachable(&error))?;
        let document: Option<Value> = serde_json::from_str(&text).ok();
        match document {
            Some(document) if status == 200 => Ok(document),
            document => Err(self.refused(status, document.as_ref())),
        }
    }

    /// An answer of a form that no gateway gives.
    pub fn not_one() -> Failure {
        Failure::new("the answer is not one that this version of the gateway gives: is it the same version?")
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        Failure::new(format!(
            "no answer from {}: {error}; is the address right, and does the gateway run?",
            self.base.as_str()
        ))
    }

    /// A problem document (RFC 9457) as a sentence.
    fn refused(&self, status: u16, document: Option<&Value>) -> Failure {
        let address = self.base.as_str();
        let text = |name| Some(plain(document?.get(name)?.as_str()?).chars().take(500).collect::<String>());
        let (Some(title), Some(detail), Some(id)) = (text("title"), text("detail"), text("request_id"))
        else {
            return Failure::new(format!(
                "{address} answered {status} without saying why: is it the gateway's address?"
            ));
        };
        // The gateway does not tell why a credential fails, and speaks to clients.
        let detail = match status {
            401 => "The operator's token does not verify: it has expired, or OPERATOR_KEYS, --issuer or \
                    --audience is not the gateway's."
                .to_owned(),
            403 => format!("{detail} It takes an operator's token: `gatectl token mint --operator`."),
            _ => detail,
        };
        Failure::new(format!("{address} answered {status}: {title}. {detail} (request {id})"))
    }
}

/// The path with these parameters; those without a value are left out.
pub fn with_query(path: &str, parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// A segment of a path or a value of a query (RFC 3986, 2.1).
pub fn encode(text: &str) -> String {
    let each = text.bytes().map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_left_out() {
        let path = with_query(
            "/p",
            &[("a", Some("net~x/y:é".to_owned())), ("b", None), ("c", Some("1".to_owned()))],
        );
        assert_eq!(path, "/p?a=net~x%2Fy%3A%C3%A9&c=1");
        assert_eq!(with_query("/p", &[("b", None)]), "/p");
    }
}
