"""Where the time of one variant goes, function by function, as V8's own profiler sees it."""

import json
import re
import subprocess
from pathlib import Path
from threading import Thread

from machine import HERE, ROOT, free_port, pinned
from table import Bench
from variants import VARIANTS

SECONDS, CONNECTIONS, MOST = 8, 16, 40


def measure(folder: Path, storage: Path, only: str) -> None:
    """Prints the functions of the first variant whose name matches that have most of the busy time."""
    variant = next((variant for variant in VARIANTS if variant.worker and re.search(only, variant.name)), None)
    if variant is None:
        raise SystemExit(f"no variant's name matches {only!r}")
    address = f"127.0.0.1:{free_port()}"
    bench = Bench(folder, storage, SECONDS)
    try:
        bench.server(variant, f"--inspector-addr={address}")
        found: list[str] = []
        command = ["node", str(HERE / "profile.mjs"), address, str(SECONDS - 2)]

        def sample() -> None:
            answer = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=pinned(bench.load_core)
            )
            found.append(answer.stdout or answer.stderr)

        thread = Thread(target=sample)
        thread.start()
        bench.measure(variant, CONNECTIONS, SECONDS)
        thread.join()
    finally:
        bench.stop()
    try:
        functions = json.loads(found[0])
    except ValueError:
        raise SystemExit(f"the profiler gave no profile:\n{found[0]}") from None
    for kind, title in (("own", "own time"), ("whole", "with all that it calls")):
        print(f"\n{variant.name}: {title}")
        for function in sorted(functions, key=lambda function: -function[kind])[:MOST]:
            print(f"{function[kind]:>7.1%} {function['name'][:110]}")
