"""The gateway's benchmarks: `python3 benches/gateway [table] [ledger] [operations] [authenticate] [timing]`, without a name all
of them; or `profile`. `make bench` builds what they need first."""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import authenticate
import ledger
import load
import operations
import profiling
import report
import table
import timing
from machine import ROOT, program, stop

NAMES = tuple(report.SECTIONS)
PROFILE = "profile"
RESULTS = ROOT / "target/bench/results.json"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/gateway", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; or {PROFILE}")
    parser.add_argument("--variants", default="", metavar="REGEX", help="only those rows of the table; the one to profile")
    parser.add_argument("--rounds", type=int, default=table.ROUNDS, help="of the table; of the ledger at least 5")
    parser.add_argument("--seconds", type=int, default=table.SECONDS, help="that each row takes in a round")
    parser.add_argument("--storage", type=Path, help="of Durable Objects: /dev/shm leaves the disk out")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON goes here")
    parser.add_argument("--save", action="store_true", help="write docs/performance.md too")
    parsed = parser.parse_args()
    unknown = set(parsed.names) - {*NAMES, PROFILE}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    return parsed


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


def measure(name: str, options: argparse.Namespace, folder: Path) -> dict:
    storage = options.storage or folder
    if name == "table":
        samples = table.measure(folder, storage, options.variants, options.rounds, options.seconds)
        return {"rows": table.rows(samples), "targets": report.targets(samples)}
    if name == "ledger":
        found = ledger.rows(ledger.measure(folder, storage, max(options.rounds, ledger.ROUNDS), options.seconds))
        return {"rows": found, "targets": ledger.targets(found)}
    if name == "operations":
        found = operations.rows(operations.measure(folder, storage))
        return {"rows": found, "targets": operations.targets(found)}
    if name == "authenticate":
        return {"rows": authenticate.rows(authenticate.measure(folder, storage))}
    return {"rows": timing.rows(timing.measure(folder, storage))}


def main() -> int:
    options = arguments()
    names = [name for name in (*NAMES, PROFILE) if name in (options.names or NAMES)]
    if {"table", "ledger", "operations", PROFILE} & set(names):
        program("wrk", "wrk")
        program("nginx", "nginx-light")
    if not (ROOT / "build/index_bg.wasm").exists():
        stop("The Worker is not built: run `make build`, then run this again.")
    options.results.parent.mkdir(parents=True, exist_ok=True)
    # What is not measured this time keeps its last results, each with its own commit.
    results = json.loads(options.results.read_text()) if options.results.exists() else {}
    of = {"commit": commit(), "machine": report.machine()}
    if options.storage:
        of["machine"] += f"; storage in {options.storage}"
    for name in names:
        with tempfile.TemporaryDirectory(prefix="run-", dir=options.results.parent) as folder:
            if name == PROFILE:
                profiling.measure(Path(folder), options.storage or Path(folder), options.variants)
                continue
            section = measure(name, options, Path(folder))
        results[name] = of | section
        print(f"\n{report.SECTIONS[name][1](results[name])}\n", flush=True)
        options.results.write_text(json.dumps(results, indent=1) + os.linesep)
    print(f"The numbers are in {options.results}.")
    if options.save:
        print(f"The tables are in {report.save(results)}.")
    # A target that is missed is a result; times that tell kids apart are a leak.
    return 1 if "timing" in names and not timing.is_good(results["timing"]["rows"]) else 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except load.WrongAnswer as wrong:
        stop(f"Not what is to be measured: {wrong}")
