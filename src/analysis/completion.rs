//! Reads a chat completion (OpenAI's wire format, which most providers speak) and the proposal in it.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::proposal::Proposal;

/// Tokens that a call cost, as the provider counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// All input tokens, those from the provider's cache among them.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub completion_tokens: u64,
    /// Input tokens that the provider had in its cache, which are cheaper.
    pub cached_tokens: u64,
}

/// A completion that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What the model proposes.
    pub proposal: Proposal,
    /// What it cost, where the provider says so plausibly.
    pub usage: Option<Usage>,
    /// The model, as the provider calls it, where that is a name.
    pub model: Option<String>,
}

/// A completion that cannot be used. It was still paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletionError {
    /// What is wrong.
    pub kind: CompletionErrorKind,
    /// What it cost, where that can be read.
    pub usage: Option<Usage>,
}

/// What is wrong with a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionErrorKind {
    /// The body is not JSON, or not an object.
    NotJson,
    /// The provider answers with an error object.
    ProviderError,
    /// There is no choice with a message.
    NoChoices,
    /// The message holds no text.
    EmptyContent,
}

/// Without values, so that it can be a metric's label.
impl fmt::Display for CompletionErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotJson => "not-json",
            Self::ProviderError => "provider-error",
            Self::NoChoices => "no-choices",
            Self::EmptyContent => "empty-content",
        })
    }
}

impl fmt::Display for CompletionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(formatter)
    }
}

impl std::error::Error for CompletionError {}

/// How much of a message's text is read, in bytes; the tokens that we allow make far less.
const LONGEST_CONTENT: usize = 64_000;
/// How many commands are read from a message.
const MOST_COMMANDS: usize = 50;

/// Reads a response body. Providers send blank lines while a call waits in their queue, so white
/// space before the JSON is passed over.
///
/// # Errors
///
/// What is wrong, with the usage where that can be read.
pub fn parse(body: &[u8]) -> Result<Completion, CompletionError> {
    let fail = |kind, usage| Err(CompletionError { kind, usage });
    // A byte order mark is white space to some who write JSON.
    let body = body.trim_ascii_start();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    // serde_json refuses what is nested deeper than 128.
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return fail(CompletionErrorKind::NotJson, None);
    };
    if !value.is_object() {
        return fail(CompletionErrorKind::NotJson, None);
    }
    let usage = value.get("usage").and_then(read_usage);
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return fail(CompletionErrorKind::ProviderError, usage);
    }
    let Some(message) = value.pointer("/choices/0/message") else {
        return fail(CompletionErrorKind::NoChoices, usage);
    };
    let content = read_content(message.get("content"));
    let content = super::facts::cut(&content, LONGEST_CONTENT).trim();
    if content.is_empty() {
        return fail(CompletionErrorKind::EmptyContent, usage);
    }
    let model = value.get("model").and_then(Value::as_str).filter(|model| is_name(model)).map(str::to_owned);
    Ok(Completion { proposal: read_proposal(content), usage, model })
}

/// Whether it is a model's name: it is for operators to see, and no place for a text.
fn is_name(model: &str) -> bool {
    (1..=64).contains(&model.len())
        && model.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'@')
        })
}

/// A number of tokens that cannot be is no number: a cap that believes zero never fills.
fn read_usage(usage: &Value) -> Option<Usage> {
    let count = |name: &str| usage.get(name).and_then(Value::as_u64);
    let prompt_tokens = count("prompt_tokens").filter(|tokens| *tokens > 0)?;
    let completion_tokens = count("completion_tokens")?;
    let cached = usage
        .pointer("/prompt_tokens_details/cached_tokens")
        .or_else(|| usage.get("prompt_cache_hit_tokens"))
        .filter(|cached| !cached.is_null());
    let cached_tokens = match cached {
        None => 0,
        Some(cached) => cached.as_u64()?,
    };
    // More than a model can take in is a mistake or a lie.
    let plausible =
        cached_tokens <= prompt_tokens && prompt_tokens <= 1 << 40 && completion_tokens <= 1 << 40;
    plausible.then_some(Usage { prompt_tokens, completion_tokens, cached_tokens })
}

/// Text, or the text parts of a list of parts.
fn read_content(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

/// The proposal in a message: a JSON object, alone, in a fence or among text; else the lines of its
/// fences.
fn read_proposal(content: &str) -> Proposal {
    let from_json = object_in(content).as_ref().and_then(read_object);
    let proposal = from_json.unwrap_or_else(|| read_fences(content));
    // `UNCERTAIN` and a command contradict each other: then the doubt counts.
    let doubts = proposal.explanation.trim_start().starts_with("UNCERTAIN");
    if doubts { Proposal { commands: Vec::new(), ..proposal } } else { proposal }
}

/// The first JSON object in the text, tried from at most two places so that a text full of braces
/// costs no more than two readings.
fn object_in(content: &str) -> Option<Value> {
    let fenced = content.find("```json").and_then(|at| content.get(at..)?.find('{')?.checked_add(at));
    let first = content.find('{');
    [fenced, first].into_iter().flatten().find_map(|start| {
        let mut objects = serde_json::Deserializer::from_str(content.get(start..)?).into_iter::<Value>();
        objects.next()?.ok().filter(Value::is_object)
    })
}

fn read_object(object: &Value) -> Option<Proposal> {
    let commands = match object.get("commands")? {
        Value::Array(commands) => commands
            .iter()
            .take(MOST_COMMANDS)
            .filter_map(|command| Some(command.as_str()?.to_owned()))
            .collect(),
        Value::String(command) => vec![command.clone()],
        Value::Null => Vec::new(),
        _ => return None,
    };
    let explanation = object.get("explanation").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Proposal { explanation, commands })
}

