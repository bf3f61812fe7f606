//! `gatectl sign`: a request signed as a machine signs it, as a `curl` line.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pip_aide_gateway::token::machine_id::MachineId;
use pip_aide_gateway::token::signed::{self, Message};
use serde_json::json;

use crate::edge;
use crate::output::{Answer, Failure};
use crate::settings::{KeySource, Ring};
use crate::token::read_machine;

/// What to sign, and for whom.
#[derive(clap::Args)]
pub struct Command {
    /// The machine that signs
    #[arg(long, value_name = "ID", value_parser = read_machine)]
    machine: MachineId,
    /// Where the request goes, such as https://gateway.example/v1/analyze
    #[arg(long)]
    url: String,
    /// The method; POST with a body and GET without
    #[arg(long)]
    method: Option<String>,
    /// The body
    #[arg(long, value_name = "TEXT", conflicts_with = "data_file")]
    data: Option<String>,
    /// A file that holds the body
    #[arg(long, value_name = "FILE")]
    data_file: Option<PathBuf>,
    #[command(flatten)]
    source: KeySource,
}

/// Does it.
pub fn run(command: &Command) -> Result<Answer, Failure> {
    let keyring = command.source.keyring(Ring::TokenKeys)?;
    let url = Url::read(&command.url)?;
    let (body, body_arguments) = body(command)?;
    let default_method = if body.is_empty() { "GET" } else { "POST" };
    let method = command.method.as_deref().unwrap_or(default_method);
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Failure::new("--method takes upper-case letters, such as POST"));
    }
    let message = Message {
        method,
        scheme: url.scheme,
        authority: url.authority,
        path: url.path,
        query: url.query,
        header: (),
        has_body: !body.is_empty(),
    };
    let nonce = URL_SAFE_NO_PAD.encode(edge::random::<16>()?);
    let headers = signed::sign(&message, &body, &keyring, &command.machine, &nonce, edge::now()?)
        .map_err(|denied| Failure::new(format!("not signed: {denied}")))?;

    let mut fields = Vec::new();
    if let Some(digest) = headers.content_digest {
        fields.push(("Content-Type", "application/json".to_owned()));
        fields.push(("Content-Digest", digest));
    }
    fields.push(("Signature-Input", headers.signature_input));
    fields.push(("Signature", headers.signature));
    let mut words = ["curl", "-sS", "--globoff", "--path-as-is", "-X", method].join(" ");
    words.push_str(&format!(" {}", quote(&command.url)));
    for (name, value) in &fields {
        words.push_str(&format!(" -H {}", quote(&format!("{name}: {value}"))));
    }
    words.push_str(&body_arguments);
    let map: serde_json::Map<_, _> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Ok(Answer {
        text: words.clone(),
        note: Some("good once, for five minutes".to_owned()),
        json: json!({ "method": method, "url": command.url, "headers": map, "curl": words }),
        is_no: false,
    })
}

/// The body's bytes, and the arguments that make `curl` send exactly these.
fn body(command: &Command) -> Result<(Vec<u8>, String), Failure> {
    match (&command.data, &command.data_file) {
        (Some(text), _) => Ok((text.clone().into_bytes(), format!(" --data-raw {}", quote(text)))),
        (None, Some(path)) => {
            let shown = path.display().to_string();
            let body =
                std::fs::read(path).map_err(|error| Failure::new(format!("cannot read {shown}: {error}")))?;
            Ok((body, format!(" --data-binary {}", quote(&format!("@{shown}")))))
        }
        (None, None) => Ok((Vec::new(), String::new())),
    }
}

/// A word that a POSIX shell takes as it is.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A URL's parts, as the gateway will see them.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Url<'a> {
    /// Takes a URL apart. What a client or the platform would rewrite on the way (a fragment, user
    /// information, dot segments, characters that must be escaped) is refused: the signature covers
    /// the URL as it is written.
    fn read(url: &'a str) -> Result<Self, Failure> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "https" | "http"))
            .ok_or_else(|| Failure::new("--url begins with https:// or http://"))?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?[]!$&()*+,;=%".contains(c);
        if !rest.chars().all(is_plain) {
            return Err(Failure::new(
                "--url takes no user name, no fragment and nothing that must be escaped: write %XX",
            ));
        }
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        let end = location.find('/').unwrap_or(location.len());
        let (authority, path) = location.split_at_checked(end).unwrap_or((location, ""));
        if authority.is_empty() || path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(Failure::new("--url needs a host, and a path without '.' and '..'"));
        }
        Ok(Self { scheme, authority, path, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_or_refused() {
        let url = Url::read("http://127.0.0.1:8787/v1/analyze?a=%20b").unwrap();
        let expected =
            Url { scheme: "http", authority: "127.0.0.1:8787", path: "/v1/analyze", query: Some("a=%20b") };
        assert_eq!(url, expected);
        assert_eq!(Url::read("https://h?q").unwrap().path, "");
        for url in [
            "",
            "h/x",
            "ftp://h/",
            "HTTP://h/",
            "https://",
            "https:///x",
            "https://u@h/",
            "https://h/#f",
            "https://h/a b",
            "https://h/../x",
            "https://h/é",
            "https://h/\"",
            "https://h/'",
        ] {
            assert!(Url::read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
