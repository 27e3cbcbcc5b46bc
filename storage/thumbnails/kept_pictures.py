"""Pictures that were made before, and why others could not be, for those who ask again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass
from typing import Final

from storage.errors import Unsuitable

KEEP_FAILURE_S: Final = 60.0
_MOST_BYTES: Final = 32 << 20
_BYTES_OF_ENTRY: Final = 1024


@dataclass(frozen=True, slots=True)
class _Failure:
    error: Unsuitable
    until: float


class KeptPictures:
    """The pictures of one process, by key: those used last, up to _MOST_BYTES. Safe for threads. clock: in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes | _Failure] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> bytes | None:
        """The picture, if it is kept. Raises Unsuitable if it could not be made less than KEEP_FAILURE_S ago."""
        with self._lock:
            found = self._kept.get(key)
            if isinstance(found, _Failure) and self._clock() >= found.until:
                self._forget(key)
                return None
            if found is not None:
                self._kept.move_to_end(key)
        if isinstance(found, _Failure):
            raise copy(found.error)
        return found

    def keep(self, key: Hashable, picture: bytes) -> None:
        """Keep a picture."""
        self._keep(key, picture)

    def keep_failure(self, key: Hashable, error: Unsuitable) -> None:
        """Keep the reason why a picture cannot be made."""
        # A copy has no traceback, and so does not keep what was read.
        self._keep(key, _Failure(copy(error), self._clock() + KEEP_FAILURE_S))

    def _keep(self, key: Hashable, found: bytes | _Failure) -> None:
        with self._lock:
            self._forget(key)
            self._kept[key] = found
            self._size += _size(found)
            while self._size > _MOST_BYTES:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._size -= _size(found)


def _size(found: bytes | _Failure) -> int:
    return _BYTES_OF_ENTRY + (len(found) if isinstance(found, bytes) else 0)
