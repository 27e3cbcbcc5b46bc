"""Rows in the order of an index that begins with a column of which several values are wanted.

A database reads all rows with one of the values and sorts them, and PostgreSQL does so too with a union of them that is
to be in descending order. Here the rows of each value, which are in order, are read by statements of their own, and
merged. Of each value, its share of the rows is read at first, and more only where there is more of it: the cost is that
of the rows which are returned, and of those which repeat them.
"""

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from typing import Any

from storage.tables.conditions import Compare, Condition, In, fixed_columns
from storage.tables.schema import TABLES
from storage.tables.transaction import Row, Selection

Find = Callable[..., list[Row]]
"""storage.tables.sql.transaction.SqlTransaction: select rows in one statement."""
Part = tuple[Condition, ...]
_SPARE = 2
_SHARES = 3
"""How many times its share of the rows is read of each value at first, and how many rows more."""


def merged_parts(table: str, where: Sequence[Condition], how: Selection) -> list[Part] | None:
    """The conditions for each value, if the selection is of the columns of its order; None for other selections."""
    order = tuple(how.get("order") or ())
    lists = [each for each in where if isinstance(each, In) and len(each.values) > 1]
    if len(lists) != 1 or not order or tuple(how.get("columns") or ()) != order or how.get("limit") is None:
        return None
    others = [each for each in where if each is not lists[0]]
    fixed = {*fixed_columns(others), lists[0].column}
    if not all(isinstance(each, Compare) for each in others) or not any(
        set(index[: len(fixed)]) == fixed and index[len(fixed) :] == order for index in TABLES[table].indexes
    ):
        return None
    return [(*others, Compare(lists[0].column, "==", value)) for value in dict.fromkeys(lists[0].values)]


def merged_rows(find: Find, table: str, parts: Sequence[Part], how: Selection) -> list[dict[str, Any]]:
    """The first rows of these parts, in order, each once."""
    order, limit = tuple(how["order"]), how["limit"] or 0
    share = min(limit, _SPARE + _SHARES * limit // len(parts))
    read = [_places(find, table, part, how, share) for part in parts]
    in_order = groupby(merge(*read, reverse=how.get("descending", False)))
    return [dict(zip(order, place, strict=True)) for place, _ in islice(in_order, limit)]


def _places(find: Find, table: str, part: Part, how: Selection, share: int) -> Iterator[tuple[Any, ...]]:
    """The values of the columns of the order in the rows of a part, read as far as they are needed.

    share: how many rows to read at first.
    """
    while True:
        rows = find(table, part, **{**how, "limit": share})
        places = [tuple(row[name] for name in how["order"]) for row in rows]
        yield from places
        if len(rows) < share:
            return
        how = {**how, "after": places[-1]}
        share = min(how["limit"] or 0, 2 * share)
