//! Several Workers in one workerd, each on a port of its own, with one ledger and one log: versions
//! that stand side by side, settings that differ, a module of ours before the built Worker.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::Reply;
use super::door::Door;
use super::gateway::{Settings, Turn, note_output, show_logs_of_failed_tests};
use super::process::{Folder, Supervised};
use super::{support_file, wait_for};

/// Running Workers.
pub struct Fleet {
    ports: Map<String, Value>,
    process: Supervised,
    _folder: Folder,
}

/// One of them.
#[derive(Clone, Copy)]
pub struct Member {
    port: u16,
}

impl Fleet {
    /// Starts the built Worker once with each of these settings.
    pub fn start(workers: &[(&str, Settings)]) -> Self {
        Self::start_behind(None, workers)
    }

    /// The same with a module of `tests/workerd/support` before each.
    pub fn start_behind(main: Option<&str>, workers: &[(&str, Settings)]) -> Self {
        show_logs_of_failed_tests();
        let folder = Folder::new("fleet");
        let list: Vec<Value> = workers
            .iter()
            .map(|(name, settings)| json!({ "name": name, "main": main, "bindings": settings.bindings() }))
            .collect();
        let file = folder.path().join("workers.json");
        std::fs::write(&file, Value::from(list).to_string()).expect("the list is written");
        let _turn = Turn::take();
        let output = folder.path().join("output.txt");
        note_output(&output);
        let process = Supervised::start("node".as_ref(), output, |command| {
            command.arg(support_file("fleet.mjs")).arg(&file);
        });
        let ports = wait_for(Duration::from_secs(240), || {
            assert!(process.runs(), "the Workers did not start:\n{}", process.output());
            process.output().lines().find_map(|line| serde_json::from_str(line).ok())
        })
        .unwrap_or_else(|| panic!("the Workers did not start:\n{}", process.output()));
        Self { ports, process, _folder: folder }
    }

    /// The one with this name.
    pub fn member(&self, name: &str) -> Member {
        let port = self.ports[name].as_u64().and_then(|port| port.try_into().ok());
        Member { port: port.unwrap_or_else(|| panic!("{name} does not listen: {:?}", self.ports)) }
    }

    /// All that they have printed.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

impl Member {
    /// Where it listens.
    pub fn port(self) -> u16 {
        self.port
    }
}

impl Door for Member {
    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Reply {
        let reply = Reply::of(method, &self.url(path), headers, body)
            .unwrap_or_else(|| panic!("{method} {path} got no answer"));
        reply.assert_common_headers();
        reply
    }
}