fn read_fences(content: &str) -> Proposal {
    let mut proposal = Proposal::default();
    let mut in_fence = false;
    for line in content.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if in_fence {
            if proposal.commands.len() < MOST_COMMANDS && !line.trim().is_empty() {
                proposal.commands.push(line.trim().to_owned());
            }
        } else {
            proposal.explanation.push_str(line);
            proposal.explanation.push('\n');
        }
    }
    proposal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(content: &str, usage: &str) -> Vec<u8> {
        let content = serde_json::to_string(content).unwrap();
        format!("\n\n \r\n{{\"choices\":[{{\"message\":{{\"content\":{content}}}}}],\"usage\":{usage}}}\n")
            .into_bytes()
    }

    const USAGE: &str = r#"{"prompt_tokens":10,"completion_tokens":2}"#;

    #[test]
    fn proposals_are_read_in_each_form() {
        for (content, commands) in [
            (
                r#"{"explanation":"e","commands":["pip install a","pip install b"]}"#,
                vec!["pip install a", "pip install b"],
            ),
            (
                "Sure:\n```json\n{\"explanation\":\"e\",\"commands\":[\"pip install a\"]}\n```\nDone {x}",
                vec!["pip install a"],
            ),
            ("text {\"commands\":\"pip install a\"} text", vec!["pip install a"]),
            ("e\n```bash\npip install a\n\npip install b\n```\n", vec!["pip install a", "pip install b"]),
            ("e\n```\npip install a", vec!["pip install a"]),
            ("UNCERTAIN", vec![]),
            ("UNCERTAIN\n```\npip install a\n```", vec![]),
            (r#"{"explanation":"UNCERTAIN, but","commands":["pip install a"]}"#, vec![]),
            (r#"{"explanation":"e","commands":null}"#, vec![]),
            (r#"{"explanation":"e","commands":[1,{},"pip install a"]}"#, vec!["pip install a"]),
            ("pip install a", vec![]),
        ] {
            let completion = parse(&body(content, USAGE)).unwrap();
            assert_eq!(completion.proposal.commands, commands, "{content}");
        }
    }

    #[test]
    fn usage_is_read_from_either_form_or_not_at_all() {
        let read = |usage: &str| parse(&body("x", usage)).unwrap().usage;
        let usage = |cached_tokens| Some(Usage { prompt_tokens: 10, completion_tokens: 2, cached_tokens });
        assert_eq!(read(USAGE), usage(0));
        assert_eq!(
            read(r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}"#),
            usage(4)
        );
        assert_eq!(
            read(r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":7}"#),
            usage(7)
        );
        assert_eq!(
            read(
                r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":null}}"#
            ),
            usage(0)
        );
        for wrong in [
            "null",
            "{}",
            "[]",
            r#"{"prompt_tokens":0,"completion_tokens":2}"#,
            r#"{"prompt_tokens":-1,"completion_tokens":2}"#,
            r#"{"prompt_tokens":1.5,"completion_tokens":2}"#,
            r#"{"prompt_tokens":10}"#,
            r#"{"prompt_tokens":"10","completion_tokens":2}"#,
            r#"{"prompt_tokens":10,"completion_tokens":-2}"#,
            r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":11}"#,
            r#"{"prompt_tokens":10,"completion_tokens":2,"prompt_cache_hit_tokens":-1}"#,
            r#"{"prompt_tokens":1e30,"completion_tokens":2}"#,
            r#"{"prompt_tokens":18446744073709551615,"completion_tokens":2}"#,
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_used_still_tells_what_it_cost() {
        use CompletionErrorKind::{EmptyContent, NoChoices, NotJson, ProviderError};
        let with = |rest: &str| format!("{{{rest},\"usage\":{USAGE}}}").into_bytes();
        for (body, kind, has_usage) in [
            (b"".to_vec(), NotJson, false),
            (b"<html>".to_vec(), NotJson, false),
            (b"[]".to_vec(), NotJson, false),
            (b"{\"choices\":[".to_vec(), NotJson, false),
            ("[".repeat(100_000).into_bytes(), NotJson, false),
            (with("\"choices\":[]"), NoChoices, true),
            (with("\"choices\":[{}]"), NoChoices, true),
            (with("\"id\":1"), NoChoices, true),
            (with("\"error\":{\"message\":\"x\"}"), ProviderError, true),
            (body("", USAGE), EmptyContent, true),
            (body(" \n", USAGE), EmptyContent, true),
            (with("\"choices\":[{\"message\":{\"content\":null}}]"), EmptyContent, true),
        ] {
            let error = parse(&body).unwrap_err();
            assert_eq!((error.kind, error.usage.is_some()), (kind, has_usage));
        }
    }

    #[test]
    fn a_text_full_of_braces_is_read_in_time() {
        let content = "{\"a\":".repeat(12_000);
        assert_eq!(parse(&body(&content, USAGE)).unwrap().proposal.commands, Vec::<String>::new());
    }
}
