//! Several Workers in one workerd, each on a port of its own, with one ledger and one log: versions
//! that stand side by side, settings that differ, a module of ours before the built Worker.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::Reply;
use super::door::Door;
use super::gateway::{Settings, Turn, note_output, show_logs_of_failed_tests};
use super::process::{Folder, Supervised};
use super::{support_file, wait_for};

/// Running Workers.
pub struct Fleet {
    main: Option<&'static str>,
    is_inspected: bool,
    // Before the folder that it writes to, so that it ends first.
    running: Mutex<Option<Running>>,
    folder: Folder,
}

struct Running {
    ports: Map<String, Value>,
    process: Supervised,
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
    pub fn start_behind(main: Option<&'static str>, workers: &[(&str, Settings)]) -> Self {
        Self::begin(main, false, workers)
    }

    /// The same with workerd's inspector, for [`Fleet::collect`].
    pub fn start_inspected(main: Option<&'static str>, workers: &[(&str, Settings)]) -> Self {
        Self::begin(main, true, workers)
    }

    fn begin(main: Option<&'static str>, is_inspected: bool, workers: &[(&str, Settings)]) -> Self {
        show_logs_of_failed_tests();
        let fleet = Self { main, is_inspected, running: Mutex::new(None), folder: Folder::new("fleet") };
        fleet.set(workers);
        fleet.run();
        fleet
    }

    /// Gives them other settings, from their next start on.
    pub fn set(&self, workers: &[(&str, Settings)]) {
        let list: Vec<Value> = workers
            .iter()
            .map(|(name, settings)| json!({ "name": name, "main": self.main, "bindings": settings.bindings() }))
            .collect();
        std::fs::write(self.list(), Value::from(list).to_string()).expect("the list is written");
    }

    /// Ends every process of theirs at once, as a power failure would, and leaves the storage.
    pub fn crash(&self) {
        let running = self.running.lock().expect("no start failed").take();
        if let Some(running) = running {
            running.process.kill();
        }
    }

    /// Starts them again on the same storage, on other ports.
    pub fn run(&self) {
        let _turn = Turn::take();
        let output = self.folder.path().join("output.txt");
        note_output(&output);
        let printed_before = std::fs::read_to_string(&output).map_or(0, |text| text.lines().count());
        let process = Supervised::start("node".as_ref(), output, |command| {
            command.arg(support_file("fleet.mjs")).arg(self.list()).arg(self.folder.path().join("state"));
            command.args(self.is_inspected.then_some("inspected"));
        });
        let ports = wait_for(Duration::from_secs(240), || {
            assert!(process.runs(), "the Workers did not start:\n{}", process.output());
            let printed = process.output();
            printed.lines().skip(printed_before).find_map(|line| serde_json::from_str(line).ok())
        })
        .unwrap_or_else(|| panic!("the Workers did not start:\n{}", process.output()));
        *self.running.lock().expect("no start failed") = Some(Running { ports, process });
    }

    /// Leaves them the first core, and this process the others, where that can be: who measures does not
    /// want to stand in their way.
    pub fn keep_to_one_core(&self) {
        let running = self.running.lock().expect("no start failed");
        running.as_ref().expect("they run").process.keep_apart();
    }

    /// The most memory that they have had so far, in bytes, where the system tells.
    pub fn peak_memory(&self) -> Option<u64> {
        let running = self.running.lock().expect("no start failed");
        running.as_ref().expect("they run").process.peak_memory()
    }

    /// Has the isolates collect their garbage: bytes that each of those that did has left on its heaps, by its name.
    /// `None` where they were not started with the inspector, or it does not answer.
    pub fn collect(&self) -> Option<BTreeMap<String, u64>> {
        let collector = self.is_inspected.then(|| self.member("collector"))?;
        serde_json::from_value(Reply::of("GET", &collector.url("/"), &[], None)?.json()).ok()
    }

    /// Processor time that they have used so far.
    pub fn processor_time(&self) -> Duration {
        let running = self.running.lock().expect("no start failed");
        running.as_ref().expect("they run").process.processor_time()
    }

    fn list(&self) -> PathBuf {
        self.folder.path().join("workers.json")
    }

    /// The one with this name.
    pub fn member(&self, name: &str) -> Member {
        let running = self.running.lock().expect("no start failed");
        let ports = &running.as_ref().expect("they run").ports;
        let port = ports[name].as_u64().and_then(|port| port.try_into().ok());
        Member { port: port.unwrap_or_else(|| panic!("{name} does not listen: {ports:?}")) }
    }

    /// The folder of their storage.
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// All that they have printed.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("output.txt")).unwrap_or_default()
    }

    /// Throws away what they have printed so far: in minutes of load that is more than a disk should hold.
    /// Not while they start, which is seen by what they print.
    pub fn forget_output(&self) {
        let file = std::fs::File::options().write(true).open(self.folder.path().join("output.txt"));
        file.and_then(|file| file.set_len(0)).expect("the output can be cut");
    }

    /// The process group that they run in.
    pub fn group(&self) -> Option<u32> {
        self.running.lock().expect("no start failed").as_ref().map(|running| running.process.group())
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
