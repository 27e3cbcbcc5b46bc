"""Statements for the first rows, in an order, among those that have one of several values (storage.tables.sql.merging).

Where a database reads the parts of a union in step, the union has a part for each value. Elsewhere the first few rows
of each value are read, and sorted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from storage.tables.conditions import Compare
from storage.tables.schema import TABLES
from storage.tables.sql.clauses import Clause, NewParameter, Shape
from storage.tables.sql.compiled import Statement
from storage.tables.sql.merging import Values
from storage.tables.sql.statements import Statements, new_place
from storage.tables.sql.tables import SQL_TABLES


@dataclass(frozen=True, slots=True)
class Merge:
    """The first `limit` places of an order, after one of them, in rows of a table that have one of some values."""

    table: str
    among: Values
    order: Sequence[str]
    descending: bool
    after: Sequence[Any] | None
    limit: int

    def shape(self, statements: Statements, values: list[Any]) -> Shape:
        """What its statements depend on but the values, those of its conditions being appended to `values`."""
        shape = statements.clauses.shape(self.table, self.among.where, values)
        return self.table, shape, self.among.column, tuple(self.order), self.descending, self.after is not None


def union_places(statements: Statements, merge: Merge, among: Sequence[Any]) -> tuple[Statement, list[Any]]:
    """The statement that selects the places by a union, and its parameters. among: some values of the merge.

    The database merges the rows of each value, which it reads by an index in the order, no further than necessary.
    """
    values: list[Any] = []
    shape = ("union", len(among), merge.shape(statements, values))
    values += [*among, *(merge.after or ()), merge.limit]
    statement = statements.compiled(shape, lambda new: _union(statements, merge, len(among), new), len(values))
    return statement, statement.parameters(values)


def union_rows(
    statements: Statements, merge: Merge, among: Sequence[Any], listed: str, columns: Sequence[str] | None
) -> tuple[Statement, list[Any]]:
    """The statement that selects the rows of `listed` whose keys end the places, and its parameters.

    The columns of a row that does not exist are null. SQLite reads a left join in the order of its left side; told to
    sort the rows, it would move their documents.
    """
    values: list[Any] = []
    shape = ("union rows", listed, columns and tuple(columns), len(among), merge.shape(statements, values))
    values += [*among, *(merge.after or ()), merge.limit]

    def make(new: NewParameter) -> sa.Select[Any]:
        places = _union(statements, merge, len(among), new).subquery("places")
        rows = SQL_TABLES[listed]
        (key,) = TABLES[listed].key
        link = Compare(key, "==", places.c[merge.order[-1]])
        joined = places.outerjoin(rows, sa.and_(*statements.clauses.where(listed, [link])))
        query = sa.select(*(rows.c[name] for name in columns or rows.c.keys())).select_from(joined)
        return statements.with_index(query, listed, [link])

    statement = statements.compiled(shape, make, len(values))
    return statement, statement.parameters(values)


def share_places(statements: Statements, merge: Merge, share: int) -> tuple[Statement, list[Any]]:
    """The statement that selects the places out of the first rows of each value, up to `share`, and its parameters.

    After each place comes its number among those of its value.
    """
    values: list[Any] = []
    shape = ("shares", merge.shape(statements, values))
    values += [statements.clauses.list_value(merge.among.values), *(merge.after or ()), share, merge.limit]

    def make(new: NewParameter) -> sa.Select[Any]:
        bound = statements.clauses.bind(merge.table, merge.among.where, new)
        source = SQL_TABLES[merge.table].c
        listed = sa.func.unnest(new(statements.clauses.list_type(source[merge.among.column].type)))
        items = listed.table_valued("item").render_derived("items")
        place = None if merge.after is None else new_place(merge.table, merge.order, new)
        first = _part(statements, merge, [*bound, Compare(merge.among.column, "==", items.c.item)], place)
        keys = [source[name] for name in merge.order]
        within = sa.func.row_number().over(order_by=[key.desc() if merge.descending else key for key in keys])
        part = first.add_columns(within.label("number")).limit(new(sa.BigInteger())).lateral("part")
        merged = [part.c[name].desc() if merge.descending else part.c[name] for name in merge.order]
        whole = sa.select(*part.c).select_from(items.join(part, sa.true()))
        return whole.order_by(*merged).limit(new(sa.BigInteger()))

    statement = statements.compiled(shape, make, len(values))
    return statement, statement.parameters(values)


def _union(statements: Statements, merge: Merge, count: int, new: NewParameter) -> sa.CompoundSelect[Any]:
    """The union of the places of `count` values."""
    bound = statements.clauses.bind(merge.table, merge.among.where, new)
    type_ = SQL_TABLES[merge.table].c[merge.among.column].type
    items = [new(type_) for _ in range(count)]
    place = None if merge.after is None else new_place(merge.table, merge.order, new)
    parts = [_part(statements, merge, [*bound, Compare(merge.among.column, "==", item)], place) for item in items]
    whole = sa.union(*(part.order_by(None) for part in parts))
    keys = [whole.selected_columns[name] for name in merge.order]
    return whole.order_by(*(key.desc() if merge.descending else key for key in keys)).limit(new(sa.BigInteger()))


def _part(statements: Statements, merge: Merge, bound: Sequence[Clause], place: Sequence[Any] | None) -> sa.Select[Any]:
    """The places in the rows that meet conditions, by the index that has them in this order."""
    part = statements.query(merge.table, bound, merge.order, merge.descending, place, None)
    part = part.with_only_columns(*(SQL_TABLES[merge.table].c[name] for name in merge.order))
    return statements.with_index(part, merge.table, bound, merge.order)
