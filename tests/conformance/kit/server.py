"""The server under test, and how to start the project's own on a free port with its own data folder."""

import os
import secrets
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.servers.features import chosen_feature_settings

ALLOWED_NETWORKS = "127.0.0.0/8,::1/128"
"""Networks that the server may send events to although they are not public: this machine's loopback."""
_START_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test. url: without a trailing slash. process: the leader of its own process group."""

    url: str
    token: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    basic: str = ""

    @property
    def credential(self) -> dict[str, str]:
        """The Authorization header: from the token, else from `basic` ("user:password"), else none."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": f"Basic {b64encode(self.basic.encode()).decode()}"} if self.basic else {}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def own_server(folder: Path, settings: Mapping[str, str] | None = None, port: int | None = None) -> Iterator[Subject]:
    """Run `tams-server serve` with its data in `folder` until the block ends.

    settings: TAMS_* variables to add. They take precedence over those of the features that the test run has chosen.
    """
    port = port or free_port()
    token = (settings or {}).get("TAMS_BOOTSTRAP_TOKEN") or secrets.token_urlsafe(32)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TAMS_")},
        "TAMS_BOOTSTRAP_TOKEN": token,
        "TAMS_FAIL_ON_BAD_ANSWER": "true",
        "TAMS_WEBHOOK_ALLOW": ALLOWED_NETWORKS,
        **chosen_feature_settings(folder),
        **(settings or {}),
    }
    command = [sys.executable, "-m", "tams_server", "serve", "--host", "127.0.0.1", "--port", str(port)]
    log_path = folder / "server.log"
    folder.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data")],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            scheme = "https" if "TAMS_TLS_CERT" in environment else "http"
            url = f"{scheme}://127.0.0.1:{port}"
            _wait(url, process, log_path)
            yield Subject(url, token, process)
        finally:
            process.terminate()
            process.wait(30)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server exited with status {process.returncode}:\n{log.read_text()[-4000:]}")
        try:
            if httpx.get(f"{url}/readyz", timeout=2, verify=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the server was not ready within {_START_TIMEOUT_S} s:\n{log.read_text()[-4000:]}")
