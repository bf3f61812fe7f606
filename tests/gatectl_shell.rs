//! What `gatectl` says of itself: its version, and completions that the shells take.

#![cfg(not(target_arch = "wasm32"))]

use std::io::Write as _;
use std::process::{Command, Output};

use serde_json::Value;

fn gatectl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatectl")).args(arguments).env_clear().output().unwrap()
}

#[test]
fn its_version_is_the_gateways() {
    let output = gatectl(&["--version"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("gatectl {version}\n"));
    // Semantic Versioning 2.0.0, without pre-release: three numbers.
    let numbers: Vec<&str> = version.split('.').collect();
    assert!(numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok()), "{version}");
    let interface: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
    assert_eq!(interface["info"]["version"], version);
}

#[test]
fn every_shell_has_its_completions() {
    for (shell, words) in [
        ("bash", "complete -F _gatectl"),
        ("zsh", "#compdef gatectl"),
        ("fish", "complete -c gatectl"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "set edit:completion:arg-completer[gatectl]"),
    ] {
        let output = gatectl(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains(words) && script.contains("kill-switch"), "{shell}");
        let output = gatectl(&["completions", shell, "--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (json["shell"].as_str(), json["script"].as_str().map(str::trim)),
            (Some(shell), Some(script.trim()))
        );
    }
    assert_eq!(gatectl(&["completions", "csh"]).status.code(), Some(2));
}

/// What bash proposes after these words. The script is bash's, so there is nothing to test without it; that is said
/// past the test harness, which would swallow it, in the words that scripts/claims.py looks for.
fn completed(words: &[&str]) -> Option<Vec<String>> {
    let script = r#"
        source <("$GATECTL" completions bash) || exit 1
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        _gatectl gatectl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", script, "bash"]).args(words).env("GATECTL", env!("CARGO_BIN_EXE_gatectl"));
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            let _ = writeln!(
                std::io::stderr(),
                "\nSKIPPED `gatectl_shell bash_completes_commands_options_and_values`: there is no bash here: {error}"
            );
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_commands_options_and_values() {
    for (words, expected) in [
        (&["gatectl", "kil"][..], &["kill-switch"][..]),
        (&["gatectl", "kill-switch", "o"], &["off", "on"]),
        (&["gatectl", "logs", "--fo"], &["--follow"]),
        (&["gatectl", "machines", "--order", "se"], &["seen"]),
        (&["gatectl", "completions", "ba"], &["bash"]),
    ] {
        let Some(found) = completed(words) else { return };
        let mut found = found;
        found.sort();
        assert_eq!(found, expected, "{words:?}");
    }
}
