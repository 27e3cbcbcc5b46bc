"""A reserve of free space on a file system, below which nothing is added.

What is added may then be refused before it begins, instead of failing halfway, and reads and deletions have the space
that they need.
"""

import os
import time
from pathlib import Path

from storage import error_codes
from storage.errors import Unavailable

_CACHED_S = 0.2
_MIB = 2**20


class FreeSpace:
    """The free space for unprivileged writers in the file system of a folder.

    reserve: bytes that are to remain; 0 for none. name: of the store, for messages.
    """

    def __init__(self, folder: Path, reserve: int, name: str) -> None:
        self._folder = folder
        self._reserve = reserve
        self._name = name
        self._enough_until = 0.0

    def require(self) -> None:
        """Raise Unavailable if less than the reserve is free. A success counts for a moment.

        What keeps the free space from being known is left to the writer to find out.
        """
        if not self._reserve or time.monotonic() < self._enough_until:
            return
        try:
            status = os.statvfs(self._folder)
        except OSError:
            return
        free = status.f_bavail * status.f_frsize
        if free < self._reserve:
            raise Unavailable(
                f"{self._name} is full: less than {self._reserve // _MIB} MiB are free, and these are reserved",
                code=error_codes.NO_SPACE,
            )
        self._enough_until = time.monotonic() + _CACHED_S
