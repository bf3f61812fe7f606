"""Changes the sources a little, one place at a time, and looks whether a test fails for each change.

    mutants.py CARGO_MUTANTS AREA [WORD,WORD]    AREA is token, screening or ledger; WORD a part of a file's path

cargo-mutants makes the changes ("mutants"). They are tried in copies of the tree that have only what the
area needs, so that a build takes a second or two: first with the area's unit tests, then, what these let
pass, with its integration tests. A mutant that passes all of them needs an entry in reasons.toml, and an
entry whose mutant is caught or gone is a fault too. What is not tried at all, and why, is in exclusions.toml.

JOBS=1 tries one at a time. RESUME=1 goes on where the last run of the area ended: what was caught then
counts as caught, which is for the work on tests, not for figures. PHASES=2-3 takes some of
the area's steps only.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
WORK = ROOT / "target" / "mutants"
JOBS = int(os.environ.get("JOBS", "2"))
# For a build and a run each. The longest of either takes half a minute on a machine that has other work too.
LONGEST_SECONDS = "60"
OUTCOMES = ("caught", "missed", "timeout", "unviable")
POSITION = re.compile(r"^([^:]+):\d+:\d+: ")
# What only the command line and the benchmarks need.
NOT_NEEDED = ("clap", "clap_complete", "criterion", "unicode-width", "ureq")


@dataclass(frozen=True)
class Phase:
    """Targets of `cargo test`, which of their tests, and for mutants in which files: those whose path has one of the words."""

    targets: tuple[str, ...]
    chosen: tuple[str, ...] = ()
    words: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Area:
    """Which files are changed, which modules of the crate these and their tests need, and the tests, quick ones first."""

    files: tuple[str, ...]
    modules: tuple[str, ...]
    phases: tuple[Phase, ...]
    environment: tuple[tuple[str, str], ...] = ()


def tests(*names: str) -> tuple[str, ...]:
    return tuple(f"--test={name}" for name in names)


AREAS = {
    "token": Area(
        files=("src/token/**",),
        modules=("bytes", "token", "units"),
        phases=(
            Phase(("--lib",), ("token::",)),
            Phase(tests("token_credential"), words=("credential",)),
            Phase(tests("token_jwt", "token_jwt_claims"), words=("claims", "compact", "crypto", "jwt", "keys", "mac", "strict_json")),
            Phase(tests("token_signed"), words=("digest", "signature_base", "signed", "structured", "subkey")),
            Phase(tests("token_jwks", "token_jwt_peers"), words=("claims", "compact", "crypto", "foreign", "jwks", "jwt", "key_cache")),
            Phase(tests("token_random", "token_signed_peers")),
        ),
    ),
    "screening": Area(
        files=(
            "src/analysis/screen/**",
            *(f"src/analysis/{name}.rs" for name in ("command", "options", "packages", "proposal", "requirement", "version")),
        ),
        modules=("analysis",),
        phases=(
            Phase(("--lib",), ("--skip", "redact::", "--skip", "trim::")),
            Phase(tests("analysis_screen", "analysis_properties", "analysis_corpus")),
            Phase(tests("analysis_screen_python", "analysis_variations")),
        ),
    ),
    "ledger": Area(
        files=("src/ledger/**",),
        modules=("bytes", "ledger", "policy", "token", "units"),
        phases=(
            Phase(("--lib",), ("ledger::",)),
            Phase(tests("ledger_cases")),
            Phase(tests("ledger_tally"), words=("housekeeping", "leases", "machine", "settle", "shard/mod", "tally", "treasury", "wire")),
            Phase(tests("ledger_simulation")),
            Phase(tests("ledger_races", "ledger_rehearsal")),
            Phase(tests("ledger_bucket", "ledger_figures")),
        ),
        environment=(("LEDGER_SEEDS", "100"),),
    ),
}


def copy(area: Area, folder: Path) -> None:
    """The tree with what the area needs. What has not changed keeps its time, so that little is built anew."""
    names = {target.removeprefix("--test=") for phase in area.phases for target in phase.targets}
    kept = {name: (ROOT / name).read_bytes() for name in ("Cargo.lock", "Cargo.toml", "package.json", "package-lock.json")}
    for tree in ("src", "policies", "buildscript", "tests"):
        for path in (ROOT / tree).glob("**/*"):
            where = path.relative_to(ROOT)
            if tree == "src":
                is_needed = where.parts[1] != "bin"
            else:
                is_needed = tree != "tests" or where.parts[1] in names or path.stem in names or where.parts[1].endswith(("_support", "data"))
            if is_needed and path.is_file() and not {".venv", "__pycache__"} & set(where.parts):
                kept[str(where)] = path.read_bytes()
    kept["Cargo.toml"] = manifest(kept["Cargo.toml"].decode()).encode()
    kept["src/lib.rs"] = library(kept["src/lib.rs"].decode(), area.modules).encode()
    for path in folder.glob("**/*"):
        where = path.relative_to(folder)
        if path.is_file() and where.parts[0] not in ("target", "node_modules") and str(where) not in kept:
            path.unlink()
    for name, content in kept.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    packages = folder / "node_modules"
    if not packages.is_symlink() and (ROOT / "node_modules").is_dir():
        # Else the tests that ask Node's libraries install them here.
        shutil.rmtree(packages, ignore_errors=True)
        packages.symlink_to(ROOT / "node_modules")


def manifest(text: str) -> str:
    """No Worker, no command line, no benchmark; and quick to build rather than quick to run."""
    text = text.replace('["cdylib", "rlib"]', '["rlib"]').replace('default-run = "gatectl"\n', "")
    text = re.sub(r"\[(?:\[(?:bin|bench|test)\]|features)\]\n(?:\S.*\n)+", "", text)
    text = re.sub(rf"^(?:{'|'.join(NOT_NEEDED)}) = .*\n", "", text, flags=re.MULTILINE)
    quick = "opt-level = 0\ndebug = 0\n"
    return text.replace("[profile.test]\nopt-level = 1\n", f"[profile.test]\n{quick}\n[profile.dev]\n{quick}")


def library(text: str, modules: tuple[str, ...]) -> str:
    """The crate's root with these modules only."""
    module = re.compile(r"^(?:#\[cfg.*\]\n)?(?:pub )?mod (\w+);\n", re.MULTILINE)
    return module.sub(lambda found: found[0] if found[1] in modules else "", text)


