"""What a request takes of the platform's daily allowances, as the gateway's own counters have it (`GET
/admin/ledger`), and how many requests a day the free plan has room for."""

import dataclasses
import json
import time
from pathlib import Path

import bodies
import credentials
import load
from server import Server
from table import Bench
from variants import MANY, Run, Variant, bearer, forged, ours, signed

# developers.cloudflare.com/workers/platform/pricing and /durable-objects/platform/pricing, free plan, a day.
ALLOWANCES = {
    "Worker requests": 100_000,
    "ledger requests": 100_000,
    "rows written": 100_000,
    "rows read": 5_000_000,
    "KV reads": 100_000,
}
# The log leaves in batches, of which a shard makes at most 900 a day whatever comes: KV's 1,000 writes a
# day are no limit on requests. See src/ledger/logbook.
OPERATIONS = ("ledger requests", "rows written", "rows read", "KV reads", "KV writes", "upstream calls", "cache calls")
SECONDS, CONNECTIONS = 3, 16
APART, GAP = 10, 1.0
WANTED = 45_000


# A request that the model answers looks into the cache and puts the answer there; one that the cache answers
# looks only. No counter sees it.
CACHE_CALLS = {"cache, Bearer": 1}


@dataclasses.dataclass(frozen=True)
class Way:
    name: str
    variant: Variant


def ways() -> list[Way]:
    def variant(name: str, worker, request, words: bytes, status: int = 200) -> Variant:
        return Variant(name, worker, request, words, status)

    small, rule = bodies.MODEL_3KB, bodies.RULE_3KB
    four = ours(shards=4)
    return [
        Way("refused: forged token", variant("operations-refused", ours(), forged(small), b"unauthenticated", 401)),
        Way("rule, Bearer", variant("operations-rule", ours(), bearer(rule), b'"source":"rules"')),
        Way("cache, Bearer", variant("operations-cache", ours(cache=True), bearer(small), b'"source":"cache"')),
        Way("model, Bearer", variant("operations-model", ours(), bearer(small), b'"source":"model"')),
        Way("model, Bearer, 200 machines", variant("operations-many", ours(), bearer(small, MANY), b'"source":"model"')),
        Way("model, signed, 200 machines", variant("operations-signed", ours(), signed(small), b'"source":"model"')),
        Way("model, Bearer, 200 machines, 4 shards", variant("operations-4", four, bearer(small, MANY), b'"source":"model"')),
    ]


def overview(server: Server, run: Run) -> dict:
    authorization = ("Authorization", f"Bearer {credentials.operator_token(run.operator, 'bench')}")
    connection = load.Connection(server.port)
    _, body = connection.ask(load.Request("GET", "/admin/ledger", (authorization,)).bytes(server.authority))
    connection.close()
    return json.loads(body)


def at_rest(server: Server, run: Run) -> tuple[dict, int]:
    """The overview once nothing is open and no record waits; and the looks that it took."""
    for looks in range(1, 41):
        look = overview(server, run)
        waiting = sum(shard["open_reservations"] + shard["log"]["waiting"] for shard in look["shards"])
        if not waiting and not any(shard["dense"] for shard in look["shards"]):
            return look, looks
        time.sleep(0.5)
    raise SystemExit("the ledger does not come to rest")


def counted(before: dict, after: dict) -> dict[str, int]:
    """What all objects did between two looks."""
    names = {"ledger requests": "requests", "rows written": "rows_written"}
    names |= {"rows read": "rows_read", "KV writes": "kv_writes"}
    done = dict.fromkeys(names, 0)
    objects = list(zip(before["shards"], after["shards"], strict=True)) + [(before["treasury"], after["treasury"])]
    for old, new in objects:
        for name, field in names.items():
            had, has = old["operations"][field], new["operations"][field]
            # An object that was put away between the two counts from zero.
            is_new = new.get("restarts", 0) != old.get("restarts", 0) or has < had
            done[name] += has if is_new else has - had
    return done


def spaced(server: Server, request: load.Request, variant: Variant) -> int:
    for number in range(APART):
        # A signature with its nonce is good for one.
        load.probe(server.port, request.from_entry(number), variant.status, variant.words)
        time.sleep(GAP)
    return APART


def sample(bench: Bench, server: Server, variant: Variant, dense: bool) -> dict:
    request = variant.request(bench.run, server.authority)
    at_rest(server, bench.run)
    # Wakes objects that were put away while the others were measured.
    load.probe(server.port, request, variant.status, variant.words)
    request = variant.request(bench.run, server.authority)
    (before, _), calls = at_rest(server, bench.run), bench.upstream.requests()
    if dense:
        folder = bench.run.folder / "wrk"
        requests = load.run(server.port, request, CONNECTIONS, SECONDS, bench.load_core, folder).requests
    else:
        requests = spaced(server, request, variant)
    calls = bench.upstream.requests() - calls
    after, looks = at_rest(server, bench.run)
    done = counted(before, after)
    # Each look asks the treasury and every shard.
    done["ledger requests"] -= looks * (1 + len(after["shards"]))
    return {"requests": requests, "upstream calls": calls, "KV reads": 0} | done


def measure(folder: Path, storage: Path) -> list[dict]:
    bench = Bench(folder, storage, SECONDS)
    found = []
    try:
        for way in ways():
            server = bench.server(way.variant)
            for dense in (True, False):
                row = sample(bench, server, way.variant, dense)
                each = {name: row.get(name, 0) / row["requests"] for name in OPERATIONS}
                each["cache calls"] = CACHE_CALLS.get(way.name, 0)
                traffic = "dense" if dense else "one a second"
                found.append({"what": way.name, "traffic": traffic, "requests": row["requests"], "each": each})
                print(f"{way.name}, {traffic}: {each}", flush=True)
    finally:
        bench.stop()
    return found


def capacity(each: dict[str, float]) -> tuple[int, str]:
    """Requests a day inside every allowance, and the one that ends first."""
    room = {name: allowance / max(each.get(name, 0), 1e-9) for name, allowance in ALLOWANCES.items()}
    room["Worker requests"] = ALLOWANCES["Worker requests"]
    name = min(room, key=lambda name: room[name])
    return int(room[name]), name


def rows(found: list[dict]) -> list[dict]:
    return [row | dict(zip(("capacity", "limit"), capacity(row["each"]), strict=True)) for row in found]


def targets(table: list[dict]) -> list[dict]:
    def least(traffic: str) -> int:
        return min(row["capacity"] for row in table if row["traffic"] == traffic and "refused" not in row["what"])

    def target(what: str, wanted: int, reached: int) -> dict:
        return {"what": what, "wanted": f"{wanted:,}", "reached": f"{reached:,}", "met": reached >= wanted}

    return [
        target("analyses a day on the free plan, one a second", WANTED, least("one a second")),
        target("the same in dense traffic", 2 * WANTED, least("dense")),
    ]
