"""Whether the time of a 401 tells a key id that exists from one that does not.

One connection, requests of every class in random order, the time from the last byte sent to the
last byte received. Beside the pairs that must look alike there are two that show what the test can
see: the same class under two names, which must look alike, and a token that is refused before its
MAC, which must not."""

import gc
import random
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import credentials
import load
from bodies import MODEL_3KB
from machine import cores, pinned
from server import Server, gateway
from stats import Comparison, compare, median

JSON = ("Content-Type", "application/json")
MACHINE = "machine-0001"
# Of each class, so that no single message's bytes make the difference.
MESSAGES = 128
EACH = 20_000
WARM_UP = 500
# What Welch's t is commonly held to in tests of this kind: beyond it chance is not an explanation.
LIMIT = 4.5


@dataclass(frozen=True)
class Pair:
    """Two classes; `alike` is whether they have to be."""

    title: str
    a: str
    b: str
    alike: bool = True


PAIRS = [
    Pair("token: the ring's first kid, an unknown kid", "token, first kid", "token, unknown kid"),
    Pair("token: the ring's last kid, an unknown kid", "token, last kid", "token, unknown kid"),
    Pair("signed: the ring's first kid, an unknown kid", "signed, first kid", "signed, unknown kid"),
    Pair("signed: the ring's last kid, an unknown kid", "signed, last kid", "signed, unknown kid"),
    Pair("control, same class", "token, unknown kid", "token, unknown kid again"),
    Pair("control, no MAC made", "token, unknown kid", "token, no kid", alike=False),
]


def classes(first: credentials.Key, last: credentials.Key, authority: str) -> dict[str, list[bytes]]:
    """The requests of each class: well formed but for a MAC that is wrong. All kids are of one length."""

    def token(kid: str | None) -> bytes:
        header = {"alg": "HS256", "typ": "JWT"} | ({"kid": kid} if kid else {"kjd": "bench-0"})
        forged = credentials.token(credentials.Key("", secrets.token_bytes(32)), MACHINE, header=header)
        headers = (JSON, ("Authorization", f"Bearer {forged}"))
        return load.Request("POST", "/v1/analyze", headers, MODEL_3KB).bytes(authority)

    def signed(kid: str) -> bytes:
        key = credentials.Key(kid, secrets.token_bytes(32))
        signer = credentials.Signer(key, MACHINE, "POST", authority, "/v1/analyze", MODEL_3KB)
        return load.Request("POST", "/v1/analyze", (JSON, *signer.headers()), MODEL_3KB).bytes(authority)

    makers = {
        "token, first kid": lambda: token(first.kid),
        "token, last kid": lambda: token(last.kid),
        "token, unknown kid": lambda: token("bench-x"),
        "token, unknown kid again": lambda: token("bench-x"),
        "token, no kid": lambda: token(None),
        "signed, first kid": lambda: signed(first.kid),
        "signed, last kid": lambda: signed(last.kid),
        "signed, unknown kid": lambda: signed("bench-x"),
    }
    return {name: [make() for _ in range(MESSAGES)] for name, make in makers.items()}


def expect_alike(connection: load.Connection, messages: dict[str, list[bytes]]) -> int:
    """Stops unless all answers are the same 401 but for the request's id; returns their length."""
    seen = {}
    for name, requests in messages.items():
        head, body = connection.ask(requests[0])
        answer = head + b"\r\n\r\n" + body
        if not answer.startswith(b"HTTP/1.1 401 "):
            raise SystemExit(f"{name} should be refused:\n{answer!r}")
        id_line = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"x-request-id: "))
        seen[name] = (answer.replace(id_line.split(b": ", 1)[1], b"ID"), len(answer))
    if len(set(seen.values())) != 1:
        raise SystemExit(f"the refusals differ in what they say: {seen}")
    return next(iter(seen.values()))[1]


def take_times(connection: load.Connection, messages: dict[str, list[bytes]], each: int) -> dict[str, list[float]]:
    """Microseconds of each answer, by class."""
    length = expect_alike(connection, messages)
    order = [name for name in messages for _ in range(each)]
    random.shuffle(order)
    times: dict[str, list[float]] = {name: [] for name in messages}
    send, skip, clock = connection.socket.sendall, connection.skip, time.perf_counter_ns
    # A collection of Python's own garbage would fall on whichever answer is under way.
    gc.disable()
    for name in order:
        message = random.choice(messages[name])
        started = clock()
        send(message)
        skip(length)
        ended = clock()
        times[name].append((ended - started) / 1_000)
    gc.enable()
    return times


def measure(folder: Path, storage: Path, each: int = EACH) -> dict[str, list[float]]:
    server_core, load_core = cores()
    keys = [credentials.Key(f"bench-{number}") for number in range(4)]
    texts = {
        "TOKEN_KEYS": credentials.ring(*keys),
        "OPERATOR_KEYS": credentials.ring(credentials.Key("bench-op")),
    }
    server = Server("timing", gateway(texts), server_core, folder, storage)
    try:
        pinned(load_core)()
        connection = load.Connection(server.port)
        messages = classes(keys[0], keys[-1], server.authority)
        take_times(connection, messages, WARM_UP)
        times = take_times(connection, messages, each)
        connection.close()
    finally:
        server.stop()
    return times


def rows(times: dict[str, list[float]]) -> list[dict]:
    """One for each pair, as it goes into the results; the classes themselves are printed."""
    for name, values in times.items():
        print(f"{name:<26} {len(values):>6} answers, median {median(values):.1f} µs")
    return [row(pair, compare(times[pair.a], times[pair.b])) for pair in PAIRS]


def row(pair: Pair, found: Comparison) -> dict:
    return {
        "what": pair.title,
        "median_difference_microseconds": found.difference,
        "confidence_interval_95": [found.low, found.high],
        "t": found.t,
        "t_kept": found.kept,
        "raw_t": found.raw_t,
        "mann_whitney_z": found.z,
        "tells_apart": found.tells(LIMIT),
        "must_look_alike": pair.alike,
    }


def is_good(found: list[dict]) -> bool:
    """Whether every pair is as it has to be."""
    return all(row["tells_apart"] != row["must_look_alike"] for row in found)
