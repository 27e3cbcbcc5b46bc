"""Time windows in which to look for the first spans of a timeline, since a cluster cannot return rows in order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.tables.conditions import Compare
from storage.tables.transaction import Row
from storage.tables.vast.density import Density
from storage.tables.vast.layout import TableLayout
from storage.tables.vast.predicates import RowCondition, simplify, span_columns


@dataclass(frozen=True)
class Window:
    """The part of a timeline query that one request covers.

    conditions: on the rows of the window. rest: the query for what lies beyond it, None where nothing does.
    check_until: a span that began before the window may still match, if it is longer than all known ones; that is ruled
        out if a span of the window begins at or before this moment (ns), as spans never overlap. None: no check needed.
    earlier: the conditions to find such a span.
    """

    conditions: tuple[Compare, ...]
    rest: "Timeline | None"
    check_until: int | None = None
    earlier: tuple[Compare, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """A query for the spans of one owner. These never overlap, so that their starts and ends have the same order.

    lower, upper: starts lie in [lower, upper). ends_after: ends lie after this moment. All in ns, None where unbounded.
    """

    owner_column: str
    start: str
    end: str
    owner: str
    descending: bool
    lower: int | None = None
    upper: int | None = None
    ends_after: int | None = None

    @classmethod
    def from_query(
        cls,
        layout: TableLayout,
        where: Sequence[RowCondition],
        order: Sequence[str],
        after: Sequence[Any] | None,
        *,
        descending: bool,
    ) -> "Timeline | None":
        """The same query as a timeline, or None where it is about more than one owner's time."""
        if layout.table.span is None:
            return None
        owner_column, start, end = span_columns(layout)
        if tuple(order) != (start,) and (tuple(order) != (end,) or after is not None):
            return None
        owner, lowers, uppers, ends = None, [], [], []
        for condition in simplify(layout, where) or ():
            match condition:
                case Compare(column, "==", value) if column == owner_column and owner is None:
                    owner = value
                case Compare(column, ">=" | ">" as sign, value) if column == start:
                    lowers.append(value + (sign == ">"))
                case Compare(column, "<=" | "<" as sign, value) if column == start:
                    uppers.append(value + (sign == "<="))
                case Compare(column, ">=" | ">" as sign, value) if column == end:
                    ends.append(value - (sign == ">="))
                case _:
                    return None
        if owner is None:
            return None
        if after is not None:
            (uppers if descending else lowers).append(after[0] + (not descending))
        return cls(
            *(owner_column, start, end, owner, descending),
            lower=max(lowers, default=None),
            upper=min(uppers, default=None),
            ends_after=max(ends, default=None),
        )

    @property
    def is_empty(self) -> bool:
        return self.lower is not None and self.upper is not None and self.lower >= self.upper

    def sorted(self, rows: Sequence[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row[self.start], reverse=self.descending)

    def _start_conditions(self, lower: int | None, upper: int | None) -> tuple[Compare, ...]:
        """Starts within these bounds and the query's own."""
        lowers = [value for value in (lower, self.lower) if value is not None]
        uppers = [value for value in (upper, self.upper) if value is not None]
        conditions = [Compare(self.start, ">=", max(lowers))] if lowers else []
        return (*conditions, *([Compare(self.start, "<", min(uppers))] if uppers else []))

    def conditions(self) -> tuple[Compare, ...]:
        """The conditions that exactly the rows of this query meet."""
        ends = () if self.ends_after is None else (Compare(self.end, ">", self.ends_after),)
        return (Compare(self.owner_column, "==", self.owner), *self._start_conditions(None, None), *ends)

    def window(self, density: Density, limit: int) -> Window | None:
        """The window that should hold the first `limit` spans, or None where the query has no bound to begin at."""
        owner = (Compare(self.owner_column, "==", self.owner),)
        length = density.window_length(limit)
        # A span that ends after `ends_after` probably does not begin before this.
        floor = None if self.ends_after is None else self.ends_after - 2 * density.longest
        if self.descending:
            if self.upper is None:
                return None
            low = self.upper - length
            if floor is None or (self.ends_after is not None and low > self.ends_after):
                covers_all = self.lower is not None and low <= self.lower
                rest = None if covers_all else replace(self, upper=low)
                return Window((*owner, *self._start_conditions(low, None)), rest)
            high = None
        else:
            bounds = [moment for moment in (self.lower, self.ends_after) if moment is not None]
            if not bounds:
                return None
            high = max(bounds) + length
            if self.upper is not None and high >= self.upper:
                high = None
        rest = None if high is None else replace(self, lower=high, ends_after=None)
        if floor is None or self.ends_after is None or (self.lower is not None and self.lower > self.ends_after):
            return Window((*owner, *self._start_conditions(None, high)), rest)
        if self.lower is not None and self.lower >= floor:
            return Window((*owner, *self._start_conditions(None, high)), rest)
        earlier = (*owner, *self._start_conditions(None, floor), Compare(self.end, ">", self.ends_after))
        return Window((*owner, *self._start_conditions(floor, high)), rest, self.ends_after, earlier)
