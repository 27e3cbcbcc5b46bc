"""The common part of the SQL engines, over SQLAlchemy Core: tables, conditions as clauses, and transactions."""

import operator
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps
from storage.tables.engine import Row, Writer
from storage.tables.schema import TABLES

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    # Text sorts by code point on every engine, and documents keep their numbers exactly.
    "string": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "int64": sa.BigInteger(),
    "bool": sa.Boolean(),
    "json": sa.JSON(none_as_null=True),
}


def dump_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def load_json(stored: Any) -> Any:
    """Decode a stored JSON value. SQLite returns text that looks like a number as a number, whatever the column."""
    return orjson.loads(stored) if isinstance(stored, str | bytes) else stored


JSON_OPTIONS: dict[str, Any] = {"json_serializer": dump_json, "json_deserializer": load_json}
"""Arguments of sqlalchemy.create_engine."""


def hash_of(text: Any, seed: int = 0) -> sa.ColumnElement[int]:
    """PostgreSQL's 64-bit hash of a text: different texts may have the same."""
    return sa.func.hashtextextended(text, sa.literal_column(str(seed)), type_=sa.BigInteger())


def _build_tables() -> dict[str, sa.Table]:
    metadata = sa.MetaData()
    built = {}
    for table in TABLES.values():
        columns = [
            sa.Column(c.name, _TYPES[c.type], nullable=c.nullable, primary_key=c.name in table.key, autoincrement=False)
            for c in table.columns
        ]
        # SQLAlchemy orders key columns as they are declared, so storage.tables.rows declares them in key order.
        made = sa.Table(table.name, metadata, *columns, sqlite_with_rowid=not table.clustered)
        for names in table.indexes:
            _add_index(made, names, table.hashed)
        if table.hashed:
            made.primary_key.ddl_if(dialect="sqlite")
            _add_hashed_index(made, table.key, table.hashed, unique=True)
        built[table.name] = made
    return built


def _add_index(table: sa.Table, names: Sequence[str], hashed: Sequence[str]) -> None:
    index = sa.Index(f"{table.name}_{'_'.join(names)}", *(table.c[name] for name in names))
    if not set(names).isdisjoint(hashed):
        index.ddl_if(dialect="sqlite")
        _add_hashed_index(table, names, hashed)


def _add_hashed_index(table: sa.Table, names: Sequence[str], hashed: Sequence[str], *, unique: bool = False) -> None:
    """Add an index for PostgreSQL. A unique one has two hashes of a text: one that equals another's can be made up."""
    seeds = (0, 1) if unique else (0,)
    parts = [
        part
        for name in names
        for part in ([hash_of(table.c[name], seed) for seed in seeds] if name in hashed else [table.c[name]])
    ]
    sa.Index(f"{table.name}_{'_'.join(names)}_hashed", *parts, unique=unique).ddl_if(dialect="postgresql")


SQL_TABLES = _build_tables()
METADATA = next(iter(SQL_TABLES.values())).metadata

_OPERATORS: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


_MAX_JOINS = 4
"""Subqueries of which the database may make joins; it tries all orders of joins, which takes long for many."""


