"""Precedence for the measured processes over whatever else the machine does (Linux, where it is permitted).

Without it, a busy machine hides what a benchmark is to show: threads that fight for the interpreter cost little CPU
time while they wait for a core anyway. What counts is the weight of each session's group in the scheduler. Within a
group, and between the groups that have precedence, nothing changes.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

STRONG = -20
MILD = -10
"""Still leaves a tenth of the cores to others."""
_LOWEST = 19
"""The weight of a process beside a server that has given way by itself (storage.precedence), and stays as it is."""


@contextlib.contextmanager
def precedence(nice: int) -> Iterator[None]:
    """Give the sessions of this process and of its present children the weight of `nice`, until the block ends."""
    pids = [os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))]
    before = {pid: weight for pid in pids if (weight := _read(pid)) not in (None, _LOWEST)}
    for pid in before:
        _write(pid, nice)
    try:
        yield
    finally:
        for pid, weight in before.items():
            _write(pid, weight)


def _read(pid: int) -> int | None:
    """The weight of the group of `pid`; None where it has no group, which an empty file says."""
    try:
        words = Path(f"/proc/{pid}/autogroup").read_text().split()
    except OSError:
        return None
    return int(words[-1]) if words else None


def _write(pid: int, nice: int) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
