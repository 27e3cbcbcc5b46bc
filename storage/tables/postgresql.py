"""The engine over PostgreSQL, through psycopg, for any number of servers and workers on any number of machines.

Writers run at READ COMMITTED and queue at advisory locks by name; readers have a snapshot. If the extension btree_gist
is available, the database itself also rejects overlapping spans.
"""

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from storage import error_codes
from storage.errors import Conflict, Contended, Invalid, TamsError, Unavailable
from storage.tables import migrations
from storage.tables.database_url import parse_postgresql_url
from storage.tables.engine import Engine
from storage.tables.forking import call_after_fork
from storage.tables.overlap_constraint import add_overlap_constraint, tables_without_constraint
from storage.tables.postgresql_damage import find_damage
from storage.tables.postgresql_transaction import LOCKS, PostgresTransaction
from storage.tables.sql.tables import JSON_OPTIONS
from storage.tables.transaction import Reader, Writer
from storage.waiting import about_to_wait

_log = logging.getLogger(__name__)

_MIGRATION = -2

_POOL = {"pool_size": 10, "pool_timeout": 10.0}
_TIMEOUTS = {"statement_timeout": 30.0, "lock_timeout": 10.0, "idle_in_transaction_session_timeout": 60.0}
_SESSION = {
    # A plan for one flow may be wrong for another, since a flow may have ten segments or a hundred million.
    "plan_cache_mode": "force_custom_plan",
    # Without statistics the planner takes a flow to be short: it would read and sort all of it for a page.
    "enable_bitmapscan": "off",
    # A filter that many rows pass would be looked for in the table itself, though they may all be at its end.
    "enable_seqscan": "off",
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

_CURSOR = "cursor"
_OPENED = "opened"
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
_NOT_OURS = frozenset({"3D000", "3F000", "42P01", "42501", "28000", "28P01"})
"""No such database, schema or table; no privilege; role rejected: what was changed under the server."""
_SESSION_ENDED = frozenset({"25P03", "25P04", "40003", _READ_ONLY})
"""Session idle or too long in a transaction; unknown outcome of a commit; server read-only."""


class PostgresEngine(Engine):
    """A PostgreSQL database.

    url: besides the parameters of libpq it may have pool_size (connections of each process), and pool_timeout,
    statement_timeout, lock_timeout and idle_in_transaction_session_timeout, all in seconds.
    Raises ValueError for an invalid URL.
    """

    own_check = "reading everything"
    needs_derived_columns = True

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
            # A transaction that failed is rolled back by this module, without a call for each that did not.
            pool_reset_on_return=None,
            hide_parameters=True,
            **JSON_OPTIONS,
        )
        self._broken_at = -math.inf
        """When a connection broke for the last time. Those opened before are of no use either."""
        sa.event.listen(self._engine, "connect", _record_opening)
        sa.event.listen(self._engine, "checkin", _record_use)
        sa.event.listen(self._engine, "checkout", self._check_connection)
        call_after_fork(self._forget_connections)

    def _forget_connections(self) -> None:
        self._engine.dispose(close=False)

    def _check_connection(self, connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        """Test a connection that has been idle. If it is broken, have the pool replace all its connections."""
        if entry.info[_OPENED] < self._broken_at:
            raise sa.exc.DisconnectionError
        if time.monotonic() - entry.info.get(_LAST_USE, math.inf) > _PING_AFTER_S:
            try:
                self._engine.dialect.do_ping(connection)
            except psycopg.Error as error:
                raise sa.exc.InvalidatePoolError from error

    def create(self) -> None:
        with self._migrating() as connection:
            if migrations.stored_version(connection) == migrations.NEWEST and not tables_without_constraint(connection):
                return
        with self._migrating() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCKS, _MIGRATION)))
            _check_server(connection)
            migrations.upgrade(connection)
            for table in tables_without_constraint(connection):
                add_overlap_constraint(connection, table)

    @contextmanager
    def read(self) -> Iterator[Reader]:
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as transaction:
            yield transaction

    @contextmanager
    def read_once(self) -> Iterator[Reader]:
        with self._transaction() as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[Writer]:
        with self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED") as transaction:
            yield transaction

    def find_damage(self) -> Iterator[str]:
        about_to_wait()
        with self._errors_translated():
            yield from find_damage(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, begin: str = "") -> Iterator[PostgresTransaction]:
        """A transaction. begin: the statement that begins it; none to make each statement a transaction instead."""
        about_to_wait()
        with self._errors_translated():
            pooled = self._engine.raw_connection()
            driver: Any = pooled.driver_connection
            try:
                if not driver.autocommit:
                    driver.autocommit = True
                yield PostgresTransaction(_cursor(pooled), begin)
                if begin:
                    driver.commit()
            except BaseException as error:
                self._clean_up(pooled, error)
                raise
            finally:
                pooled.close()

    def _clean_up(self, pooled: sa.PoolProxiedConnection, error: BaseException) -> None:
        """Roll back what a connection has done, or drop it if it is of no more use. error: what was raised."""
        driver: Any = pooled.driver_connection
        with suppress(psycopg.Error):
            if not driver.closed:
                driver.rollback()
        if driver.closed or _sqlstate(error) == _READ_ONLY:
            self._broken_at = time.monotonic()
            pooled.invalidate(error)

    @contextmanager
    def _migrating(self) -> Iterator[sa.Connection]:
        """A write transaction for statements of SQLAlchemy's."""
        about_to_wait()
        with self._errors_translated(), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.autocommit = False
            yield connection
            connection.commit()

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        """Raise the errors of storage.errors instead of those of the database."""
        try:
            yield
        except sa.exc.TimeoutError as error:
            _log.error("catalogue: %s", error)
            raise Unavailable("the catalogue is too busy at the moment") from error
        except (psycopg.Error, sa.exc.DBAPIError) as error:
            translated = _translate(error.orig if isinstance(error, sa.exc.DBAPIError) else error)
            if translated is None:
                raise
            raise translated from error


