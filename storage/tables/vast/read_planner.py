"""Plans of reads: order, pages, existence elsewhere and windows of time, made of what a cluster can answer.

A cluster gives any rows that meet an AND of comparisons, in no order, up to a number. So the first rows of an order
are found by asking for a few too many of any: if fewer come, they are all; else the last of the wanted among them
bounds the next question. Conditions are always the cluster's work, so that hardly a row is fetched that is not wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.tables.conditions import Compare, Condition, Exists, In, Operator
from storage.tables.engine import Row
from storage.tables.vast.density import UNKNOWN, Densities
from storage.tables.vast.layout import FORMS, Form
from storage.tables.vast.predicates import Simple, pins, plain
from storage.tables.vast.time_windows import Timeline

Fetch = Callable[[Form, Sequence[Compare | In], Sequence[str], int | None], list[Row]]
"""Any rows, at most so many, of a table that meet the conditions, with (at least) the columns named."""

_SPARE = 4
_FEW = 1024
"""Rows are asked for by _SPARE times the wanted, and no fewer than these."""
_WINDOWS = 4
"""So many guesses of where on a timeline the wanted spans are; after that they are looked for as any others."""
_OWNERS = 2000
"""So many rows elsewhere are read to answer Exists from there; where there are more, candidates are tried instead."""
_CANDIDATES = 500


@dataclass(frozen=True)
class Wanted:
    """Which rows of a table, in which order, and what of them. `after` may bind fewer columns than `order` has."""

    form: Form
    where: tuple[Simple, ...]
    order: tuple[str, ...]
    descending: bool
    after: tuple[Any, ...] | None
    limit: int | None
    columns: tuple[str, ...]

    def having(self, *conditions: Simple, **changes: Any) -> "Wanted":
        return replace(self, where=(*self.where, *conditions), **changes)

    def instead(self, *conditions: Simple) -> "Wanted":
        """The same with other conditions."""
        return replace(self, where=conditions)

    @property
    def timeline(self) -> Timeline | None:
        """The same as a question about one timeline, where it is one."""
        return Timeline.of(self.form, self.where, self.order, self.after, descending=self.descending)

    def along(self, line: Timeline) -> "Wanted":
        """The same for what `line` asks about."""
        return replace(self, where=line.exact(), order=(line.start,), after=None)

    @property
    def beyond(self) -> Operator:
        return "<" if self.descending else ">"

    @property
    def before(self) -> Operator:
        return ">" if self.descending else "<"

    def up_to(self, value: Any) -> Compare:
        return Compare(self.order[0], ">=" if self.descending else "<=", value)

    def sorted(self, rows: Sequence[Row]) -> list[Row]:
        """`rows` in order, without those that do not come after `after`; nulls come before all else."""

        def place(row: Row) -> tuple[Any, ...]:
            return tuple((row[name] is not None, row[name]) for name in self.order)

        if self.after is not None:
            edge = tuple((value is not None, value) for value in self.after)
            if self.descending:
                rows = [row for row in rows if place(row)[: len(edge)] < edge]
            else:
                rows = [row for row in rows if place(row)[: len(edge)] > edge]
        return sorted(rows, key=place, reverse=self.descending)


class ReadPlanner:
    """Reads by `fetch`."""

    def __init__(self, fetch: Fetch, densities: Densities) -> None:
        self._fetch = fetch
        self._densities = densities

    def select(
        self,
        form: Form,
        where: Sequence[Condition],
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str],
    ) -> list[Row]:
        """As Reader.select; rows may have more columns than asked for."""
        elsewhere = [condition for condition in where if isinstance(condition, Exists)]
        here: list[Simple] = [condition for condition in where if not isinstance(condition, Exists)]
        left = []
        for condition in elsewhere:
            owners = self._owners(form, here, condition)
            if owners is None:
                left.append(condition)
            else:
                here.append(In(condition.outer, owners))
        needed = tuple(dict.fromkeys((*columns, *order, *(condition.outer for condition in left))))
        wanted = Wanted(
            form, tuple(here), tuple(order), descending, None if after is None else tuple(after), limit, needed
        )
        return self._filtered(wanted, left) if left else self._ordered(wanted)

    # Existence elsewhere.

    def _owners(self, form: Form, here: Sequence[Simple], condition: Exists) -> list[Any] | None:
        """Values of the outer column for which there is such a row elsewhere; None where that is better asked of each
        candidate, as there are few of these, or too many rows elsewhere."""
        inner = FORMS[condition.table]
        if not condition.present or not condition.where or inner.table.span or form.table.key[0] in pins(form, here):
            return None
        rows = self.select(inner, condition.where, limit=_OWNERS, columns=(condition.column,))
        if len(rows) >= _OWNERS:
            return None
        return list(dict.fromkeys(row[condition.column] for row in rows))

    def _filtered(self, wanted: Wanted, conditions: Sequence[Exists]) -> list[Row]:
        """Candidates, page by page, that pass what is to be asked of other tables."""
        if wanted.limit is None:
            return self._passing(self._ordered(wanted), conditions)
        order = wanted.order or wanted.form.table.key
        walk = tuple(dict.fromkeys((*order, *wanted.form.table.key)))
        needed = tuple(dict.fromkeys((*wanted.columns, *walk)))
        count = max(wanted.limit, _CANDIDATES)
        after = wanted.after
        found: list[Row] = []
        while True:
            page = self._ordered(wanted.having(order=walk, after=after, limit=count, columns=needed))
            found += self._passing(page, conditions)
            if len(found) >= wanted.limit or len(page) < count:
                return found[: wanted.limit]
            after = tuple(page[-1][name] for name in walk)

    def _passing(self, rows: Sequence[Row], conditions: Sequence[Exists]) -> list[Row]:
        left = list(rows)
        for condition in conditions:
            there = self._present(condition, {row[condition.outer] for row in left} - {None})
            left = [row for row in left if (row[condition.outer] in there) == condition.present]
        return left

    def _present(self, condition: Exists, values: set[Any]) -> set[Any]:
        """Those of `values` for which there is such a row elsewhere. Each question leaves out those found already."""
        inner = FORMS[condition.table]
        found: set[Any] = set()
        left = set(values)
        while left:
            where = (In(condition.column, sorted(left)), *condition.where)
            most = max(_FEW, 2 * len(left))
            rows = self.select(inner, where, limit=most, columns=(condition.column,))
            there = {row[condition.column] for row in rows}
            found |= there
            left -= there
            if len(rows) < most:
                break
        return found

    # Order.

    def _get(self, wanted: Wanted, *conditions: Simple, limit: int | None) -> list[Row]:
        """Any rows that meet the conditions, those already seen left in."""
        chosen = plain(wanted.form, (*wanted.where, *conditions))
        if chosen is None or limit == 0:
            return []
        return self._fetch(wanted.form, chosen, wanted.columns, limit)

    def _ordered(self, wanted: Wanted) -> list[Row]:
        if not wanted.order:
            return self._get(wanted, limit=wanted.limit)
        timeline = wanted.timeline
        if timeline is not None and wanted.limit is not None:
            return self._by_window(wanted, timeline)
        return self._by_bounds(wanted)

    def _by_bounds(self, wanted: Wanted) -> list[Row]:
        """The first rows of an order, by ever closer bounds on its first column."""
        first, after, limit = wanted.order[0], wanted.after, wanted.limit
        bounded = wanted
        if after is not None:
            sign: Operator = wanted.beyond if len(after) == 1 else (">=" if wanted.beyond == ">" else "<=")
            bounded = wanted.having(Compare(first, sign, after[0]))
        if limit is None or wanted.form.columns[first].nullable:
            return wanted.sorted(self._get(bounded, limit=None))[:limit]
        most = max(_SPARE * limit, _FEW)
        edge: list[Any] = []
        while True:
            rows = self._get(bounded, *(wanted.up_to(value) for value in edge), limit=most)
            found = wanted.sorted(rows)
            if len(rows) < most:
                return found[:limit]
            if len(found) < limit or edge == [found[limit - 1][first]]:
                return self._among_ties(wanted, edge[0] if len(found) >= limit else after[0] if after else None)
            edge = [found[limit - 1][first]]

    def _among_ties(self, wanted: Wanted, value: Any) -> list[Row]:
        """The same where a great many rows have `value` in the first column: before it, at it and beyond it."""
        first, after, limit = wanted.order[0], wanted.after, wanted.limit or 0
        found: list[Row] = []
        tied = after is not None and after[0] == value
        if not tied:
            found = self._by_bounds(wanted.having(Compare(first, wanted.before, value)))
        if len(found) < limit:
            rest = after[1:] if after is not None and tied else ()
            order = wanted.order[1:]
            if (order and rest) or not tied:
                at = wanted.having(
                    Compare(first, "==", value), order=order, after=rest or None, limit=limit - len(found)
                )
                found += self._by_bounds(at) if order else self._get(at, limit=at.limit)
        if len(found) < limit:
            beyond = wanted.having(Compare(first, wanted.beyond, value), after=None, limit=limit - len(found))
            found += self._by_bounds(beyond)
        return found

    # Time.

    def _by_window(self, wanted: Wanted, line: Timeline) -> list[Row]:
        """The first rows of a timeline: those that start within a window that should just hold them, and within a
        better one where that guess was wrong."""
        limit = wanted.limit or 0
        if line.is_empty:
            return []
        wanted = wanted.having(columns=tuple(dict.fromkeys((*wanted.columns, line.owner_column, line.start, line.end))))
        most = max(_SPARE * limit, _FEW)
        density = self._densities.find(wanted.form, line.owner) or UNKNOWN
        left: Timeline | None = line
        found: list[Row] = []
        for _ in range(_WINDOWS):
            window = left.window(density, limit - len(found)) if left is not None else None
            if left is None or window is None:
                break
            rows = self._get(wanted.instead(*window.conditions), limit=most)
            if len(rows) >= most:
                density = self._densities.learn(wanted.form, line.owner, rows, adjacent=False)
                continue
            if window.unsure is not None and not any(row[line.start] <= window.unsure for row in rows):
                rows += self._get(wanted.instead(*window.earlier), limit=1)
            rows = [row for row in line.sorted(rows) if left.meets is None or row[line.end] > left.meets]
            found += rows
            left = window.rest
            if len(found) >= limit or not rows:
                break
            density = self._densities.learn(wanted.form, line.owner, rows, adjacent=True)
        if found:
            self._densities.learn(wanted.form, line.owner, found, adjacent=True)
        if len(found) < limit and left is not None:
            found += self._by_bounds(replace(wanted.along(left), limit=limit - len(found)))
        return found[:limit]
