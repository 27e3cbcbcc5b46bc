"""Measure the processes and stores of a running server in regular intervals."""

import contextlib
import os
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from storage.tables.schema import TABLES
from tests.conformance.kit.polling import wait_until
from tests.faults.server_process import ServerProcess
from tests.soak.contents import count_rows
from tests.soak.trend import Limit, Measurement

KIB, MIB = 2**10, 2**20
MEASURED = Path(__file__).parent / "measured"
"""On PYTHONPATH of a server whose processes tell how much memory they use."""
FOLDER = "MEMORY_USED_FOLDER"
"""The variable of such a server that names the folder in which they do."""
PROCESS_LIMITS: Mapping[str, Limit] = {
    "memory": Limit(0.2 * MIB, "1,000 responses", "MiB", MIB),
    "allocated": Limit(20 * KIB, "1,000 responses", "KiB", KIB),
    "objects": Limit(100, "1,000 responses"),
    "open files": Limit(0.5),
    "threads": Limit(0.5),
}
"""Of each process. memory: private to it (USS). allocated, objects: what it uses of that (tests.soak.measured): bytes
from the C library, and small objects of Python. What a process holds depends on the largest requests that it has met,
and on what lies between the pieces that they left. What it uses does not, so that small leaks are found: with each
response of one of two processes, 40 bytes or a fifth of an object."""
STORE_LIMITS: Mapping[str, Limit] = {
    "disk": Limit(2.0 * MIB, unit="MiB", scale=MIB),
    "rows": Limit(20),
}
"""disk: the data folder and the folders of media. rows: of all tables."""
_ROWS_EVERY_S = 5.0
"""The longest time between two counts of rows; they take place at least at every tenth measurement."""


class Sampler(threading.Thread):
    """Measures until stopped. series: what was measured, by (name of the limit, where). errors: why it failed."""

    def __init__(self, server: ServerProcess, interval_s: float, responses: Callable[[], int]) -> None:
        """server: has MEASURED and FOLDER in its settings. responses: returns how many the clients have received."""
        super().__init__(name="sampler", daemon=True)
        self.series: dict[tuple[str, str], list[Measurement]] = defaultdict(list)
        self.errors: list[str] = []
        self._server = server
        self._responses = responses
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._began = time.monotonic()
        self._rows_at = 0.0
        self._rows_every_s = min(_ROWS_EVERY_S, 10 * interval_s)
        self._processes = {
            f"{role} {number}": psutil.Process(pid)
            for role, pids in (
                ("master", [server.main_pid]),
                ("background worker", [server.background_pid()]),
                ("serving process", server.serving_pids()),
            )
            for number, pid in enumerate(pids, 1)
        }

    def stop(self) -> None:
        self._stopping.set()
        self.join(60)

    def latest(self) -> str:
        """What was measured last, in one line."""
        last = dict.fromkeys((*PROCESS_LIMITS, *STORE_LIMITS), 0.0)
        for (name, _), measured in self.series.items():
            last[name] += measured[-1].value
        shown = [f"{name} {limit.shown(last[name])}" for name, limit in {**PROCESS_LIMITS, **STORE_LIMITS}.items()]
        return ", ".join(shown)

    def run(self) -> None:
        try:
            while not self._stopping.wait(self._interval_s):
                self._sample()
        except Exception as error:
            self.errors.append(f"measuring failed: {error!r}")

    def _sample(self) -> None:
        for where, process in self._processes.items():
            with process.oneshot():
                self._add("memory", where, process.memory_full_info().uss)
                self._add("open files", where, process.num_fds())
                self._add("threads", where, process.num_threads())
            if process.pid != self._server.main_pid:
                allocated, objects = _memory_used(self._server, process.pid)
                self._add("allocated", where, allocated)
                self._add("objects", where, objects)
        self._add("disk", "stores", _folder_bytes(self._server.folder))
        if time.monotonic() - self._rows_at > self._rows_every_s:
            self._rows_at = time.monotonic()
            self._add("rows", "catalogue", sum(count_rows(self._server, list(TABLES)).values()))

    def _add(self, name: str, where: str, value: float) -> None:
        self.series[name, where].append(Measurement(time.monotonic() - self._began, self._responses(), value))


def _memory_used(server: ServerProcess, pid: int) -> tuple[int, int]:
    """What a process has told of itself less than a second ago (tests.soak.measured.memory_used)."""
    file = Path(server.settings[FOLDER], str(pid))
    told = wait_until(lambda: file.read_bytes() if file.is_file() else b"", str(file))
    allocated, objects = struct.unpack("QQ", told)
    return allocated, objects


def _folder_bytes(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            if name not in _NOT_DATA:
                with contextlib.suppress(FileNotFoundError):
                    total += (Path(where) / name).stat().st_blocks * 512
    return total


_NOT_DATA = ("server.log",)
