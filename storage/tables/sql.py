"""The SQL engine, by SQLAlchemy Core; today over an SQLite file in WAL mode."""

import fcntl
import logging
import operator
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry

from storage.errors import Conflict, Unavailable
from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps
from storage.tables.engine import Reader, Row, Writer
from storage.tables.schema import TABLES

_log = logging.getLogger(__name__)

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "string": sa.Text(),
    "int64": sa.BigInteger(),
    "bool": sa.Boolean(),
    "json": sa.JSON(none_as_null=True),
}


def _build_tables() -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    built = {}
    for table in TABLES.values():
        columns = [
            sa.Column(c.name, _TYPES[c.type], nullable=c.nullable, primary_key=c.name in table.key, autoincrement=False)
            for c in table.columns
        ]
        indexes = [sa.Index(f"{table.name}_{'_'.join(names)}", *names) for names in table.indexes]
        # SQLAlchemy takes the order of key columns from the declaration, which therefore names them in key order.
        built[table.name] = sa.Table(table.name, metadata, *columns, *indexes, sqlite_with_rowid=not table.clustered)
    return built


_TABLES = _build_tables()
_METADATA = next(iter(_TABLES.values())).metadata

_OPERATORS: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _owner(name: str, where: Sequence[Condition]) -> Any:
    """The value that `where` binds the owner column of a span to."""
    for condition in where:
        if isinstance(condition, Compare) and condition.column == name and condition.operator == "==":
            return condition.value
    raise ValueError(f"Overlaps needs equality on {name}")


def _clause(table: sa.FromClause, name: str, condition: Condition, owner: Any) -> sa.ColumnElement[bool]:
    """`condition` on `table`, which is, or is an alias of, the table called `name`."""
    match condition:
        case Compare(column, sign, value):
            return _OPERATORS[sign](table.c[column], value)
        case In(column, values):
            return table.c[column].in_(values)
        case Overlaps(start, end):
            return _overlap(table, name, owner, start, end)
        case Exists(inner_name, column, outer, where, present):
            inner = _TABLES[inner_name].alias()
            link = table.c[outer]
            clauses = [_clause(inner, inner_name, c, link) for c in where]
            found = sa.exists().where(inner.c[column] == link, *clauses)
            return found if present else ~found


def _overlap(table: sa.FromClause, name: str, owner: Any, start: int, end: int) -> sa.ColumnElement[bool]:
    """Rows from the first that ends after `start` (one look into the index) up to those that start before `end`."""
    span = TABLES[name].span
    if span is None:
        raise ValueError(f"table {name} has no span")
    owner_column, start_column, end_column = span
    other = _TABLES[name].alias()
    first = (
        sa.select(other.c[start_column])
        .where(other.c[owner_column] == owner, other.c[end_column] > start)
        .order_by(other.c[end_column])
        .limit(1)
        .scalar_subquery()
    )
    return sa.and_(table.c[start_column] < end, table.c[start_column] >= first)


def _where(name: str, where: Sequence[Condition]) -> list[sa.ColumnElement[bool]]:
    table = _TABLES[name]
    span = TABLES[name].span
    spans = any(isinstance(condition, Overlaps) for condition in where)
    owner = _owner(span[0], where) if span and spans else None
    return [_clause(table, name, condition, owner) for condition in where]


class _Transaction:
    """Reader and Writer over one connection."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def get(self, table: str, **key: Any) -> Row | None:
        rows = self.select(table, [Compare(column, "==", value) for column, value in key.items()], limit=1)
        return rows[0] if rows else None

    def select(
        self,
        table: str,
        where: Sequence[Condition] = (),
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> list[Row]:
        source = _TABLES[table]
        chosen = [source.c[name] for name in columns] if columns else [source]
        query = sa.select(*chosen).where(*_where(table, where))
        keys = [source.c[name] for name in order]
        if after is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*after)
            query = query.where(here < there if descending else here > there)
        if keys:
            query = query.order_by(*(key.desc() if descending else key for key in keys))
        if limit is not None:
            query = query.limit(limit)
        result = self._connection.execute(query)
        names = tuple(result.keys())
        return [dict(zip(names, row, strict=True)) for row in result]

    def lock(self, *names: str) -> None:
        """SQLite has one writer at a time, so that the transaction itself is the lock."""

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            names = [column.name for column in TABLES[table].columns]
            complete = [{name: row.get(name) for name in names} for row in rows]
            self._connection.execute(sa.insert(_TABLES[table]), complete)

    def update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        return self._connection.execute(sa.update(_TABLES[table]).where(*_where(table, where)).values(values)).rowcount

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        return self._connection.execute(sa.delete(_TABLES[table]).where(*_where(table, where))).rowcount


class SqliteEngine:
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
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        sa.event.listen(self._engine, "connect", _prepare_connection)
        os.register_at_fork(after_in_child=self._forget_connections)

    def _forget_connections(self) -> None:
        self._threads = threading.Lock()
        self._engine.dispose(close=False)

    def create(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone(), self._transaction("BEGIN IMMEDIATE") as connection:
            _METADATA.create_all(connection)

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
