#!/usr/bin/env bash
# Builds the Worker's sources once more in another folder, with cargo's home elsewhere, and compares the result with
# build/. Needs WORKER_BUILD and WASM_BINDGEN_BIN; make sets them.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work/another/place
mkdir -p "$folder/build" "$work/cargo"
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  xargs -0 tar -cf - | tar -xf - -C "$folder"
ln -s "$PWD/node_modules" "$folder/node_modules"
# What was downloaded is not downloaded again, but it has another path.
for entry in "${CARGO_HOME:-$HOME/.cargo}"/*; do ln -s "$entry" "$work/cargo/"; done

(cd "$folder" && CARGO_HOME=$work/cargo CARGO_TARGET_DIR=$work/target scripts/build.sh build/.inputs .)
digest() {
  python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}
differs=0
for file in index_bg.wasm index.js; do
  here=$(digest "build/$file") there=$(digest "$folder/build/$file")
  echo "$file: $here here, $there there"
  [ "$here" = "$there" ] || differs=1
done
if [ "$differs" = 1 ]; then
  echo 'The two builds differ.' >&2
  exit 1
fi
