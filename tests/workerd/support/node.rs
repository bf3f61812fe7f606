//! Small Node programs that answer a line with a line, one process each for all tests.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;

use super::{project, support_file};

/// A Node program, started when it is first asked. It ends when its standard input does.
pub struct Helper {
    script: &'static str,
    process: Mutex<Option<Process>>,
}

struct Process {
    _child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// The program in this file.
    pub const fn new(script: &'static str) -> Self {
        Self { script, process: Mutex::new(None) }
    }

    /// Its answer to one question.
    pub fn ask(&self, question: &Value) -> Value {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let process = process.get_or_insert_with(|| self.start());
        let mut answer = String::new();
        let asked =
            writeln!(process.questions, "{question}").and_then(|()| process.answers.read_line(&mut answer));
        assert!(asked.is_ok() && answer.ends_with('\n'), "{} ended: run `make build` first", self.script);
        serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{} said ({error}): {answer}", self.script))
    }

    fn start(&self) -> Process {
        let mut child = Command::new("node")
            .arg(support_file(self.script))
            .current_dir(project())
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_LOG_PATH", super::process::run_folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let questions = child.stdin.take().expect("standard input is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Process { _child: child, questions, answers }
    }
}
