"""A query of one table, and what its order says about values and rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.tables.conditions import Compare, Operator
from storage.tables.transaction import Row
from storage.tables.vast.layout import TableLayout
from storage.tables.vast.predicates import RowCondition
from storage.tables.vast.time_windows import Timeline


@dataclass(frozen=True)
class RowQuery:
    """A query of one table, as Reader.select takes it. `after` may have fewer values than `order` has columns."""

    layout: TableLayout
    where: tuple[RowCondition, ...]
    order: tuple[str, ...]
    descending: bool
    after: tuple[Any, ...] | None
    limit: int | None
    columns: tuple[str, ...]

    def narrowed(self, *conditions: RowCondition, **changes: Any) -> "RowQuery":
        """The same query with further conditions, and with other values in the fields of `changes`."""
        return replace(self, where=(*self.where, *conditions), **changes)

    @property
    def timeline(self) -> Timeline | None:
        """The same query as one of a timeline, or None where it is not."""
        return Timeline.from_query(self.layout, self.where, self.order, self.after, descending=self.descending)

    @property
    def operator_beyond(self) -> Operator:
        """Holds for values that come after another in the order."""
        return "<" if self.descending else ">"

    @property
    def operator_before(self) -> Operator:
        return ">" if self.descending else "<"

    def up_to(self, value: Any) -> Compare:
        """The condition that the first column of the order has this value or comes before it."""
        return Compare(self.order[0], ">=" if self.descending else "<=", value)

    def sorted(self, rows: Sequence[Row]) -> list[Row]:
        """`rows` in order, nulls lowest, without those up to `after`."""

        def place(row: Row) -> tuple[Any, ...]:
            return tuple((row[name] is not None, row[name]) for name in self.order)

        if self.after is not None:
            edge = tuple((value is not None, value) for value in self.after)
            if self.descending:
                rows = [row for row in rows if place(row)[: len(edge)] < edge]
            else:
                rows = [row for row in rows if place(row)[: len(edge)] > edge]
        return sorted(rows, key=place, reverse=self.descending)