def environment(area: Area) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    return kept | dict(area.environment) | {"RUST_BACKTRACE": "0"}


def has_one(name: str, words: Iterable[str]) -> bool:
    """Whether the path in a mutant's name has one of the words."""
    return any(word in name.split(":")[0] for word in words)


def mutants(tool: str, area: Area, tree: Path, words: list[str]) -> list[str]:
    """The names of all mutants of the area in files whose path has one of the words."""
    files = [word for glob in area.files for word in ("--file", glob)]
    command = [tool, "mutants", "--list", "--dir", str(tree), "--config", str(HERE / "exclusions.toml"), "--colors", "never", *files]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if has_one(name, words)]


def passes_unchanged(area: Area, phase: Phase, tree: Path) -> bool:
    """Whether the tests pass with nothing changed. Builds what all mutants share, too."""
    command = ["cargo", "test", "--quiet", *phase.targets, "--", *phase.chosen]
    tried = subprocess.run(command, cwd=tree, env=environment(area), capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        print(tried.stdout[-3000:], tried.stderr[-3000:], "fails with nothing changed")
    return tried.returncode == 0


def begin(tool: str, area: Area, phase: Phase, tree: Path, output: Path, names: list[str]) -> subprocess.Popen[bytes]:
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    # Mutants that leave a field out pass by the names that are asked for, hence the files.
    chosen = [word for file in {name.split(":")[0] for name in names} for word in ("--file", file)]
    chosen += [word for name in names for word in ("--re", f"^{re.escape(name)}$")]
    command = [
        tool, "mutants", "--in-place", "--dir", str(tree), "--config", str(HERE / "exclusions.toml"), "--output", str(output),
        "--baseline", "skip", "--timeout", LONGEST_SECONDS, "--build-timeout", LONGEST_SECONDS, "--no-times", "--colors", "never",
        *chosen, *(f"--cargo-arg={target}" for target in phase.targets), "--", "--", *phase.chosen,
    ]
    with (output / "printed").open("wb") as printed:
        return subprocess.Popen(command, env=environment(area), stdout=printed, stderr=subprocess.STDOUT)


def read(output: Path) -> dict[str, str]:
    """What became of each mutant so far."""
    found = {}
    for outcome in OUTCOMES:
        path = output / "mutants.out" / f"{outcome}.txt"
        found |= {name: outcome for name in (path.read_text().splitlines() if path.is_file() else ())}
    return found


def shares(names: list[str], count: int) -> list[list[str]]:
    """The mutants in so many parts of about one size, those of a file together."""
    parts: list[list[str]] = [[] for _ in range(count)]
    files = Counter(name.split(":")[0] for name in names)
    for file, _ in files.most_common():
        min(parts, key=len).extend(name for name in names if name.startswith(f"{file}:"))
    return parts


def attempt(tool: str, area: Area, phase: Phase, names: list[str], trees: list[Path]) -> dict[str, str]:
    """Tries each mutant with the tests of the phase, a share of them in each tree."""
    parts = [(tree, tree.with_name(f"{tree.name}.out"), part) for tree, part in zip(trees, shares(names, len(trees))) if part]
    begun = [begin(tool, area, phase, *part) for part in parts]
    try:
        for process in begun:
            process.wait()
    except KeyboardInterrupt:
        for process in begun:
            process.wait()
    found: dict[str, str] = {}
    for _, output, part in parts:
        found |= {name: outcome for name, outcome in read(output).items() if name in part}
    return found


def without_position(name: str) -> str:
    return POSITION.sub(r"\1: ", name)


def reasons() -> list[dict]:
    return tomllib.loads((HERE / "reasons.toml").read_text()).get("survivor", [])


def judge(survivors: list[str], entries: list[dict], is_examined: Callable[[str], bool]) -> list[str]:
    """What is wrong: survivors without a reason, and reasons without a survivor."""
    known = Counter({entry["mutant"]: entry.get("times", 1) for entry in entries if is_examined(entry["mutant"].split(":")[0])})
    alive = Counter(map(without_position, survivors))
    faults = [f"survives without a reason: {name}" for name in survivors if alive[without_position(name)] > known[without_position(name)]]
    return faults + [f"has a reason, but {alive[name]} of {times} survive: {name}" for name, times in known.items() if alive[name] < times]


def main() -> int:
    tool, name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    if name not in AREAS:
        print(f"which area? ONLY={', ONLY='.join(AREAS)}")
        return 2
    area, words = AREAS[name], (sys.argv[3] if len(sys.argv) > 3 else "").split(",")
    trees = [WORK / f"tree-{number}" for number in range(1, JOBS + 1)]
    for tree in trees:
        if not tree.is_dir() and trees[0].is_dir():
            # With its times: what is built in one is built in the other.
            shutil.copytree(trees[0], tree)
        tree.mkdir(parents=True, exist_ok=True)
        copy(area, tree)
    names = mutants(tool, area, trees[0], words)
    if not names:
        print(f"no mutant in a file with {' or '.join(words)} in its path")
        return 2
    kept = WORK / f"{name}.json"
    outcomes = json.loads(kept.read_text()) if os.environ.get("RESUME") and kept.is_file() else {}
    # A machine that stood still makes any mutant too slow: those are tried again.
    outcomes = {name: outcome for name, outcome in outcomes.items() if outcome != "timeout"}
    started = time.monotonic()
    first, _, last = os.environ.get("PHASES", "1-").partition("-")
    for phase in area.phases[int(first) - 1 : int(last or len(area.phases))]:
        left = [name for name in names if outcomes.get(name, "missed") == "missed" and has_one(name, phase.words)]
        if not left:
            continue
        if not passes_unchanged(area, phase, trees[0]):
            return 1
        print(f"{len(left)} mutants: {' '.join((*phase.targets, *phase.chosen))}", flush=True)
        outcomes |= attempt(tool, area, phase, left, trees)
        kept.write_text(json.dumps(outcomes, indent=1))
    survivors = [name for name in names if outcomes.get(name, "missed") == "missed"]
    faults = judge(survivors, reasons(), lambda file: any(listed.startswith(f"{file}:") for listed in names) or not (ROOT / file).is_file())
    print("\n".join(faults))
    count = Counter(outcomes.get(name, "missed") for name in names)
    minutes = (time.monotonic() - started) / 60
    print(
        f"{name}: {len(names)} mutants, {count['caught']} caught, {count['unviable']} do not compile, {count['timeout']} never end, "
        f"{count['missed']} survive; {minutes:.0f} minutes with {JOBS} at a time; {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
