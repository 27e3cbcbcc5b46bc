"""Reads of a cluster: in a transaction that sees one moment, or without one, each answer of a moment of its own."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Row
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.density import Densities
from storage.tables.vast.layout import FORMS, GUARDED, NOTICE, UNDER_LOCK, VERSION, Form
from storage.tables.vast.predicates import chunks, is_pin
from storage.tables.vast.query import NoDirectAnswer
from storage.tables.vast.read_planner import ReadPlanner


class VastReader:
    """A view of the tables at the moment of the first read, when its transaction begins."""

    def __init__(self, cluster: Cluster, densities: Densities) -> None:
        self._cluster = cluster
        self._densities = densities
        self._tx: int | None = None
        self._finder = ReadPlanner(self._fetch, densities)

    @property
    def _id(self) -> int:
        if self._tx is None:
            self._tx = self._cluster.begin()
        return self._tx

    def close(self) -> None:
        """End the transaction without a change, and without waiting."""
        if self._tx is not None:
            self._cluster.end_later(self._tx)
            self._tx = None

    def get(self, table: str, **key: Any) -> Row | None:
        rows = self.select(table, equals(**key), limit=1)
        return rows[0] if rows else None

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
    ) -> list[Row]:
        form = FORMS[table]
        names = list(columns or form.shown)
        rows = self._finder.select(
            form, where, order=order, descending=descending, after=after, limit=limit, columns=names
        )
        if rows and len(rows[0]) == len(names):
            return rows
        return [{name: row[name] for name in names} for row in rows]

    def _fetch(
        self, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        rows: list[Row] = []
        if form.locks and not any(is_pin(form, condition) for condition in conditions):
            conditions = [*conditions, Compare(form.table.key[0], "!=", NOTICE)]
        for part in chunks(conditions):
            left = None if limit is None else limit - len(rows)
            rows += form.rows(self._ask(form, part, columns, left))
            if limit is not None and len(rows) >= limit:
                break
        return rows

    def _ask(self, form: Form, where: Sequence[Compare | In], columns: Sequence[str], limit: int | None) -> pa.Table:
        return self._cluster.select(self._id, form, where, columns, limit)


class VastOnceReader(VastReader):
    """Answers of a moment each, without a transaction as long as the cluster gives them so.

    It counts them, and keeps what it saw of rows that are locks, for `is_of_one_moment` to compare.
    """

    def __init__(self, cluster: Cluster, densities: Densities) -> None:
        super().__init__(cluster, densities)
        self._asked: list[str] = []
        self._owners: list[str | None] = []
        self._locks: dict[str, tuple[Any, ...]] = {}

    def is_of_one_moment(self, lock: str) -> bool:
        """Whether all answers were as at one moment: the only one, or that of the only answer about rows that do not
        change under this lock, if its row was asked for first and is still as it was then."""
        if len(self._asked) < 2:
            return True
        kind, _, id_ = lock.partition(":")
        form = FORMS[GUARDED[kind]]
        seen = self._locks.get(id_)
        elsewhere = sum(owner != id_ for owner in self._owners)
        if self._asked[0] != form.name or seen is None or elsewhere > 1:
            return False
        rows = super()._fetch(form, [Compare(form.table.key[0], "==", id_)], VERSION, None)
        return [tuple(row[name] for name in VERSION) for row in rows] == [seen]

    def _fetch(
        self, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        if not form.locks:
            return super()._fetch(form, conditions, columns, limit)
        key = form.table.key[0]
        rows = super()._fetch(form, conditions, list(dict.fromkeys((*columns, key, *VERSION))), limit)
        for row in rows:
            self._locks.setdefault(row[key], tuple(row[name] for name in VERSION))
        return rows

    def _ask(self, form: Form, where: Sequence[Compare | In], columns: Sequence[str], limit: int | None) -> pa.Table:
        self._note(form, where)
        if self._tx is not None or not self._cluster.answers_directly:
            return super()._ask(form, where, columns, limit)
        try:
            return self._cluster.select_directly(form, where, columns, limit)
        except NoDirectAnswer as reason:
            found = super()._ask(form, where, columns, limit)
            if reason.refused:
                self._cluster.ask_no_more_directly(reason)
            return found

    def _note(self, form: Form, where: Sequence[Compare | In]) -> None:
        self._asked.append(form.name)
        owner = UNDER_LOCK.get(form.name)
        found = [condition.value for condition in where if isinstance(condition, Compare) and condition.column == owner]
        self._owners.append(found[0] if found else None)