def call_after_fork(method: Callable[[], None]) -> None:
    """Call the bound method `method` in every process forked from this one, while its object lives."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        living = reference()
        if living is not None:
            living()

    os.register_at_fork(after_in_child=call)


class SqlTransaction(Writer):
    """Reader and Writer over one connection. Subclasses add what differs between databases."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

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
    ) -> list[Any]:
        return self._rows(self._query(table, where, order, descending, after, limit, columns))

    def select_unlocked(
        self, table: str, where: Sequence[Condition], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Any]:
        return self._rows(self._lock_rows(self._query(table, where, order, limit=limit)))

    def _query(
        self,
        table: str,
        where: Sequence[Condition],
        order: Sequence[str],
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> sa.Select[Any]:
        source = SQL_TABLES[table]
        chosen = [source.c[name] for name in columns] if columns else [source]
        query = sa.select(*chosen).where(*self._where(table, where))
        keys = [source.c[name] for name in order]
        if after is not None:
            here, there = sa.tuple_(*keys), sa.tuple_(*after, types=[key.type for key in keys])
            query = query.where(here < there if descending else here > there)
        if keys:
            query = query.order_by(*(key.desc() if descending else key for key in keys))
        if limit is not None:
            query = query.limit(limit)
        return query

    def _rows(self, query: sa.Select[Any]) -> list[Row]:
        result = self._connection.execute(query)
        names = tuple(result.keys())
        return [dict(zip(names, row, strict=True)) for row in result]

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool) -> None:
        """Add rows. `fresh` makes no difference: the database checks the key in any case."""
        if rows:
            names = [column.name for column in TABLES[table].columns]
            complete = [{name: row.get(name) for name in names} for row in rows]
            self._connection.execute(sa.insert(SQL_TABLES[table]), complete)

    def _update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        statement = sa.update(SQL_TABLES[table]).where(*self._where(table, where)).values(values)
        return self._connection.execute(statement).rowcount

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        return self._connection.execute(sa.delete(SQL_TABLES[table]).where(*self._where(table, where))).rowcount

    def _where(self, name: str, where: Sequence[Condition]) -> list[sa.ColumnElement[bool]]:
        span = TABLES[name].span
        spans = any(isinstance(condition, Overlaps) for condition in where)
        owner = _owner(span[0], where) if span and spans else None
        clauses, joins = [], 0
        for condition in where:
            joins += isinstance(condition, Exists)
            clauses.append(self._clause(SQL_TABLES[name], name, condition, owner, may_join=joins <= _MAX_JOINS))
        return clauses

    def _clause(
        self, table: sa.FromClause, name: str, condition: Condition, owner: Any, *, may_join: bool = True
    ) -> sa.ColumnElement[bool]:
        """`condition` as a clause on `table`, which is the table called `name` or an alias of it.

        may_join: whether the database may make a join of a subquery.
        """
        match condition:
            case Compare(column, "==", value) if column in TABLES[name].hashed:
                return self._is_hashed_text(table.c[column], [value])
            case Compare(column, sign, value):
                return _OPERATORS[sign](table.c[column], value)
            case In(column, values) if column in TABLES[name].hashed:
                return self._is_hashed_text(table.c[column], values)
            case In(column, values):
                return self._is_in(table.c[column], values)
            case Overlaps(start, end):
                return _overlap(table, name, owner, start, end)
            case Exists(inner_name, column, outer, where, present):
                inner = SQL_TABLES[inner_name].alias()
                link = table.c[outer]
                clauses = [self._clause(inner, inner_name, c, link) for c in where]
                rows: sa.Select[Any] = sa.select(sa.literal_column("1")).where(inner.c[column] == link, *clauses)
                if not may_join or any(isinstance(c, Overlaps) for c in where):
                    rows = self._keep_correlated(rows)
                return sa.exists(rows) if present else ~sa.exists(rows)

    def _is_in(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.ColumnElement[bool]:
        return column.in_(values)

    def _is_hashed_text(self, column: sa.ColumnElement[Any], texts: Sequence[str]) -> sa.ColumnElement[bool]:
        """`column`, which is declared as hashed, is one of these texts."""
        return self._is_in(column, texts)

    def _lock_rows(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """`query`, extended to lock its rows until the end of the transaction and to skip rows that others hold."""
        return query

    def _keep_correlated(self, rows: sa.Select[Any]) -> sa.Select[Any]:
        """The subquery `rows`, extended so that the database runs it for each outer row instead of joining."""
        return rows


def _owner(name: str, where: Sequence[Condition]) -> Any:
    """The value that `where` requires of `name`, the owner column of a span."""
    for condition in where:
        if isinstance(condition, Compare) and condition.column == name and condition.operator == "==":
            return condition.value
    raise ValueError(f"Overlaps must be combined with equality on {name}")


def _overlap(table: sa.FromClause, name: str, owner: Any, start: int, end: int) -> sa.ColumnElement[bool]:
    """Rows from the first that ends after `start` (one index lookup) to the last that starts before `end`."""
    span = TABLES[name].span
    if span is None:
        raise ValueError(f"table {name} has no span")
    owner_column, start_column, end_column = span
    other = SQL_TABLES[name].alias()
    first = (
        sa.select(other.c[start_column])
        .where(other.c[owner_column] == owner, other.c[end_column] > start)
        .order_by(other.c[end_column])
        .limit(1)
    )
    if isinstance(owner, sa.Column):
        # The owner's table belongs to a query two levels up; SQLAlchemy would add it to this one.
        first = first.correlate(owner.table)
    return sa.and_(table.c[start_column] < end, table.c[start_column] >= first.scalar_subquery())
