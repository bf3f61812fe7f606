"""The gateway's address, accepted only in a form that every later step reads in the same way."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Optional
from urllib.parse import SplitResult, urlsplit

from .errors import Exit, Failure

DEFAULT_PORTS = {"https": 443, "http": 80}
NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
# pip-aide puts the route behind whatever it is given, so it may already be there.
PATHS = ("", "/", "/analyze_error")


@dataclass(frozen=True)
class GatewayUrl:
    """`host` is what netrc files know, `origin` is what requests go to."""

    origin: str
    host: str
    is_loopback: bool

    @staticmethod
    def parse(text: str) -> "GatewayUrl":
        # Browsers and libraries disagree about these, so nothing that holds one is an address.
        if not text or any(char <= " " or char in '\\"<>^`{|}\x7f' for char in text):
            raise _wrong(text)
        if "://" not in text:
            raise Failure(Exit.USAGE, "url_without_scheme", url=_shown(text))
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _wrong(text) from None
        if parts.scheme not in DEFAULT_PORTS:
            raise _wrong(text)
        if parts.username is not None or parts.password is not None:
            raise Failure(Exit.USAGE, "url_with_userinfo")
        if parts.path not in PATHS or "?" in text or "#" in text or port == 0:
            raise Failure(Exit.USAGE, "url_with_path", origin=_origin(parts))
        host = _host(parts)
        if host is None:
            raise _wrong(text)
        is_loopback = _is_loopback(host)
        if parts.scheme == "http" and not is_loopback:
            raise Failure(Exit.USAGE, "url_without_tls", host=host)
        # In a netrc file's meaning this would be the entry for every host there is.
        if host == "default":
            raise Failure(Exit.USAGE, "url_named_default")
        shown_port = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else ":%d" % port
        shown_host = "[%s]" % host if ":" in host else host
        return GatewayUrl("%s://%s%s" % (parts.scheme, shown_host, shown_port), host, is_loopback)


def _host(parts: SplitResult) -> Optional[str]:
    host = parts.hostname or ""
    if ":" in host or "[" in parts.netloc:
        try:
            return str(ipaddress.IPv6Address(host)) if "%" not in host else None
        except ValueError:
            return None
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return host if len(host) <= 253 and NAME.fullmatch(host) else None


def _is_loopback(host: str) -> bool:
    if host in ("localhost", "::1"):
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _origin(parts: SplitResult) -> str:
    return "%s://%s" % (parts.scheme, _shown(parts.netloc))


def _wrong(text: str) -> Failure:
    return Failure(Exit.USAGE, "url_wrong", url=_shown(text))


def _shown(text: str) -> str:
    """Without what may be a secret, and with nothing that a terminal would obey."""
    after_userinfo = text.rpartition("@")[2]
    return "".join(char if char.isprintable() else "?" for char in after_userinfo)[:200]
