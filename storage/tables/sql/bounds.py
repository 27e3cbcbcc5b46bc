"""One lower and one upper bound for each column, however many conditions bound it.

SQLite uses one bound of a column to find rows, not always the tightest, and walks from there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from storage.tables.conditions import Compare, Condition, Overlaps, fixed_columns
from storage.tables.schema import TABLES

T = TypeVar("T")

_LOWER: dict[str, bool] = {">": True, ">=": False}
"""Whether the bound itself is excluded."""
_UPPER: dict[str, bool] = {"<": True, "<=": False}


@dataclass(frozen=True, slots=True)
class OverlapsFrom(Overlaps):
    """Overlaps, of which only spans that begin at `floor` or later are wanted."""

    floor: int


@dataclass(frozen=True, slots=True)
class Place:
    """An order, and the values of its columns after which rows are wanted, and up to which; None for no limit."""

    order: Sequence[str]
    after: Sequence[Any] | None = None
    until: Sequence[Any] | None = None


def without_fixed_columns(where: Sequence[Any], place: Place) -> Place:
    """Return an order and limits with the same meaning for `where`, without the columns of which it names one value.

    SQLite sorts all rows of that value otherwise, whichever index it uses.
    """
    if len(place.order) < 2:
        return place
    fixed = fixed_columns(where)
    if fixed.keys().isdisjoint(place.order[:-1]):
        return place
    kept = [number for number, column in enumerate(place.order) if column not in fixed] or [len(place.order) - 1]
    for limit in (place.after, place.until):
        if limit is not None and any(
            fixed[column] != value
            for number, (column, value) in enumerate(zip(place.order, limit, strict=True))
            if number not in kept
        ):
            return place

    def chosen(values: Sequence[Any] | None) -> list[Any] | None:
        return None if values is None else [values[number] for number in kept]

    return Place([place.order[number] for number in kept], chosen(place.after), chosen(place.until))


def with_one_bound(
    table: str, where: Sequence[T], order: Sequence[str], descending: bool, after: Sequence[Any] | None
) -> tuple[Sequence[T | Condition], Sequence[Any] | None]:
    """Return conditions and a page key that select the same rows as `where` and `after`.

    At most one condition of them bounds a column from below, and one from above. A page key of one column becomes a
    condition.
    """
    if after is not None and len(order) == 1:
        return with_one_bound(table, [*where, Compare(order[0], "<" if descending else ">", after[0])], (), False, None)
    lower: dict[str, Compare] = {}
    upper: dict[str, Compare] = {}
    overlaps: list[Overlaps] = []
    rest: list[T | Condition] = []
    for condition in where:
        if isinstance(condition, Overlaps):
            overlaps.append(condition)
        elif isinstance(condition, Compare) and condition.operator in _LOWER:
            lower[condition.column] = _higher(lower.get(condition.column), condition)
        elif isinstance(condition, Compare) and condition.operator in _UPPER:
            upper[condition.column] = _lower(upper.get(condition.column), condition)
        else:
            rest.append(condition)
    if len(rest) == len(where):
        return where, after
    span = TABLES[table].span
    if span and len(overlaps) == 1:
        overlaps = _merge_overlap(span[1], overlaps[0], lower, upper)
    return [*rest, *overlaps, *lower.values(), *upper.values()], after


def _merge_overlap(
    column: str, overlap: Overlaps, lower: dict[str, Compare], upper: dict[str, Compare]
) -> list[Overlaps]:
    """Merge the bounds of `column`, where spans begin, with those of an overlap. Return what remains of the overlap."""
    least = lower.get(column)
    if least is not None and least.value >= overlap.start:
        # Every span that begins within the bounds ends after the start of the overlap.
        upper[column] = _lower(upper.get(column), Compare(column, "<", overlap.end))
        return []
    greatest = upper.pop(column, None)
    end = overlap.end if greatest is None else min(overlap.end, greatest.value + (not _UPPER[greatest.operator]))
    if least is None:
        return [Overlaps(overlap.start, end)]
    del lower[column]
    return [OverlapsFrom(overlap.start, end, least.value + _LOWER[least.operator])]


def _higher(one: Compare | None, other: Compare) -> Compare:
    """The tighter of two lower bounds."""
    if one is None:
        return other
    return max(one, other, key=lambda each: (each.value, _LOWER[each.operator]))


def _lower(one: Compare | None, other: Compare) -> Compare:
    """The tighter of two upper bounds."""
    if one is None:
        return other
    return min(one, other, key=lambda each: (each.value, not _UPPER[each.operator]))
