"""nginx with one worker that takes PUTs into a folder, without syncing them, and serves them with sendfile."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.benchmarks.served import Served, running_server
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import free_port

_CONFIGURATION = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path {folder}/incoming;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/objects;
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
"""


class NginxMissing(Exception):
    """nginx cannot be run here; the message says what to do about it."""


@contextmanager
def nginx() -> Iterator[Served]:
    """Run nginx over an empty folder. Raises: NginxMissing."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NginxMissing("needs nginx: `apt-get install nginx-light`")
    with tempfile.TemporaryDirectory(prefix="tams-nginx-") as name:
        folder, port = Path(name), free_port()
        (folder / "objects").mkdir()
        user = "user root;" if psutil.Process().uids().effective == 0 else ""
        file = folder / "nginx.conf"
        file.write_text(_CONFIGURATION.format(folder=folder, port=port, user=user))
        with running_server([program, "-c", str(file), "-p", str(folder), "-e", f"{folder}/error.log"], port) as served:
            master = psutil.Process(served.pids[0])
            served.pids = [child.pid for child in wait_until(master.children, "the worker of nginx", 10)]
            yield served
