#!/usr/bin/env bash
# Compiles the Worker of a folder into its build/ and writes the list of its inputs into STAMP:
# build.sh STAMP FOLDER INPUT...
# Needs WORKER_BUILD and WASM_BINDGEN_BIN; make sets them.
set -euo pipefail

stamp=$1
folder=$2
shift 2

# Dated before the build, so that a file changed while it runs is newer than the stamp.
list=$stamp.new
printf '%s\n' "$@" >"$list"

echo 'Building the Worker (minutes at first, then about one)...' >&2
started=$SECONDS

# Without these three worker-build would download the tools itself.
export WASM_BINDGEN_BIN
export ESBUILD_BIN=$PWD/node_modules/.bin/esbuild
export WASM_OPT_BIN=$PWD/node_modules/.bin/wasm-opt
# Panics tell of the file in which they happen: whose machine built it, and where, must not make another module.
sysroot=$(rustc --print sysroot)
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="--remap-path-prefix=$PWD=. \
--remap-path-prefix=${CARGO_TARGET_DIR:-$PWD/target}=target \
--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=registry \
--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc/$commit"
# Its own backtrace would bury the compiler's words.
RUST_BACKTRACE=0 "$WORKER_BUILD" --release "$folder" -- --locked >&2

# The names of functions, which worker-build keeps, are a twentieth of what is uploaded. `make size` reads
# them in a copy; a profile wants them in place: KEEP_NAMES=1.
wasm=$folder/build/index_bg.wasm
cp "$wasm" "$folder/build/.named.wasm"
[ -n "${KEEP_NAMES:-}" ] || "$WASM_OPT_BIN" --strip-debug --strip-producers "$wasm" -o "$wasm" >&2

# What the runtime sees stands before what worker-build wrote, in one module.
entry=$folder/src/shell/entry.mjs
if [ -f "$entry" ]; then
  mv "$folder/build/index.js" "$folder/build/gateway.js"
  cp "${entry%/*}"/*.mjs "$folder/build/"
  "$ESBUILD_BIN" "$folder/build/entry.mjs" --bundle --minify-whitespace --minify-syntax --format=esm \
    --inject:"$folder/build/microtask.mjs" '--external:cloudflare:*' --external:./index_bg.wasm --log-level=warning --outfile="$folder/build/index.js" >&2
  rm "$folder"/build/gateway.js "$folder"/build/*.mjs
fi

mv "$list" "$stamp"
bytes=$(cat "$folder/build/index.js" "$folder/build/index_bg.wasm" | gzip -9 | wc -c)
echo "Built the Worker in $((SECONDS - started)) seconds: $((bytes / 1024)) KiB gzipped." >&2
