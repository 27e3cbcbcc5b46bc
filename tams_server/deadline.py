"""Calls with a deadline: a slow call is reported as unavailable. Used for readiness and metrics."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from storage.errors import Unavailable

DEADLINE_S = 8.0
"""More than a storage backend is given to respond, less than Prometheus waits for a scrape (10 s)."""
_CACHED_S = 1.0

T = TypeVar("T")


class CallWithDeadline(Generic[T]):
    """A call that may hang, shared by any number of threads.

    At most one call runs at a time. Its outcome, whether a result or an exception, is cached for one second.
    """

    def __init__(self, call: Callable[[], T], deadline_s: float = DEADLINE_S) -> None:
        """deadline_s: the longest that any thread waits, counted from the start of the call."""
        self._call = call
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="call-with-deadline")
        self._future: Future[T] | None = None
        self._started = 0.0
        self._ended = 0.0

    def get(self) -> T:
        """Return the result of the call. Raises what the call raises, or Unavailable at the deadline."""
        future, started = self._current_call()
        if not future.done():
            try:
                future.exception(max(0.0, started + self._deadline_s - time.monotonic()))
            except TimeoutError:
                raise _not_responding() from None
        return _outcome(future)

    async def wait(self) -> T:
        """Like `get`, for coroutines: occupies no thread while it waits."""
        future, started = self._current_call()
        if not future.done():
            remaining_s = max(0.0, started + self._deadline_s - time.monotonic())
            waiting = asyncio.wrap_future(future)
            waiting.add_done_callback(_mark_as_seen)
            await asyncio.wait([waiting], timeout=remaining_s)
            if not future.done():
                raise _not_responding()
        return _outcome(future)

    def _current_call(self) -> tuple["Future[T]", float]:
        with self._lock:
            if self._future is None or (self._future.done() and time.monotonic() - self._ended >= _CACHED_S):
                self._started = time.monotonic()
                self._future = self._thread.submit(self._timed_call)
            return self._future, self._started

    def _timed_call(self) -> T:
        try:
            return self._call()
        finally:
            self._ended = time.monotonic()


def _outcome(future: "Future[T]") -> T:
    """The result of a call that has ended. Raises what it raised: without the traces of those who asked before."""
    error = future.exception()
    if error is not None:
        raise error.with_traceback(None)
    return future.result()


def _mark_as_seen(waiting: "asyncio.Future[T]") -> None:
    """Keep asyncio from reporting an exception that `_outcome` raises, or that came too late for anyone."""
    if not waiting.cancelled():
        waiting.exception()


def _not_responding() -> Unavailable:
    return Unavailable("the catalogue is not responding")
