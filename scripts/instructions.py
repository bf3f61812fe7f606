"""Counts the instructions of each step in benches/steps.rs under callgrind, and holds them against
benches/instructions.toml: `instructions.py BINARY [--save]`. What takes over a tenth more than its budget fails.

A count depends on the compiler: with another one than the budget's, the counts are shown and not judged.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

BUDGET = Path(__file__).resolve().parents[1] / "benches/instructions.toml"
SLACK = 1.1


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def count(binary: str, step: str) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=steps::measured"]
    done = subprocess.run([*command, binary, "--count", step], capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found or not int(found[1]):
        raise SystemExit(f"{step}: callgrind counted nothing:\n{done.stderr[-2000:]}")
    return int(found[1])


def main() -> int:
    binary, save = sys.argv[1], "--save" in sys.argv[2:]
    compiler = output("rustc", "--version").strip()
    counts = {step: count(binary, step) for step in output(binary, "--names").splitlines()}
    if save:
        lines = "".join(f'"{step}" = {number}\n' for step, number in counts.items())
        head = "# Instructions of each step in benches/steps.rs. Written by `make instructions SAVE=1`.\n"
        BUDGET.write_text(f'{head}compiler = "{compiler}"\n\n[steps]\n{lines}')
    budget = tomllib.loads(BUDGET.read_text())
    judged = budget["compiler"] == compiler
    over = []
    for step, number in counts.items():
        allowed = budget["steps"].get(step, 0)
        share = number / allowed if allowed else float("inf")
        over += [step] if share > SLACK else []
        print(f"{step:32} {number:>12,} instructions, {share:6.1%} of its budget")
    if not judged:
        print(f"Not judged: the budget was counted with {budget['compiler']}, this is {compiler}.")
        return 0
    for step in over:
        print(f"{step}: over its budget by more than a tenth. Make it cheaper, or `make instructions SAVE=1`.")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
