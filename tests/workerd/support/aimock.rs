//! The model: an independent server that speaks OpenAI's wire format (npm `@copilotkit/aimock`).

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Reply;
use super::process::{Folder, Supervised, free_port};
use super::{project, wait_for};

/// A running aimock that gives one answer to everything.
pub struct Aimock {
    port: u16,
    _process: Supervised,
    _folder: Folder,
}

impl Aimock {
    /// Starts one that answers with `content` and this many tokens.
    pub fn start(content: &str, prompt_tokens: u64, completion_tokens: u64) -> Self {
        let folder = Folder::new("model");
        let fixtures = folder.path().join("fixtures.json");
        let usage = json!({
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        });
        let fixture = json!({
            "fixtures": [{
                "match": { "endpoint": "chat" },
                "response": { "content": content, "usage": usage },
            }],
        });
        std::fs::write(&fixtures, fixture.to_string()).expect("the fixtures are written");
        let port = free_port();
        let program = project().join("node_modules/.bin/llmock");
        let process = Supervised::start(&program, folder.path().join("output.txt"), |command| {
            command.args(["--port", &port.to_string(), "--strict", "--fixtures"]).arg(&fixtures);
        });
        let url = format!("http://127.0.0.1:{port}/health");
        wait_for(Duration::from_secs(60), || {
            assert!(process.runs(), "aimock did not start:\n{}", process.output());
            Reply::of("GET", &url, &[], None).filter(|reply| reply.status == 200)
        })
        .unwrap_or_else(|| panic!("aimock did not start:\n{}", process.output()));
        Self { port, _process: process, _folder: folder }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Every request that it has seen, as it tells itself.
    pub fn journal(&self) -> Vec<Value> {
        let url = format!("http://127.0.0.1:{}/__aimock/journal", self.port);
        let reply = Reply::of("GET", &url, &[], None).expect("aimock answers");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json().as_array().expect("a journal is a list").clone()
    }

    /// The requests whose text has `marker` in it.
    pub fn journal_of(&self, marker: &str) -> Vec<Value> {
        self.journal().into_iter().filter(|entry| entry["body"].to_string().contains(marker)).collect()
    }
}
