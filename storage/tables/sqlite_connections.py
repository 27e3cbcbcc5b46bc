"""Connections to an SQLite file, kept open between uses.

Each keeps up to 16 MB of pages, and about 4 KiB for every statement that it has run: 0.6 MiB after a while, 2 MiB at
most. A peak of requests opens many, which would keep that for as long as the process runs if they were not closed.
"""

import sqlite3
import time

from storage.tables.forking import call_after_fork
from storage.tables.sqlite_identity import Companions, DatabaseFile

_MAX_FREE = 32
"""Connections that stay open while nobody uses them."""
_IDLE_S = 10.0
"""After this time without use they are closed. The one that was given back last is borrowed first."""
_BUSY_S = 60.0
_CHECK_EVERY = 2000
"""Steps of SQLite's virtual machine between two checks of the limit: some tens of microseconds."""
_STEPS_PER_S = 50_000_000
"""About what SQLite runs in a second. Work is limited in steps, so that a busy machine does not make reads late."""
_PAUSES = 10
"""How many times its limit a borrower may take until it is late all the same: for the disk, and between statements."""
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16000", "temp_store = MEMORY")


class Connection(sqlite3.Connection):
    """A connection in autocommit mode, which may interrupt statements that take long.

    companions: the files beside the database that it uses, as last seen. used_at: when it was given back last, in
    seconds of the monotonic clock.
    """

    companions: Companions = ()
    used_at = 0.0
    _checks_left = 0
    _deadline = 0.0

    def limit(self, seconds: float) -> None:
        """Interrupt statements once they have worked for this time altogether, counted from now."""
        self._checks_left = int(seconds * _STEPS_PER_S / _CHECK_EVERY)
        self._deadline = time.perf_counter() + seconds * _PAUSES

    def is_late(self) -> bool:
        self._checks_left -= 1
        return self._checks_left < 0 or time.perf_counter() > self._deadline


class Connections:
    """The connections of one process to a file. Safe for threads and across fork.

    limit_s: how long the statements of a borrower may work before they are interrupted. Such connections do not wait
    for locks either. None for no limit.
    """

    def __init__(self, file: DatabaseFile, limit_s: float | None = None) -> None:
        self._file = file
        self._limit_s = limit_s
        self._free: list[Connection] = []
        self._inherited: list[list[Connection]] = []
        call_after_fork(self._forget)

    def borrow(self) -> Connection:
        """A connection for the caller alone, outside a transaction. Raises sqlite3.Error; Unavailable."""
        try:
            connection = self._free.pop()
        except IndexError:
            connection = self._open()
        if self._limit_s is not None:
            connection.limit(self._limit_s)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Return a borrowed connection; a transaction that it is in is rolled back."""
        try:
            if connection.in_transaction:
                connection.rollback()
        except sqlite3.Error:
            connection.close()
            return
        connection.used_at = time.monotonic()
        if len(self._free) < _MAX_FREE:
            self._free.append(connection)
            self._close_idle(connection.used_at)
        else:
            connection.close()

    def close(self) -> None:
        """Close all connections that are not borrowed."""
        while self._free:
            self._free.pop().close()

    def _close_idle(self, now: float) -> None:
        """Close the connection that has not been used for longest, if that is too long."""
        if any(each.used_at <= now - _IDLE_S for each in self._free[:1]):
            try:
                oldest = self._free.pop(0)
            except IndexError:  # Another thread has borrowed it meanwhile.
                return
            oldest.close()

    def _forget(self) -> None:
        """SQLite's connections must not be used after a fork, nor closed, which would happen if they were released."""
        self._inherited.append(self._free)
        self._free = []

    def _open(self) -> Connection:
        self._file.check()
        connection = sqlite3.connect(
            self._file.uri,
            uri=True,
            timeout=_BUSY_S if self._limit_s is None else 0,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
            factory=Connection,
        )
        if self._limit_s is not None:
            connection.set_progress_handler(connection.is_late, _CHECK_EVERY)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA schema_version").fetchone()  # the first read opens the files beside the database
        connection.companions = self._file.companions()
        self._file.check()
        return connection
