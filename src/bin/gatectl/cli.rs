//! The commands and what they share.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::output::{Answer, Failure};
use crate::{check, completions, keys, kill_switch, logs, machines, revoke, sign, simulate, token, usage};

/// Runs the gateway from a terminal.
#[derive(Parser)]
#[command(name = "gatectl", version, about, arg_required_else_help = true)]
struct Arguments {
    /// Print JSON, errors included
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check wrangler.toml, the policies and the secrets' forms (exit code 1 when something is wrong)
    Check(check::Command),
    /// Make keys for TOKEN_KEYS and OPERATOR_KEYS, or change them without an outage
    #[command(subcommand)]
    Keys(keys::Command),
    /// Make a client's or an operator's token, or look into one
    #[command(subcommand)]
    Token(token::Command),
    /// Print a curl line with a signed request
    Sign(sign::Command),
    /// Take a machine's or a token's credentials out of use, take that back, or list it
    ///
    /// In force on the next request. An operator's token is not covered: take its key out of
    /// OPERATOR_KEYS.
    Revoke(Box<revoke::Command>),
    /// Show what was spent and asked, today and on the days before
    Usage(Box<usage::Command>),
    /// Show who calls, how often and for how much, or one of them
    Machines(Box<machines::Command>),
    /// Show the log, follow it, or take it out
    Logs(Box<logs::Command>),
    /// Replay an exported log under proposed settings, and tell what they would have refused and spent
    Simulate(simulate::Command),
    /// Stop calls of the model at once, or let them go on
    ///
    /// It is kept over restarts. Rules, and answers that were given before, still serve.
    #[command(subcommand)]
    KillSwitch(kill_switch::Command),
    /// Print a script that completes these commands in a shell
    ///
    /// For bash: `source <(gatectl completions bash)` in ~/.bashrc.
    Completions(completions::Command),
}

/// Reads the command line, does what it says, prints the answer.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let result = match arguments.command {
        Command::Check(command) => check::run(&command),
        Command::Keys(command) => keys::run(command),
        Command::Token(command) => token::run(command),
        Command::Sign(command) => sign::run(&command),
        Command::Revoke(command) => revoke::run(*command),
        Command::Usage(command) => usage::run(*command),
        Command::Machines(command) => machines::run(*command),
        Command::Logs(command) => logs::run(*command, arguments.json),
        Command::Simulate(command) => simulate::run(&command),
        Command::KillSwitch(command) => kill_switch::run(command),
        Command::Completions(command) => completions::run(&command, Arguments::command()),
    };
    match result {
        Ok(answer) => Answer::print(&answer, arguments.json),
        Err(failure) => Failure::print(&failure, arguments.json),
    }
}

/// What a command line that cannot be read gets: help or version as text, a mistake as JSON where
/// JSON was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|word| word == "--json") {
        return Failure::new(error.render().to_string().trim()).print(true);
    }
    // Nobody is left to be told that nobody reads.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
