"""A transaction over a connection of the database's driver."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Unpack

import sqlalchemy as sa

from storage.tables.conditions import Condition
from storage.tables.schema import TABLES
from storage.tables.span_cells import SpanCell
from storage.tables.sql.clauses import Clause
from storage.tables.sql.compiled import Statement
from storage.tables.sql.filtered_listing import FilteredListing, is_filtered_listing
from storage.tables.sql.merge_statements import Merge, share_places, union_places, union_rows
from storage.tables.sql.merged_listing import merged_parts, merged_rows
from storage.tables.sql.merging import MOST_MERGED, Place, merge_shares, merge_unions, padded
from storage.tables.sql.span_cells import select_span_cells
from storage.tables.sql.statements import Statements
from storage.tables.transaction import ByteBudget, Selection, Writer, divided

_FETCHED = 64
"""Rows that are fetched before their documents are counted."""


class SqlTransaction(Writer):
    """Reader and Writer over one connection. Subclasses add what differs between databases.

    connection: of the driver, or a cursor of it; `execute` runs a statement and returns a cursor.
    statements: those of the kind of database.
    """

    max_counted = 200_000
    statements: ClassVar[Statements]

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def statement_of(
        self, table: str, where: Sequence[Condition] = (), **how: Unpack[Selection]
    ) -> tuple[str, list[Any]]:
        """The statement that `select` runs and its parameters, for EXPLAIN."""
        how.pop("budget", None)
        statement, parameters = self.statements.select(table, where, **how)  # type: ignore[misc]
        return statement.sql, parameters

    def select(self, table: str, where: Sequence[Condition] = (), **how: Unpack[Selection]) -> list[Any]:
        if is_filtered_listing(table, where, how):
            return FilteredListing(self._find, self._merge_places, self._merge_rows, table, where, how).rows()
        parts = merged_parts(table, where, how)
        if parts is not None:
            return merged_rows(self._find, table, parts, how)
        return self._find(table, where, **how)

    def _find(self, table: str, where: Sequence[Clause], *, budget: ByteBudget | None = None, **how: Any) -> list[Any]:
        """Select rows in one statement."""
        return self._rows(*self.statements.select(table, where, **how), budget)

    def _rows(self, statement: Statement, parameters: Sequence[Any], budget: ByteBudget | None) -> list[Any]:
        cursor = self._execute(statement.sql, parameters)
        if budget is None:
            return statement.rows(cursor.fetchall())
        budget.start()
        return statement.rows(self._fetch_within(cursor, statement.long, budget))

    def _fetch_within(self, cursor: Any, places: Sequence[int], budget: ByteBudget) -> list[Sequence[Any]]:
        """Fetch rows until the budget is spent. places: of the columns that count."""
        rows: list[Sequence[Any]] = []
        while not budget.is_spent:
            found = cursor.fetchmany(_FETCHED)
            if budget.take_all(sum(sum(map(len, filter(None, map(itemgetter(place), found)))) for place in places)):
                rows += found
            else:
                rows += found[: budget.take(sum(len(row[place] or "") for place in places) for row in found)]
            if len(found) < _FETCHED:
                break
        return rows

    def _merge_places(self, merge: Merge) -> list[Place]:
        """The first places of an order in rows that have one of some values, each once."""

        def read(values: Sequence[Any]) -> list[Place]:
            return self._places(*union_places(self.statements, merge, values))

        def read_shares(after: Sequence[Any] | None, share: int) -> list[Place]:
            return self._places(*share_places(self.statements, replace(merge, after=after), share))

        values = merge.among.values
        if self.statements.clauses.merges_unions:
            return merge_unions(read, values, merge.limit, descending=merge.descending)
        return merge_shares(read_shares, len(values), merge.limit, after=merge.after)

    def _merge_rows(
        self, merge: Merge, table: str, columns: Sequence[str] | None, budget: ByteBudget | None
    ) -> list[Any] | None:
        """The rows of another table whose keys end these places; None if that takes more than one statement.

        The columns of a row that does not exist are null.
        """
        values = merge.among.values
        if not self.statements.clauses.merges_unions or len(values) > MOST_MERGED:
            return None
        return self._rows(*union_rows(self.statements, merge, padded(values), table, columns), budget)

    def _places(self, statement: Statement, parameters: Sequence[Any]) -> list[Place]:
        found: list[Place] = self._execute(statement.sql, parameters).fetchall()
        return found

    def span_cells(self, table: str, owner: str, start: int, end: int, level: int, limit: int) -> list[SpanCell]:
        statement = self.statements.compiled(("span cells", table), partial(select_span_cells, table))
        values = statement.parameters([owner, start, start, owner, end, limit, level])
        return [SpanCell(*row) for row in self._execute(statement.sql, values).fetchall()]

    def select_unlocked(
        self, table: str, where: Sequence[Condition], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Any]:
        statement, parameters = self.statements.select(table, where, order, limit=limit, lock=self._lock_rows)
        return statement.rows(self._execute(statement.sql, parameters).fetchall())

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool) -> None:
        """Add rows. `fresh` makes no difference: the database checks the key in any case."""
        if rows:
            names = [column.name for column in TABLES[table].columns]
            statement = self.statements.insert(table)
            self._execute_many(statement, [[row.get(name) for name in names] for row in rows])

    def _update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        statement, parameters = self.statements.update(table, where, values)
        changed: int = self._execute(statement.sql, parameters).rowcount
        return changed

    def _update_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        key = TABLES[table].key
        where, values = divided(rows[0], key)
        statement, _ = self.statements.update(table, where, values)
        names = (*values, *key)
        return self._execute_many(statement, [[row[name] for name in names] for row in rows])

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        statement, parameters = self.statements.delete(table, where)
        deleted: int = self._execute(statement.sql, parameters).rowcount
        return deleted

    def _execute_many(self, statement: Statement, rows: Sequence[list[Any]]) -> int:
        """Run a statement for each of these lists of values. Returns the number of rows that it has changed."""
        return sum(self._execute(statement.sql, statement.parameters(values)).rowcount for values in rows)

    def _execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        """Run a statement, and return the driver's cursor."""
        return self.connection.execute(sql, parameters)

    @abstractmethod
    def _lock_rows(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """`query`, extended to lock its rows until the end of the transaction and to skip rows that others hold."""
