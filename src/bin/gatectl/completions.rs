//! `gatectl completions`: what a shell needs to complete this program's words.

use clap_complete::Shell;
use serde_json::json;

use crate::output::{Answer, Failure};

/// For which shell.
#[derive(clap::Args)]
pub struct Command {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Does it, for the program that `words` describes.
pub fn run(command: &Command, mut words: clap::Command) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut words, "gatectl", &mut script);
    let script = String::from_utf8(script)
        .map_err(|_| Failure::new("the completions are no text: that is a mistake in this program"))?;
    let json = json!({ "shell": command.shell.to_string(), "script": script });
    Ok(Answer::new(script.trim_end().to_owned(), json))
}
