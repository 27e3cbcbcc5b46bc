"""A lock between the processes of one machine, which end their hold even by a crash."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from storage.tables.forking import call_after_fork


class FileLock:
    """A lock on the file `path`.lock. Those who wait get it in turn.

    A process that takes the lock again at once would mostly win against one that has to wake up first. So who wants the
    lock takes a second one before, on `path`.queue, and keeps it until it has the first.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptors: set[int] = set()
        call_after_fork(self._forget)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Exclude all others, in other threads too, for the block. Raises OSError."""
        place = self._take(f"{self._path}.queue")
        try:
            lock = self._take(f"{self._path}.lock")
        finally:
            self._close(place)
        try:
            yield
        finally:
            self._close(lock)

    def _take(self, file: str) -> int:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._descriptors.add(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException:
            self._close(descriptor)
            raise
        return descriptor

    def _close(self, descriptor: int) -> None:
        self._descriptors.discard(descriptor)
        os.close(descriptor)

    def _forget(self) -> None:
        """Close what a forked process has inherited, which would keep the lock for as long as it lives."""
        for descriptor in list(self._descriptors):
            self._close(descriptor)
