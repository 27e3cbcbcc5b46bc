"""Plan reads with Exists conditions, out of queries of one table each.

A cluster joins no tables. What another table must have a row for is looked up there first, or for each page of
candidates, or that table is read in the order that it repeats. Conditions are always evaluated on the cluster, so that
few rows are fetched in vain.
"""

from collections.abc import Sequence
from typing import Any

from storage.tables.conditions import Condition, Exists, In
from storage.tables.transaction import Row
from storage.tables.vast.density import DensityCache
from storage.tables.vast.layout import LAYOUTS, TableLayout
from storage.tables.vast.ordered_rows import MIN_FETCH, Fetch, OrderedRows
from storage.tables.vast.predicates import MAX_LIST, RowCondition, key_values
from storage.tables.vast.row_query import RowQuery

_MAX_OWNERS = 2000
"""Read at most so many rows of another table to evaluate Exists; beyond that, test candidates one page at a time."""
_CANDIDATE_PAGE = 500


class ReadPlanner:
    """Runs reads by means of `fetch`."""

    def __init__(self, fetch: Fetch, densities: DensityCache) -> None:
        self._ordered = OrderedRows(fetch, densities)

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
            return self._ordered.select(query)
        through = next((each for each in per_candidate if _repeats_order(query, each)), None)
        if through is None:
            return self._select_filtered(query, per_candidate)
        return self._select_through(query, through, [each for each in per_candidate if each is not through])

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
            return self._meeting(self._ordered.select(query), conditions)
        key = query.layout.table.key
        page_order = tuple(dict.fromkeys((*(query.order or key), *key)))
        needed = tuple(dict.fromkeys((*query.columns, *page_order)))
        count = max(query.limit, _CANDIDATE_PAGE)
        after = query.after
        found: list[Row] = []
        while True:
            page = self._ordered.select(query.narrowed(order=page_order, after=after, limit=count, columns=needed))
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
            rows = self._ordered.select(query.narrowed(In(condition.outer, keys), limit=None)) if keys else []
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
            limit = max(MIN_FETCH, 2 * len(left))
            rows = self.select(inner, where, limit=limit, columns=(condition.column,))
            existing = {row[condition.column] for row in rows}
            found |= existing
            left -= existing
            if len(rows) < limit:
                break
        return found


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
