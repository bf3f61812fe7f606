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
from machine import cores
from server import Server, gateway
from stats import median

JSON = ("Content-Type", "application/json")
# On both sides: the anonymous caller is known by it, and a header costs something to take over.
ADDRESS = ("CF-Connecting-IP", "192.0.2.7")
MACHINE = "machine-0001"
# Many short rounds: what disturbs the machine for a while then falls on few of them.
ROUNDS, SECONDS, CONNECTIONS = 11, 2, 16


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
    """Signed anew for each round: a signature is taken for five minutes. Its nonce may be used again,
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


def measure(folder: Path, storage: Path, rounds: int = ROUNDS, seconds: int = SECONDS) -> dict[str, list[float]]:
    """Microseconds of processor time a request, by path, one for each round."""
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
        for number in range(rounds + 1):
            order = paths(key, operator, server.authority)
            random.shuffle(order)
            for path in order:
                load.probe(server.port, path.request, path.status, path.words)
                # The first round is to warm up: V8 compiles wasm better once it is used.
                span = seconds if number else 1
                before = server.cpu()
                result = load.run(server.port, path.request, CONNECTIONS, span, load_core, folder / "wrk")
                cost = (server.cpu() - before) / result.requests * 1e6
                if number:
                    spent.setdefault(path.name, []).append(cost)
            if number:
                print(f"round {number} of {rounds}", flush=True)
    finally:
        server.stop()
    return spent


def report(spent: dict[str, list[float]]) -> list[dict]:
    print(f"\n{'path':<44} {'µs CPU a request':>17} {'least':>8} {'most':>8}")
    for name, values in spent.items():
        print(f"{name:<44} {median(values):>17.1f} {min(values):>8.1f} {max(values):>8.1f}")
    print(f"\n{'authenticating with':<44} {'µs CPU a request':>17} {'least':>8} {'most':>8}  target")
    rows = []
    for entry in DIFFERENCES:
        values = [path - null for path, null in zip(spent[entry.path], spent[entry.null], strict=True)]
        middle = median(values)
        target = ""
        if entry.limit is not None:
            target = f"under {entry.limit:.0f}: {'met' if middle < entry.limit else 'MISSED'}"
        print(f"{entry.title:<44} {middle:>17.1f} {min(values):>8.1f} {max(values):>8.1f}  {target}")
        rows.append({"what": entry.title, "microseconds": middle, "rounds": values, "target": entry.limit})
    return rows
