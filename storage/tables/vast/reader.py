"""Reads from a cluster: in a transaction, which sees one moment, or without one, where each response has its own."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.tables.conditions import Compare, Condition, In
from storage.tables.transaction import ByteBudget, Reader, Row
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.density import DensityCache
from storage.tables.vast.layout import (
    FLAG_KEY,
    LAYOUTS,
    LOCK_OWNER_COLUMNS,
    LOCK_TABLES,
    VERSION_COLUMNS,
    TableLayout,
)
from storage.tables.vast.predicates import fixes_key, split_long_lists
from storage.tables.vast.query import DirectReadFailed
from storage.tables.vast.read_planner import ReadPlanner


class VastReader(Reader):
    """The tables as they are at the first read, when the transaction begins."""

    def __init__(self, cluster: Cluster, densities: DensityCache) -> None:
        self._cluster = cluster
        self._densities = densities
        self._tx: int | None = None
        self._planner = ReadPlanner(self._fetch, densities)

    @property
    def _tx_id(self) -> int:
        if self._tx is None:
            self._tx = self._cluster.begin()
        return self._tx

    def close(self) -> None:
        """End the transaction in the background."""
        if self._tx is not None:
            self._cluster.rollback_later(self._tx)
            self._tx = None

    def select(
        self,
        table: str,
        where: Sequence[Condition] = (),
        *,
        order: Sequence[str] = (),
        descending: bool = False,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        columns: Sequence[str] | None = None,
        budget: ByteBudget | None = None,
    ) -> list[Any]:
        layout = LAYOUTS[table]
        names = list(columns or layout.catalog_columns)
        rows = self._planner.select(
            layout, where, order=order, descending=descending, after=after, limit=limit, columns=names
        )
        if budget is not None:
            budget.start()
            rows = rows[: budget.take(layout.long_bytes(row) for row in rows)]
        if rows and len(rows[0]) == len(names):
            return rows
        return [{name: row[name] for name in names} for row in rows]

    def arrow(self, table: str, columns: Sequence[str]) -> pa.Table:
        """All rows of a table, cut to these columns, in no order."""
        layout = LAYOUTS[table]
        conditions = [Compare(layout.table.key[0], "!=", FLAG_KEY)] if layout.has_locks else []
        return self._query(layout, conditions, list(columns), None)

    def _fetch(
        self, layout: TableLayout, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        """Any rows that meet `conditions`, at most `limit`, without the row of a presence flag unless it is named."""
        rows: list[Row] = []
        if layout.has_locks and not any(fixes_key(layout, condition) for condition in conditions):
            conditions = [*conditions, Compare(layout.table.key[0], "!=", FLAG_KEY)]
        for part in split_long_lists(conditions):
            left = None if limit is None else limit - len(rows)
            rows += layout.rows(self._query(layout, part, columns, left))
            if limit is not None and len(rows) >= limit:
                break
        return rows

    def _query(
        self, layout: TableLayout, where: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> pa.Table:
        return self._cluster.select(self._tx_id, layout, where, columns, limit)


class VastDirectReader(VastReader):
    """Reads without a transaction where the cluster allows it: each response may show another moment.

    It records its queries and the versions of lock rows that it has seen, for `is_consistent`.
    """

    def __init__(self, cluster: Cluster, densities: DensityCache) -> None:
        super().__init__(cluster, densities)
        self._queried_tables: list[str] = []
        self._queried_owners: list[str | None] = []
        self._versions: dict[str, tuple[Any, ...]] = {}

    def is_consistent(self, lock: str) -> bool:
        """Whether all responses so far show the tables as they were at one moment.

        That is so for a single response. It is also so if the row of `lock` was read first and has not changed since,
        and at most one response was about rows that may change without it: then all are of the moment of that response.
        """
        if len(self._queried_tables) < 2:
            return True
        kind, _, id_ = lock.partition(":")
        layout = LAYOUTS[LOCK_TABLES[kind]]
        version = self._versions.get(id_)
        elsewhere = sum(owner != id_ for owner in self._queried_owners)
        if self._queried_tables[0] != layout.name or version is None or elsewhere > 1:
            return False
        rows = super()._fetch(layout, [Compare(layout.table.key[0], "==", id_)], VERSION_COLUMNS, None)
        return [tuple(row[name] for name in VERSION_COLUMNS) for row in rows] == [version]

    def _fetch(
        self, layout: TableLayout, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        if not layout.has_locks:
            return super()._fetch(layout, conditions, columns, limit)
        key = layout.table.key[0]
        rows = super()._fetch(layout, conditions, list(dict.fromkeys((*columns, key, *VERSION_COLUMNS))), limit)
        for row in rows:
            self._versions.setdefault(row[key], tuple(row[name] for name in VERSION_COLUMNS))
        return rows

    def _query(
        self, layout: TableLayout, where: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> pa.Table:
        self._record(layout, where)
        if self._tx is not None or not self._cluster.direct_reads:
            return super()._query(layout, where, columns, limit)
        try:
            return self._cluster.select_direct(layout, where, columns, limit)
        except DirectReadFailed as reason:
            found = super()._query(layout, where, columns, limit)
            if reason.rejected:
                self._cluster.disable_direct_reads(reason)
            return found

    def _record(self, layout: TableLayout, where: Sequence[Compare | In]) -> None:
        self._queried_tables.append(layout.name)
        column = LOCK_OWNER_COLUMNS.get(layout.name)
        owners = [each.value for each in where if isinstance(each, Compare) and each.column == column]
        self._queried_owners.append(owners[0] if owners else None)
