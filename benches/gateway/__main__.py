"""The gateway's benchmarks: `python3 benches/gateway [table] [authenticate] [timing]`; without a name
all of them. `make bench` builds what they need first."""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import authenticate
import timing
from machine import ROOT, program, stop

NAMES = ("table", "authenticate", "timing")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/gateway", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--results", type=Path, default=ROOT / "target/bench/results.json", help="JSON goes here")
    parser.add_argument("--storage", type=Path, help="where Durable Objects are kept: /dev/shm leaves the disk out")
    parser.add_argument("--rounds", type=int, help="how often each thing is measured")
    parser.add_argument("--seconds", type=int, help="how long a measurement takes, in whole seconds")
    parsed = parser.parse_args()
    unknown = set(parsed.names) - set(NAMES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    return parsed


def commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or "unknown"


def main() -> int:
    options = arguments()
    names = options.names or NAMES
    if "table" in names or "authenticate" in names:
        program("wrk", "wrk")
    if not (ROOT / "build/index_bg.wasm").exists():
        stop("The Worker is not built: run `make build`, then run this again.")
    lengths = {name: value for name in ("rounds", "seconds") if (value := getattr(options, name)) is not None}
    options.results.parent.mkdir(parents=True, exist_ok=True)
    results: dict = {"commit": commit()}
    good = True
    with tempfile.TemporaryDirectory(prefix="run-", dir=options.results.parent) as name:
        folder = Path(name)
        storage = options.storage or folder
        # First, while nothing is pinned: a measurement may pin this process itself.
        if "authenticate" in names:
            results["authenticate"] = authenticate.report(authenticate.measure(folder, storage))
        if "timing" in names:
            results["timing"], good = timing.report(timing.measure(folder, storage))
    options.results.write_text(json.dumps(results, indent=1) + os.linesep)
    print(f"\nThe numbers are in {options.results}.")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
