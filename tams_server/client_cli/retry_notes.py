"""Says that a command waits for a server: why, for how long at most, and what ends it."""

import threading
import time
from collections.abc import Callable

from tams_server.client import Retry
from tams_server.client_cli.progress import duration

_SHORT_S = 1.0
"""A wait that nobody needs to be told of."""
_AGAIN_S = 60.0
"""Between two notes about the same error."""


class RetryNotes:
    """The on_retry of a RetryPolicy. note: prints a line. May be called by several threads.

    Uploads that wait for the same server cause one note, and not each its own.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._why: tuple[type[Exception], int | None] | None = None
        self._at = 0.0
        self._lock = threading.Lock()

    def __call__(self, retry: Retry) -> None:
        if retry.waited_s + retry.pause_s < _SHORT_S:
            return
        why, now = (type(retry.error), getattr(retry.error, "status", None)), time.monotonic()
        with self._lock:
            if why == self._why and now - self._at < _AGAIN_S:
                return
            self._why, self._at = why, now
            self._note(f"retrying for up to {duration(retry.left_s)}, or until Ctrl-C: {retry.error}")
