"""Changing a small file of the user's: whole or not at all, and one run at a time."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
import time
from typing import Callable, Iterator, Optional

from .errors import Exit, Failure

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAX_BYTES = 1024 * 1024
LOCK_SECONDS = 10.0
MAX_ATTEMPTS = 20
# A lock file this old was left behind by a run that was killed.
STALE_SECONDS = 30.0
SUFFIX = ".pip-aide-login"

Edit = Callable[[bytes], bytes]
Check = Callable[[str], None]


def read(path: str) -> Optional[bytes]:
    """None if there is no such file."""
    try:
        # Before it is opened: that can wait forever for a pipe.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Failure(Exit.LOCAL_FILE, "not_a_file", path=path)
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unusable(path, error) from None
    if len(data) > MAX_BYTES:
        raise Failure(Exit.LOCAL_FILE, "file_too_long", path=path, limit=MAX_BYTES)
    return data


def edit(path: str, change: Edit, check: Check, private: bool) -> None:
    """Replaces the file that `path` leads to by what `change` makes of it.

    A symbolic link stays one. `check` is given the new file's path before it takes the old one's
    place, and raises if it is not to. A `private` file is readable by its owner only; any other
    keeps its mode.
    """
    target = os.path.realpath(path)
    try:
        with _lock(target):
            for _ in range(MAX_ATTEMPTS):
                if _edit_once(target, change, check, private):
                    return
    except OSError as error:
        raise unusable(path, error) from None
    raise Failure(Exit.LOCAL_FILE, "locked", path=path)


def _edit_once(target: str, change: Edit, check: Check, private: bool) -> bool:
    """False if somebody without our lock was faster."""
    before = read(target)
    after = change(before or b"")
    if after == before and not (private and is_exposed(target)):
        check(target)
        return True
    folder, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=name + SUFFIX + "-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            _take_over(file.fileno(), target, private)
            file.flush()
            os.fsync(file.fileno())
        try:
            check(temporary)
        except Failure:
            if read(target) == before:
                raise
        if read(target) != before:
            return False
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    _sync_folder(folder)
    return True


def is_exposed(path: str) -> bool:
    """Whether others than the owner may read or write it."""
    try:
        return os.name == "posix" and bool(os.stat(path).st_mode & 0o077)
    except FileNotFoundError:
        return False


def _take_over(descriptor: int, target: str, private: bool) -> None:
    """Owner and mode of the file that is replaced. mkstemp has made it 0600."""
    if os.name != "posix":
        return
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return
    if old.st_uid != os.geteuid():
        # Somebody else's file would become ours unnoticed; only root can leave it theirs.
        os.fchown(descriptor, old.st_uid, old.st_gid)
    elif old.st_gid != os.getegid():
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, -1, old.st_gid)
    os.fchmod(descriptor, 0o600 if private else stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            # Some file systems cannot; the file itself is safe on any.
            with contextlib.suppress(OSError):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _lock(target: str) -> Iterator[None]:
    """One run at a time for each folder, and no leftovers of runs that were killed."""
    folder, name = os.path.split(target)
    with contextlib.ExitStack() as stack:
        if not _lock_folder(folder, stack):
            stack.enter_context(_lock_file(target + SUFFIX + ".lock"))
        for entry in os.listdir(folder):
            if entry.startswith(name + SUFFIX + "-"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, entry))
        yield


def _lock_folder(folder: str, stack: contextlib.ExitStack) -> bool:
    """The system ends this lock with the process, and it leaves no file behind.

    False where there is no such lock: on Windows and on some network file systems.
    """
    if fcntl is None:
        return False
    descriptor = os.open(folder, os.O_RDONLY)
    stack.callback(os.close, descriptor)
    for _ in _attempts():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
        except OSError:
            return False
    raise Failure(Exit.LOCAL_FILE, "locked", path=folder)


@contextlib.contextmanager
def _lock_file(path: str) -> Iterator[None]:
    for _ in _attempts():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            break
        except (FileExistsError, PermissionError):
            # Windows calls a file that is just being removed forbidden.
            with contextlib.suppress(OSError):
                if time.time() - os.stat(path).st_mtime > STALE_SECONDS:
                    os.unlink(path)
    else:
        raise Failure(Exit.LOCAL_FILE, "locked", path=path)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _attempts() -> Iterator[None]:
    deadline = time.monotonic() + LOCK_SECONDS
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)


def unusable(path: str, error: OSError) -> Failure:
    return Failure(Exit.LOCAL_FILE, "file_unusable", path=path, reason=error.strerror or str(error))
