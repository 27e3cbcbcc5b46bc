"""Turns that all processes of a server share, so that what costs much runs on few cores of the machine."""

import fcntl
import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from storage.errors import Unavailable

_POLL_S: Final = 0.01


class MachineTurns:
    """A number of turns for the processes that are forked from this one, each with one thread that takes turns.

    They are locks on bytes of an unnamed file, which the system releases when a process ends in whatever way.
    """

    def __init__(self, turns: int | None = None) -> None:
        """turns: by default one for every four cores, and one at least."""
        self._turns = turns or max(1, (os.cpu_count() or 1) // 4)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object

    @contextmanager
    def turn(self, longest_s: float = math.inf) -> Iterator[None]:
        """Wait for a turn, and hold it during the block. Raises: Unavailable if there is none within longest_s."""
        number = self._take(time.monotonic() + longest_s)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, number)

    def _take(self, until: float) -> int:
        # Never waits within the lock: the system would count that towards deadlocks with other locks of the process.
        while time.monotonic() < until:
            for number in range(self._turns):
                try:
                    fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
                except (BlockingIOError, PermissionError):
                    continue
                return number
            time.sleep(_POLL_S)
        raise Unavailable("this machine is too busy; try again later")
