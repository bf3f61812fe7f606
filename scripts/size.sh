#!/usr/bin/env bash
# What the Worker's module is made of: size.sh TWIGGY. The budget is in tests/workerd/package.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

for file in build/index.js build/index_bg.wasm; do
  printf '%-20s %9d bytes, %8d gzipped\n' "$file" "$(wc -c <"$file")" "$(gzip -9 <"$file" | wc -c)"
done
echo
echo 'By crate, of the code before it is compressed:'
"$1" top -n 100000 --format csv build/.named.wasm | python3 scripts/size.py
echo
"$1" top -n 25 build/.named.wasm
