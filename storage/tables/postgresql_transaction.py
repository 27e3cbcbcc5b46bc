"""Conditions as PostgreSQL answers them best, and transactions, with locks by name."""

import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql.psycopg import dialect as psycopg_dialect

from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Clauses, NewParameter
from storage.tables.sql.statements import Statements
from storage.tables.sql.tables import SQL_TABLES, dump_json, hash_of
from storage.tables.sql.transaction import SqlTransaction
from storage.tables.transaction import ByteBudget

LOCKS = 0x54414D53
"""First key of this application's advisory locks ("TAMS" in ASCII)."""
_SLOTS = 1024
"""Names are hashed to this many locks."""
_ALL_SLOTS = -1
"""A slot that every writer locks first: shared, or exclusively instead of more than _MAX_SLOTS slots."""
_MAX_SLOTS = 128
_LOCK_ALL = f"SELECT pg_advisory_xact_lock({LOCKS}, {_ALL_SLOTS})"
_LOCK_SLOTS = (
    f"SELECT CASE slot WHEN {_ALL_SLOTS} THEN pg_advisory_xact_lock_shared({LOCKS}, slot)"  # noqa: S608 - numbers
    f" ELSE pg_advisory_xact_lock({LOCKS}, slot) END FROM unnest(ARRAY[%s]) AS slot"
)

_DIALECT: sa.Dialect = psycopg_dialect(paramstyle="format", json_serializer=dump_json)  # type: ignore[no-untyped-call]


class _Clauses(Clauses):
    compares_hashes = True

    def list_value(self, items: Sequence[Any]) -> Any:
        return list(items)

    def list_type(self, type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
        return ARRAY(_plain(type_))

    def is_in(self, column: sa.ColumnElement[Any], items: Any) -> sa.ColumnElement[bool]:
        return column == sa.any_(items)

    def is_hashed_text(self, column: sa.ColumnElement[Any], texts: Sequence[Any]) -> sa.ColumnElement[bool]:
        """Compare hashes, which are indexed, and then texts. Each text is a parameter, so that the planner knows it."""
        return sa.and_(hash_of(column).in_([hash_of(text) for text in texts]), column.in_(texts))

    def keep_correlated(self, rows: sa.Select[Any]) -> sa.Select[Any]:
        """OFFSET 0 keeps the planner from making it a join, which would read the spans of all owners."""
        return rows.offset(sa.literal_column("0"))


class PostgresTransaction(SqlTransaction):
    """Runs its statements on a cursor of a connection in autocommit mode.

    begin: the statement that begins a transaction, which is run before the first other; none for no transaction.
    """

    statements = Statements(_DIALECT, _Clauses())

    def __init__(self, cursor: Any, begin: str = "") -> None:
        super().__init__(cursor)
        self._begin = begin

    def lock(self, *names: str) -> None:
        """Lock the slots of `names`, in one statement and in order, so that transactions cannot deadlock."""
        slots = sorted({zlib.crc32(name.encode()) % _SLOTS for name in names})
        if len(slots) > _MAX_SLOTS:
            self._execute_plain(_LOCK_ALL)
        elif slots:
            self._execute_plain(_LOCK_SLOTS % ", ".join(map(str, [_ALL_SLOTS, *slots])))

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool) -> None:
        """Add rows; many at once as one array for each column, which is much faster than a statement for each."""
        if len(rows) < 2:
            super()._insert(table, rows, fresh=fresh)
            return
        names = [column.name for column in TABLES[table].columns]
        statement = self.statements.compiled(("insert many", table), partial(_bulk_insert, table))
        self._execute(statement.sql, statement.parameters(_arrays(table, names, rows)))

    def _update_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Set columns, those of many rows with one array for each column."""
        if len(rows) < 2:
            return super()._update_rows(table, rows)
        names = tuple(rows[0])
        statement = self.statements.compiled(("update many", table, names), partial(_bulk_update, table, names))
        changed: int = self._execute(statement.sql, statement.parameters(_arrays(table, names, rows))).rowcount
        return changed

    def _fetch_within(self, cursor: Any, places: Sequence[int], budget: ByteBudget) -> list[Sequence[Any]]:
        """Fetch rows until the budget is spent; psycopg parses the documents of no others."""
        found = cursor.pgresult
        sizes = (sum(len(found.get_value(row, place) or b"") for place in places) for row in range(found.ntuples))
        rows: list[Sequence[Any]] = cursor.fetchmany(budget.take(sizes))
        return rows

    def _execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        if self._begin:
            self._execute_plain()
        return self.connection.execute(sql, parameters)

    def _execute_plain(self, sql: str = "") -> None:
        """Run a statement without parameters, in one round trip with the one that begins the transaction."""
        begin, self._begin = self._begin, ""
        self.connection.execute("; ".join(filter(None, (begin, sql))), prepare=False)

    def _lock_rows(self, query: sa.Select[Any]) -> sa.Select[Any]:
        return query.with_for_update(skip_locked=True)


def _plain(type_: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    """The type without its collation, which array elements cannot have."""
    return sa.Text() if isinstance(type_, sa.Text | sa.JSON) else type_


def _arrays(table: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The values of these columns, as one array for each column."""
    documents = {column.name for column in TABLES[table].columns if column.type == "json"}
    arrays = [[row.get(name) for row in rows] for name in names]
    return [
        [None if value is None else dump_json(value) for value in array] if name in documents else array
        for name, array in zip(names, arrays, strict=True)
    ]


def _passed_rows(table: str, names: Sequence[str], new: NewParameter) -> dict[str, sa.ColumnElement[Any]]:
    """The columns of rows that are passed as one array parameter for each column."""
    columns = [SQL_TABLES[table].c[name] for name in names]
    arrays = [new(ARRAY(_plain(column.type))) for column in columns]
    rows = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    return {
        column.name: sa.cast(rows.c[column.name], sa.JSON) if isinstance(column.type, sa.JSON) else rows.c[column.name]
        for column in columns
    }


def _bulk_insert(table: str, new: NewParameter) -> sa.Insert:
    passed = _passed_rows(table, [column.name for column in TABLES[table].columns], new)
    return sa.insert(SQL_TABLES[table]).from_select(list(passed), sa.select(*passed.values()))


def _bulk_update(table: str, names: Sequence[str], new: NewParameter) -> sa.Update:
    passed = _passed_rows(table, names, new)
    key = {name: passed.pop(name) for name in TABLES[table].key}
    target = SQL_TABLES[table]
    return sa.update(target).values(passed).where(*(target.c[name] == value for name, value in key.items()))
