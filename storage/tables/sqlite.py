"""The engine over an SQLite file."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.operators import custom_op

from storage.errors import Conflict, TamsError, Unavailable
from storage.free_space import FreeSpace
from storage.tables import migrations
from storage.tables.engine import Engine
from storage.tables.file_lock import FileLock
from storage.tables.group_commit import GroupCommit
from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Clause, Clauses
from storage.tables.sql.compiled import Statement
from storage.tables.sql.statements import Statements
from storage.tables.sql.tables import JSON_OPTIONS, dump_json
from storage.tables.sql.transaction import SqlTransaction
from storage.tables.sqlite_connections import Connection, Connections
from storage.tables.sqlite_identity import DatabaseFile, FileIdentity
from storage.tables.sqlite_indexes import best_index
from storage.tables.transaction import Reader, Writer
from storage.waiting import WouldWait, about_to_wait, must_answer_at_once

_log = logging.getLogger(__name__)

_AT_ONCE_S = 0.005
"""How long reads may take that must not wait."""
_GROWING_TABLES = frozenset({"profiles", "sources", "flows", "webhooks", "segments", "objects", "instances"})
"""Those to which no deletion adds rows, so that space can be reserved for deletions."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_MAX_DAMAGE = 100
"""Findings of a check after which it ends."""
_WOULD_WAIT = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})


class _Compiler(SQLiteCompiler):
    """Writes hints, which are INDEXED BY here."""

    def get_from_hint_text(self, table: sa.FromClause, text: str | None) -> str | None:
        return text


class _Dialect(SQLiteDialect_pysqlite):
    statement_compiler = _Compiler
    supports_statement_cache = True


