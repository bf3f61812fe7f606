"""The ledger by itself: one shard, called as the gateway calls it, beside an object that writes a row a
step. A pair is one admission and its settlement."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import load
from machine import HERE, ROOT, stop
from server import Module, Server, Worker
from stats import median
from table import Bench
from variants import FLOOR, VARIANTS, Run, ours, script

ROUNDS, SECONDS, WARM_UP = 5, 4, 2
# Pairs under way at once, and how many each HTTP request makes, so that HTTP is not what is measured.
IN_FLIGHT, PAIRS = 64, 20
RIDE, LOG = "messages together, as the gateway's", "messages together, with log records of 3 KB"
ALONE, APART = "a message a call, settlements ride", "a message a call, settlements apart"
ROWS, ECHO = "a row a step, JavaScript", "no ledger, only the calls"
# The floor's requests/s on the class of machine that the target is of.
REFERENCE_FLOOR = 6_750
WANTED_RATE, WANTED_TIMES, WANTED_ROWS = 2_500, 4, 0.2


@dataclass(frozen=True)
class Way:
    name: str
    mode: str
    # What has the object; the driver goes before it.
    worker: Callable[[Run], Worker]
    ledger: str = "Ledger"


WAYS = [
    Way(RIDE, "ride", ours()),
    Way(LOG, "log", ours()),
    Way(ALONE, "alone", ours()),
    Way(APART, "apart", ours()),
    Way(ROWS, "rows", script("durable", ledger=True)),
    Way(ECHO, "echo", ours(), "Echo"),
]


@dataclass(frozen=True)
class Sample:
    """One way in one round: pairs a second; processor time, rows and calls of the object for 1,000 pairs."""

    rate: float
    cpu: float
    rows: float
    calls: float
    # The floor's requests/s, in the same round.
    floor: float


Samples = dict[str, list[Sample]]


def driven(way: Way, run: Run) -> Worker:
    worker = way.worker(run)
    driver = Module("driver.mjs", HERE / "workers/ledger-driver.mjs")
    edge = Module("edge.mjs", ROOT / "src/shell/edge.mjs")
    return replace(
        worker, modules=(driver, edge, *worker.modules), texts=worker.texts | {"MODE": way.mode}, ledger=way.ledger
    )


def told(server: Server) -> dict:
    connection = load.Connection(server.port)
    _, body = connection.ask(load.Request("GET", "/told").bytes(server.authority))
    connection.close()
    return json.loads(body)


def turn(bench: Bench, server: Server, seconds: int, floor: float) -> Sample:
    request = load.Request("GET", f"/{PAIRS}")
    load.probe(server.port, request, 200, b"done")
    before, spent = told(server), server.settled_cpu()
    result = load.run(server.port, request, IN_FLIGHT, seconds, bench.load_core, bench.run.folder / "wrk")
    spent, after = server.settled_cpu() - spent, told(server)
    done = {name: after[name] - before[name] for name in before}
    pairs = max(done["pairs"], 1)
    # Those under way when the load ends stay open; else a settlement that is lost would make a pair cheap.
    if after.get("open", 0) > pairs / 10:
        stop(f"{after['open']} of {pairs} that were admitted are not settled.")
    rows, calls = done["rows"] / pairs * 1_000, done["calls"] / pairs * 1_000
    return Sample(pairs / result.seconds, spent / pairs * 1_000, rows, calls, floor)


def measure(folder: Path, storage: Path, rounds: int = ROUNDS, seconds: int = SECONDS) -> Samples:
    bench = Bench(folder, storage, seconds)
    floor = next(variant for variant in VARIANTS if variant.name == FLOOR)
    samples: Samples = {way.name: [] for way in WAYS}
    servers: dict[str, Server] = {}
    try:
        for way in WAYS:
            worker = driven(way, bench.run)
            servers[way.name] = Server(f"ledger-{way.mode}", worker, bench.server_core, folder, storage)
            turn(bench, servers[way.name], WARM_UP, 0)
        for number in range(rounds):
            rate = bench.turn(floor, 16, seconds).rate
            print(f"{number + 1}/{rounds} {FLOOR} @16: {rate:,.0f}/s", flush=True)
            for way in WAYS if number % 2 == 0 else reversed(WAYS):
                sample = turn(bench, servers[way.name], seconds, rate)
                samples[way.name].append(sample)
                cost = f"{sample.cpu:.3f} s CPU / 1,000"
                print(f"{number + 1}/{rounds} {way.name}: {sample.rate:,.0f} pairs/s, {cost}", flush=True)
    finally:
        for server in servers.values():
            server.stop()
        bench.stop()
    return samples


def rows(samples: Samples) -> list[dict]:
    """One row of the table each, as it goes into the results."""
    table = []
    for name, taken in samples.items():
        row: dict = {"what": name}
        for field in ("rate", "cpu", "rows", "calls"):
            row[field] = median([getattr(sample, field) for sample in taken])
        row["times"] = median([sample.rate / other.rate for sample, other in zip(taken, samples[ROWS], strict=True)])
        row["scaled"] = median([sample.rate / sample.floor for sample in taken]) * REFERENCE_FLOOR
        row["rounds"] = [vars(sample) for sample in taken]
        table.append(row)
    return table


def targets(table: list[dict]) -> list[dict]:
    ride = next(row for row in table if row["what"] == RIDE)

    def target(what: str, wanted: str, reached: str, met: bool) -> dict:
        return {"what": what, "wanted": wanted, "reached": reached, "met": met}

    times, written = ride["times"], ride["rows"] / 1_000
    scaled = f"pairs/s, where the floor is {REFERENCE_FLOOR:,} requests/s"
    return [
        target(scaled, f"{WANTED_RATE:,}", f"{ride['scaled']:,.0f}", ride["scaled"] >= WANTED_RATE),
        target(f"pairs/s of {ROWS}", f"{WANTED_TIMES} times", f"{times:.1f} times", times >= WANTED_TIMES),
        target("rows written a pair", f"at most {WANTED_ROWS}", f"{written:.3f}", written <= WANTED_ROWS),
    ]
