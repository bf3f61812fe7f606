#!/usr/bin/env bash
# Compiles the Worker into build/ and writes the list of its inputs into STAMP: build.sh STAMP INPUT...
# Needs WORKER_BUILD and WASM_BINDGEN_BIN; make sets them.
set -euo pipefail

stamp=$1
shift

# Dated before the build, so that a file changed while it runs is newer than the stamp.
list=$stamp.new
printf '%s\n' "$@" >"$list"

echo 'Building the Worker (minutes at first, then about one)...' >&2
started=$SECONDS

# Without these three worker-build would download the tools itself.
export WASM_BINDGEN_BIN
export ESBUILD_BIN=$PWD/node_modules/.bin/esbuild
export WASM_OPT_BIN=$PWD/node_modules/.bin/wasm-opt
# Its own backtrace would bury the compiler's words.
RUST_BACKTRACE=0 "$WORKER_BUILD" --release >&2

mv "$list" "$stamp"
bytes=$(cat build/index.js build/index_bg.wasm | gzip -9 | wc -c)
echo "Built the Worker in $((SECONDS - started)) seconds: $((bytes / 1024)) KiB gzipped." >&2
