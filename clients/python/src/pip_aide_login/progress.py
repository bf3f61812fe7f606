"""A bar on the terminal for the seconds that the proof of work takes."""

from __future__ import annotations

import time
from typing import TextIO

WIDTH = 30
SECONDS_BETWEEN = 0.1


class Progress:
    """Shows nothing where nobody watches. Used as a context, it clears its line at the end."""

    def __init__(self, stream: TextIO, label: str) -> None:
        self._stream = stream
        self._label = label
        self._shown = stream.isatty()
        self._next = 0.0

    def __enter__(self) -> "Progress":
        self.report(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def report(self, fraction: float) -> None:
        now = time.monotonic()
        if not self._shown or now < self._next:
            return
        self._next = now + SECONDS_BETWEEN
        done = int(fraction * WIDTH)
        bar = "#" * done + "." * (WIDTH - done)
        self._stream.write("\r%s [%s] %3d %%" % (self._label, bar, int(fraction * 100)))
        self._stream.flush()
