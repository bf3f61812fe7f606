"""What is said to the gateway, and what is believed of what it says."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from time import sleep
from typing import Any, Callable, Dict, Optional, Pattern, TypeVar

from .errors import Exit, Failure
from .gateway_url import GatewayUrl
from .transport import Reply, exchange, plain
from .work import MAX_DIFFICULTY

# A pause of up to so many seconds is made, a longer one is told.
MAX_PAUSE = 15
MAX_ATTEMPTS = 3

Result = TypeVar("Result")

CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{1,512}")
MACHINE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Whoever made the token, these characters need no quoting in a netrc file or in a header.
TOKEN = re.compile(r"(?=.{1,4096}\Z)[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}:[A-Za-z0-9._-]{1,64}")
SECRET = re.compile(r"[A-Za-z0-9_+/=-]{1,512}")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
# A caller without a token is shown by its network.
SHOWN_ID = re.compile(r"[A-Za-z0-9._~-]{1,128}")
PLAN = re.compile(r"[A-Za-z0-9_-]{1,32}")
DOLLARS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True)
class Challenge:
    challenge: str
    difficulty: int
    expires_in: int


@dataclass(frozen=True)
class Credential:
    machine_id: str
    token: str
    expires_at: str
    keyid: str
    signing_secret: str

    def as_dict(self) -> Dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Standing:
    """How a machine stands with its limits."""

    machine_id: str
    plan: str
    requests: int
    window_seconds: int
    burst: int
    remaining: int
    today_usd: str
    cap_usd: str
    resets_at: str


Solve = Callable[[Challenge], str]


class Gateway:
    """`on_pause` is told the seconds before a pause that the gateway asked for."""

    def __init__(self, url: GatewayUrl, timeout: float, on_pause: Callable[[int], None]) -> None:
        self._url = url
        self._timeout = timeout
        self._on_pause = on_pause

    def enrol(self, solve: Solve) -> Credential:
        """Each attempt with a challenge of its own: by now the old one may be too easy, or used."""

        def attempt() -> Credential:
            challenge = self._challenge()
            return self._redeem(challenge.challenge, solve(challenge))

        return self._patiently(attempt)

    def standing(self, token: str) -> Standing:
        return self._patiently(lambda: self._standing(token))

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        for _ in range(MAX_ATTEMPTS - 1):
            try:
                return attempt()
            except Failure as failure:
                pause = failure.params.get("seconds")
                if failure.code != Exit.REFUSED or not isinstance(pause, int) or pause > MAX_PAUSE:
                    raise
            self._on_pause(pause)
            sleep(pause)
        return attempt()

    def _challenge(self) -> Challenge:
        answer = self._ask("/v1/enroll/challenge", body={})
        if answer.get("algorithm") != "sha-256":
            raise _odd("algorithm")
        difficulty = _integer(answer, "difficulty", 0, 256)
        if difficulty > MAX_DIFFICULTY:
            raise Failure(
                Exit.BAD_ANSWER, "difficulty_absurd", difficulty=difficulty, most=MAX_DIFFICULTY
            )
        return Challenge(
            _text(answer, "challenge", CHALLENGE),
            difficulty,
            _integer(answer, "expires_in", 1, 86_400),
        )

    def _redeem(self, challenge: str, solution: str) -> Credential:
        answer = self._ask("/v1/enroll", body={"challenge": challenge, "solution": solution})
        return Credential(
            _text(answer, "machine_id", MACHINE_ID),
            _text(answer, "token", TOKEN),
            _text(answer, "expires_at", MOMENT),
            _text(answer, "keyid", KEY_ID),
            _text(answer, "signing_secret", SECRET),
        )

    def _standing(self, token: str) -> Standing:
        answer = self._ask("/v1/me", token=token)
        rate = _member(answer, "rate")
        spend = _member(answer, "spend")
        return Standing(
            _text(answer, "machine_id", SHOWN_ID),
            _text(answer, "plan", PLAN),
            _integer(rate, "requests", 0, 10**9),
            _integer(rate, "window_seconds", 1, 10**9),
            _integer(rate, "burst", 0, 10**9),
            _integer(rate, "remaining", 0, 10**9),
            _text(spend, "today_usd", DOLLARS),
            _text(spend, "cap_usd", DOLLARS),
            _text(spend, "resets_at", MOMENT),
        )

    def _ask(
        self, path: str, *, body: Optional[Dict[str, str]] = None, token: Optional[str] = None
    ) -> Dict[str, Any]:
        encoded = None if body is None else json.dumps(body).encode("ascii")
        reply = exchange(self._url, path, body=encoded, token=token, timeout=self._timeout)
        return _answer(reply, token is not None)


def _answer(reply: Reply, with_token: bool) -> Dict[str, Any]:
    if reply.status in (200, 201) and reply.media_type == "application/json":
        return _json(reply.body)
    if 300 <= reply.status < 400:
        raise Failure(
            Exit.BAD_ANSWER, "redirected", target=plain(reply.headers.get("Location", "?"), 200)
        )
    if reply.status >= 400 and reply.media_type == "application/problem+json":
        raise _problem(reply, with_token)
    raise Failure(
        Exit.BAD_ANSWER,
        "not_a_gateway",
        status=reply.status,
        media_type=plain(reply.media_type, 80) or "?",
    )


def _problem(reply: Reply, with_token: bool) -> Failure:
    document = _json(reply.body)
    title, detail = document.get("title"), document.get("detail")
    said = ". ".join(
        plain(part).rstrip(".") for part in (title, detail) if isinstance(part, str) and plain(part)
    )
    said = said or "HTTP %d" % reply.status
    if with_token and reply.status in (401, 403):
        return Failure(Exit.NOT_LOGGED_IN, "token_refused", said=said)
    seconds = _retry_after(reply)
    if seconds is not None:
        return Failure(Exit.REFUSED, "refused_for_now", said=said, seconds=seconds)
    kind = str(document.get("type")).rpartition(":")[2].rpartition("/")[2]
    key = "no_enrolment" if kind == "not-found" else "refused"
    return Failure(Exit.REFUSED, key, said=said)


def _retry_after(reply: Reply) -> Optional[int]:
    value = reply.headers.get("Retry-After", "")
    if reply.status in (429, 503) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    return None


def _json(body: bytes) -> Dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Failure(Exit.BAD_ANSWER, "not_json") from None
    if not isinstance(value, dict):
        raise Failure(Exit.BAD_ANSWER, "not_json")
    return value


def _text(answer: Dict[str, Any], name: str, form: Pattern[str]) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise _odd(name)
    return value


def _integer(answer: Dict[str, Any], name: str, least: int, most: int) -> int:
    value = answer.get(name)
    if type(value) is not int or not least <= value <= most:
        raise _odd(name)
    return value


def _member(answer: Dict[str, Any], name: str) -> Dict[str, Any]:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise _odd(name)
    return value


def _odd(name: str) -> Failure:
    """Without the value, which may be a secret or be made to mislead."""
    return Failure(Exit.BAD_ANSWER, "answer_odd", name=name)
