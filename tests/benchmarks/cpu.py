"""The CPU time of other processes."""

import time
from collections.abc import Iterable

_SCHED = 2
"""CPUCLOCK_SCHED of Linux: the clock of all threads of a process, in ns, including those that have ended."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """The CPU time that these processes have used so far."""
    return sum(time.clock_gettime((~pid << 3) | _SCHED) for pid in pids)
