"""What the measurements need of this machine: programs, cores, free ports, and an end in one sentence
when something is not there."""

import functools
import os
import shutil
import socket
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def stop(sentence: str) -> "NoReturn":  # noqa: F821, a name for readers only
    print(sentence, file=sys.stderr)
    raise SystemExit(1)


def program(name: str, package: str) -> str:
    # nginx lives where only root's PATH looks.
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    how = f"install it (Debian: apt-get install {package}), then run this again."
    return found or stop(f"{name} is missing: {how}")


def workerd() -> str:
    # node_modules/.bin/workerd is a Node program that starts this one; its processor time would not count.
    found = sorted(ROOT.glob("node_modules/@cloudflare/workerd-*/bin/workerd"))
    if not found:
        stop("workerd is missing: run `make build`, which installs it, then run this again.")
    return str(found[0])


@functools.cache
def cores() -> tuple[int, int]:
    """One core for the server alone, one for the load and the upstream. Found out once: some parts pin
    this process too."""
    if not hasattr(os, "sched_getaffinity"):
        stop("The benchmark pins programs to cores and reads /proc, so it runs on Linux only.")
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        stop("The benchmark needs two processor cores: one for the server, one for the load.")
    return usable[0], usable[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core: int):
    """For Popen's preexec_fn: the program and its threads stay on that core."""
    return lambda: os.sched_setaffinity(0, {core})
