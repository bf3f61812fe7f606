"""Fuzzes with libFuzzer, whose instrumentation stable Rust has too; without the sanitizers, which it has not
and which code without `unsafe` does not need.

    fuzz.py TARGET SECONDS     one target, to be watched
    fuzz.py --smoke SECONDS    every target, so many at a time as there are processors, a line for each

Where a target begins is in fuzz/seeds and fuzz/cases; those that read failures begin with the tests' corpus. What
grows of it is in target/fuzz, and so is what fails.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGETS = sorted(path.stem for path in (ROOT / "fuzz/fuzz_targets").glob("*.rs"))
OF_TEXT = ("redaction", "rules", "screening", "trimming", "upstream")
BUILT = ROOT / "target/fuzz"
MOST_BYTES = 8192

# As cargo-fuzz sets them, but for the sanitizer.
FLAGS = (
    "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters "
    "-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing"
)

DONE = re.compile(r"^Done (\d+) runs in (\d+) second", re.MULTILINE)
COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
ARTIFACT = re.compile(r"Test unit written to (\S+)")


def host() -> str:
    """This machine's target. With one named, the flags are not for build scripts and macros."""
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    return next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))


def build(targets: list[str]) -> Path:
    """Builds the targets, and tells where they are."""
    command = ["cargo", "build", "--locked", "--release", "--manifest-path", "fuzz/Cargo.toml"]
    command += ["--target", host(), "--target-dir", str(BUILT)]
    command += [part for target in targets for part in ("--bin", target)]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"RUSTFLAGS": FLAGS}, check=True)
    return BUILT / host() / "release"


def seed(target: str) -> Path:
    """Puts together where a target begins."""
    folder = BUILT / "seeds" / target
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if target in OF_TEXT:
        for line in (ROOT / "tests/data/corpus_public.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            folder.joinpath(case["id"]).write_bytes(case["error_context"].encode()[:MOST_BYTES])
    for kept in ("seeds", "cases"):
        for file in sorted((ROOT / "fuzz" / kept / target).glob("*")):
            shutil.copyfile(file, folder / f"{kept}-{file.name}")
    return folder


def command(binaries: Path, target: str, seconds: int) -> list[str]:
    """What runs a target. What it writes anew goes to the first of its folders."""
    corpus = BUILT / "corpus" / target
    findings = BUILT / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-timeout=10", "-rss_limit_mb=2048"]
    return [str(binaries / target), *limits, f"-artifact_prefix={findings}/{target}-", str(corpus), str(seed(target))]


def advice(target: str, artifact: str) -> str:
    """What to do about a finding."""
    try:
        artifact = str(Path(artifact).relative_to(ROOT))
    except ValueError:
        pass
    binary = (BUILT / host() / "release" / target).relative_to(ROOT)
    return (
        f"    the input:  {artifact}\n"
        f"    again:      {binary} {artifact}\n"
        f"    smaller:    {binary} -minimize_crash=1 -max_total_time=60 {artifact}\n"
        f"    keep it:    cp {artifact} fuzz/cases/{target}/WHAT-IT-IS, mend what it shows, and\n"
        f"                cargo test --locked --test fuzz_targets"
    )


def smoke(binaries: Path, target: str, seconds: int) -> bool:
    """Runs a target without a word but the line at its end. Whether it found nothing."""
    log = BUILT / "logs" / f"{target}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as out:
        status = subprocess.run(command(binaries, target, seconds), stdout=out, stderr=out, check=False, cwd=ROOT).returncode
    text = log.read_text(encoding="utf-8", errors="replace")
    done, coverage = DONE.search(text), COVERAGE.findall(text)
    edges, features = coverage[-1] if coverage else ("no", "no")
    if status == 0 and done:
        print(f"{target:<10} {int(done[1]):>10,} runs in {done[2]} s, {edges} edges, {features} features", flush=True)
        return True
    artifact = ARTIFACT.search(text)
    panic = next((line for line in text.splitlines() if "panicked at" in line or "ERROR: libFuzzer" in line), "")
    print(f"{target:<10} FAILED (status {status}): {panic}", flush=True)
    print(f"    its output: {log.relative_to(ROOT)}", flush=True)
    if artifact:
        print(advice(target, artifact[1]), flush=True)
    return False


def smoke_all(seconds: int) -> int:
    """Every target; the first that fails does not keep the others from being run."""
    started = time.monotonic()
    binaries = build(TARGETS)
    built = time.monotonic()
    print(f"built in {built - started:.0f} s; {len(TARGETS)} targets, {seconds} s each", flush=True)
    with ThreadPoolExecutor(max_workers=max(1, os.cpu_count() or 1)) as pool:
        passed = list(pool.map(lambda target: smoke(binaries, target, seconds), TARGETS))
    failed = [target for target, good in zip(TARGETS, passed, strict=True) if not good]
    print(f"ran in {time.monotonic() - built:.0f} s", flush=True)
    if failed:
        print(f"fuzz-smoke: something was found by: {', '.join(failed)}. See above.", file=sys.stderr)
    return len(failed)


def main(arguments: list[str]) -> int:
    what, seconds = arguments
    if what == "--smoke":
        return min(1, smoke_all(int(seconds)))
    if what not in TARGETS:
        print(f"fuzz: there is no target {what}; there are: {', '.join(TARGETS)}", file=sys.stderr)
        return 2
    to_run = command(build([what]), what, int(seconds))
    return subprocess.run(to_run, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
