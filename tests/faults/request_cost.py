"""What a request costs a running server: processor time, peak memory, and how long others wait meanwhile (Linux)."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.conformance.kit.server import Subject

_PROBE_INTERVAL_S = 0.01


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu_s: processor time in seconds. memory: bytes by which the peak exceeds what was in use before. delay_s: the
    longest time that a plain GET took meanwhile."""

    cpu_s: float
    memory: int
    delay_s: float

    def __str__(self) -> str:
        return f"{self.cpu_s:.3f} s of a core, {self.memory / 2**20:.0f} MiB, others wait {self.delay_s:.3f} s"

    def least(self, other: "Cost") -> "Cost":
        return Cost(min(self.cpu_s, other.cpu_s), min(self.memory, other.memory), min(self.delay_s, other.delay_s))


class CostMeter:
    """Measures one serving process, while it is asked for two plain pages all the time."""

    def __init__(self, subject: Subject, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        self._prober = _Prober(subject)

    @contextmanager
    def running(self) -> Iterator[None]:
        self._prober.start()
        try:
            yield
        finally:
            self._prober.stop()

    @contextmanager
    def measure(self) -> Iterator[list[Cost]]:
        """Append the cost of the block to the list."""
        costs: list[Cost] = []
        (self._process / "clear_refs").write_text("5")  # makes the peak what is in use now
        memory, cpu = self._memory("VmHWM"), self._cpu_s()
        self._prober.reset()
        yield costs
        costs.append(Cost(self._cpu_s() - cpu, self._memory("VmHWM") - memory, self._prober.longest()))

    def memory(self) -> int:
        """Bytes in use."""
        return self._memory("VmRSS")

    def _memory(self, name: str) -> int:
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))

    def _cpu_s(self) -> float:
        """Of all threads, in nanoseconds by the scheduler: the usual times have steps of 10 ms."""
        return sum(int(each.read_text().split()[0]) for each in self._process.glob("task/*/schedstat")) / 1e9


class _Prober:
    """Asks for /healthz and /service, one after the other, and records the longest response time."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._longest = 0.0
        self._since = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._since = time.perf_counter()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def reset(self) -> None:
        self._longest, self._since = 0.0, time.perf_counter()

    def longest(self) -> float:
        """The longest time, that of the request in progress included."""
        return max(self._longest, time.perf_counter() - self._since)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._subject.url).netloc, timeout=60)
        while not self._stopping.wait(_PROBE_INTERVAL_S):
            for path in ("/healthz", "/service"):
                self._since = time.perf_counter()
                connection.request("GET", path, headers=self._subject.credential)
                response = connection.getresponse()
                response.read()
                assert response.status == 200
                self._longest = max(self._longest, time.perf_counter() - self._since)
