"""Which server pip-aide asks: read as pip-aide does, and set in its own configuration file."""

from __future__ import annotations

import configparser
import os
import re
from typing import Dict, NamedTuple, Optional

from . import files
from .errors import Exit, Failure

SECTION = "pip-aide"
KEY = "server_url"
VARIABLE = "PIP_AIDE_SERVER_URL"
# In pip-aide's order: what a later one says counts.
LOCATIONS = (
    "~/.config/pip-aide/pip-aide.conf",
    "~/.config/pip/pip.conf",
    "~/.pip/pip.conf",
    "pip.conf",
)


class Setting(NamedTuple):
    url: str
    # The variable or the file that says so.
    source: str


def path() -> str:
    return os.path.expanduser(LOCATIONS[0])


def current() -> Optional[Setting]:
    """What pip-aide would use; None if it is left at its default."""
    if VARIABLE in os.environ:
        return Setting(os.environ[VARIABLE], VARIABLE)
    found = None
    for location in LOCATIONS:
        file = os.path.abspath(os.path.expanduser(location))
        parser = configparser.ConfigParser()
        try:
            parser.read(file)
            url = parser.get(SECTION, KEY, fallback=None)
        except (configparser.Error, UnicodeDecodeError, OSError):
            # pip-aide goes on without it, too.
            continue
        if url is not None:
            found = Setting(url, file)
    return found


def check(url: str) -> None:
    """Whether the setting could be stored. Changes nothing."""
    _changed(files.read(path()) or b"", url)


def store(url: str) -> None:
    file = path()
    try:
        os.makedirs(os.path.dirname(os.path.realpath(file)), exist_ok=True)
    except OSError as error:
        raise files.unusable(file, error) from None
    files.edit(file, lambda data: _changed(data, url), lambda _: None, private=False)


def _changed(data: bytes, url: str) -> bytes:
    """With this server, and but for that with the same meaning for pip-aide."""
    before = _parse(data)
    changed = put(data, url)
    before.setdefault(SECTION, {})[KEY] = url
    if _parse(changed) != before:
        raise Failure(Exit.LOCAL_FILE, "conf_unclear", path=path(), section=SECTION, url=url)
    return changed


def _parse(data: bytes) -> Dict[str, Dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(re.sub("\r\n?", "\n", data.decode("utf-8", "surrogateescape")))
    except configparser.Error as error:
        several = getattr(error, "errors", None)
        line = several[0][0] if several else getattr(error, "lineno", None)
        raise Failure(Exit.LOCAL_FILE, "conf_broken", path=path(), line=line or "?") from None
    return {name: dict(section) for name, section in parser.items()}


def put(data: bytes, url: str) -> bytes:
    """The file's text with the server set; every other line stays as it is."""
    lines = data.splitlines(keepends=True)
    eol = b"\r\n" if lines and lines[0].endswith(b"\r\n") else b"\n"
    setting = KEY.encode() + b" = " + url.encode("ascii") + eol
    if lines and not lines[-1].endswith((b"\n", b"\r")):
        lines[-1] += eol
    headers = [at for at, line in enumerate(lines) if _section(line) == SECTION]
    if not headers:
        gap = [eol] if lines and lines[-1].strip() else []
        return b"".join([*lines, *gap, b"[" + SECTION.encode() + b"]" + eol, setting])
    start = headers[0] + 1
    end = start
    while end < len(lines) and _section(lines[end]) is None:
        if re.match(rb"server_url[ \t]*[=:]", lines[end], re.IGNORECASE):
            start = end
            end += 1
            # Its value may go on in lines that are indented.
            while end < len(lines) and re.match(rb"[ \t]+[^ \t\r\n#;]", lines[end]):
                end += 1
            break
        end += 1
    else:
        end = start
    return b"".join([*lines[:start], setting, *lines[end:]])


def _section(line: bytes) -> Optional[str]:
    match = re.match(rb"\[(.+)\]", line)
    return match.group(1).decode("utf-8", "replace") if match else None
