"""What is measured: one entry each in `variants`. A new one needs a Worker, a request and the answer by
which it is known."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bodies
import credentials
from credentials import base64url
from load import Request
from machine import HERE, ROOT, stop
from server import Module, Worker, built, gateway

JSON = ("Content-Type", "application/json")
ALL, ONE = (1, 16, 64), (16,)
MANY = 200
# Signed requests that a second can take at most; each is used once.
SIGNED_A_SECOND = 6_000
# What no request of the benchmark reaches.
ENDLESS = {
    "MACHINE_RATE": "1000000/second",
    "MACHINE_BURST": "1000000",
    "MACHINE_DAILY_USD": "100000000",
    "MACHINE_CONCURRENCY": "10000",
    "DAILY_USD": "1000000000",
}


@dataclass
class Run:
    """What the variants of one run share."""

    folder: Path
    upstream: str
    seconds: int
    key: credentials.Key
    operator: credentials.Key
    # Counted up, so that each batch of signed requests has machines of its own.
    batches: int = 0


@dataclass(frozen=True)
class Variant:
    name: str
    # None is the upstream itself.
    worker: Callable[[Run], Worker] | None
    # For the authority that it is sent to.
    request: Callable[[Run, str], Request]
    words: bytes
    status: int = 200
    connections: tuple[int, ...] = ONE
    # What its processor time is compared with.
    floor: str | None = None


def script(name: str, **options: bool) -> Callable[[Run], Worker]:
    """A Worker in JavaScript, bundled with the packages that it names."""

    def make(run: Run) -> Worker:
        bundle = run.folder / f"{name}.mjs"
        command = [ROOT / "node_modules/.bin/esbuild", HERE / "workers" / f"{name}.mjs", "--bundle", "--format=esm"]
        command += ["--external:cloudflare:workers", "--conditions=workerd,worker,browser", "--log-level=warning"]
        subprocess.run([*command, f"--outfile={bundle}"], cwd=ROOT, check=True)
        texts = {"UPSTREAM": run.upstream, "API_KEY": "none"}
        texts |= {"TOKEN_SECRET": base64url(run.key.secret)}
        texts |= {"ISSUER": credentials.ISSUER, "AUDIENCE": credentials.AUDIENCE}
        ledger = "Ledger" if options.get("ledger") else None
        return Worker((Module("index.js", bundle),), texts, ledger=ledger, log=options.get("log", False))

    return make


def null_worker(_run: Run) -> Worker:
    folder = HERE / "null-worker/build"
    if not (folder / "index_bg.wasm").exists():
        stop("The null Worker is not built: run `make bench`, which builds it.")
    return Worker(built(folder))


def ours(cache: bool = False, shards: int = 1) -> Callable[[Run], Worker]:
    def make(run: Run) -> Worker:
        texts = ENDLESS | {
            "API_BASE": run.upstream,
            "API_KEY": "none",
            "TOKEN_KEYS": credentials.ring(run.key),
            "OPERATOR_KEYS": credentials.ring(run.operator),
            "CACHE_TTL_SECONDS": "3600" if cache else "0",
            "SHARDS": str(shards),
        }
        return gateway(texts, cache)

    return make


def plain(method: str, path: str, body: bytes = b"", *headers: tuple[str, str]) -> Callable[[Run, str], Request]:
    return lambda run, authority: Request(method, path, (JSON, *headers), body)


def bearer(body: bytes, machines: int = 1) -> Callable[[Run, str], Request]:
    """Each machine in turn, with a token of its own."""

    def make(run: Run, _authority: str) -> Request:
        tokens = [credentials.token(run.key, f"machine-{number:04}") for number in range(machines)]
        varying = tuple((("Authorization", f"Bearer {token}"),) for token in tokens)
        return Request("POST", "/v1/analyze", (JSON,), body, varying)

    return make


def signed(body: bytes) -> Callable[[Run, str], Request]:
    """Each request with its own nonce. A machine may use 512 in ten minutes, so many take part, and other
    ones in each round."""

    def make(run: Run, authority: str) -> Request:
        run.batches += 1
        names = [f"signer-{run.batches}-{number:03}" for number in range(MANY)]
        signers = [
            credentials.Signer(run.key, name, "POST", authority, "/v1/analyze", body) for name in names
        ]
        count = SIGNED_A_SECOND * (run.seconds + 1)
        varying = tuple(tuple(signers[number % MANY].headers()) for number in range(count))
        return Request("POST", "/v1/analyze", (JSON,), body, varying)

    return make


def forged(body: bytes) -> Callable[[Run, str], Request]:
    def make(run: Run, _authority: str) -> Request:
        token = credentials.token(credentials.Key(run.key.kid), "machine-0001")
        return Request("POST", "/v1/analyze", (JSON, ("Authorization", f"Bearer {token}")), body)

    return make


SMALL, LARGE, RULE = bodies.MODEL_3KB, bodies.MODEL_200KB, bodies.RULE_3KB
JOB = plain("POST", "/analyze_error", SMALL)
FLOOR, LARGE_FLOOR, DURABLE = "the floor", "the floor, 200 KB body", "durable gateway, JavaScript"
CALLS = "durable and logged, no checks, JavaScript"
NULL_RUST, NGINX, MODEL = "null Worker, Rust", "the upstream alone", "model, Bearer"
REFUSED, RULE_BEARER, LARGE_MODEL = "refused: no credential", "rule, Bearer", "model, Bearer, 200 KB body"

VARIANTS = [
    Variant(NGINX, None, JOB, b"choices", connections=(1,)),
    Variant("null Worker, JavaScript", script("null"), JOB, b"ok", connections=ALL),
    Variant(NULL_RUST, null_worker, JOB, b"ok", connections=ALL),
    Variant(FLOOR, script("floor"), JOB, b"suggestion", connections=ALL, floor=FLOOR),
    Variant(LARGE_FLOOR, script("floor"), plain("POST", "/", LARGE), b"suggestion", floor=LARGE_FLOOR),
    Variant("the bare job, KV write", script("kv-log", log=True), JOB, b"suggestion", floor=FLOOR),
    Variant(DURABLE, script("durable", ledger=True), bearer(SMALL), b"suggestion", connections=ALL, floor=FLOOR),
    Variant(CALLS, script("calls", ledger=True), JOB, b"suggestion", connections=ALL, floor=FLOOR),
    Variant("health", ours(), plain("GET", "/healthz"), b""),
    Variant(REFUSED, ours(), plain("POST", "/v1/analyze", SMALL), b"unauthenticated", 401, (16, 64)),
    Variant("refused: forged token", ours(), forged(SMALL), b"unauthenticated", 401),
    Variant(RULE_BEARER, ours(), bearer(RULE), b'"source":"rules"', connections=ALL, floor=FLOOR),
    Variant("rule, signed, 200 machines", ours(), signed(RULE), b'"source":"rules"', floor=FLOOR),
    Variant("cache, Bearer", ours(cache=True), bearer(SMALL), b'"source":"cache"', floor=FLOOR),
    Variant(MODEL, ours(), bearer(SMALL), b'"source":"model"', connections=ALL, floor=FLOOR),
    Variant("model, Bearer, 200 machines", ours(), bearer(SMALL, MANY), b'"source":"model"', floor=FLOOR),
    Variant("model, signed, 200 machines", ours(), signed(SMALL), b'"source":"model"', floor=FLOOR),
    Variant("model, Bearer, 200 machines, 4 shards", ours(shards=4), bearer(SMALL, MANY), b'"source":"model"', floor=FLOOR),
    Variant(LARGE_MODEL, ours(), bearer(LARGE), b'"source":"model"', floor=LARGE_FLOOR),
]
