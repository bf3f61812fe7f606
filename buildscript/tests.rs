//! The build script's modules as a test of the crate: cargo does not run a build script's own tests.

use std::path::Path;

mod commands;
mod packages;
mod place;
mod plans;
mod prices;
mod redaction;
mod rules;
mod upstreams;

#[test]
fn the_policies_in_the_repo_are_right() {
    let policies = Path::new("policies");
    for table in [
        commands::compile(policies),
        packages::compile(policies),
        plans::compile(policies),
        prices::compile(policies),
        redaction::compile(policies),
        rules::compile(policies),
        upstreams::compile(policies),
    ] {
        assert!(table.is_ok(), "{table:?}");
    }
}
