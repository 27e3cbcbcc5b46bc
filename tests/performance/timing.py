"""Times of operations, each measured in turns with what it is compared with, so that both see the same machine."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

FULL: Final = os.environ.get("TEST_FULL") == "1"
"""Whether this is a measurement (`make test-performance`), or a short run with all other tests."""
P95_MS: Final = float(os.environ.get("P95_MS", "250" if FULL else "inf"))
"""The longest time, in ms, that 19 of 20 requests of any operation may take."""


@dataclass(frozen=True, slots=True)
class Times:
    """Times of one operation, in ms."""

    sorted_ms: Sequence[float]

    def percentile(self, percent: int) -> float:
        return self.sorted_ms[min(len(self.sorted_ms) - 1, len(self.sorted_ms) * percent // 100)]

    @property
    def p50(self) -> float:
        return self.percentile(50)

    @property
    def p95(self) -> float:
        return self.percentile(95)


@dataclass(slots=True)
class Table:
    """Lines of what was measured."""

    lines: list[str] = field(default_factory=lambda: [f"{'operation':44} {'p50 ms':>9} {'p95 ms':>9}"])

    def add(self, name: str, times: Times) -> None:
        self.lines.append(f"{name:44} {times.p50:9.2f} {times.p95:9.2f}")

    def say(self, text: str) -> None:
        self.lines.append(text)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def measure(operations: Mapping[str, Callable[[], object]], rounds: int, table: Table) -> dict[str, Times]:
    """Run all operations in turns, and return the times of each. One round before the first is not measured."""
    found: dict[str, list[float]] = {name: [] for name in operations}
    for number in range(rounds + 1):
        for name, run in operations.items():
            started = time.perf_counter()
            run()
            if number:
                found[name].append((time.perf_counter() - started) * 1000)
    times = {name: Times(sorted(each)) for name, each in found.items()}
    for name, each in times.items():
        table.add(name, each)
    return times
