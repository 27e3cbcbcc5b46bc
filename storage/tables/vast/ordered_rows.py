"""The first rows in an order, from a cluster that returns rows in none.

Over-fetch unordered rows: if fewer come back than were requested, that is all of them; otherwise the last row wanted
among them bounds the next query. On a timeline, ask for the time that should just hold the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from storage.tables.conditions import Compare, In, Operator
from storage.tables.transaction import Row
from storage.tables.vast.density import DEFAULT_DENSITY, DensityCache
from storage.tables.vast.layout import TableLayout
from storage.tables.vast.predicates import RowCondition, simplify
from storage.tables.vast.row_query import RowQuery
from storage.tables.vast.time_windows import Timeline

Fetch = Callable[[TableLayout, Sequence[Compare | In], Sequence[str], int | None], list[Row]]
"""Returns any rows of a table that meet the conditions, at most so many, with at least the named columns."""

MIN_FETCH = 1024
_OVERFETCH = 4
"""Fetch _OVERFETCH times the rows that are wanted, and at least MIN_FETCH."""
_MAX_WINDOWS = 4
"""How many time windows to try before a timeline is queried like any other order."""


class OrderedRows:
    """Runs queries in order by means of `fetch`."""

    def __init__(self, fetch: Fetch, densities: DensityCache) -> None:
        self._fetch = fetch
        self._densities = densities

    def select(self, query: RowQuery) -> list[Row]:
        """The rows that meet the query's conditions, in its order, after `after` and up to its limit."""
        if not query.order:
            return self._fetch_any(query, limit=query.limit)
        timeline = query.timeline
        if timeline is not None and query.limit is not None:
            return self._by_windows(query, timeline)
        return self._by_bounds(query)

    def _fetch_any(self, query: RowQuery, *conditions: RowCondition, limit: int | None) -> list[Row]:
        """Any rows that meet the query's conditions and these, whatever its order, `after` and limit."""
        simple = simplify(query.layout, (*query.where, *conditions))
        if simple is None or limit == 0:
            return []
        return self._fetch(query.layout, simple, query.columns, limit)

    def _by_bounds(self, query: RowQuery) -> list[Row]:
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
        fetch_limit = max(_OVERFETCH * limit, MIN_FETCH)
        bound: list[Any] = []
        while True:
            rows = self._fetch_any(bounded, *(query.up_to(value) for value in bound), limit=fetch_limit)
            found = query.sorted(rows)
            if len(rows) < fetch_limit:
                return found[:limit]
            if len(found) < limit or bound == [found[limit - 1][first]]:
                tied = bound[0] if len(found) >= limit else after[0] if after else None
                return self._across_ties(query, tied)
            bound = [found[limit - 1][first]]

    def _across_ties(self, query: RowQuery, value: Any) -> list[Row]:
        """The first rows of an order in which very many share one value of its first column."""
        first, after, limit = query.order[0], query.after, query.limit or 0
        found: list[Row] = []
        is_after_tie = after is not None and after[0] == value
        if not is_after_tie:
            found = self._by_bounds(query.narrowed(Compare(first, query.operator_before, value)))
        if len(found) < limit:
            rest = after[1:] if after is not None and is_after_tie else ()
            order = query.order[1:]
            if (order and rest) or not is_after_tie:
                tied = query.narrowed(
                    Compare(first, "==", value), order=order, after=rest or None, limit=limit - len(found)
                )
                found += self._by_bounds(tied) if order else self._fetch_any(tied, limit=tied.limit)
        if len(found) < limit:
            beyond = Compare(first, query.operator_beyond, value)
            found += self._by_bounds(query.narrowed(beyond, after=None, limit=limit - len(found)))
        return found

    def _by_windows(self, query: RowQuery, timeline: Timeline) -> list[Row]:
        """The first rows of a timeline: try a window that should just hold them, then better ones."""
        limit, layout, owner = query.limit or 0, query.layout, timeline.owner
        if timeline.is_empty:
            return []
        needed = (*query.columns, timeline.owner_column, timeline.start, timeline.end)
        query = query.narrowed(columns=tuple(dict.fromkeys(needed)))
        fetch_limit = max(_OVERFETCH * limit, MIN_FETCH)
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
            found += self._by_bounds(rest)
        return found[:limit]
