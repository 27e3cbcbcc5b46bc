"""The engine over PostgreSQL, through psycopg, for any number of servers and workers on any number of machines.

Writers run at READ COMMITTED and queue at advisory locks by name; readers have a snapshot. If the extension btree_gist
is available, the database itself also rejects overlapping spans.
"""

import logging
import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import IsolationLevel
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import Conflict, Contended, Invalid, TamsError, Unavailable
from storage.tables import migrations
from storage.tables.database_url import parse_postgresql_url
from storage.tables.engine import Engine, Reader, Writer
from storage.tables.overlap_constraint import add_overlap_constraint, tables_without_constraint
from storage.tables.schema import TABLES
from storage.tables.sql import JSON_OPTIONS, SQL_TABLES, SqlTransaction, call_after_fork, dump_json, hash_of

_log = logging.getLogger(__name__)

_LOCKS = 0x54414D53
"""First key of this application's advisory locks ("TAMS" in ASCII)."""
_SLOTS = 1024
"""Names are hashed to this many locks."""
_ALL_SLOTS = -1
"""A slot that every writer locks first: shared, or exclusively instead of more than _MAX_SLOTS slots."""
_MAX_SLOTS = 128
_MIGRATION = -2
_LOCK_ALL = sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, _ALL_SLOTS))
_LOCK_SLOTS = sa.text(
    "SELECT CASE slot WHEN :all THEN pg_advisory_xact_lock_shared(:key, slot)"
    " ELSE pg_advisory_xact_lock(:key, slot) END FROM unnest(CAST(:slots AS int[])) AS slot"
).bindparams(all=_ALL_SLOTS, key=_LOCKS)

