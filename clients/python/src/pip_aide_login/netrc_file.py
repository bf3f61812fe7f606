"""The netrc file that `requests` reads, and our entry in it."""

from __future__ import annotations

import netrc
import os
from typing import Dict, NamedTuple, Optional, Tuple

from . import files, netrc_text
from .errors import Exit, Failure
from .gateway import TOKEN
from .gateway_url import GatewayUrl

NAMES = (".netrc", "_netrc")


class Stored(NamedTuple):
    login: str
    token: str
    # The gateway that the token is for, if the entry is one of ours.
    origin: Optional[str]


def path() -> str:
    """Where `requests` looks, or where it would if there were a file."""
    variable = os.environ.get("NETRC")
    if variable == "":
        # requests looks nowhere then, not even in the home folder.
        raise Failure(Exit.LOCAL_FILE, "netrc_variable_empty")
    if variable is not None:
        return os.path.expanduser(variable)
    candidates = [os.path.join(os.path.expanduser("~"), name) for name in NAMES]
    for candidate in candidates:
        if os.path.exists(candidate):
            return candidate
    return candidates[1 if os.name == "nt" else 0]


def find(file: str, host: str) -> Optional[Stored]:
    """What pip-aide would send to the host, if that is a token of a gateway."""
    if files.read(file) is None:
        return None
    hosts, _ = _read_as_python(file)
    login, _, password = hosts.get(host, ("", "", ""))
    if not password or not TOKEN.fullmatch(password):
        return None
    return Stored(login, password, origin_of(file, host))


def origin_of(file: str, host: str) -> Optional[str]:
    entry = netrc_text.parse(files.read(file) or b"").entry(host)
    return None if entry is None else entry.origin


def check(file: str, url: GatewayUrl, replace: bool) -> None:
    """Whether a token could be stored, before one is asked for. Changes nothing."""
    data = files.read(file) or b""
    _refuse_foreign(file, data, url, replace)
    target = os.path.realpath(file)
    folder = os.path.dirname(target)
    if not os.access(folder, os.W_OK | os.X_OK):
        reason = os.strerror(13 if os.path.isdir(folder) else 2)
        raise Failure(Exit.LOCAL_FILE, "file_unusable", path=target, reason=reason)
    if data and not netrc_text.parse(data).ends_in_macro:
        _read_as_python(target)


def store(file: str, url: GatewayUrl, login: str, token: str, replace: bool) -> None:
    def change(data: bytes) -> bytes:
        _refuse_foreign(file, data, url, replace)
        return netrc_text.put(data, url.host, url.origin, login, token)

    def verify(temporary: str) -> None:
        hosts = _verify_others(file, temporary, url.host)
        if hosts.get(url.host, ("", "", ""))[::2] != (login, token):
            raise Failure(Exit.LOCAL_FILE, "netrc_unclear", path=file)

    files.edit(file, change, verify, private=True)


def remove(file: str, url: GatewayUrl) -> bool:
    """Removes our entry for this gateway. False if there is none."""
    entry = netrc_text.parse(files.read(file) or b"").entry(url.host)
    if entry is None:
        return False
    if entry.origin is None:
        raise Failure(Exit.LOCAL_FILE, "entry_foreign_kept", path=file, host=url.host)
    if entry.origin != url.origin:
        raise Failure(Exit.LOCAL_FILE, "entry_of_other", path=file, origin=entry.origin)

    def verify(temporary: str) -> None:
        _verify_others(file, temporary, url.host)

    files.edit(file, lambda data: netrc_text.remove(data, url.host), verify, private=True)
    return True


def only_origin(file: str) -> Optional[str]:
    """The gateway that there is a token of, if there is one of exactly one."""
    entries = netrc_text.parse(files.read(file) or b"").entries
    origins = {entry.origin for entry in entries if entry.origin is not None}
    return origins.pop() if len(origins) == 1 else None


def _refuse_foreign(file: str, data: bytes, url: GatewayUrl, replace: bool) -> None:
    """An entry that this program did not write holds a password that exists nowhere else."""
    entry = netrc_text.parse(data).entry(url.host)
    if entry is not None and entry.origin is None and not replace:
        raise Failure(Exit.LOCAL_FILE, "entry_foreign", path=file, host=url.host)


Hosts = Dict[str, Tuple[str, Optional[str], Optional[str]]]


def _verify_others(file: str, temporary: str, host: str) -> Hosts:
    """The new file is read by Python, and but for the host it reads as the old one did."""
    hosts, macros = _read_as_python(temporary, shown=file)
    try:
        old_hosts, old_macros = _read_as_python(file)
    except Failure:
        # A macro without an end: what was added has mended it.
        return hosts
    if macros != old_macros or _without(hosts, host) != _without(old_hosts, host):
        raise Failure(Exit.LOCAL_FILE, "netrc_unclear", path=file)
    return hosts


def _without(hosts: Hosts, host: str) -> Hosts:
    return {name: values for name, values in hosts.items() if name != host}


def _read_as_python(file: str, shown: Optional[str] = None) -> Tuple[Hosts, Dict[str, str]]:
    if not os.path.exists(file):
        return {}, {}
    try:
        parsed = netrc.netrc(file)
    except netrc.NetrcParseError as error:
        # Its words may quote a password: the line is enough.
        raise Failure(
            Exit.LOCAL_FILE, "netrc_broken", path=shown or file, line=error.lineno or "?"
        ) from None
    except (UnicodeDecodeError, LookupError):
        raise Failure(Exit.LOCAL_FILE, "netrc_broken", path=shown or file, line="?") from None
    except OSError as error:
        raise files.unusable(shown or file, error) from None
    # Python before 3.11 also ends a macro, and its last line, where the file ends.
    macros = {name: "".join(lines).rstrip("\n") for name, lines in parsed.macros.items()}
    return parsed.hosts, macros  # type: ignore[return-value]