class _Clauses(Clauses):
    merges_unions = True

    def list_value(self, items: Sequence[Any]) -> Any:
        return dump_json(list(items))

    def list_type(self, type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
        return sa.Text()

    def at_least(self, column: sa.ColumnElement[int], bounds: Sequence[Any]) -> sa.ColumnElement[bool]:
        """As one bound: of several, SQLite would use any one to find rows."""
        return column >= sa.func.max(*bounds) if len(bounds) > 1 else super().at_least(column, bounds)

    def index_for(self, table: str, bound: Sequence[Clause], order: Sequence[str]) -> str | None:
        return best_index(table, bound, order)

    def is_in(self, column: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
        """A JSON array is one parameter, however long the list is."""
        return column.in_(sa.select(sa.func.json_each(items).table_valued("value").c.value))

    def is_in_of_few(self, column: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
        """A plus sign keeps SQLite from looking up the rows of each item of the list in an index."""
        return self.is_in(sa.sql.elements.UnaryExpression(column, operator=custom_op("+")), items)


class _Transaction(SqlTransaction):
    """space: required to add rows; None in transactions that only read."""

    statements = Statements(_Dialect(**JSON_OPTIONS), _Clauses())
    max_fetched = None

    def __init__(self, connection: sqlite3.Connection, space: FreeSpace | None = None) -> None:
        super().__init__(connection)
        self._space = space

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool) -> None:
        if self._space is not None and table in _GROWING_TABLES:
            self._space.require()
        super()._insert(table, rows, fresh=fresh)

    def lock(self, *names: str) -> None:
        """Do nothing: SQLite has one writer at a time, so that the transaction itself is the lock."""

    def _execute_many(self, statement: Statement, rows: Sequence[list[Any]]) -> int:
        changed: int = self.connection.executemany(statement.sql, map(statement.parameters, rows)).rowcount
        return changed

    def _lock_rows(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The transaction holds all rows already."""
        return query


class SqliteEngine(Engine):
    """An SQLite file in WAL mode, shared by the threads and processes of one machine.

    Writers queue, in order, in the process and at a lock file instead of polling SQLite's own lock, and those of a
    process that wait for each other share a transaction (storage.tables.group_commit). Every commit is synced to disk,
    so that an acknowledged write survives a crash.
    """

    own_check = "PRAGMA integrity_check"
    reads_at_once = True
    needs_derived_columns = True

    def __init__(self, path: Path, reserve: int = 0) -> None:
        """reserve: free space in bytes below which no rows are added to tables that deletions do not add to."""
        self._path = path.absolute()
        self._space = FreeSpace(self._path.parent, reserve, "the catalogue's file system")
        self._file = DatabaseFile(self._path)
        self._lock = FileLock(str(self._path))
        self._writers = GroupCommit(self._begin_writing, self._confirm)
        self._connections = Connections(self._file)
        self._connections_at_once = Connections(self._file, _AT_ONCE_S)

    def create(self) -> None:
        self._file.create()
        with _errors_translated(), self._locked(), _borrowed(self._connections) as connection:
            adopted = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=sa.StaticPool)
            with adopted.connect() as adopting:
                connection.execute("BEGIN IMMEDIATE")
                migrations.upgrade(adopting)
                adopting.commit()

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with _errors_translated(), _borrowed(self._readers()) as connection:
            connection.execute("BEGIN")
            yield _Transaction(connection)

    @contextmanager
    def read_once(self) -> Iterator[Reader]:
        with _errors_translated(), _borrowed(self._readers()) as connection:
            yield _Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        about_to_wait()
        with _errors_translated(), self._writers.transaction() as connection:
            yield _Transaction(connection, self._space)

    def find_damage(self) -> Iterator[str]:
        with _errors_translated(), _borrowed(self._connections) as connection:
            try:
                found = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MAX_DAMAGE})")]
                found += _damaged_documents(connection)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    raise
                found = [str(error)]
        yield from (line for line in found if line != "ok")

    def check_space(self) -> None:
        self._space.require()

    def hold(self, identity: FileIdentity | None) -> None:
        self._file.hold(identity)

    def held(self) -> FileIdentity | None:
        return self._file.held()

    def close(self) -> None:
        self._connections.close()
        self._connections_at_once.close()

    def _readers(self) -> Connections:
        self._file.check_for_reads()
        return self._connections_at_once if must_answer_at_once() else self._connections

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Exclude all other writers of this machine for the block."""
        self._file.check()
        with ExitStack() as stack:
            try:
                stack.enter_context(self._lock.hold())
            except OSError as error:
                raise Unavailable(f"the catalogue cannot be written: {error.strerror}") from error
            yield

    @contextmanager
    def _begin_writing(self) -> Iterator[Connection]:
        """A connection in a write transaction for the block, after which it is rolled back unless it was committed."""
        with self._locked(), _borrowed(self._connections) as connection:
            connection.companions = self._file.check_companions(connection.companions)
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _confirm(self, connection: sqlite3.Connection) -> None:
        """Raise Unavailable if what was committed went into files that nobody will find again."""
        assert isinstance(connection, Connection)
        self._file.check()
        connection.companions = self._file.check_companions(connection.companions)


def _damaged_documents(connection: Connection) -> Iterator[str]:
    """What is no JSON where it should be, in bytes that are of no structure of SQLite's, which it would check."""
    for name, table in TABLES.items():
        for column in table.columns:
            if column.type == "json":
                is_right = f"json_valid({column.name})"
                if column.name == "doc" and not column.nullable:
                    is_right += " AND json_type(doc) = 'object'"
                wrong = f"FROM {name} WHERE {column.name} IS NOT NULL AND NOT ({is_right})"
                [(count, key)] = connection.execute(f"SELECT count(*), min({table.key[0]}) {wrong}")
                if count:
                    yield f"table {name}: {count} values of {column.name} are no JSON, that of {key!r} for one"


@contextmanager
def _borrowed(connections: Connections) -> Iterator[Connection]:
    """A connection of these for the block, after which a transaction that is still open is rolled back."""
    connection = connections.borrow()
    try:
        yield connection
    finally:
        connections.give_back(connection)


@contextmanager
def _errors_translated() -> Iterator[None]:
    """Raise the errors of storage.errors instead of those of the database."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise _translated(error.orig) from error
    except sqlite3.Error as error:
        raise _translated(error) from error


def _translated(error: BaseException | None) -> TamsError | WouldWait:
    """The error to raise to the caller."""
    if isinstance(error, sqlite3.IntegrityError):
        return Conflict(f"the same row already exists, just created by another request: {error}")
    if must_answer_at_once() and getattr(error, "sqlite_errorcode", 0) & 0xFF in _WOULD_WAIT:
        return WouldWait()
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
        _log.error("catalogue: %s; restore a backup", error)
        return Unavailable("the catalogue's file is damaged")
    _log.error("catalogue: %s", error)
    return Unavailable("the catalogue cannot be reached or written at the moment")
