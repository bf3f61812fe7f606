//! What the pure parts of an analysis cost, in instructions rather than in time, so that two runs on
//! two machines agree:
//!
//! ```sh
//! cargo bench --bench analysis --no-run
//! valgrind --tool=callgrind --toggle-collect='analysis::measured' target/release/deps/analysis-* redact 200000
//! ```
//!
//! The first argument names a step (or `all`), the second how many bytes the log has.

use std::hint::black_box;

use pip_aide_gateway::analysis::redact::redact;
use pip_aide_gateway::analysis::{facts, rules, trim};

const HEAD: &str = "Command: pip install fastlanes-codec==0.4.2 httpx\nExit Code: 1\n\n--- stdout ---\n\
    Collecting fastlanes-codec==0.4.2\n  Downloading fastlanes_codec-0.4.2.tar.gz (188 kB)\n";
const TAIL: &str = "\n--- stderr ---\n  error: subprocess-exited-with-error\n  \n      Traceback (most recent call last):\n\
    \x20       File \"/tmp/build-env-k2x1/lib/python3.11/site-packages/setuptools/build_meta.py\", line 410, in build_wheel\n\
    \x20     fastlanes.errors.LayoutError: lane count 0 does not divide the block of 1024 values\n      [end of output]\n\
    ERROR: Could not build wheels for fastlanes-codec, which is required to install pyproject.toml-based projects\n\n\
    --- SYSTEM INFO ---\npython_version: 3.11.7\nos_system: Linux\nmachine_type: x86_64\n\
    pip_version: pip 24.0 from /home/dev/service/.venv/lib/python3.11/site-packages/pip (python 3.11)\n";

/// The failure of a build that compiled until it had printed so many bytes.
fn log(bytes: usize) -> String {
    let mut text = HEAD.to_owned();
    for block in 0.. {
        if text.len() + TAIL.len() >= bytes {
            break;
        }
        text.push_str(&format!(
            "  cc -O2 -fPIC -Isrc/include -c src/lanes/block_{block}.c -o build/temp/block_{block}.o\n"
        ));
    }
    text + TAIL
}

/// A frame of its own, for the profiler to start and stop at.
#[inline(never)]
fn measured(step: &str, raw: &str) {
    if step == "redact" {
        black_box(redact(raw));
        return;
    }
    let text = redact(raw);
    let facts = facts::read(&text);
    if step == "all" {
        black_box(rules::consult(&facts, &text));
        black_box(trim::trim(&text, 16_384));
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let step = arguments.first().map_or("all", String::as_str);
    let bytes = arguments.get(1).and_then(|bytes| bytes.parse().ok()).unwrap_or(200_000);
    let raw = log(bytes);
    measured(step, &raw);
}
