"""The statement that counts spans in cells (storage.tables.span_cells), in an index that has all of their columns."""

from typing import Any

import sqlalchemy as sa

from storage.tables.schema import TABLES
from storage.tables.sql.clauses import NewParameter
from storage.tables.sql.tables import SQL_TABLES

_NS = sa.BigInteger()


def select_span_cells(name: str, new: NewParameter) -> sa.Select[Any]:
    """The statement for a table with spans. Its values: owner, start, start, owner, end, limit and level.

    Spans that start in [start, end) are read in order of their ends, `limit` of them at most. The last one that starts
    before `end` bounds the ends: without that, the rest of the timeline would be read too.
    """
    table, span = SQL_TABLES[name], TABLES[name].span
    assert span is not None
    owner, start, end = span
    ordered = table.c[owner] == new(table.c[owner].type), table.c[end] > new(_NS), table.c[start] >= new(_NS)
    other = table.alias("other")
    last = (
        sa.select(other.c[end])
        .where(other.c[owner] == new(table.c[owner].type), other.c[start] < new(_NS))
        .order_by(other.c[start].desc())
        .limit(sa.literal_column("1"))
        .scalar_subquery()
    )
    spans = sa.select(table.c[start], table.c[end]).where(*ordered, table.c[end] <= last)
    spans = spans.with_hint(table, f"INDEXED BY {name}_{owner}_{end}_{start}", "sqlite")
    found = spans.order_by(table.c[owner], table.c[end]).limit(new(_NS)).subquery("spans")
    first, beyond = found.c[start], found.c[end]
    number = first.op(">>")(new(sa.Integer()))
    total = sa.cast(sa.func.sum(beyond - first), _NS)
    chosen = sa.select(
        number.label("number"),
        sa.func.count().label("spans"),
        total.label("total"),
        sa.func.min(first).label("start"),
        sa.func.max(beyond).label("end"),
    )
    cells = chosen.group_by(sa.literal_column("1")).subquery("cells")
    return sa.select(cells).order_by(cells.c.number)
