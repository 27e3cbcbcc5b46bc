"""Keeping writers apart: rows of one table that a writer changes before it reads.

Of two transactions that change one row a cluster lets one commit. So a name stands for one of a fixed number of rows,
and who locks the name changes its row first; the other then waits, or loses, and begins anew with a view that has what
the first wrote. Threads of one process queue at locks in memory, so that they do not lose against each other.

In the row each transaction leaves a mark, by which a commit whose answer was lost can be found again.
"""

import contextlib
import fcntl
import hashlib
import os
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from storage.errors import Contended
from storage.tables.engine import Row
from storage.tables.vast.layout import LOCK_SLOTS

MARKS = 24
"""How many transactions a row remembers."""


def slots_of(names: Iterable[str]) -> list[int]:
    """The rows that stand for these names, in the order in which all take them."""
    digests = (hashlib.blake2b(name.encode(), digest_size=4).digest() for name in names)
    return sorted({int.from_bytes(digest, "big") % LOCK_SLOTS for digest in digests})


def new_mark() -> str:
    return uuid.uuid4().hex[:16]


def marks_of(row: Row) -> list[str]:
    """The transactions that the row remembers, newest first."""
    return [mark for mark in (row["holders"] or "").split(",") if mark]


def newest_mark(row: Row) -> str:
    """Of the transaction that changed the row last, or "" where none did yet."""
    return next(iter(marks_of(row)), "")


def marked(row: Row, mark: str) -> str:
    """What the row's `holders` become once the transaction of this mark holds it."""
    return ",".join([mark, *marks_of(row)][:MARKS])


class Queues:
    """For each row a lock in memory and, for the processes of this machine, a lock on a byte of a file.

    They save races, and nothing depends on them: a process elsewhere has neither.
    """

    def __init__(self, place: str | None) -> None:
        """place: what the file's name is made of; None for no file."""
        self._path: Path | None = None
        if place is not None:
            name = hashlib.blake2b(place.encode(), digest_size=8).hexdigest()
            self._path = Path(tempfile.gettempdir()) / f"tams-vast-{os.getuid()}-{name}.lock"
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._locks = [threading.Lock() for _ in range(LOCK_SLOTS)]
        # Opened once: a process loses its locks on a file when it closes any descriptor of it.
        self._file: int | None = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def close(self) -> None:
        """Give the file up, and with it whatever is locked there."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def take(self, slots: Iterable[int], patience_s: float) -> "Held":
        """Wait for all of these. Raises Contended after `patience_s`, holding none."""
        deadline = time.monotonic() + patience_s
        held = Held(self._file)
        for slot in slots:
            lock = self._locks[slot]
            if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                held.release()
                raise Contended("too many requests are changing the same thing at the moment")
            held.locks.append((slot, lock))
            self._queue(slot, deadline)
        return held

    def _queue(self, slot: int, deadline: float) -> None:
        """Wait for the other processes of this machine, but not for one that hangs."""
        while self._file is not None and time.monotonic() < deadline:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
                return
            except BlockingIOError:
                time.sleep(random.uniform(0.001, 0.006))  # noqa: S311 - no secret
            except OSError:
                return


@dataclass
class Held:
    """Locks that a transaction holds."""

    file: int | None
    locks: list[tuple[int, threading.Lock]] = field(default_factory=list)

    def release(self) -> None:
        for slot, lock in self.locks:
            if self.file is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(self.file, fcntl.LOCK_UN, 1, slot)
            lock.release()
        self.locks.clear()
