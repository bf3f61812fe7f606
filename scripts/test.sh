#!/usr/bin/env bash
# Runs every test of cargo, and looks afterwards that those which the documents name ran and passed.
# scripts/test-python.sh has left its log before.
set -euo pipefail

logs=${CARGO_TARGET_DIR:-target}/test-logs
mkdir -p "$logs"
# Of several packages' tests one log, in their order.
cargo test --locked 2>&1 | tee "$logs/cargo.log"
python3 -B scripts/claims.py --ran "$logs/cargo.log" "$logs/python.log"
