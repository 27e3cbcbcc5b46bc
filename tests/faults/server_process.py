"""A server that a test can kill, as a whole or one process, and restart over the same folder (Linux)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.server import Subject, free_port, own_server

TOKEN = "a-token-of-this-test-0123456789"
_LISTENING = "0A"
_START_TIMEOUT_S = 60


class ServerProcess:
    """A server over `folder` that keeps its URL across restarts. settings: additional TAMS_* variables."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.settings = {"TAMS_BOOTSTRAP_TOKEN": TOKEN, **(settings or {})}
        self._port = free_port()
        self._running = ExitStack()
        self._subject: Subject | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        """Everything that the server has logged."""
        return (self.folder / "server.log").read_text(errors="replace")

    @property
    def subject(self) -> Subject:
        """The running server."""
        assert self._subject is not None
        return self._subject

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The master process, which leads the process group."""
        assert self._subject is not None and self._subject.process is not None
        return self._subject.process

    @property
    def main_pid(self) -> int:
        """The id of the master process."""
        return self.process.pid

    def client(self, timeout_s: float = 30) -> httpx.Client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        return httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, limits=limits)

    def start(self) -> None:
        self._subject = self._running.enter_context(own_server(self.folder, self.settings, self._port))

    def kill(self) -> None:
        """Kill every process of the server at once (SIGKILL)."""
        os.killpg(self.main_pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        self._running.close()

    def background_pid(self) -> int:
        """Wait for the background worker, the child that does not listen, and return its id."""

        def find() -> int:
            return next(iter(self._children(listening=False)), 0)

        return wait_until(find, "a background worker", _START_TIMEOUT_S)

    def serving_pids(self) -> list[int]:
        """The ids of the processes that serve requests."""
        return self._children(listening=True)

    def serving_cpu_s(self) -> float:
        """The CPU time that the serving processes have used so far, in seconds."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.serving_pids()]
        return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> "ServerProcess":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _children(self, *, listening: bool) -> list[int]:
        inodes = _listening_inodes(self._port)
        return [pid for pid in _children_of(self.main_pid) if (_sockets_of(pid).isdisjoint(inodes)) != listening]


def _children_of(parent: int) -> list[int]:
    """Return the running children, without zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, ppid = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            found.append(int(entry.name))
    return sorted(found)


def _sockets_of(pid: int) -> set[str]:
    """Return the inodes of the sockets that a process has open."""
    found = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(entry)
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass  # the process has just ended, or closed a socket
    return found


def _listening_inodes(port: int) -> set[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port}


@contextmanager
def extra_worker(server: ServerProcess) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an additional `tams-server worker` over the folder of `server` during the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAMS_")}
    environment |= {"TAMS_FAIL_ON_BAD_ANSWER": "true", "TAMS_WEBHOOK_ALLOW": "127.0.0.0/8,::1/128", **server.settings}
    command = [sys.executable, "-m", "tams_server", "worker", "--data-dir", str(server.folder / "data")]
    with (server.folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
