//! The build script's modules as a test of the crate: cargo does not run a build script's own tests.

use std::path::Path;

mod plans;
mod prices;

#[test]
fn the_policies_in_the_repo_are_right() {
    let policies = Path::new("policies");
    for table in [plans::compile(policies), prices::compile(policies)] {
        assert!(table.is_ok(), "{table:?}");
    }
}