def _cursor(pooled: sa.PoolProxiedConnection) -> Any:
    """The cursor of a connection. A new one for each statement would take half as long as the statement."""
    cursor = pooled.info.get(_CURSOR)
    if cursor is None:
        cursor = pooled.info[_CURSOR] = pooled.cursor()
    return cursor


def _sqlstate(error: BaseException | None) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state


def _translate(error: BaseException | None) -> TamsError | None:
    """The error to raise to the caller; None if the database error is a bug of this program."""
    state = _sqlstate(error)
    if state == _UNIQUE_VIOLATION:
        detail = getattr(getattr(error, "diag", None), "message_detail", None)
        return Conflict(f"the same row already exists, just created by another request: {detail}")
    if state in _CONTENTION:
        _log.debug("catalogue: %s", error)
        return Contended("another request was changing the same rows; try again")
    if state == _TOO_LARGE:
        _log.warning("catalogue: %s", error)  # The index that it names matters if a migration fails.
        return Invalid("a value is too long for the database", code=error_codes.TEXT_TOO_LONG)
    if state in _NOT_OURS:
        _log.error("catalogue: %s", error)
        return Unavailable("the database is not the one of this server any more, or its role has lost rights")
    if state is None or state in _SESSION_ENDED or state.startswith(_SERVER_ERRORS):
        _log.error("catalogue: %s", error)
        return Unavailable("the catalogue cannot be reached or written at the moment")
    return None


def _record_opening(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info[_OPENED] = time.monotonic()


def _record_use(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info[_LAST_USE] = time.monotonic()


def _check_server(connection: sa.Connection) -> None:
    """Raise ValueError if the database cannot hold every text; warn if it may lose committed transactions."""
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise ValueError(f"the encoding of the database must be UTF8, not {encoding}")
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        if connection.exec_driver_sql(f"SHOW {setting}").scalar() == "off":
            _log.warning("PostgreSQL has %s off: acknowledged writes may be lost in a crash", setting)
