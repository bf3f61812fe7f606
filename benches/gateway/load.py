"""Requests as bytes, and wrk, which sends them as fast as they are answered."""

import json
import socket
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from machine import pinned, program

# wrk's own words are for people; this prints the same numbers for us. `response` is left out: with
# it wrk would build a table of every answer's headers, on the core that the upstream needs.
SCRIPT = """
local function read(name)
  local file = assert(io.open(folder .. name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  folder = args[1] .. "/"
  head, tail = read("head"), read("tail")
  varying, next_line = {}, 0
  for line in io.lines(folder .. "varying") do
    varying[#varying + 1] = line:gsub("|", "\\r\\n")
  end
  if #varying == 0 then whole = head .. tail end
end

function request()
  if whole then return whole end
  next_line = next_line % #varying + 1
  return head .. varying[next_line] .. tail
end

function done(summary, latency)
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"p50":%d,"p90":%d,"p99":%d}\\n',
    summary.requests, summary.duration, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Request:
    """A request to be sent many times; where `varying` has entries, each time with the next one's
    headers."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    varying: tuple[tuple[tuple[str, str], ...], ...] = ()

    def from_entry(self, first: int) -> "Request":
        """The same without the first entries, which a signature with its nonce needs once it was used.
        What is not signed can be used again, so a few entries go round."""
        if len(self.varying) <= first + 1 or len(self.varying) < 1_000:
            return self
        return replace(self, varying=self.varying[first:])

    def parts(self, authority: str) -> tuple[bytes, bytes]:
        """What comes before and after the varying headers."""
        headers = [("Host", authority), *self.headers]
        if self.body:
            headers.append(("Content-Length", str(len(self.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"{self.method} {self.path} HTTP/1.1\r\n{lines}".encode(), b"\r\n" + self.body

    def bytes(self, authority: str) -> bytes:
        head, tail = self.parts(authority)
        first = self.varying[0] if self.varying else ()
        return head + "".join(f"{name}: {value}\r\n" for name, value in first).encode() + tail


@dataclass(frozen=True)
class Load:
    """What wrk saw. Latencies are in microseconds."""

    requests: int
    seconds: float
    refused: int
    p50: int
    p90: int
    p99: int


ROOM = bytearray(65536)


class Connection:
    """One keep-alive connection, for single requests."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer."""
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self.receive()
        head, body = received.split(b"\r\n\r\n", 1)
        lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" not in lines:
            raise SystemExit(f"an answer without a length: {head!r}")
        while len(body) < int(lines[b"content-length"]):
            body += self.receive()
        return head, body

    def skip(self, length: int) -> None:
        """Takes an answer of which no more than its length matters."""
        while length > 0:
            length -= self.socket.recv_into(ROOM, min(length, len(ROOM))) or len(self.broken())

    def receive(self) -> bytes:
        return self.socket.recv(65536) or self.broken()

    def broken(self) -> bytes:
        raise SystemExit("the server closed the connection")

    def close(self) -> None:
        self.socket.close()


class WrongAnswer(Exception):
    """Not what is to be measured."""


def probe(port: int, request: Request, status: int, words: bytes) -> int:
    """Raises [`WrongAnswer`] unless the answer is the one that is to be measured; returns its length."""
    connection = Connection(port)
    head, body = connection.ask(request.bytes(f"127.0.0.1:{port}"))
    connection.close()
    if not head.startswith(b"HTTP/1.1 %d" % status) or words not in body:
        asked = f"{request.method} {request.path}"
        raise WrongAnswer(f"{asked} should give {status} {words!r}:\n{head!r}\n{body[:600]!r}")
    return len(head) + 4 + len(body)


def run(port: int, request: Request, connections: int, seconds: float, core: int, folder: Path) -> Load:
    """Loads a server for `seconds`, which wrk takes in whole."""
    authority = f"127.0.0.1:{port}"
    head, tail = request.parts(authority)
    folder.mkdir(exist_ok=True)
    (folder / "head").write_bytes(head)
    (folder / "tail").write_bytes(tail)
    (folder / "script.lua").write_text(SCRIPT)
    with open(folder / "varying", "w") as file:
        for headers in request.varying:
            # A line an entry: no header of ours holds a '|'.
            file.write("".join(f"{name}: {value}|" for name, value in headers) + "\n")
    command = [program("wrk", "wrk"), "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout=10s"]
    command += ["--script", str(folder / "script.lua"), f"http://{authority}{request.path}", "--", str(folder)]
    output = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds + 60, preexec_fn=pinned(core), check=False
    )
    line = next((line for line in output.stdout.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise SystemExit(f"wrk gave no result:\n{output.stdout}{output.stderr}")
    result = json.loads(line.removeprefix("RESULT "))
    if result["broken"] or result["refused"] not in (0, result["requests"]):
        # An answer in between would be cheaper or dearer than what is to be measured.
        raise SystemExit(f"{request.method} {request.path}: not all answers were alike: {result}")
    return Load(
        result["requests"],
        result["microseconds"] / 1e6,
        result["refused"],
        result["p50"],
        result["p90"],
        result["p99"],
    )
