"""Plan reads: sort order, paging, Exists conditions and time windows, out of queries that a cluster can run.

A cluster returns any rows that meet an AND of comparisons, in no order, up to a limit. To find the first rows in an
order, over-fetch unordered rows: if fewer come back than were requested, that is all of them; otherwise the last row
wanted among them bounds the next query. Conditions are always evaluated on the cluster, so that few rows are fetched in
vain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from storage.tables.conditions import Compare, Condition, Exists, In, Operator
from storage.tables.transaction import Row
from storage.tables.vast.density import DEFAULT_DENSITY, DensityCache
from storage.tables.vast.layout import LAYOUTS, TableLayout
from storage.tables.vast.predicates import MAX_LIST, RowCondition, key_values, simplify
from storage.tables.vast.time_windows import Timeline

Fetch = Callable[[TableLayout, Sequence[Compare | In], Sequence[str], int | None], list[Row]]
"""Returns any rows of a table that meet the conditions, at most so many, with at least the named columns."""

_OVERFETCH = 4
_MIN_FETCH = 1024
"""Fetch _OVERFETCH times the rows that are wanted, and at least _MIN_FETCH."""
_MAX_WINDOWS = 4
"""How many time windows to try before a timeline is queried like any other order."""
_MAX_OWNERS = 2000
"""Read at most so many rows of another table to evaluate Exists; beyond that, test candidates one page at a time."""
_CANDIDATE_PAGE = 500


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


def _repeats_order(query: RowQuery, condition: Exists) -> bool:
    """Whether the other table of a condition repeats the columns by which a page is sorted, in every row."""
    inner = LAYOUTS[condition.table]
    repeated = [inner.table.repeats.get(name) for name in query.order]
    return bool(
        condition.present
        and query.limit
        and repeated
        and all(name is not None and not inner.columns[name].nullable for name in repeated)
        and inner.table.repeats.get(condition.outer) == condition.column
    )


class ReadPlanner:
    """Runs reads by means of `fetch`."""

    def __init__(self, fetch: Fetch, densities: DensityCache) -> None:
        self._fetch = fetch
        self._densities = densities

    def select(
        self,
        layout: TableLayout,
        where: Sequence[Condition],
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str],
    ) -> list[Row]:
        """Like Reader.select; rows may have more columns than were requested."""
        simple: list[RowCondition] = [condition for condition in where if not isinstance(condition, Exists)]
        per_candidate = []
        for condition in where:
            if not isinstance(condition, Exists):
                continue
            values = self._outer_values(layout, simple, condition)
            if values is None:
                per_candidate.append(condition)
            else:
                simple.append(In(condition.outer, values))
        needed = tuple(dict.fromkeys((*columns, *order, *(condition.outer for condition in per_candidate))))
        query = RowQuery(
            layout, tuple(simple), tuple(order), descending, None if after is None else tuple(after), limit, needed
        )
        if not per_candidate:
            return self._select_ordered(query)
        through = next((each for each in per_candidate if _repeats_order(query, each)), None)
        if through is None:
            return self._select_filtered(query, per_candidate)
        return self._select_through(query, through, [each for each in per_candidate if each is not through])

    # Exists conditions.

    def _outer_values(self, layout: TableLayout, simple: Sequence[RowCondition], condition: Exists) -> list[Any] | None:
        """Values of the outer column for which the other table has a row.

        Returns None where it is better to test each candidate, as these are few or the rows of the other table many.
        """
        inner = LAYOUTS[condition.table]
        if not condition.present or not condition.where or inner.table.span:
            return None
        if layout.table.key[0] in key_values(layout, simple):
            return None
        rows = self.select(inner, condition.where, limit=_MAX_OWNERS, columns=(condition.column,))
        if len(rows) >= _MAX_OWNERS:
            return None
        return list(dict.fromkeys(row[condition.column] for row in rows))

    def _select_filtered(self, query: RowQuery, conditions: Sequence[Exists]) -> list[Row]:
        """Read candidates page by page, and keep those that meet `conditions`."""
        if query.limit is None:
            return self._meeting(self._select_ordered(query), conditions)
        key = query.layout.table.key
        page_order = tuple(dict.fromkeys((*(query.order or key), *key)))
        needed = tuple(dict.fromkeys((*query.columns, *page_order)))
        count = max(query.limit, _CANDIDATE_PAGE)
        after = query.after
        found: list[Row] = []
        while True:
            page = self._select_ordered(query.narrowed(order=page_order, after=after, limit=count, columns=needed))
            found += self._meeting(page, conditions)
            if len(found) >= query.limit or len(page) < count:
                return found[: query.limit]
            after = tuple(page[-1][name] for name in page_order)

    def _select_through(self, query: RowQuery, condition: Exists, others: Sequence[Exists]) -> list[Row]:
        """Read the rows that another table has, in the order that it repeats, and keep those that meet `others`."""
        inner = LAYOUTS[condition.table]
        names = tuple(inner.table.repeats[name] for name in query.order)
        limit = query.limit or 0
        count = max(limit, _CANDIDATE_PAGE) if others or query.where else limit
        after = query.after
        found: list[Row] = []
        while True:
            places = self.select(
                inner,
                condition.where,
                order=names,
                descending=query.descending,
                after=after,
                limit=count,
                columns=names,
            )
            keys = list(dict.fromkeys(row[condition.column] for row in places))
            rows = self._select_ordered(query.narrowed(In(condition.outer, keys), limit=None)) if keys else []
            found += self._meeting(rows, others)
            if len(found) >= limit or len(places) < count:
                return found[:limit]
            after = tuple(places[-1][name] for name in names)
            count = min(2 * count, MAX_LIST)

    def _meeting(self, rows: Sequence[Row], conditions: Sequence[Exists]) -> list[Row]:
        left = list(rows)
        for condition in conditions:
            existing = self._existing_values(condition, {row[condition.outer] for row in left} - {None})
            left = [row for row in left if (row[condition.outer] in existing) == condition.present]
        return left

    def _existing_values(self, condition: Exists, values: set[Any]) -> set[Any]:
        """Those of `values` for which the other table has a row. Each query leaves out the values found before."""
        inner = LAYOUTS[condition.table]
        found: set[Any] = set()
        left = set(values)
        while left:
            where = (In(condition.column, sorted(left)), *condition.where)
            limit = max(_MIN_FETCH, 2 * len(left))
            rows = self.select(inner, where, limit=limit, columns=(condition.column,))
            existing = {row[condition.column] for row in rows}
            found |= existing
            left -= existing
            if len(rows) < limit:
                break
        return found

    # Order.

    def _fetch_any(self, query: RowQuery, *conditions: RowCondition, limit: int | None) -> list[Row]:
        """Any rows that meet the query's conditions and these, whatever its order, `after` and limit."""
        simple = simplify(query.layout, (*query.where, *conditions))
        if simple is None or limit == 0:
            return []
        return self._fetch(query.layout, simple, query.columns, limit)

    def _select_ordered(self, query: RowQuery) -> list[Row]:
        if not query.order:
            return self._fetch_any(query, limit=query.limit)
        timeline = query.timeline
        if timeline is not None and query.limit is not None:
            return self._select_by_windows(query, timeline)
        return self._select_by_bounds(query)

    def _select_by_bounds(self, query: RowQuery) -> list[Row]:
        """The first rows of an order, by ever closer bounds on its first column."""
        first, after, limit = query.order[0], query.after, query.limit
        bounded = query
        if after is not None:
            # Rows with the first value of `after` may come after it by the other columns.
            inclusive: Operator = "<=" if query.descending else ">="
            sign = query.operator_beyond if len(after) == 1 else inclusive
            bounded = query.narrowed(Compare(first, sign, after[0]))
        if limit is None or query.layout.columns[first].nullable:
            return query.sorted(self._fetch_any(bounded, limit=None))[:limit]
        fetch_limit = max(_OVERFETCH * limit, _MIN_FETCH)
        bound: list[Any] = []
        while True:
            rows = self._fetch_any(bounded, *(query.up_to(value) for value in bound), limit=fetch_limit)
            found = query.sorted(rows)
            if len(rows) < fetch_limit:
                return found[:limit]
            if len(found) < limit or bound == [found[limit - 1][first]]:
                tied = bound[0] if len(found) >= limit else after[0] if after else None
                return self._select_across_ties(query, tied)
            bound = [found[limit - 1][first]]

    def _select_across_ties(self, query: RowQuery, value: Any) -> list[Row]:
        """The first rows of an order in which very many share one value of its first column."""
        first, after, limit = query.order[0], query.after, query.limit or 0
        found: list[Row] = []
        is_after_tie = after is not None and after[0] == value
        if not is_after_tie:
            found = self._select_by_bounds(query.narrowed(Compare(first, query.operator_before, value)))
        if len(found) < limit:
            rest = after[1:] if after is not None and is_after_tie else ()
            order = query.order[1:]
            if (order and rest) or not is_after_tie:
                tied = query.narrowed(
                    Compare(first, "==", value), order=order, after=rest or None, limit=limit - len(found)
                )
                found += self._select_by_bounds(tied) if order else self._fetch_any(tied, limit=tied.limit)
        if len(found) < limit:
            beyond = Compare(first, query.operator_beyond, value)
            found += self._select_by_bounds(query.narrowed(beyond, after=None, limit=limit - len(found)))
        return found

    # Time.

    def _select_by_windows(self, query: RowQuery, timeline: Timeline) -> list[Row]:
        """The first rows of a timeline: try a window that should just hold them, then better ones."""
        limit, layout, owner = query.limit or 0, query.layout, timeline.owner
        if timeline.is_empty:
            return []
        needed = (*query.columns, timeline.owner_column, timeline.start, timeline.end)
        query = query.narrowed(columns=tuple(dict.fromkeys(needed)))
        fetch_limit = max(_OVERFETCH * limit, _MIN_FETCH)
        density = self._densities.get(layout, owner) or DEFAULT_DENSITY
        left: Timeline | None = timeline
        found: list[Row] = []
        for _ in range(_MAX_WINDOWS):
            window = left.window(density, limit - len(found)) if left is not None else None
            if left is None or window is None:
                break
            rows = self._fetch_any(replace(query, where=window.conditions), limit=fetch_limit)
            if len(rows) >= fetch_limit:
                density = self._densities.observe(layout, owner, rows, adjacent=False)
                continue
            check = window.check_until
            if check is not None and not any(row[timeline.start] <= check for row in rows):
                rows += self._fetch_any(replace(query, where=window.earlier), limit=1)
            ends_after = left.ends_after
            rows = [row for row in timeline.sorted(rows) if ends_after is None or row[timeline.end] > ends_after]
            found += rows
            left = window.rest
            if len(found) >= limit or not rows:
                break
            density = self._densities.observe(layout, owner, rows, adjacent=True)
        if found:
            self._densities.observe(layout, owner, found, adjacent=True)
        if len(found) < limit and left is not None:
            rest = replace(query, where=left.conditions(), order=(left.start,), after=None, limit=limit - len(found))
            found += self._select_by_bounds(rest)
        return found[:limit]
