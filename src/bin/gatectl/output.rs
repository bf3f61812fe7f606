//! How answers and failures are printed: for people by default, one JSON object with `--json`.

use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::terminal;

/// What a command found.
pub struct Answer {
    /// For standard output: the one thing that a pipe wants.
    pub text: String,
    /// For standard error: what a person wants to know beside it.
    pub note: Option<String>,
    /// The same as JSON.
    pub json: Value,
    /// Whether the answer is a "no" (the exit code is 1).
    pub is_no: bool,
}

impl Answer {
    /// An answer that is a "yes" and needs no note.
    pub fn new(text: String, json: Value) -> Self {
        Self { text, note: None, json, is_no: false }
    }

    /// Prints it; exit code 0, or 1 for a "no".
    pub fn print(&self, as_json: bool) -> ExitCode {
        let mut stdout = std::io::stdout().lock();
        let written = if as_json {
            if self.json.is_null() {
                return ExitCode::SUCCESS;
            }
            writeln!(stdout, "{}", terminal::json(&self.json.to_string()))
        } else {
            if let Some(note) = &self.note {
                eprintln!("{note}");
            }
            if self.text.is_empty() { Ok(()) } else { writeln!(stdout, "{}", self.text) }
        };
        // A reader that went away (`| head`) wants no more.
        if written.is_err() || self.is_no { ExitCode::from(1) } else { ExitCode::SUCCESS }
    }
}

/// Why a command could not be done, and what to do about it. Never holds a secret.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// A failure in words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Prints it; exit code 2.
    pub fn print(&self, as_json: bool) -> ExitCode {
        if as_json {
            println!("{}", terminal::json(&json!({ "error": self.0 }).to_string()));
        } else {
            eprintln!("gatectl: {}", self.0);
        }
        ExitCode::from(2)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
