#!/usr/bin/env bash
# Runs the tests of pip-aide-login and of the scripts; each test has a line in a log, by which scripts/test.sh
# looks what ran.
set -euo pipefail

logs=${CARGO_TARGET_DIR:-target}/test-logs
mkdir -p "$logs"
: >"$logs/python.log"
for folder in clients/python/tests tests/scripts; do
  log=$logs/$(dirname "$folder" | tr / -).log
  if ! python3 -B -m unittest discover -v -s "$folder" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  cat "$log" >>"$logs/python.log"
  # Ran so many in so long, and what was skipped.
  echo "$folder: $(grep -E '^(Ran|OK)' "$log" | tr '\n' ' ')"
done
