"""The proof of work: a decimal whose hash behind the challenge begins with enough zero bits."""

from __future__ import annotations

import hashlib
import math
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Callable, Dict, Generator, List, Optional, cast

from .errors import Exit, Failure

# More would take an hour, and a challenge lives five minutes: it is a mistake or an attack.
MAX_DIFFICULTY = 32
# Up to here one process needs a few seconds, and starting others takes what they would save.
MAX_DIFFICULTY_ALONE = 22
MAX_PROCESSES = 8
CHUNK = 50_000

Report = Callable[[float], None]
# One item a chunk: the solution or None.
Results = Generator[Optional[int], None, None]


def search(challenge: str, difficulty: int, start: int, count: int) -> Optional[int]:
    """The first solution among `count` numbers from `start`."""
    if difficulty == 0:
        return start
    # Digests of equal length compare as the numbers that they are.
    limit = (1 << (256 - difficulty)).to_bytes(32, "big")
    prefix = hashlib.sha256(challenge.encode("ascii") + b".")
    for number in range(start, start + count):
        attempt = prefix.copy()
        attempt.update(b"%d" % number)
        if attempt.digest() < limit:
            return number
    return None


def solve(
    challenge: str,
    difficulty: int,
    expires_in: float,
    report: Report,
    processes: Optional[int] = None,
) -> str:
    """Searches until the challenge expires. `report` is told how likely an end by now was."""
    if processes is None:
        processes = 1 if difficulty <= MAX_DIFFICULTY_ALONE else min(_processors(), MAX_PROCESSES)
    deadline = time.monotonic() + expires_in
    results = (
        _alone(challenge, difficulty)
        if processes == 1
        else _together(challenge, difficulty, processes)
    )
    tried = 0
    try:
        for found in results:
            if found is not None:
                report(1.0)
                return str(found)
            tried += CHUNK
            report(1.0 - math.exp(-tried / 2.0**difficulty))
            if time.monotonic() >= deadline:
                raise Failure(Exit.REFUSED, "work_too_slow", difficulty=difficulty)
    finally:
        results.close()
    raise AssertionError("the search has no end")


def _alone(challenge: str, difficulty: int, start: int = 0) -> Results:
    while True:
        yield search(challenge, difficulty, start, CHUNK)
        start += CHUNK


def _together(challenge: str, difficulty: int, processes: int) -> Results:
    """Chunks are dealt out in turn. Workers that could not start or died are done without."""
    context = multiprocessing.get_context("spawn")
    workers: Dict[Connection, BaseProcess] = {}
    try:
        for index in range(processes):
            ours, theirs = context.Pipe(duplex=False)
            worker: BaseProcess = context.Process(
                target=_work, args=(theirs, challenge, difficulty, index, processes), daemon=True
            )
            worker.start()
            theirs.close()
            workers[ours] = worker
        while workers:
            for ready in cast("List[Connection]", wait(list(workers))):
                try:
                    yield ready.recv()
                except (EOFError, OSError):
                    workers.pop(ready).join()
        # Numbers that the workers have surely not reached.
        yield from _alone(challenge, difficulty, 1 << 48)
    finally:
        for connection, worker in workers.items():
            worker.terminate()
            worker.join()
            connection.close()


def _work(results: Connection, challenge: str, difficulty: int, index: int, step: int) -> None:
    # Ctrl-C reaches every process of the terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            results.send(search(challenge, difficulty, index * CHUNK, CHUNK))
            index += step
    except OSError:
        # The process that asked is gone.
        return


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
