"""The memory for request bodies of one process: many large bodies at once must not add up to more than it has.

Bytes are counted as they arrive, so that a slow body holds what it has sent, and until its request ends.
"""

import threading
from types import TracebackType
from typing import Final, Self

from tams_server.errors import RETRY_AFTER_S, TooManyBodies

FREE_BYTES: Final = 16 * 1024
"""Of each body, the bytes that are not counted: ordinary requests are served however many large bodies there are. The
limit on connections bounds them."""


class BodyMemory:
    """Counts the bytes of bodies that are held at once, in any thread. max_bytes: beyond FREE_BYTES of each."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """The number of bytes that are counted now."""
        return self._held

    def share(self) -> "BodyShare":
        """Return a context manager that holds the memory of one body, none at first."""
        return BodyShare(self)

    def take(self, count: int) -> None:
        """Count more bytes. Raises TooManyBodies, and then counts none."""
        with self._lock:
            if self._held + count > self._max_bytes:
                raise TooManyBodies(
                    f"the bodies of all requests in progress must have at most {self._max_bytes} bytes together;"
                    " retry when some of them are done",
                    headers={"Retry-After": str(RETRY_AFTER_S), "Connection": "close"},
                )
            self._held += count

    def release(self, count: int) -> None:
        """Count bytes no more."""
        with self._lock:
            self._held -= count


class BodyShare:
    """What one body holds of the memory, until the block ends."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self._size = 0
        self._counted = 0

    def add(self, count: int) -> None:
        """Hold `count` more bytes. Raises TooManyBodies."""
        self._size += count
        uncounted = self._size - FREE_BYTES - self._counted
        if uncounted > 0:
            self._memory.take(uncounted)
            self._counted += uncounted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        counted, self._counted = self._counted, 0
        if counted:
            self._memory.release(counted)
