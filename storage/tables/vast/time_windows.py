"""Windows of time in which to look for the first spans of a timeline, since a cluster cannot be asked for the first."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.tables.conditions import Compare
from storage.tables.engine import Row
from storage.tables.vast.density import Density
from storage.tables.vast.layout import Form
from storage.tables.vast.predicates import Simple, plain, span_of


@dataclass(frozen=True)
class Window:
    """conditions: on the rows of the window. unsure: a moment before which a longer span than any known may have
    begun that still meets the question, unless one begins in between; earlier: the conditions to find it.
    rest: the question about what lies beyond the window, None where nothing does."""

    conditions: tuple[Compare, ...]
    rest: "Timeline | None"
    unsure: int | None = None
    earlier: tuple[Compare, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """A question about one owner's spans, which never overlap, so that their starts and ends have the same order.

    lower, upper: bounds of starts, [lower, upper). meets: ends are after this moment.
    """

    owner_column: str
    start: str
    end: str
    owner: str
    descending: bool
    lower: int | None = None
    upper: int | None = None
    meets: int | None = None

    @classmethod
    def of(
        cls, form: Form, where: Sequence[Simple], order: Sequence[str], after: Sequence[Any] | None, *, descending: bool
    ) -> "Timeline | None":
        """None for what is no such question, or asks about more than time."""
        if form.table.span is None:
            return None
        owner_column, start, end = span_of(form)
        if tuple(order) != (start,) and (tuple(order) != (end,) or after is not None):
            return None
        owner, lowers, uppers, meets = None, [], [], []
        for condition in plain(form, where) or ():
            match condition:
                case Compare(column, "==", value) if column == owner_column and owner is None:
                    owner = value
                case Compare(column, ">=" | ">" as sign, value) if column == start:
                    lowers.append(value + (sign == ">"))
                case Compare(column, "<=" | "<" as sign, value) if column == start:
                    uppers.append(value + (sign == "<="))
                case Compare(column, ">=" | ">" as sign, value) if column == end:
                    meets.append(value - (sign == ">="))
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
            meets=max(meets, default=None),
        )

    @property
    def is_empty(self) -> bool:
        return self.lower is not None and self.upper is not None and self.lower >= self.upper

    def sorted(self, rows: Sequence[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: row[self.start], reverse=self.descending)

    def _starts(self, lower: int | None, upper: int | None) -> tuple[Compare, ...]:
        """Within these bounds and the question's own."""
        lowers = [value for value in (lower, self.lower) if value is not None]
        uppers = [value for value in (upper, self.upper) if value is not None]
        conditions = [Compare(self.start, ">=", max(lowers))] if lowers else []
        return (*conditions, *([Compare(self.start, "<", min(uppers))] if uppers else []))

    def exact(self) -> tuple[Compare, ...]:
        ends = () if self.meets is None else (Compare(self.end, ">", self.meets),)
        return (Compare(self.owner_column, "==", self.owner), *self._starts(None, None), *ends)

    def window(self, density: Density, limit: int) -> Window | None:
        """None where nothing tells where to look."""
        owner = (Compare(self.owner_column, "==", self.owner),)
        step = density.step(limit)
        floor = None if self.meets is None else self.meets - 2 * density.longest
        if self.descending:
            if self.upper is None:
                return None
            low = self.upper - step
            if floor is None or (self.meets is not None and low > self.meets):
                is_all = self.lower is not None and low <= self.lower
                return Window((*owner, *self._starts(low, None)), None if is_all else replace(self, upper=low))
            high = None
        else:
            known = [moment for moment in (self.lower, self.meets) if moment is not None]
            if not known:
                return None
            high = max(known) + step
            if self.upper is not None and high >= self.upper:
                high = None
        rest = None if high is None else replace(self, lower=high, meets=None)
        if floor is None or self.meets is None or (self.lower is not None and self.lower > self.meets):
            return Window((*owner, *self._starts(None, high)), rest)
        if self.lower is not None and self.lower >= floor:
            return Window((*owner, *self._starts(None, high)), rest)
        earlier = (*owner, *self._starts(None, floor), Compare(self.end, ">", self.meets))
        return Window((*owner, *self._starts(floor, high)), rest, self.meets, earlier)
