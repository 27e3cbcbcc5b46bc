"""Servers in processes of their own, measured through the network: the project's and the baselines."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.client import Connection, Task, expect_success, request, run
from tests.benchmarks.cpu import cpu_seconds
from tests.benchmarks.frame import ROOT
from tests.benchmarks.probe import TOKEN, import_only_from
from tests.conformance.kit.server import free_port
from tests.faults.server_process import ServerProcess
from tests.servers.child_process import killed_with_parent

_START_S = 30


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of requests took. rate: requests a second. cpu_ms: of the server, for each request."""

    rate: float
    cpu_ms: float


@dataclass(slots=True)
class Served:
    """A running server. pids: of the processes that serve requests. database: the URL of its catalogue."""

    port: int
    pids: Sequence[int]
    token: str = ""
    database: str = ""
    _connections: list[Connection] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The SQLite file of the catalogue."""
        return self.database.removeprefix("sqlite:///")

    def load(self, targets: Sequence[str], connections: int, requests: int) -> Load:
        """GET `requests` times in all over several connections at once, each of which goes round all targets."""
        chosen = self.connections(connections)
        sent = [request("GET", target, self.token) for target in targets]
        each = max(1, requests // connections)
        starts = [number * len(sent) // connections for number in range(connections)]
        tasks = [_walk(sent[start:] + sent[:start], each) for start in starts]
        before = cpu_seconds(self.pids)
        seconds = run(chosen, tasks, expect_success)
        done = each * connections
        return Load(done / seconds, (cpu_seconds(self.pids) - before) * 1000 / done)

    def get(self, target: str) -> bytes:
        """The body of a response. Raises RuntimeError for any other status than 2xx."""
        response = self.connections(1)[0].exchange(request("GET", target, self.token))
        expect_success(response)
        return response.body

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a response, or None. Raises RuntimeError for any other status than 2xx."""
        return self.connections(1)[0].send(method, path, body, self.token)

    def connections(self, count: int) -> list[Connection]:
        """Open connections, which are kept."""
        while len(self._connections) < count:
            self._connections.append(Connection(self.port))
        return self._connections[:count]


def _walk(requests: Sequence[bytes], times: int) -> Task:
    for number in range(times):
        yield requests[number % len(requests)]


@contextmanager
def own_server(checkout: Path, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run `tams-server serve` of a checkout. settings: TAMS_* variables in addition to one serving process."""
    chosen = {"TAMS_WORKERS": "1", **(settings or {}), **import_only_from(checkout)}
    chosen |= {"TAMS_BOOTSTRAP_TOKEN": TOKEN, "TAMS_FAIL_ON_BAD_ANSWER": "false", "TAMS_LOG_LEVEL": "WARNING"}
    database = chosen.get("TAMS_DATABASE_URL") or f"sqlite:///{(folder / 'data').resolve()}/catalog.db"
    with ServerProcess(folder, chosen) as process:
        port = int(process.url.rpartition(":")[2])
        served = Served(port, _serving_pids(process, int(chosen["TAMS_WORKERS"])), TOKEN, database)
        yield served
        for connection in served._connections:
            connection.close()


def _serving_pids(process: ServerProcess, count: int) -> list[int]:
    """The ids of all serving processes. The first to be ready answers before the others have started."""
    until = time.monotonic() + 30
    while len(found := process.serving_pids()) < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{len(found)} of {count} processes serve requests")
        time.sleep(0.05)
    return found


@contextmanager
def baseline_server(module: str, *arguments: str) -> Iterator[Served]:
    """Run a module of tests.benchmarks.baselines, whose first argument is the port."""
    port = free_port()
    command = [sys.executable, "-m", f"tests.benchmarks.baselines.{module}", str(port), *arguments]
    with running_server(command, port) as served:
        yield served


@contextmanager
def running_server(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Run a command that serves on `port`, in one process. environment: variables to add."""
    variables = {**os.environ, **(environment or {})}
    process = subprocess.Popen(killed_with_parent(command), cwd=ROOT, stdout=subprocess.DEVNULL, env=variables)
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                connection = Connection(port)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} did not start") from None
                time.sleep(0.01)
        served = Served(port, [process.pid], _connections=[connection])
        yield served
        for each in served._connections:
            each.close()
    finally:
        process.terminate()
        process.wait(30)
