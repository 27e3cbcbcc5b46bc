"""The engine over an SQLite file in WAL mode."""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import Conflict, Unavailable
from storage.tables import migrations
from storage.tables.engine import Engine, Reader, Writer
from storage.tables.sql import JSON_OPTIONS, SqlTransaction, remake_after_fork

_log = logging.getLogger(__name__)


class _Transaction(SqlTransaction):
    def lock(self, *names: str) -> None:
        """SQLite has one writer at a time, so that the transaction itself is the lock."""


class SqliteEngine(Engine):
    """An SQLite file in WAL mode, shared by threads and processes of one machine.

    Writers queue at a lock of the process and a lock file, in the order in which they come, instead of polling
    SQLite's own lock. Every commit is synced to the disk (design rule 3).
    """

    def __init__(self, url: str) -> None:
        self._path = Path(url.removeprefix("sqlite:///"))
        self._threads = threading.Lock()
        self._engine = sa.create_engine(
            url,
            connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 60},
            pool_size=32,
            max_overflow=-1,
            **JSON_OPTIONS,
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        remake_after_fork(self._forget_connections)

    def _forget_connections(self) -> None:
        self._threads = threading.Lock()
        self._engine.dispose(close=False)

    def create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # It holds secrets; SQLite gives the files beside it the same mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._alone(), self._transaction("BEGIN IMMEDIATE") as connection:
            migrations.upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction("BEGIN") as connection:
            yield _Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._alone(), self._transaction("BEGIN IMMEDIATE") as connection:
            yield _Transaction(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time on this machine. A process that dies gives the lock file's lock up with it."""
        with self._threads:
            try:
                descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise Unavailable(f"the catalogue cannot be written: {error.strerror}") from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except sa.exc.IntegrityError as error:
            raise Conflict(f"another request has just created the same thing: {error.orig}") from error
        except sa.exc.DBAPIError as error:
            _log.error("catalogue: %s", error.orig)
            raise Unavailable("the catalogue cannot be reached or written at the moment") from error


def _prepare_connection(connection: Any, _entry: ConnectionPoolEntry) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
