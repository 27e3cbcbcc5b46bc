"""The engine over an SQLite file."""

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
from storage.tables.sql import JSON_OPTIONS, SqlTransaction, call_after_fork

_log = logging.getLogger(__name__)


class _Transaction(SqlTransaction):
    def lock(self, *names: str) -> None:
        """Do nothing: SQLite has one writer at a time, so that the transaction itself is the lock."""


class SqliteEngine(Engine):
    """An SQLite file in WAL mode, shared by the threads and processes of one machine.

    Writers queue, in order, at a lock in the process and a lock file instead of polling SQLite's own lock. Every commit
    is synced to disk, so that an acknowledged write survives a crash.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._threads = threading.Lock()
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self._path)),
            connect_args={"isolation_level": None, "check_same_thread": False, "timeout": 60},
            pool_size=32,
            max_overflow=-1,
            hide_parameters=True,
            **JSON_OPTIONS,
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        call_after_fork(self._forget_connections)

    def _forget_connections(self) -> None:
        self._threads = threading.Lock()
        self._engine.dispose(close=False)

    def create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The file holds secrets. SQLite gives its journal files the same mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._exclusive(), self._transaction("BEGIN IMMEDIATE") as connection:
            migrations.upgrade(connection)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction("BEGIN") as connection:
            yield _Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._exclusive(), self._transaction("BEGIN IMMEDIATE") as connection:
            yield _Transaction(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Exclude all other writers of this machine. The lock on the file ends with its process, even by a crash."""
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
            raise Conflict(f"the same row already exists, just created by another request: {error.orig}") from error
        except sa.exc.DBAPIError as error:
            _log.error("catalogue: %s", error.orig)
            raise Unavailable("the catalogue cannot be reached or written at the moment") from error


def _prepare_connection(connection: Any, _entry: ConnectionPoolEntry) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16000", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
