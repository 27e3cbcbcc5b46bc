"""The first rows, in the order of a listing, among those that have one of several values, such as classes.

An index has the rows of each value in that order. Only as much of each is read as the page may need.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice
from typing import Any

from storage.tables.conditions import Condition
from storage.tables.sql.clauses import Clause

Place = tuple[Any, ...]
"""The values of the columns of an order in one row."""

MOST_MERGED = 64
"""Values whose rows one statement merges."""
_STEP = 8
"""Statements of more parts have multiples of so many."""
_SPARE = 2
_SHARES = 3
"""How many times its share of a page of equally frequent values is read of each at first, and how many rows more."""


@dataclass(frozen=True, slots=True)
class Values:
    """Rows that meet `where` and have one of `values` in `column`."""

    where: Sequence[Clause | Condition]
    column: str
    values: Sequence[Any]


def merge_unions(
    read: Callable[[Sequence[Any]], Sequence[Place]], values: Sequence[Any], limit: int, *, descending: bool
) -> list[Place]:
    """Merge where the database reads the parts of a union in step.

    read: the first `limit` places of rows with one of some values, in order, each once. values: of any number.
    """
    found = [read(padded(values[start : start + MOST_MERGED])) for start in range(0, len(values), MOST_MERGED)]
    if len(found) == 1:
        return list(found[0])
    return list(islice((place for place, _ in groupby(merge(*found, reverse=descending))), limit))


def padded(values: Sequence[Any]) -> list[Any]:
    """The values, the last one repeated, in one of few numbers, so that few statements serve all."""
    size = 1 << (len(values) - 1).bit_length() if len(values) < _STEP else -(-len(values) // _STEP) * _STEP
    return [*values, *[values[-1]] * (size - len(values))]


def merge_shares(
    read: Callable[[Sequence[Any] | None, int], Sequence[Place]],
    count: int,
    limit: int,
    *,
    after: Sequence[Any] | None,
) -> list[Place]:
    """Merge by reading a share of the page for each of `count` values, and more where there is more of one.

    read: the first `limit` places, in order, out of the first rows of each value after a place, up to a number; each
    place with its number among those of its value.
    """
    found: dict[Place, None] = {}
    share = 0
    while True:
        share = min(limit, max(2 * share, _SPARE + _SHARES * (limit - len(found)) // count))
        rows = read(after, share)
        is_last = len(rows) < limit
        for row in rows:
            found[row[:-1]] = None
            after = row[:-1]
            if row[-1] == share:
                # Beyond the last row that was read of a value, there may be more of it.
                is_last = False
                break
        if is_last or len(found) >= limit:
            return list(found)[:limit]
