#!/usr/bin/env bash
# Counts the instructions of the pure steps; without valgrind (Debian's package of that name) it says so.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v valgrind >/dev/null; then
  echo 'valgrind is not installed: the instructions of the pure steps are not counted.'
  exit 0
fi
binary=$(cargo bench --locked --bench steps --no-run --message-format=json |
  python3 -c 'import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "steps":
        print(message["executable"])')
exec python3 -B scripts/instructions.py "$binary" "$@"
