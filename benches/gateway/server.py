"""One workerd, started directly on a generated configuration and pinned to a core."""

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from machine import HERE, ROOT, free_port, pinned, workerd

COMPATIBILITY_DATE = "2026-04-20"
# Garbage collection of the young generation stalls workerd for tenths of a second at its default
# size, and hides what is to be seen. The same on all sides.
V8_FLAGS = ["--max-semi-space-size=1"]


@dataclass(frozen=True)
class Module:
    """A file of a Worker, under the name by which the others import it."""

    name: str
    path: Path

    def kind(self) -> str:
        return "wasm" if self.name.endswith(".wasm") else "esModule"


@dataclass(frozen=True)
class Worker:
    """What a server runs. `texts` are its settings; the rest is there where it is asked for."""

    modules: tuple[Module, ...]
    texts: dict[str, str] = field(default_factory=dict)
    # The class of the Durable Object, bound to the name LEDGER.
    ledger: str | None = None
    log: bool = False
    cache: bool = False


def built(folder: Path) -> tuple[Module, ...]:
    """The modules of a Worker that worker-build made."""
    return (Module("index.js", folder / "index.js"), Module("index_bg.wasm", folder / "index_bg.wasm"))


def gateway(texts: dict[str, str], cache: bool = False) -> Worker:
    return Worker(built(ROOT / "build"), texts, ledger="Ledger", log=True, cache=cache)


def text(value: str) -> str:
    """A Cap'n Proto string; JSON's escapes are among those that it knows, where all is ASCII."""
    return json.dumps(value)


def service(name: str, source: str) -> str:
    return f"    (name = {text(name)}, worker = (\n{source}    )),\n"


def store(name: str) -> str:
    """A stand-in of ours for what the platform keeps elsewhere, in memory."""
    return service(
        name,
        f'      modules = [(name = "store.mjs", esModule = embed {text(name + ".mjs")})],\n'
        f"      compatibilityDate = {text(COMPATIBILITY_DATE)},\n",
    )


def configuration(worker: Worker, port: int, storage: Path) -> str:
    modules = "".join(
        f"        (name = {text(module.name)}, {module.kind()} = embed {text(module.name)}),\n"
        for module in worker.modules
    )
    bindings = [f"(name = {text(name)}, text = {text(value)})" for name, value in worker.texts.items()]
    if worker.ledger:
        bindings.append(f'(name = "LEDGER", durableObjectNamespace = {text(worker.ledger)})')
    if worker.log:
        bindings.append('(name = "LOGS_KV", kvNamespace = "kv-store")')
    source = f"      modules = [\n{modules}      ],\n      compatibilityDate = {text(COMPATIBILITY_DATE)},\n"
    source += "      bindings = [\n" + "".join(f"        {binding},\n" for binding in bindings) + "      ],\n"
    services = ""
    if worker.ledger:
        source += (
            f"      durableObjectNamespaces = [(className = {text(worker.ledger)}, "
            'uniqueKey = "benchmark", enableSql = true)],\n      durableObjectStorage = (localDisk = "disk"),\n'
        )
        services += f'    (name = "disk", disk = (path = {text(str(storage))}, writable = true)),\n'
    if worker.log:
        services += store("kv-store")
    if worker.cache:
        source += '      cacheApiOutbound = "cache-store",\n'
        services += store("cache-store")
    return (
        'using Workerd = import "/workerd/workerd.capnp";\n\nconst config :Workerd.Config = (\n  services = [\n'
        + service("main", source)
        + services
        + '    (name = "internet", network = (allow = ["public", "private"])),\n  ],\n'
        + f'  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")],\n'
        + f"  v8Flags = [{', '.join(map(text, V8_FLAGS))}],\n);\n"
    )


class Server:
    """A running workerd. Its storage is in `storage_root`, everything else in `folder`."""

    def __init__(self, name: str, worker: Worker, core: int, folder: Path, storage_root: Path, *options: str):
        self.port = free_port()
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.storage = storage_root / f"{folder.name}-{name}"
        # workerd makes the folder of neither the disk service nor the namespace.
        (self.storage / "benchmark").mkdir(parents=True)
        for module in worker.modules:
            shutil.copyfile(module.path, self.folder / module.name)
        for name in ("kv-store.mjs", "cache-store.mjs"):
            shutil.copyfile(HERE / "workers" / name, self.folder / name)
        config = self.folder / "config.capnp"
        config.write_text(configuration(worker, self.port, self.storage))
        self.output = open(self.folder / "output.txt", "wb")
        self.process = subprocess.Popen(
            [workerd(), "serve", *options, str(config)],
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            preexec_fn=pinned(core),
        )
        self.wait()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    said = (self.folder / "output.txt").read_text(errors="replace")[-2000:]
                    self.stop()
                    raise SystemExit(f"workerd did not start:\n{said}")
                time.sleep(0.05)

    def cpu(self) -> float:
        """Seconds of processor time so far, of all its threads, in Workers and in the kernel for them."""
        # The clock of a process by its id, as clock_getcpuclockid(3) makes it; exact, where
        # /proc/PID/stat counts hundredths of a second.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def settled_cpu(self) -> float:
        """The same, once it has nothing left to do: what a request leaves for after its answer is its own
        cost too, and not that of whoever is measured next."""
        spent, deadline = self.cpu(), time.monotonic() + 5
        while time.monotonic() < deadline:
            time.sleep(0.1)
            before, spent = spent, self.cpu()
            if spent - before < 0.002:
                break
        return spent

    def rss(self) -> int:
        """Bytes of memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()
        shutil.rmtree(self.storage, ignore_errors=True)
