"""Threads for waits that may be long, in a bounded number: what finds no place is unavailable at once."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import TypeVar

from storage.error_codes.code import ErrorCode
from storage.errors import Unavailable

T = TypeVar("T")


class BoundedThreads:
    """Threads with places for calls that run or wait. The threads start with the calls."""

    def __init__(self, name: str, threads: int, places: int, what: str, code: ErrorCode | None = None) -> None:
        """places: for calls that run, and those that wait for a thread.

        what: the calls, in the error message. code: of the error, if it is not that of all that is unavailable.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = threading.BoundedSemaphore(places)
        self._full = Unavailable(f"too many {what} are in progress; try again later", code=code)

    async def run(self, call: Callable[[], T]) -> T:
        """Return the result of a call. Raises what it raises, and Unavailable if no place is free."""
        if not self._free.acquire(blocking=False):
            raise copy(self._full)
        try:
            future: Future[T] = self._threads.submit(call)
        except BaseException:
            self._free.release()
            raise
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the calls to end."""
        self._threads.shutdown()
