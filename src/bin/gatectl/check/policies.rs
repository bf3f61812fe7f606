//! The policies, by the parsers with which the build turns them into tables.

use std::path::Path;

use super::parsers::{commands, packages, plans, prices, redaction, rules, upstreams, version};
use super::report::{Finding, Report};

/// Checks every file of the folder. The settings are read with the policies of this program's own
/// build: where the folder has others, that has to be said.
pub fn check(folder: &Path, report: &mut Report) {
    let shown = folder.display().to_string();
    if !folder.is_dir() {
        let problem = "there is no such folder: name that of the policies with --policies";
        report.fault(finding(&shown, 1, problem));
        return;
    }
    let mut is_right = true;
    for compile in [
        commands::compile,
        packages::compile,
        plans::compile,
        prices::compile,
        redaction::compile,
        rules::compile,
        upstreams::compile,
    ] {
        if let Err(reason) = compile(folder) {
            is_right = false;
            let (file, line, problem) = take_apart(&shown, &reason);
            report.fault(finding(&file, line, &problem));
        }
    }
    if is_right && version::of(folder) != env!("POLICY_VERSION") {
        let problem = "other policies than this program was built with, by which it has read the settings: \
                       run it with `cargo run -q -- check`, which builds it anew";
        report.fault(finding(&shown, 1, problem));
    }
}

/// A reason of the build, `file:line: reason`, in its parts. The folder may have colons in its name.
fn take_apart(folder: &str, reason: &str) -> (String, usize, String) {
    let rest = reason.strip_prefix(folder).unwrap_or(reason);
    let mut parts = rest.splitn(3, ':');
    let (file, line, problem) = (parts.next(), parts.next(), parts.next());
    match (file, line.and_then(|line| line.parse().ok()), problem) {
        (Some(file), Some(line), Some(problem)) => {
            (format!("{folder}{file}"), line, problem.trim().replace('\n', " "))
        }
        _ => (folder.to_owned(), 1, reason.to_owned()),
    }
}

fn finding(file: &str, line: usize, problem: &str) -> Finding {
    Finding { file: file.to_owned(), line, name: String::new(), value: None, problem: problem.to_owned() }
}
