"""How many of something each key has at the moment, in all processes of a server together."""

import fcntl
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tams_server.quotas.shared_table import KeyDigests

_SETS: Final = 1024
_WAYS: Final = 4


class SharedCounts:
    """Counts for the processes that are forked from this one, each of which uses them in one thread.

    Every key has a row, and every process a column of its own, in which nobody else writes. A process holds a lock on a
    byte of an unnamed file for its column, which the system releases when it ends in whatever way: what it had counted
    is void then. Of more than 4,096 keys at a time, some are not counted.
    """

    def __init__(self, processes: int = 64) -> None:
        """processes: how many may count at the same time, those that are just ending included."""
        self._columns = processes
        self._key_digests = KeyDigests()
        self._digests = memoryview(mmap.mmap(-1, _SETS * _WAYS * 8)).cast("Q")
        self._counts = memoryview(mmap.mmap(-1, _SETS * _WAYS * processes * 4)).cast("I")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        self._pid = 0
        self._column = 0

    @contextmanager
    def one(self, key: str, most: int) -> Iterator[bool]:
        """Count one for the duration of the block, unless there are `most` already. Yields whether it was counted."""
        row = self._row(key)
        if row is None:
            yield True
            return
        cell = row * self._columns + self._own_column()
        self._counts[cell] += 1
        try:
            yield self._total(row) <= most or self._total_of_living(row) <= most
        finally:
            self._counts[cell] -= 1

    def _row(self, key: str) -> int | None:
        """The row of a key, which is given to it if it has none; None if all its rows are in use.

        Two processes may give a row to different keys in the same microsecond. Then each counts those of the other,
        until its own is done.
        """
        digest, free = self._key_digests.of(key), None
        start = digest % _SETS * _WAYS
        for row in range(start, start + _WAYS):
            if self._digests[row] == digest:
                return row
            if free is None and not self._total(row):
                free = row
        if free is not None:
            self._digests[free] = digest
        return free

    def _total(self, row: int) -> int:
        return sum(self._counts[row * self._columns : (row + 1) * self._columns])

    def _total_of_living(self, row: int) -> int:
        """The total of a row without what processes have left that have ended."""
        for column in range(self._columns):
            if column != self._column and self._counts[row * self._columns + column] and self._lock(column):
                self._clear(column)
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, column)
        return self._total(row)

    def _own_column(self) -> int:
        """The column of this process, which it takes at its first use.

        Raises: OSError if there are more processes than columns.
        """
        if self._pid != os.getpid():
            self._column = next((each for each in range(self._columns) if self._lock(each)), -1)
            if self._column < 0:
                raise OSError(f"more than {self._columns} processes share these counts")
            self._clear(self._column)
            self._pid = os.getpid()
        return self._column

    def _lock(self, column: int) -> bool:
        """Lock a column, if no other process holds it."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, column)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _clear(self, column: int) -> None:
        for cell in range(column, len(self._counts), self._columns):
            self._counts[cell] = 0
