"""What can go wrong, as the exit code and the sentence that the user sees."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes, as README.md lists them. argparse ends with 2 by itself."""

    DONE = 0
    NOT_LOGGED_IN = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    BAD_ANSWER = 5
    LOCAL_FILE = 6
    INTERRUPTED = 130
    TERMINATED = 143


class Failure(Exception):
    """Ends the run. `key` names a sentence of `messages`, `params` are put into it."""

    def __init__(self, code: Exit, key: str, **params: object) -> None:
        super().__init__(key)
        self.code = code
        self.key = key
        self.params = params
