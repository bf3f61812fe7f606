"""What authenticating costs: processor time of requests that are verified and end at once after
that, less that of requests which are the same but for the credential.

On this gateway `POST /v1/analyze` verifies the head, reads the body, holds it against what was
signed, and refuses what is not JSON before the ledger is asked. With ANONYMOUS=limited a caller
without a credential goes the same way to the same 400. So the difference of the two is all that a
credential costs: taking its headers over into wasm, parsing, deriving the key, MACs, the digest."""

import random
from dataclasses import dataclass
from pathlib import Path

import bodies
import credentials
import load
from machine import cores, pinned
from server import Server, gateway
from stats import median, median_error, quantile

JSON = ("Content-Type", "application/json")
# On both sides: the anonymous caller is known by it, and a header costs something to take over.
ADDRESS = ("CF-Connecting-IP", "192.0.2.7")
MACHINE = "machine-0001"
CONNECTIONS = 16
# A sweep is one block of every way, in random order, and takes less than a second: what disturbs the
# machine for longer than that falls on both sides of a difference. wrk cannot change so quickly.
SWEEPS, WARM_UP, LAPS = 300, 30, 8


@dataclass(frozen=True)
class Way:
    """A way through the gateway, and the answer by which it is known."""

    name: str
    request: load.Request
    status: int
    words: bytes


@dataclass(frozen=True)
class Difference:
    """Two paths whose difference means something; `limit` is the target in microseconds."""

    title: str
    path: str
    null: str
    limit: float | None = None


DIFFERENCES = [
    Difference("token (Bearer)", "bearer", "anonymous", 60),
    Difference("token (Basic)", "basic", "anonymous", 60),
    Difference("signed request, 3 KB body", "signed, 3 KB", "anonymous, 3 KB", 120),
    Difference("token, operators' route", "operator", "no such route", 60),
    Difference("for scale: all of Bearer's way to the 400", "bearer", "healthz"),
    Difference("for scale: all of signed's way to the 400", "signed, 3 KB", "healthz"),
]


def paths(key: credentials.Key, operator: credentials.Key, authority: str) -> list[Way]:
    """Signed anew now and then: a signature is taken for five minutes. Its nonce may be used again,
    because the ledger, which remembers nonces, is not reached."""
    # Neither is JSON, which the first byte shows.
    short, long = b"no JSON", b"no JSON" + bodies.MODEL_3KB
    token = credentials.token(key, MACHINE)
    bearer = ("Authorization", f"Bearer {token}")
    basic = ("Authorization", "Basic " + credentials.base64.b64encode(f"m:{token}".encode()).decode())
    signer = credentials.Signer(key, MACHINE, "POST", authority, "/v1/analyze", long)
    operators = ("Authorization", f"Bearer {credentials.operator_token(operator, 'bench')}")

    def analyze(name: str, body: bytes, *headers: tuple[str, str]) -> Way:
        request = load.Request("POST", "/v1/analyze", (JSON, ADDRESS, *headers), body)
        return Way(name, request, 400, b"not one JSON object")

    def plain(name: str, method: str, path: str, status: int, words: bytes, *headers: tuple[str, str]) -> Way:
        return Way(name, load.Request(method, path, (ADDRESS, *headers)), status, words)

    text = ("Content-Type", "text/plain")
    return [
        plain("healthz", "GET", "/healthz", 200, b""),
        # Verified, and then refused for its media type; no body is read.
        plain("operator", "POST", "/admin/revocations", 415, b"not JSON", text, operators),
        plain("no such route", "POST", "/admin/revocation_", 404, b"nothing here", text),
        analyze("anonymous", short),
        analyze("bearer", short, bearer),
        analyze("basic", short, basic),
        analyze("anonymous, 3 KB", long),
        analyze("signed, 3 KB", long, *signer.headers()),
    ]


class Crowd:
    """Several connections that ask at once and wait for each other, so that the server has as much to
    do at a time as under load."""

    def __init__(self, server: Server):
        self.server = server
        self.connections = [load.Connection(server.port) for _ in range(CONNECTIONS)]

    def block(self, request: bytes, length: int) -> float:
        """Microseconds of processor time for each of the block's requests."""
        before = self.server.cpu()
        for _ in range(LAPS):
            for connection in self.connections:
                connection.socket.sendall(request)
            for connection in self.connections:
                connection.skip(length)
        return (self.server.cpu() - before) / (LAPS * CONNECTIONS) * 1e6

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


def measure(folder: Path, storage: Path, sweeps: int = SWEEPS) -> dict[str, list[float]]:
    """Microseconds of processor time a request, by way, one for each sweep."""
    server_core, load_core = cores()
    key, operator = credentials.Key("bench-1"), credentials.Key("bench-op")
    texts = {
        "TOKEN_KEYS": credentials.ring(key),
        "OPERATOR_KEYS": credentials.ring(operator),
        "ANONYMOUS": "limited",
    }
    server = Server("authenticate", gateway(texts), server_core, folder, storage)
    spent: dict[str, list[float]] = {}
    try:
        pinned(load_core)()
        crowd = Crowd(server)
        for number in range(-WARM_UP, sweeps):
            if number % 50 == 0 or number == -WARM_UP:
                requests = prepare(server, paths(key, operator, server.authority))
            order = list(requests)
            random.shuffle(order)
            for name in order:
                cost = crowd.block(*requests[name])
                if number >= 0:
                    spent.setdefault(name, []).append(cost)
        crowd.close()
    finally:
        server.stop()
    return spent


def prepare(server: Server, ways: list[Way]) -> dict[str, tuple[bytes, int]]:
    """The bytes of each request and the length of its answer, which must be the one that is meant."""
    return {way.name: (way.request.bytes(server.authority), probe_length(server, way)) for way in ways}


def probe_length(server: Server, way: Way) -> int:
    return load.probe(server.port, way.request, way.status, way.words)


def rows(spent: dict[str, list[float]]) -> list[dict]:
    """One for each difference, as it goes into the results; the ways themselves are printed."""
    print(f"{'way':<20} {'µs CPU':>8} undisturbed")
    for name, values in sorted(spent.items(), key=lambda item: median(item[1])):
        print(f"{name:<20} {median(values):>8.1f} {calm(values):>11.1f}")
    return [compare(entry, spent[entry.path], spent[entry.null]) for entry in DIFFERENCES]


def calm(values: list[float]) -> float:
    """A tenth of the blocks had the machine to themselves at least as much."""
    return quantile(sorted(values), 0.1)


def compare(entry: Difference, path: list[float], null: list[float]) -> dict:
    differences = [above - below for above, below in zip(path, null, strict=True)]
    middle, error = median(differences), 1.96 * median_error(differences)
    return {
        "what": entry.title,
        "microseconds": middle,
        "confidence_interval_95": [middle - error, middle + error],
        "undisturbed": calm(path) - calm(null),
        "target": entry.limit,
        "met": None if entry.limit is None else middle + error < entry.limit,
    }
