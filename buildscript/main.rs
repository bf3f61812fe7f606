//! Checks the files in `policies/` and turns them into Rust tables, so that a mistake in one stops
//! the build and the Worker parses nothing at start.

use std::path::{Path, PathBuf};

mod commands;
mod packages;
mod place;
mod plans;
mod prices;
mod redaction;
mod rules;
mod upstreams;
mod version;

fn main() {
    println!("cargo::rerun-if-changed=policies");
    println!("cargo::rerun-if-changed=buildscript");
    let policies = Path::new("policies");
    emit("commands.rs", commands::compile(policies));
    emit("packages.rs", packages::compile(policies));
    emit("plans.rs", plans::compile(policies));
    emit("prices.rs", prices::compile(policies));
    emit("redaction.rs", redaction::compile(policies));
    emit("rules.rs", rules::compile(policies));
    emit("upstreams.rs", upstreams::compile(policies));
    println!("cargo::rustc-env=POLICY_VERSION={}", version::of(policies));
}

/// Writes a table where the crate includes it from, or stops the build with the reason.
fn emit(name: &str, table: Result<String, String>) {
    let table = table.unwrap_or_else(|reason| {
        println!("cargo::error={}", reason.replace('\n', " "));
        std::process::exit(1);
    });
    let directory = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    std::fs::write(directory.join(name), table).expect("OUT_DIR can be written");
}
