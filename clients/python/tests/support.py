"""A gateway of our own on loopback, and a home folder that is thrown away."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional
from unittest import mock

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
CERTIFICATE = HERE / "data" / "localhost.pem"
sys.path.insert(0, str(SOURCE))

from pip_aide_login import cli, netrc_file, netrc_text  # noqa: E402

JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}


class Request(NamedTuple):
    method: str
    path: str
    headers: Any
    body: bytes


class Response(NamedTuple):
    status: int
    headers: Dict[str, str]
    body: bytes


def ok(value: Any, status: int = 200) -> Response:
    return Response(status, JSON, json.dumps(value).encode())


def problem(status: int, slug: str, detail: str, **headers: str) -> Response:
    document = {
        "type": "urn:pip-aide-gateway:problem:" + slug,
        "title": "Title of " + slug,
        "status": status,
        "detail": detail,
        "request_id": "r1",
    }
    return Response(status, {**PROBLEM, **headers}, json.dumps(document).encode())


def token_for(machine: str) -> str:
    """Of a token's form; it is signed by nobody."""
    parts = [b'{"alg":"HS256","kid":"test"}', machine.encode(), b"not a signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def zero_bits(digest: bytes) -> int:
    return 256 - int.from_bytes(digest, "big").bit_length()


class Gateway:
    """Does what the contract says, unless `override` has something else for a path."""

    def __init__(self, difficulty: int = 6, tls: bool = False) -> None:
        self.difficulty = difficulty
        self.requests: List[Request] = []
        self.override: Dict[str, Callable[[Request], Optional[Response]]] = {}
        self.issued: List[str] = []
        self.machines: Dict[str, str] = {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(self.command, self.path, self.headers, self.rfile.read(length))
                gateway.requests.append(request)
                self.close_connection = True
                override = gateway.override.get(self.path)
                response = gateway.answer(request) if override is None else override(request)
                if isinstance(response, Response):
                    self.send_response(response.status)
                    for name, value in response.headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in response.headers:
                        self.send_header("Content-Length", str(len(response.body)))
                    self.end_headers()
                    self.wfile.write(response.body)
                elif callable(response):
                    with contextlib.suppress(OSError):
                        response(self.wfile)

            do_GET = do_POST = do_CONNECT = answer

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(str(CERTIFICATE))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.host = "localhost" if tls else "127.0.0.1"
        self.url = "%s://%s:%d" % ("https" if tls else "http", self.host, self.port)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def answer(self, request: Request) -> Response:
        route = (request.method, request.path)
        if route == ("POST", "/v1/enroll/challenge"):
            return ok(self.challenge())
        if route == ("POST", "/v1/enroll"):
            return self.enrol(json.loads(request.body))
        if route == ("GET", "/v1/me"):
            return self.me(request.headers.get("Authorization", ""))
        return problem(404, "not-found", "There is no such route.")

    def challenge(self) -> Dict[str, Any]:
        self.issued.append("challenge-%d-%d" % (self.port, len(self.requests)))
        return {
            "challenge": self.issued[-1],
            "algorithm": "sha-256",
            "difficulty": self.difficulty,
            "expires_in": 300,
        }

    def enrol(self, body: Dict[str, Any]) -> Response:
        work = hashlib.sha256(("%(challenge)s.%(solution)s" % body).encode()).digest()
        if body["challenge"] not in self.issued or zero_bits(work) < self.difficulty:
            return problem(403, "forbidden", "The challenge was not met.")
        self.issued.remove(body["challenge"])
        machine = "m-%d-%d" % (self.port, len(self.machines))
        self.machines[token_for(machine)] = machine
        return ok(self.credential(machine), 201)

    @staticmethod
    def credential(machine: str) -> Dict[str, str]:
        return {
            "machine_id": machine,
            "token": token_for(machine),
            "expires_at": "2100-01-31T00:00:00.000Z",
            "keyid": "test:" + machine,
            "signing_secret": "c2VjcmV0LW9mLXRoZS10ZXN0cw",
        }

    def me(self, authorization: str) -> Response:
        scheme, _, value = authorization.partition(" ")
        if scheme == "Basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        if value not in self.machines:
            return problem(401, "unauthenticated", "Send a token that holds.")
        return ok(
            {
                "machine_id": self.machines[value],
                "plan": "standard",
                "rate": {"requests": 6, "window_seconds": 60, "burst": 3, "remaining": 2},
                "concurrency": {"in_flight": 0, "limit": 2},
                "spend": {
                    "today_usd": "0.0125",
                    "cap_usd": "0.05",
                    "resets_at": "2100-01-01T00:00:00.000Z",
                },
                "request_id": "r1",
            }
        )


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class Case(unittest.TestCase):
    """With a home folder of its own, English, and no variable of the developer's that matters."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # Without links in it, so that paths can be compared.
        self.home = Path(folder.name).resolve()
        self.netrc = self.home / ".netrc"
        keep = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
        }
        self.environment = {
            **keep, "HOME": str(self.home), "USERPROFILE": str(self.home), "LC_ALL": "C.UTF-8"
        }  # fmt: skip
        patch = mock.patch.dict(os.environ, self.environment, clear=True)
        patch.start()
        self.addCleanup(patch.stop)
        before = os.getcwd()
        os.chdir(str(self.home))
        self.addCleanup(os.chdir, before)

    def gateway(self, difficulty: int = 6, tls: bool = False) -> Gateway:
        gateway = Gateway(difficulty, tls)
        self.addCleanup(gateway.close)
        return gateway

    def run_cli(self, *arguments: str) -> Outcome:
        """In this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(arguments)
            except SystemExit as end:  # argparse
                code = end.code  # type: ignore[assignment]
        return Outcome(int(code), out.getvalue(), err.getvalue())

    def start(self, *arguments: str, prelude: str = "", **environment: str) -> "subprocess.Popen[str]":
        """As a process of its own, which runs `prelude` first."""
        program = prelude + "\nfrom pip_aide_login.cli import run\nrun()"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            encoding="utf-8",
        )
        self.addCleanup(_end, process)
        return process

    def write_netrc(self, text: str, mode: int = 0o600) -> None:
        self.netrc.write_bytes(text.encode("utf-8"))
        self.netrc.chmod(mode)

    def assert_mode(self, path: Path, mode: int) -> None:
        if os.name == "posix":
            self.assertEqual(oct(stat.S_IMODE(path.stat().st_mode)), oct(mode))

    def assert_no_leftovers(self, *expected: str) -> None:
        self.assertEqual(sorted(entry.name for entry in self.home.iterdir()), sorted(expected))


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


__all__ = [
    "CERTIFICATE", "JSON", "PROBLEM", "SOURCE", "Case", "Gateway", "Outcome", "Request", "Response",
    "cli", "netrc_file", "netrc_text", "ok", "problem", "token_for", "zero_bits",
]  # fmt: skip
