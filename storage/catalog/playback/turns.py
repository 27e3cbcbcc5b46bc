"""Turns at reading media for players, so that most threads of a process are free for what needs none."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from storage.errors import Unavailable

_AT_ONCE: Final = 2
_PLACES: Final = 4
"""For those who have a turn, and those who wait for one."""
_WAIT_S: Final = 1.0


class Turns:
    """The turns of one process."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_PLACES)
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    @contextmanager
    def turn(self, what: str) -> Iterator[None]:
        """Have a turn within the block. what: is to be read. Raises: Unavailable if others have all turns."""
        busy = Unavailable(f"the media of {what} cannot be read now, since media of others is being read: try again")
        if not self._places.acquire(blocking=False):
            raise busy
        try:
            if not self._turns.acquire(timeout=_WAIT_S):
                raise busy
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()
