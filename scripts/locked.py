"""Runs a command while holding a lock file: locked.py FILE COMMAND...

The kernel drops the lock when this process ends, however it ends. (flock(1) would do, but macOS
does not have it.)
"""

import fcntl
import subprocess
import sys


def main() -> int:
    path, *command = sys.argv[1:]
    with open(path, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another build to end...", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        # Other open files are passed on: make hands its job slots down through them.
        return subprocess.call(command, close_fds=False)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
