"""The engine over PostgreSQL, through psycopg: any number of servers and workers on any number of machines.

Writers run at READ COMMITTED and queue at advisory locks by name; readers have a snapshot. Where the extension
btree_gist is to be had, the database itself refuses spans that overlap as well.
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

from storage.errors import Conflict, Contended, TamsError, Unavailable
from storage.tables import migrations
from storage.tables.engine import Engine, Reader, Writer
from storage.tables.schema import TABLES, Table
from storage.tables.sql import JSON_OPTIONS, SQL_TABLES, SqlTransaction, dump_json, remake_after_fork

_log = logging.getLogger(__name__)

_LOCKS = 0x54414D53
"""First key of the advisory locks of this application ("TAMS")."""
_SLOTS = 1024
_ALL = -1
"""A slot before all others, which everyone shares; whoever wants more than _MANY has it alone instead of those."""
_MANY = 128
_MIGRATION = -2
_LOCK_ALL = sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, _ALL))
_LOCK_SLOTS = sa.text(
    "SELECT CASE slot WHEN :all THEN pg_advisory_xact_lock_shared(:key, slot)"
    " ELSE pg_advisory_xact_lock(:key, slot) END FROM unnest(CAST(:slots AS int[])) AS slot"
).bindparams(all=_ALL, key=_LOCKS)

_POOL = {"pool_size": 10, "pool_timeout": 10.0}
_TIMEOUTS = {"statement_timeout": 30.0, "lock_timeout": 10.0, "idle_in_transaction_session_timeout": 60.0}
_SESSION = {
    # A plan made for one flow is wrong for another: a flow may have ten segments or a hundred million.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
    "timezone": "UTC",
    # Of statements outside a transaction; for the others the level is told at their begin.
    "default_transaction_isolation": r"read\ committed",
}
_LIBPQ = {
    "connect_timeout": "5",
    "application_name": "tams-server",
    "client_encoding": "utf8",
    # A peer that has vanished without a word is found out in half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}

_USED = "used"
_TRUSTED_S = 1.0
"""So long after its last use a connection is taken without a trial, which would be a request for each transaction."""

_UNIQUE_VIOLATION = "23505"
# An overlap that the rules had not seen: another writer's. Called again, they see it and refuse it in their own words.
_EXCLUSION_VIOLATION = "23P01"
_LOST = frozenset({"40001", "40P01", "55P03", _EXCLUSION_VIOLATION})
"""Serialization failure, deadlock, a lock not to be had in time: another writer was first."""
_TROUBLE = ("08", "53", "57", "58", "XX")
"""Classes of errors that are the server's own: connection, resources, operator's intervention, system, internal."""
_READ_ONLY = "25006"
_ABANDONED = frozenset({"25P03", "25P04", "40003", _READ_ONLY})
"""Sessions ended for idling or taking too long; a commit that nobody answers for; a server that only reads."""


class _Transaction(SqlTransaction):
    def lock(self, *names: str) -> None:
        """The slots of `names`, by one statement, in order: no two transactions then wait for each other."""
        slots = sorted({zlib.crc32(name.encode()) % _SLOTS for name in names})
        if len(slots) > _MANY:
            self._connection.execute(_LOCK_ALL)
        elif slots:
            self._connection.execute(_LOCK_SLOTS, {"slots": [_ALL, *slots]})

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool = False) -> None:
        """Many rows go as one array a column, which spares both ends a statement for each."""
        if len(rows) < 2:
            super().insert(table, rows)
            return
        arrays: dict[str, list[Any]] = {c.name: [row.get(c.name) for row in rows] for c in TABLES[table].columns}
        for column in TABLES[table].columns:
            if column.type == "json":
                arrays[column.name] = [None if v is None else dump_json(v) for v in arrays[column.name]]
        self._connection.execute(_bulk_insert(table), arrays)

    def _is_in(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        """One parameter, however many values there are."""
        return column == sa.any_(sa.literal(list(values), ARRAY(_plain(column.type))))

    def _to_change(self, query: sa.Select[Any]) -> sa.Select[Any]:
        return query.with_for_update(skip_locked=True)

    def _one_by_one(self, rows: sa.Select[Any]) -> sa.Select[Any]:
        """OFFSET 0 keeps the planner from a join, for which it would read the spans of all owners."""
        return rows.offset(sa.literal_column("0"))


def _plain(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """The type without its collation, which the elements of an array cannot have."""
    return sa.Text() if isinstance(type_, sa.Text | sa.JSON) else type_


@cache
def _bulk_insert(table: str) -> sa.Insert:
    """INSERT of rows given as one array parameter a column, named like it."""
    columns = SQL_TABLES[table].columns
    arrays = [sa.bindparam(column.name, type_=ARRAY(_plain(column.type))) for column in columns]
    rows = sa.func.unnest(*arrays).table_valued(*(column.name for column in columns)).render_derived()
    values = [sa.cast(rows.c[c.name], sa.JSON) if isinstance(c.type, sa.JSON) else rows.c[c.name] for c in columns]
    return sa.insert(SQL_TABLES[table]).from_select([column.name for column in columns], sa.select(*values))


class PostgresEngine(Engine):
    """A PostgreSQL database by its URL, with these parameters of our own beside those of libpq: pool_size (of
    connections, for each process), pool_timeout, and statement_timeout, lock_timeout and
    idle_in_transaction_session_timeout, all in seconds.

    Raises ValueError for a URL that cannot be read.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            given = {name: value if isinstance(value, str) else value[-1] for name, value in parsed.query.items()}
            numbers = {name: float(given.get(name, default)) for name, default in (_POOL | _TIMEOUTS).items()}
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ValueError(f"the database URL cannot be read: {error}") from None
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
            **JSON_OPTIONS,
        )
        sa.event.listen(self._engine, "handle_error", _give_up_connections)
        sa.event.listen(self._engine, "checkin", _note_use)
        sa.event.listen(self._engine, "checkout", self._try_connection)
        remake_after_fork(self._forget_connections)

    def _forget_connections(self) -> None:
        self._engine.dispose(close=False)

    def _try_connection(self, connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        """Have a connection that has not been in use lately replaced, with all others, if it leads nowhere."""
        if time.monotonic() - entry.info.get(_USED, math.inf) > _TRUSTED_S:
            try:
                self._engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise sa.exc.InvalidatePoolError from error

    def create(self) -> None:
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            if migrations.stored_version(connection) == migrations.NEWEST and not _unguarded(connection):
                return
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCKS, _MIGRATION)))
            _check_server(connection)
            migrations.upgrade(connection)
            for table in _unguarded(connection):
                _forbid_overlaps(connection, table)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction(IsolationLevel.REPEATABLE_READ, read_only=True) as connection:
            yield _Transaction(connection)

    @contextmanager
    def read_once(self) -> Iterator[Reader]:
        with self._transaction(IsolationLevel.READ_COMMITTED, each=True) as connection:
            yield _Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._transaction(IsolationLevel.READ_COMMITTED) as connection:
            yield _Transaction(connection)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(
        self, isolation: IsolationLevel, *, read_only: bool = False, each: bool = False
    ) -> Iterator[sa.Connection]:
        """each: every statement is a transaction of its own, which saves the requests that begin and end one."""
        try:
            with self._engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.autocommit = each
                driver.isolation_level = isolation
                # None, for a database that its administrator has made read-only to stay so.
                driver.read_only = True if read_only else None
                yield connection
                connection.commit()
        except sa.exc.TimeoutError as error:
            _log.error("catalogue: %s", error)
            raise Unavailable("the catalogue is too busy at the moment") from error
        except sa.exc.DBAPIError as error:
            refusal = _refusal(error)
            if refusal is None:
                raise
            raise refusal from error


