"""Whole columns of the catalogue's tables as Arrow batches, as fast as each database hands them out, at one moment.

SQLite and PostgreSQL are read by their ADBC drivers, which make Arrow in C. These bring libraries of their own for the
databases, so that they must not run in a process that has the database open already: SQLite's file locks belong to a
process, and closing one file of two would let go of the locks of the other.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pyarrow as pa

from storage.errors import Unavailable
from storage.tables import open_engine
from storage.tables.database_url import libpq_url, sqlite_file
from storage.tables.schema import TABLES

_BATCH_ROWS = 65_536


class Snapshot(Protocol):
    """The tables at one moment. Every method may raise storage.errors.Unavailable."""

    null_text: str | None
    """What null comes as in columns of text, if not as null: a word that nobody can have stored."""

    def read(self, table: str, columns: Sequence[str]) -> AbstractContextManager[pa.RecordBatchReader]:
        """All rows of a table, cut to these columns. The reader is valid within the block."""


@contextmanager
def open_snapshot(
    database: str | Path, *, timeout_s: float, vast_secret: str | None = None, file_id: tuple[int, int] | None = None
) -> Iterator[Snapshot]:
    """Open the tables of a database for the block.

    database: as for storage.tables.open_engine. timeout_s: for each table of PostgreSQL. file_id: device and inode of
    the SQLite file that the server uses.
    Raises Unavailable.
    """
    text = str(database)
    if isinstance(database, Path) or text.startswith("sqlite:///"):
        file = database if isinstance(database, Path) else sqlite_file(text)
        with _sqlite(file, file_id) as snapshot:
            yield snapshot
    elif text.startswith("postgresql"):
        with _postgresql(text, timeout_s) as snapshot:
            yield snapshot
    else:
        with closing(open_engine(text, vast_secret=vast_secret)) as engine, engine.read() as tx:
            yield _ArrowTables(tx)


class _AdbcTables:
    """Tables of a database with an ADBC driver. connection: in a transaction."""

    def __init__(self, connection: Any, *, null_text: str | None, options: dict[str, str]) -> None:
        self._connection = connection
        self._options = options
        self.null_text = null_text

    @contextmanager
    def read(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatchReader]:
        with self._connection.cursor() as cursor:
            if self._options:
                cursor.adbc_statement.set_options(**self._options)
            cursor.execute(f'SELECT {", ".join(self._column(table, name) for name in columns)} FROM "{table}"')
            yield cursor.fetch_record_batch()

    def _column(self, table: str, name: str) -> str:
        column = next(column for column in TABLES[table].columns if column.name == name)
        if self.null_text is not None and column.nullable and column.type == "string":
            return f'ifnull("{name}", \'{self.null_text}\') AS "{name}"'
        return f'"{name}"'


class _ArrowTables:
    """Tables of an engine that has columns itself (VAST Database)."""

    null_text: str | None = None

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    @contextmanager
    def read(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatchReader]:
        found: pa.Table = self._reader.arrow(table, columns)
        yield found.to_reader(_BATCH_ROWS)


@contextmanager
def _sqlite(file: Path, file_id: tuple[int, int] | None) -> Iterator[Snapshot]:
    import adbc_driver_sqlite.dbapi as driver

    if file_id is not None and _identity(file) != file_id:
        raise Unavailable("the catalogue's file is not the one that the server uses")
    with _errors_translated(driver), driver.connect(f"file:{quote(str(file))}?mode=rw", autocommit=True) as connection:
        with connection.cursor() as cursor:
            for pragma in ("query_only = ON", "busy_timeout = 5000", "cache_size = -65536", "temp_store = MEMORY"):
                cursor.execute(f"PRAGMA {pragma}")
                cursor.fetchall()
        connection.adbc_connection.set_autocommit(False)
        # The driver guesses the type of a column from the first batch, so null has to be text too.
        options = {"adbc.sqlite.query.batch_rows": str(_BATCH_ROWS)}
        yield _AdbcTables(connection, null_text=secrets.token_hex(16), options=options)
        connection.rollback()


@contextmanager
def _postgresql(url: str, timeout_s: float) -> Iterator[Snapshot]:
    import adbc_driver_postgresql.dbapi as driver

    with _errors_translated(driver), driver.connect(libpq_url(url), autocommit=True) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"SET statement_timeout = {int(timeout_s * 1000)}")
            # A table is read whole, once.
            cursor.execute("SET jit = off")
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield _AdbcTables(connection, null_text=None, options={})
        with connection.cursor() as cursor:
            cursor.execute("ROLLBACK")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def _errors_translated(driver: Any) -> Iterator[None]:
    """Raise Unavailable instead of the errors of a driver, whose messages may contain a part of the URL."""
    try:
        yield
    except driver.Error as error:
        raise Unavailable("the catalogue cannot be read at the moment") from error
