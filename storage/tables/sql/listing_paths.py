"""The indexes that lead to the rows of a filtered listing: for each filter, which one, and what it leaves to check."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from storage.tables import outline
from storage.tables.conditions import Compare, Condition, Exists, In, Overlaps
from storage.tables.schema import TABLES
from storage.tables.sql.merging import Values


@dataclass(frozen=True, slots=True)
class Path:
    """An index that leads to the rows that pass a filter, and perhaps to a few others.

    table, column: where the keys of the listed rows are. parts: conditions on that table, of which each meets one.
    order: the columns of that table that sort like the listing; None if the index does not.
    fulfils: the conditions of the listing that need not be checked any more.
    merged: values of which each row has one, where an index of that table sorts those with one value like the listing,
    by its `repeats`; None if there is no such index.
    """

    table: str
    column: str
    parts: tuple[tuple[Condition, ...], ...]
    order: tuple[str, ...] | None = None
    fulfils: tuple[Condition, ...] = ()
    merged: Values | None = None


def find_paths(name: str, where: Sequence[Condition], order: tuple[str, ...]) -> Iterator[Path]:
    """The indexes that lead to the rows that pass one of the filters."""
    table = TABLES[name]
    assert table.listing is not None
    equal = {each.column: each for each in where if isinstance(each, Compare) and each.operator == "=="}
    for names in table.listing.filters:
        if equal.keys() >= set(names):
            compared = tuple(equal[name] for name in names)
            in_order = order == table.listing.order or order[: len(names)] == names
            yield Path(table.name, table.key[0], (compared,), order if in_order else None, compared)
    for condition in where:
        if isinstance(condition, Exists) and condition.outer == table.key[0]:
            if condition.table == table.listing.outlined:
                yield from _path_by_outline(name, table.key[0], condition)
            elif condition.present:
                yield _path_through(condition, order)


def _path_through(condition: Exists, order: tuple[str, ...]) -> Path:
    """The index of another table, some of whose rows belong to the listed ones."""
    inner = tuple(
        Compare(each.column, "==", each.values[0]) if isinstance(each, In) and len(each.values) == 1 else each
        for each in condition.where
    )
    repeats = TABLES[condition.table].repeats
    merged = None
    lists = [each for each in inner if isinstance(each, In) and each.column not in TABLES[condition.table].hashed]
    if len(lists) == 1 and lists[0].values and repeats.keys() >= set(order):
        others = [each for each in inner if each is not lists[0]]
        if all(isinstance(each, Compare) and each.operator == "==" for each in others):
            merged = Values(others, lists[0].column, lists[0].values)
    one_value = all(isinstance(each, Compare) and each.operator == "==" for each in inner)
    in_order = tuple(repeats[name] for name in order) if one_value and repeats.keys() >= set(order) else None
    return Path(condition.table, condition.column, (inner,), in_order, (condition,), merged)


def _path_by_outline(name: str, key: str, condition: Exists) -> Iterator[Path]:
    """The index of outlines, for a filter by content, which has to be checked all the same."""
    match condition.where, condition.present:
        case (Overlaps(start, end),), True if start < end:
            yield Path(name, key, outline.overlapping(start, end))
        case (), False:
            yield Path(name, key, (outline.without_content(),))


def unfulfilled(where: Sequence[Condition], *paths: Path) -> list[Condition]:
    """The conditions that none of these paths fulfils."""
    return [each for each in where if not any(each is done for path in paths for done in path.fulfils)]


def linked(table: str, key: str, column: str, where: Sequence[Condition]) -> list[Condition]:
    """Conditions on `table` as conditions on another, whose `column` holds keys of it."""
    found: list[Condition] = [replace(each, outer=column) for each in where if isinstance(each, Exists)]
    compared = tuple(each for each in where if not isinstance(each, Exists))
    return [Exists(table, key, column, compared), *found] if compared else found