def _sqlstate(error: BaseException | None) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state


def _refusal(error: sa.exc.DBAPIError) -> TamsError | None:
    """What the caller is told; None where the fault is this program's own."""
    state = _sqlstate(error.orig)
    if state == _UNIQUE_VIOLATION:
        detail = getattr(getattr(error.orig, "diag", None), "message_detail", None)
        return Conflict(f"another request has just created the same thing: {detail}")
    if state in _LOST:
        _log.debug("catalogue: %s", error.orig)
        return Contended("another request was changing the same thing; try again")
    if state is None or state in _ABANDONED or state.startswith(_TROUBLE):
        _log.error("catalogue: %s", error.orig)
        return Unavailable("the catalogue cannot be reached or written at the moment")
    return None


def _note_use(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info[_USED] = time.monotonic()


def _give_up_connections(context: sa.engine.ExceptionContext) -> None:
    """After a switch to another server, connections to the one that now only reads are of no use."""
    if _sqlstate(context.original_exception) == _READ_ONLY:
        context.is_disconnect = True


def _check_server(connection: sa.Connection) -> None:
    """Raises ValueError for a database that cannot hold every text; warns of one that may lose what it confirmed."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise ValueError(f"the database has the encoding {encoding}; it must be UTF8")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar() == "off":
            _log.warning("PostgreSQL has %s off: what was acknowledged may be lost in a crash", setting)


def _unguarded(connection: sa.Connection) -> list[Table]:
    """Tables whose spans the database does not keep apart by itself."""
    query = sa.text(
        "SELECT conname FROM pg_constraint WHERE contype = 'x' AND connamespace = current_schema::regnamespace"
    )
    there = set(connection.execute(query).scalars())
    return [table for table in TABLES.values() if table.span and f"{table.name}_apart" not in there]


def _forbid_overlaps(connection: sa.Connection, table: Table) -> None:
    """Have the database refuse spans of one owner that overlap, where btree_gist is to be had."""
    assert table.span is not None
    owner, start, end = table.span
    rule = f"EXCLUDE USING gist ({owner} WITH =, int8range({start}, {end}) WITH &&)"
    try:
        with connection.begin_nested():
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS btree_gist")
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD CONSTRAINT {table.name}_apart {rule}")
    except sa.exc.DBAPIError as error:
        if error.connection_invalidated:
            raise
        _log.warning("%s are kept apart by locks alone, without a constraint: %s", table.name, error.orig)
