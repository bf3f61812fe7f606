"""The table: every variant in alternating rounds, medians, and ratios taken within a round."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import bodies
import credentials
import load
from machine import cores
from server import Server
from stats import median
from upstream import Upstream
from variants import VARIANTS, Run, Variant

ROUNDS, SECONDS, WARM_UP = 3, 4, 2


@dataclass(frozen=True)
class Sample:
    """One variant in one round."""

    rate: float
    # Seconds of processor time for 1,000 requests; none for the upstream.
    cpu: float | None
    p50: float
    p90: float
    p99: float
    rss: int | None


Samples = dict[tuple[str, int], list[Sample]]


class Bench:
    """The servers of a run. Each variant has its own, so that its memory is its own; they all stay up,
    since one that is idle costs nothing."""

    def __init__(self, folder: Path, storage: Path, seconds: int):
        self.server_core, self.load_core = cores()
        self.storage = storage
        self.upstream = Upstream(bodies.COMPLETION, self.load_core, folder / "nginx")
        key, operator = credentials.Key("bench-1"), credentials.Key("bench-op")
        self.run = Run(folder, self.upstream.base, seconds, key, operator)
        self.servers: dict[str, Server] = {}

    def server(self, variant: Variant, *options: str) -> Server:
        server = self.servers.get(variant.name)
        if server is None:
            name = re.sub(r"\W+", "-", variant.name)
            worker = variant.worker(self.run)
            server = Server(name, worker, self.server_core, self.run.folder, self.storage, *options)
            self.servers[variant.name] = server
            self.measure(variant, 16, WARM_UP)
        return server

    def turn(self, variant: Variant, connections: int, seconds: int) -> Sample:
        """A measurement, again if nothing was answered: a disk that others keep busy can hold a durable
        server up for seconds."""
        for _ in range(3):
            sample = self.measure(variant, connections, seconds)
            if sample.rate:
                return sample
            print(f"{variant.name} @{connections}: no answer in {seconds} s, once more", flush=True)
        raise SystemExit(f"{variant.name}: the server answers nothing")

    def measure(self, variant: Variant, connections: int, seconds: int) -> Sample:
        server = self.server(variant) if variant.worker else None
        port = server.port if server else self.upstream.port
        request = variant.request(self.run, f"127.0.0.1:{port}")
        request = self.probed(variant, port, request)
        before = server.settled_cpu() if server else 0.0
        result = load.run(port, request, connections, seconds, self.load_core, self.run.folder / "wrk")
        spent = server.settled_cpu() - before if server else None
        cpu = spent / result.requests * 1_000 if server and result.requests else None
        rate = result.requests / result.seconds
        return Sample(rate, cpu, result.p50, result.p90, result.p99, server.rss() if server else None)

    def probed(self, variant: Variant, port: int, request: load.Request) -> load.Request:
        """The request, once it is answered as it should be; an answer from the cache has to get there
        first. What was signed for the probes is used up."""
        used = 0
        for last in (False, False, True):
            try:
                load.probe(port, request.from_entry(used), variant.status, variant.words)
                break
            except load.WrongAnswer as wrong:
                if last:
                    raise SystemExit(f"{variant.name}: {wrong}") from None
                time.sleep(0.2)
                used += 1
        return request.from_entry(used + 1)

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()
        self.upstream.stop()


def measure(folder: Path, storage: Path, only: str, rounds: int = ROUNDS, seconds: int = SECONDS) -> Samples:
    chosen = [
        (variant, connections)
        for variant in VARIANTS
        if re.search(only, variant.name)
        for connections in variant.connections
    ]
    if not chosen:
        raise SystemExit(f"no variant's name matches {only!r}")
    samples: Samples = {(variant.name, connections): [] for variant, connections in chosen}
    bench = Bench(folder, storage, seconds)
    try:
        for number in range(rounds):
            # There and back: what grows or ages over a round hits both ends alike.
            for variant, connections in chosen if number % 2 == 0 else reversed(chosen):
                sample = bench.turn(variant, connections, seconds)
                samples[variant.name, connections].append(sample)
                cost = "" if sample.cpu is None else f", {sample.cpu:.3f} s CPU / 1,000"
                print(f"{number + 1}/{rounds} {variant.name} @{connections}: {sample.rate:,.0f}/s{cost}", flush=True)
    finally:
        bench.stop()
    return samples


def ratios(above: list[Sample], below: list[Sample]) -> float | None:
    """How much more processor time `above` took, as the median of the rounds' ratios."""
    if not above or not below:
        return None
    return median([a.cpu / b.cpu for a, b in zip(above, below, strict=True)])


def rows(samples: Samples) -> list[dict]:
    """One row of the table each, as it goes into the results."""
    table = []
    for variant in VARIANTS:
        for connections in variant.connections:
            taken = samples.get((variant.name, connections))
            if not taken:
                continue
            row: dict = {"what": variant.name, "connections": connections}
            for name in ("rate", "cpu", "p50", "p90", "p99", "rss"):
                values = [value for sample in taken if (value := getattr(sample, name)) is not None]
                row[name] = median(values) if values else None
            floor = samples.get((variant.floor, connections), []) if variant.floor else []
            row["efficiency"] = ratios(floor, taken)
            row["rounds"] = [{"rate": sample.rate, "cpu": sample.cpu} for sample in taken]
            table.append(row)
    return table
