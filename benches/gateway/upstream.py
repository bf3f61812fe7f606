"""The model: an nginx on loopback that gives every request the same answer."""

import json
import subprocess
import time
from pathlib import Path

from load import Connection
from machine import free_port, pinned, program

CONFIGURATION = """
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_max_body_size 4m;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  # A connection lasts for the run.
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{ return 200 '{answer}'; }}
    location = /told {{ stub_status; }}
  }}
}}
"""


class Upstream:
    def __init__(self, answer: dict, core: int, folder: Path):
        self.port = free_port()
        self.asked = 0
        folder.mkdir()
        # In nginx's quotes a backslash and the quote itself are escaped; `$` would be a variable.
        text = json.dumps(answer)
        if "$" in text:
            raise ValueError("nginx would take the dollar sign for a variable")
        text = text.replace("\\", "\\\\").replace("'", "\\'")
        (folder / "nginx.conf").write_text(CONFIGURATION.format(port=self.port, answer=text))
        self.process = subprocess.Popen(
            [program("nginx", "nginx-light"), "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=pinned(core),
        )
        self.wait(folder)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def requests(self) -> int:
        """How many it has had, this question not among them."""
        connection = Connection(self.port)
        _, body = connection.ask(b"GET /told HTTP/1.1\r\nHost: told\r\n\r\n")
        connection.close()
        self.asked += 1
        # "server accepts handled requests" and the numbers of the last three in the next line.
        return int(body.split(b"\n")[2].split()[2]) - self.asked

    def wait(self, folder: Path) -> None:
        for _ in range(100):
            try:
                Connection(self.port).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise SystemExit("nginx did not start: " + (folder / "error.log").read_text(errors="replace"))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
