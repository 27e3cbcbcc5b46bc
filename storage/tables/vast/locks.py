"""Locks that keep writers apart: rows that a writer changes before it reads.

Of two transactions that change the same row, a cluster lets only one commit. So every lock name stands for one of a
fixed number of rows, and a writer that locks a name changes its row first. A second writer then waits or fails, and
starts again with a view that includes what the first one wrote. Threads and processes of one machine queue locally
first, so that they do not fail against each other.

Each transaction leaves a mark in the rows that it locks, which shows later whether a commit without a response took
effect.
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
from pathlib import Path

from storage.errors import Contended
from storage.tables.transaction import Row
from storage.tables.vast.layout import LOCK_SLOTS

MAX_MARKS = 24
"""How many transactions a row remembers."""


def lock_slots(names: Iterable[str]) -> list[int]:
    """The slots of these lock names, sorted: every writer takes them in this order."""
    digests = (hashlib.blake2b(name.encode(), digest_size=4).digest() for name in names)
    return sorted({int.from_bytes(digest, "big") % LOCK_SLOTS for digest in digests})


def new_mark() -> str:
    return uuid.uuid4().hex[:16]


def marks(row: Row) -> list[str]:
    """The marks in a lock's row, newest first."""
    return [mark for mark in (row["holders"] or "").split(",") if mark]


def newest_mark(row: Row) -> str:
    """The mark of the transaction that locked the row last, or "" where none has."""
    return next(iter(marks(row)), "")


def add_mark(row: Row, mark: str) -> str:
    """The value of `holders` once the transaction with this mark holds the row."""
    return ",".join([mark, *marks(row)][:MAX_MARKS])


class LockQueues:
    """Local queues: for each slot a lock in memory and, between processes of this machine, a lock on a byte of a file.

    They only save failed attempts. Correctness does not depend on them, and other machines take no part in them.
    """

    def __init__(self, cluster_name: str | None) -> None:
        """cluster_name: identifies the tables, for the name of the file; None for no file."""
        self._path: Path | None = None
        if cluster_name is not None:
            digest = hashlib.blake2b(cluster_name.encode(), digest_size=8).hexdigest()
            self._path = Path(tempfile.gettempdir()) / f"tams-vast-{os.getuid()}-{digest}.lock"
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._locks = [threading.Lock() for _ in range(LOCK_SLOTS)]
        # Opened only once: closing any descriptor of a file releases all locks that the process has on it.
        self._file: int | None = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def close(self) -> None:
        """Close the file, which releases every lock on it."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def acquire(self, slot: int, deadline: float) -> bool:
        """Acquire the lock of a slot until the deadline, by the monotonic clock. Returns whether that was possible."""
        if not self._locks[slot].acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        self._wait_for_processes(slot, deadline)
        return True

    def _wait_for_processes(self, slot: int, deadline: float) -> None:
        """Wait for other processes of this machine until the deadline, then go on: one of them may hang."""
        while self._file is not None and time.monotonic() < deadline:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, slot)
                return
            except BlockingIOError:
                time.sleep(random.uniform(0.001, 0.006))  # noqa: S311 - no secret
            except OSError:
                return

    def release(self, slots: Iterable[int]) -> None:
        for slot in slots:
            if self._file is not None:
                with contextlib.suppress(OSError):
                    fcntl.lockf(self._file, fcntl.LOCK_UN, 1, slot)
            self._locks[slot].release()


class HeldLocks:
    """The local locks that a transaction holds."""

    def __init__(self, queues: LockQueues) -> None:
        self._queues = queues
        self._slots: set[int] = set()

    def acquire(self, slots: Iterable[int], timeout_s: float) -> None:
        """Acquire those of these locks that are not held yet. Raises Contended after `timeout_s`, adding none."""
        deadline = time.monotonic() + timeout_s
        added: list[int] = []
        for slot in slots:
            if slot in self._slots:
                continue
            if not self._queues.acquire(slot, deadline):
                self._queues.release(added)
                raise Contended("too many requests are changing the same data at the moment")
            added.append(slot)
        self._slots.update(added)

    def release(self) -> None:
        self._queues.release(self._slots)
        self._slots.clear()
