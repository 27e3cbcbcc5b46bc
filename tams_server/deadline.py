"""For those who must have an answer soon, be it that there is none: readiness, and metrics."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from storage.errors import Unavailable

PATIENCE_S = 8.0
"""Longer than storage backends are given to answer, shorter than Prometheus waits."""
_KEPT_S = 1.0

T = TypeVar("T")


class CallWithDeadline(Generic[T]):
    """The outcome of a call that may hang, asked for by any number of threads: at most one call at a time, kept for a
    second, and waited for only so long from its start on."""

    def __init__(self, call: Callable[[], T], patience_s: float = PATIENCE_S) -> None:
        self._call = call
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="impatient")
        self._future: Future[T] | None = None
        self._began = 0.0
        self._ended = 0.0

    def get(self) -> T:
        """Raises what the call raises, and Unavailable where it takes too long."""
        future, began = self._current()
        if not future.done():
            try:
                future.exception(max(0.0, began + self._patience_s - time.monotonic()))
            except TimeoutError:
                raise Unavailable("the catalogue does not answer at the moment") from None
        return future.result()

    def _current(self) -> tuple["Future[T]", float]:
        with self._lock:
            if self._future is None or (self._future.done() and time.monotonic() - self._ended >= _KEPT_S):
                self._began = time.monotonic()
                self._future = self._thread.submit(self._timed)
            return self._future, self._began

    def _timed(self) -> T:
        try:
            return self._call()
        finally:
            self._ended = time.monotonic()