_POOL = {"pool_size": 10, "pool_timeout": 10.0}
_TIMEOUTS = {"statement_timeout": 30.0, "lock_timeout": 10.0, "idle_in_transaction_session_timeout": 60.0}
_SESSION = {
    # A plan for one flow may be wrong for another, since a flow may have ten segments or a hundred million.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "timezone": "UTC",
    # For statements outside a transaction. A transaction sets its level when it begins.
    "default_transaction_isolation": r"read\ committed",
}
_LIBPQ = {
    "connect_timeout": "5",
    "application_name": "tams-server",
    "client_encoding": "utf8",
    # Detects within half a minute that the server has vanished.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_LAST_USE = "last_use"
_PING_AFTER_S = 1.0
"""A connection is tested before use only if it has been idle for longer, to save a round trip for each transaction."""

_UNIQUE_VIOLATION = "23505"
# Segments overlap those of another writer, which the rules did not see. They do on the retry, and raise a better error.
_EXCLUSION_VIOLATION = "23P01"
_CONTENTION = frozenset({"40001", "40P01", "55P03", _EXCLUSION_VIOLATION})
"""Serialization failure, deadlock, lock timeout: another writer came first."""
_SERVER_ERRORS = ("08", "53", "57", "58", "XX")
"""Classes of errors of the server: connection, resources, operator intervention, system, internal."""
_READ_ONLY = "25006"
_TOO_LARGE = "54000"
"""For example of an index row, if a catalogue of an earlier release has other indexes."""
_SESSION_ENDED = frozenset({"25P03", "25P04", "40003", _READ_ONLY})
"""Session idle or too long in a transaction; unknown outcome of a commit; server read-only."""


class _Transaction(SqlTransaction):
    def lock(self, *names: str) -> None:
        """Lock the slots of `names`, in one statement and in order, so that transactions cannot deadlock."""
        slots = sorted({zlib.crc32(name.encode()) % _SLOTS for name in names})
        if len(slots) > _MAX_SLOTS:
            self._connection.execute(_LOCK_ALL)
        elif slots:
            self._connection.execute(_LOCK_SLOTS, {"slots": [_ALL_SLOTS, *slots]})

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool) -> None:
        """Add rows; many at once as one array for each column, which is much faster than a statement for each."""
        if len(rows) < 2:
            super()._insert(table, rows, fresh=fresh)
            return
        arrays: dict[str, list[Any]] = {c.name: [row.get(c.name) for row in rows] for c in TABLES[table].columns}
        for column in TABLES[table].columns:
            if column.type == "json":
                arrays[column.name] = [None if v is None else dump_json(v) for v in arrays[column.name]]
        self._connection.execute(_bulk_insert(table), arrays)

    def _is_in(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """`column` is in `values`, as a single parameter."""
        return column == sa.any_(sa.literal(list(values), ARRAY(_plain(column.type))))

    def _is_hashed_text(self, column: sa.ColumnElement[Any], texts: Sequence[str]) -> sa.ColumnElement[bool]:
        """Compare hashes, which are indexed, and then texts. Each text is a parameter, so that the planner knows it."""
        hashes = hash_of(column).in_([hash_of(sa.literal(text, sa.Text())) for text in texts])
        return sa.and_(hashes, self._is_in(column, texts))

    def _lock_rows(self, query: sa.Select[Any]) -> sa.Select[Any]:
        return query.with_for_update(skip_locked=True)

    def _keep_correlated(self, rows: sa.Select[Any]) -> sa.Select[Any]:
        """OFFSET 0 keeps the planner from making it a join, which would read the spans of all owners."""
        return rows.offset(sa.literal_column("0"))


def _plain(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """The type without its collation, which array elements cannot have."""
    return sa.Text() if isinstance(type_, sa.Text | sa.JSON) else type_


@cache
def _bulk_insert(table: str) -> sa.Insert:
    """INSERT of rows that are passed as one array parameter for each column, with the column's name."""
    columns = SQL_TABLES[table].columns
    arrays = [sa.bindparam(column.name, type_=ARRAY(_plain(column.type))) for column in columns]
    rows = sa.func.unnest(*arrays).table_valued(*(column.name for column in columns)).render_derived()
    values = [sa.cast(rows.c[c.name], sa.JSON) if isinstance(c.type, sa.JSON) else rows.c[c.name] for c in columns]
    return sa.insert(SQL_TABLES[table]).from_select([column.name for column in columns], sa.select(*values))


class PostgresEngine(Engine):
    """A PostgreSQL database.

    url: besides the parameters of libpq it may have pool_size (connections of each process), and pool_timeout,
    statement_timeout, lock_timeout and idle_in_transaction_session_timeout, all in seconds.
    Raises ValueError for an invalid URL.
    """

    def __init__(self, url: str) -> None:
        parsed = parse_postgresql_url(url)
        try:
            given = {name: value if isinstance(value, str) else value[-1] for name, value in parsed.query.items()}
            numbers = {name: float(given.get(name, default)) for name, default in (_POOL | _TIMEOUTS).items()}
        except ValueError as error:
            raise ValueError(f"the database URL is invalid: {error}") from None
        timeouts = {name: f"{int(numbers[name] * 1000)}ms" for name in _TIMEOUTS}
        session = [f"-c {name}={value}" for name, value in (_SESSION | timeouts).items()]
        arguments = {name: value for name, value in _LIBPQ.items() if name not in given}
        arguments["options"] = " ".join([*session, given.get("options", "")]).strip()
        self._engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg").difference_update_query([*numbers, "options"]),
            connect_args=arguments,
            pool_size=int(numbers["pool_size"]),
            max_overflow=0,
            pool_timeout=numbers["pool_timeout"],
            pool_recycle=1800,
            pool_use_lifo=True,
            hide_parameters=True,
            **JSON_OPTIONS,
        )
        sa.event.listen(self._engine, "handle_error", _disconnect_from_read_only)
        sa.event.listen(self._engine, "checkin", _record_use)
        sa.event.listen(self._engine, "checkout", self._ping_idle_connection)
        call_after_fork(self._forget_connections)

    def _forget_connections(self) -> None:
        self._engine.dispose(close=False)

    def _ping_idle_connection(self, connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        """Test a connection that has been idle. If it is broken, have the pool replace all its connections."""
        if time.monotonic() - entry.info.get(_LAST_USE, math.inf) > _PING_AFTER_S:
            try:
                self._engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise sa.exc.InvalidatePoolError from error

    def create(self) -> None:
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            if migrations.stored_version(connection) == migrations.NEWEST and not tables_without_constraint(connection):
                return
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, _MIGRATION)))
            _check_server(connection)
            migrations.upgrade(connection)
            for table in tables_without_constraint(connection):
                add_overlap_constraint(connection, table)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction(IsolationLevel.REPEATABLE_READ, read_only=True) as connection:
            yield _Transaction(connection)

    @contextmanager
    def read_once(self) -> Iterator[Reader]:
        with self._transaction(IsolationLevel.READ_COMMITTED, autocommit=True) as connection:
            yield _Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            yield _Transaction(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(
        self, isolation: IsolationLevel, *, read_only: bool = False, autocommit: bool = False
    ) -> Iterator[sa.Connection]:
        """A transaction at this isolation level.

        autocommit: make each statement a transaction instead, without the round trips that begin and end one.
        """
        try:
            with self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.autocommit = autocommit
                driver.isolation_level = isolation
                # None instead of False leaves a database read-only if its administrator has made it so.
                driver.read_only = True if read_only else None
                yield connection
                connection.commit()
        except sa.exc.TimeoutError as error:
            _log.error("catalogue: %s", error)
            raise Unavailable("the catalogue is too busy at the moment") from error
        except sa.exc.DBAPIError as error:
            translated = _translate(error)
            if translated is None:
                raise
            raise translated from error


def _sqlstate(error: BaseException | None) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state


def _translate(error: sa.exc.DBAPIError) -> TamsError | None:
    """The error to raise to the caller; None if the database error is a bug of this program."""
    state = _sqlstate(error.orig)
    if state == _UNIQUE_VIOLATION:
        detail = getattr(getattr(error.orig, "diag", None), "message_detail", None)
        return Conflict(f"the same row already exists, just created by another request: {detail}")
    if state in _CONTENTION:
        _log.debug("catalogue: %s", error.orig)
        return Contended("another request was changing the same rows; try again")
    if state == _TOO_LARGE:
        return Invalid("a value is too long for the database")
    if state is None or state in _SESSION_ENDED or state.startswith(_SERVER_ERRORS):
        _log.error("catalogue: %s", error.orig)
        return Unavailable("the catalogue cannot be reached or written at the moment")
    return None


def _record_use(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info[_LAST_USE] = time.monotonic()


def _disconnect_from_read_only(context: sa.engine.ExceptionContext) -> None:
    """Drop connections to a server that has become read-only, as the old primary does after a failover."""
    if _sqlstate(context.original_exception) == _READ_ONLY:
        context.is_disconnect = True


def _check_server(connection: sa.Connection) -> None:
    """Raise ValueError if the database cannot hold every text; warn if it may lose committed transactions."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise ValueError(f"the encoding of the database must be UTF8, not {encoding}")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar() == "off":
            _log.warning("PostgreSQL has %s off: acknowledged writes may be lost in a crash", setting)
