#!/bin/sh
# Fuzzes one target: fuzz.sh TARGET SECONDS. With libFuzzer, whose instrumentation stable Rust has too;
# without the sanitizers, which it has not and which code without `unsafe` does not need.
set -eu
cd "$(dirname "$0")/.."
target=$1
corpus=target/fuzz/corpus/$target
mkdir -p "$corpus" target/fuzz/findings
# The failures of the tests' corpus are where it begins.
python3 - "$corpus" <<'PYTHON'
import json, pathlib, sys
for line in open("tests/data/corpus_public.jsonl", encoding="utf-8"):
    case = json.loads(line)
    pathlib.Path(sys.argv[1], case["id"]).write_text(case["error_context"][:8000], encoding="utf-8")
PYTHON
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1"
# With a target named, the flags are not for build scripts and macros.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS=$flags cargo build --locked --release --manifest-path fuzz/Cargo.toml --target "$host" --target-dir target/fuzz --bin "$target"
exec "target/fuzz/$host/release/$target" -max_total_time="$2" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
  -artifact_prefix="target/fuzz/findings/$target-" "$corpus"
