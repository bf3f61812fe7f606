"""One HTTP exchange, with an end to how long it takes and to how much comes back."""

from __future__ import annotations

import http.client
import queue
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Union

from . import __version__
from .errors import Exit, Failure
from .gateway_url import GatewayUrl

MAX_BODY_BYTES = 64 * 1024


@dataclass(frozen=True)
class Reply:
    status: int
    headers: "http.client.HTTPMessage"
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get_content_type() if "Content-Type" in self.headers else ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: it is shown, and nothing is sent anywhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def exchange(
    gateway: GatewayUrl,
    path: str,
    *,
    body: Optional[bytes] = None,
    token: Optional[str] = None,
    timeout: float,
) -> Reply:
    """Sends GET, or POST of a JSON `body`.

    Timeouts of sockets begin anew with every byte and do not cover looking up a name, so the
    exchange has a thread to itself, which is left behind when its time is over.
    """
    headers = {"Accept": "application/json", "User-Agent": "pip-aide-login/" + __version__}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token is not None:
        headers["Authorization"] = "Bearer " + token
    request = urllib.request.Request(gateway.origin + path, data=body, headers=headers)
    outcome: "queue.Queue[Union[Reply, BaseException]]" = queue.Queue()

    def run() -> None:
        try:
            outcome.put(_send(_opener(gateway), request, timeout))
        except BaseException as error:  # for the thread that waits
            outcome.put(error)

    threading.Thread(target=run, daemon=True).start()
    result = _await(outcome, time.monotonic() + timeout)
    if isinstance(result, Reply):
        return result
    if result is None:
        raise Failure(Exit.UNREACHABLE, "timed_out", origin=gateway.origin, seconds="%g" % timeout)
    raise _explain(result, gateway, timeout)


def _await(
    outcome: "queue.Queue[Union[Reply, BaseException]]", deadline: float
) -> Union[Reply, BaseException, None]:
    # In short waits, because Windows keeps Ctrl-C back during a long one.
    while True:
        left = deadline - time.monotonic()
        try:
            return outcome.get(timeout=max(0.0, min(left, 0.2)))
        except queue.Empty:
            if left <= 0:
                return None


def _opener(gateway: GatewayUrl) -> urllib.request.OpenerDirector:
    # Another machine's proxy has another loopback, and the token would travel to it in the clear.
    proxies: Optional[Dict[str, str]] = {} if gateway.is_loopback else None
    handlers: List[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(proxies),
        _NoRedirects(),
    ]
    if gateway.origin.startswith("https:"):
        # Made here, so that nothing that loosens the library's default loosens this.
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _send(
    opener: urllib.request.OpenerDirector, request: urllib.request.Request, timeout: float
) -> Reply:
    try:
        response = opener.open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        body = response.read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise Failure(Exit.BAD_ANSWER, "answer_too_long", limit=MAX_BODY_BYTES)
        return Reply(response.status or response.code, response.headers, body)


def _explain(error: BaseException, gateway: GatewayUrl, timeout: float) -> BaseException:
    if isinstance(error, Failure):
        return error
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Failure(
            Exit.UNREACHABLE,
            "certificate_wrong",
            host=gateway.host,
            reason=plain(reason.verify_message),
        )
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return Failure(
            Exit.UNREACHABLE, "timed_out", origin=gateway.origin, seconds="%g" % timeout
        )
    if isinstance(reason, (OSError, http.client.HTTPException, str)):
        return Failure(
            Exit.UNREACHABLE,
            "unreachable",
            origin=gateway.origin,
            reason=plain(str(reason)) or type(reason).__name__,
        )
    return error


def plain(text: str, limit: int = 500) -> str:
    """Somebody else's text on one line, with nothing that a terminal would obey."""
    words = "".join(char if char.isprintable() else " " for char in text[: 4 * limit]).split()
    joined = " ".join(words)
    return joined if len(joined) <= limit else joined[: limit - 3] + "..."
