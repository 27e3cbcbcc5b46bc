"""Starts and stops this project's server, on a free port with its own data folder."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from tests.servers.features import chosen_feature_settings

HOST = "127.0.0.1"

_PROJECT = Path(__file__).resolve().parents[3]
_READY_SECONDS = 60
_STOP_SECONDS = 40
_LOG_LINES = 60


class ServerStartError(Exception):
    """The server exited or did not become ready. The message ends with the end of its log."""


class DemoServer:
    """A server with a new data folder below `folder`, as a context manager: ready inside the block, stopped after it.

    base_url, token: for clients. Raises ServerStartError on entering.
    """

    def __init__(self, folder: Path) -> None:
        self.token = f"demo-{secrets.token_urlsafe(24)}"
        self.port = _free_port()
        self.base_url = f"http://{HOST}:{self.port}"
        self.log = folder / "server.log"
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "DemoServer":
        command = [sys.executable, "-m", "tams_server", "serve"]
        command += ["--host", HOST, "--port", str(self.port), "--data-dir", str(self._data)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=_PROJECT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Terminate the server, and kill all its processes if it does not stop in time."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def log_tail(self) -> str:
        """The end of the server's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:]) or "(the server wrote no log)"

    def _environment(self) -> dict[str, str]:
        """This process's environment, without settings that could point the server at real data."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
        inherited |= chosen_feature_settings(self._data)
        return {**inherited, "TAMS_BOOTSTRAP_TOKEN": self.token, "PYTHONUNBUFFERED": "1"}

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise ServerStartError(
                    f"the server exited with status {process.returncode}; its log:\n{self.log_tail()}"
                )
            try:
                if httpx.get(f"{self.base_url}/readyz", timeout=5, verify=False, trust_env=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise ServerStartError(f"the server was not ready within {_READY_SECONDS} s; its log:\n{self.log_tail()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
