"""What has been read from media, kept for a while, since media hardly ever change."""

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from storage.catalog.clock import SECOND

KEEP_S: Final = 600
KEEP_INCOMPLETE_S: Final = 15
"""How long a result is kept that lacks something, as of media that have not been uploaded yet."""

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """Results by key. Safe for threads. clock: returns microseconds since 1970.

    most: how much is kept, as the sum of the sizes of the results, of which the oldest go.
    """

    def __init__(self, clock: Callable[[], int], most: int) -> None:
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._size = 0
        self._results: dict[Hashable, tuple[int, _T, int]] = {}
        """By key, the oldest first: until when a result is kept, the result, and its size."""

    def get(self, key: Hashable) -> _T | None:
        """The result of a key; None if there is none, or it is too old."""
        with self._lock:
            kept = self._results.get(key)
        if kept is None or not 0 < kept[0] - self._clock() <= KEEP_S * SECOND:
            return None
        return kept[1]

    def put(self, key: Hashable, result: _T, *, complete: bool, size: int = 1) -> _T:
        """Keep a result, and return it. size: by which it counts."""
        lifetime_s = KEEP_S if complete else min(KEEP_S, KEEP_INCOMPLETE_S)
        with self._lock:
            self._drop(key)
            while self._results and self._size + size > self._most:
                self._drop(next(iter(self._results)))
            self._results[key] = self._clock() + lifetime_s * SECOND, result, size
            self._size += size
        return result

    def _drop(self, key: Hashable) -> None:
        former = self._results.pop(key, None)
        self._size -= 0 if former is None else former[2]
