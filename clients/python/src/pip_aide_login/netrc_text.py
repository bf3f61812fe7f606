"""Entries of a netrc file, changed without touching any other byte of it.

The words are told apart as Python's `netrc` does, because `requests` and with it pip-aide read the
file with that. Where the two should differ nevertheless, `netrc_file` notices and changes nothing.

An entry of ours follows a line `#pip-aide-login:<origin>`: who made it, and for which gateway, as
an entry holds the host only. The comment is one word, because Python's parser takes the words behind
a `#` for part of an entry if an empty line comes before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional, Tuple

MARK = b"#pip-aide-login:"
SPACE = b" \t\r\n"
KEYS = {b"login": "login", b"user": "login", b"account": "account", b"password": "password"}
# Neither of these can end a word, begin a comment or need quoting.
VALUE = re.compile(r"[A-Za-z0-9._~+/=:-]+")


@dataclass(frozen=True)
class Word:
    text: bytes
    start: int
    end: int


@dataclass
class Entry:
    """A `machine` or, with the host None, the `default`."""

    host: Optional[str]
    words: List[Word]
    mark: Optional[Word] = None
    values: Dict[str, Word] = field(default_factory=dict)

    @property
    def origin(self) -> Optional[str]:
        """The gateway that this is the token of, if it is an entry of ours."""
        if self.mark is None:
            return None
        return self.mark.text[len(MARK) :].decode("ascii", "replace")

    def value(self, key: str) -> Optional[str]:
        word = self.values.get(key)
        return None if word is None else word.text.decode("utf-8", "replace")


@dataclass
class Document:
    entries: List[Entry]
    ends_in_macro: bool

    def entry(self, host: str) -> Optional[Entry]:
        """The one that counts: for Python the last."""
        found = [entry for entry in self.entries if entry.host == host]
        return found[-1] if found else None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def word(self) -> Optional[Word]:
        data, size = self.data, len(self.data)
        while self.at < size and data[self.at] in SPACE:
            self.at += 1
        if self.at == size:
            return None
        start = self.at
        text = bytearray()
        quoted = data[start] == ord('"')
        self.at += quoted
        while self.at < size:
            char = data[self.at]
            if quoted and char == ord('"'):
                self.at += 1
                break
            if not quoted and char in SPACE:
                break
            if char == ord("\\") and self.at + 1 < size:
                self.at += 1
                char = data[self.at]
            text.append(char)
            self.at += 1
        return Word(bytes(text), start, self.at)

    def line(self) -> bytes:
        """To the end of the line, which is not part of what is returned."""
        match = re.compile(rb"\r\n|\r|\n").search(self.data, self.at)
        start, end = self.at, match.start() if match else len(self.data)
        self.at = match.end() if match else end
        return self.data[start:end]


def parse(data: bytes) -> Document:
    reader = _Reader(data)
    entries: List[Entry] = []
    entry: Optional[Entry] = None
    mark: Optional[Word] = None
    ends_in_macro = False
    for word in iter(reader.word, None):
        if word.text.startswith(b"#"):
            reader.at = word.end
            rest = reader.line()
            if word.text.startswith(MARK) and not rest.strip():
                mark, entry = word, None
            continue
        if word.text in (b"machine", b"default"):
            name = reader.word() if word.text == b"machine" else None
            words = [word] if name is None else [word, name]
            host = None if name is None else name.text.decode("utf-8", "replace")
            entry = Entry(host, words, mark if _is_adjacent(data, mark, word) else None)
            entries.append(entry)
        elif word.text == b"macdef":
            entry = None
            reader.word()
            ends_in_macro = _skip_macro(reader)
        elif entry is not None and word.text in KEYS:
            value = reader.word()
            if value is not None:
                entry.values[KEYS[word.text]] = value
                entry.words += [word, value]
        mark = None
    return Document(entries, ends_in_macro)


def _skip_macro(reader: _Reader) -> bool:
    """Behind the empty line that ends the macro; True if there is none."""
    reader.line()
    while reader.at < len(reader.data):
        if reader.line() == b"":
            return False
    return True


def _is_adjacent(data: bytes, mark: Optional[Word], word: Word) -> bool:
    if mark is None:
        return False
    return data[mark.end : word.start].strip(b" \t") in (b"\n", b"\r\n", b"\r")


def put(data: bytes, host: str, origin: str, login: str, password: str) -> bytes:
    """With this login and password for the host: in the entry that counts, or in a new one."""
    for value in (host, login, password):
        if not VALUE.fullmatch(value):
            raise ValueError("not a word of a netrc file")
    mark = MARK + origin.encode("ascii")
    eol = _end_of_line(data)
    document = parse(data)
    entry = document.entry(host)
    if entry is not None:
        return _fill(data, entry, mark, login.encode(), password.encode(), eol)
    lines = [
        mark,
        b"machine " + host.encode(),
        b"login " + login.encode(),
        b"password " + password.encode(),
        b"",
    ]
    new = eol.join(lines)
    at = _place(data, document)
    before, after = data[:at], data[at:]
    if before and not before.endswith((b"\n", b"\r")):
        before += eol
    if not after and document.ends_in_macro:
        before += eol
    return before + new + after


def _place(data: bytes, document: Document) -> int:
    """At the end, but before `default`, behind which some programs look at nothing."""
    for entry in document.entries:
        if entry.host is None:
            start = entry.words[0].start
            blanks = len(data[:start]) - len(data[:start].rstrip(b" \t"))
            return start - blanks if _begins_line(data, start - blanks) else start
    return len(data)


def _fill(
    data: bytes, entry: Entry, mark: bytes, login: bytes, password: bytes, eol: bytes
) -> bytes:
    changes: List[Tuple[int, int, bytes]] = []
    head_end = entry.words[1].end
    if entry.mark is not None:
        changes.append((entry.mark.start, entry.mark.end, mark))
    else:
        start = entry.words[0].start
        line = data[:start].rstrip(b" \t")
        lead = b"" if _begins_line(data, len(line)) else eol
        changes.append((start, start, lead + mark + eol))
    missing = b""
    for key, value in (("login", login), ("password", password)):
        word = entry.values.get(key)
        if word is None:
            missing += b" " + key.encode() + b" " + value
        else:
            changes.append((word.start, word.end, value))
    changes.append((head_end, head_end, missing))
    for start, end, text in sorted(changes, reverse=True):
        data = data[:start] + text + data[end:]
    return data


def remove(data: bytes, host: str) -> bytes:
    """Without the entries of ours for the host. What was written between their words stays."""
    spans: List[Tuple[int, int]] = []
    for entry in parse(data).entries:
        if entry.host == host and entry.mark is not None:
            spans += _runs(data, [entry.mark, *entry.words])
    for start, end in reversed(spans):
        data = data[:start] + data[end:]
    return data


def _runs(data: bytes, words: List[Word]) -> Iterator[Tuple[int, int]]:
    """The words with the space between them, and whole lines where nothing else is on them."""
    start, end = words[0].start, words[0].end
    for word in [*words[1:], None]:
        if word is not None and not data[end : word.start].strip(SPACE):
            end = word.end
            continue
        yield _whole_lines(data, start, end)
        if word is not None:
            start, end = word.start, word.end


def _whole_lines(data: bytes, start: int, end: int) -> Tuple[int, int]:
    line_start = len(data[:start].rstrip(b" \t"))
    rest = re.compile(rb"[ \t]*(\r\n|\r|\n|\Z)").match(data, end)
    if rest and _begins_line(data, line_start):
        return line_start, rest.end()
    return start, end


def _begins_line(data: bytes, at: int) -> bool:
    return at == 0 or data[at - 1] in b"\r\n"


def _end_of_line(data: bytes) -> bytes:
    first = re.search(rb"\r\n|\r|\n", data)
    return first.group() if first else b"\n"
