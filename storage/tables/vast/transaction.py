"""Transactions on a cluster. One begins with its first request, and sends what it writes when it must."""

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from storage.errors import Conflict, Contended, Unavailable
from storage.tables.conditions import Compare, Condition, In, equals
from storage.tables.engine import Row
from storage.tables.vast.cluster import Cluster, UnknownOutcome
from storage.tables.vast.finding import Finder
from storage.tables.vast.layout import FORMS, LOCKS, ROW_ID, UNIQUE_BY_MAKE, Form
from storage.tables.vast.locks import Held, Queues, marked, new_mark, slots_of
from storage.tables.vast.memory import Key, Memory
from storage.tables.vast.predicates import chunks
from storage.tables.vast.timelines import Densities

_PAUSE_S = 0.004
_LONGEST_PAUSE_S = 0.25
_MANY_SPANS = 200
"""New spans of one owner, of which so many mostly come in a row, are looked for by their range."""


def pause(attempt: int) -> None:
    """Wait a random while, longer with every attempt, so that those who lost a race do not meet again."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_S, _PAUSE_S * 2**attempt)))  # noqa: S311 - no secret


class VastReader:
    """A view of the tables at the moment of the first read."""

    def __init__(self, cluster: Cluster, densities: Densities) -> None:
        self._cluster = cluster
        self._densities = densities
        self._tx: int | None = None
        self._finder = Finder(self._fetch, densities)

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
        names = list(columns or form.columns)
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
        for part in chunks(conditions):
            left = None if limit is None else limit - len(rows)
            rows += form.rows(self._cluster.select(self._id, form, part, columns, left))
            if limit is not None and len(rows) >= limit:
                break
        return rows


class VastWriter(VastReader):
    """A transaction that writes.

    What it has read it remembers, with row ids, so that changing those rows needs no second look. What it writes is
    sent when the table is next read, or at the end, in as few requests as it takes.
    """

    def __init__(self, cluster: Cluster, densities: Densities, queues: Queues) -> None:
        super().__init__(cluster, densities)
        self._queues = queues
        self._memories = {name: Memory(form) for name, form in FORMS.items()}
        self._held: list[Held] = []
        self._locked: list[int] = []
        self._before: str | None = None
        self._mark = new_mark()
        self._has_written = False

    # Locks.

    def lock(self, *names: str) -> None:
        slots = [slot for slot in slots_of(names) if slot not in self._locked]
        if not slots:
            return
        patience = self._cluster.address.patience_s
        self._held.append(self._queues.take(slots, patience))
        deadline = time.monotonic() + patience
        attempt = 0
        is_first = self._tx is None
        while True:
            try:
                self._take(slots)
                return
            except Contended:
                # A view that something has been read by cannot be given up here for a later one.
                if not is_first or time.monotonic() > deadline:
                    raise
                self._abandon()
            pause(attempt)
            attempt += 1

    def _take(self, slots: list[int]) -> None:
        form = FORMS[LOCKS]
        rows = self._fetch_plain(form, [In("slot", slots)])
        if len(rows) != len(slots):
            raise Unavailable("the tables are not there yet: run the server's start-up once")
        self._before = next(iter(rows[0]["holders"].split(",")))
        columns = [
            form.row_ids([row[ROW_ID] for row in rows]),
            pa.array([marked(row, self._mark) for row in rows], pa.string()),
        ]
        self._cluster.update(self._id, form, pa.record_batch(columns, names=[ROW_ID, "holders"]))
        self._locked = sorted({*self._locked, *slots})
        self._has_written = True

    def _fetch_plain(self, form: Form, conditions: Sequence[Compare | In]) -> list[Row]:
        return super()._fetch(form, conditions, [*form.columns, ROW_ID], None)

    def _abandon(self) -> None:
        if self._tx is not None:
            self._cluster.rollback(self._tx)
            self._tx = None

    # Reading.

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
        memory = self._memories[table]
        known = memory.recall(where, whole=True)
        if known is not None and not order:
            rows = [memory.full[key] for key in known[:limit]]
            return [{name: row[name] for name in columns or memory.form.columns} for row in rows]
        rows = super().select(
            table, where, order=order, descending=descending, after=after, limit=limit, columns=columns
        )
        if after is None and (limit is None or len(rows) < limit):
            memory.cover(where)
        self._note_last(memory, where, order, descending, after, limit, rows)
        return rows

    def _note_last(
        self,
        memory: Memory,
        where: Sequence[Condition],
        order: Sequence[str],
        descending: bool,
        after: Sequence[Any] | None,
        limit: int | None,
        rows: Sequence[Row],
    ) -> None:
        """Where the latest span of an owner was read, none begins after it."""
        if memory.form.table.span is None or after is not None or limit is None or len(where) != 1:
            return
        owner, start, _ = memory.form.table.span
        condition = where[0]
        if isinstance(condition, Compare) and condition.column == owner and condition.operator == "==":
            starts = [key[1] for key in memory.ids if key[0] == condition.value]
            if descending and tuple(order) == (start,) and limit > 0:
                memory.beyond[condition.value] = max(starts) if rows else None

    def _fetch(
        self, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        """Rows with their key, which are remembered."""
        memory = self._memories[form.name]
        self._flush(memory)
        rows = super()._fetch(form, conditions, list(dict.fromkeys((*columns, *form.table.key, ROW_ID))), limit)
        memory.keep(rows)
        return rows

    # Writing.

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        memory = self._memories[table]
        form = memory.form
        fresh = {form.key_of(row): form.complete(row) for row in rows}
        if len(fresh) < len(rows):
            raise Conflict(f"two rows of {table} would have the same key")
        if table not in UNIQUE_BY_MAKE:
            self._check_free(memory, list(fresh))
        for key, row in fresh.items():
            memory.insert(key, row)
        if form.table.span is not None:
            owner = form.table.span[0]
            by_owner: dict[str, list[Row]] = defaultdict(list)
            for row in fresh.values():
                by_owner[row[owner]].append(row)
            for name, spans in by_owner.items():
                self._densities.learn(form, name, spans, adjacent=False)

    def _check_free(self, memory: Memory, keys: Sequence[Key]) -> None:
        """Raises Conflict for a key that is taken. Unless the caller has locked what it is about, the keys are."""
        form = memory.form
        if keys and not self._locked:
            self.lock(*(f"{form.name}:{'/'.join(map(str, key))}" for key in keys))
        unknown = [key for key in keys if not memory.is_there(key) and not memory.is_absent(key)]
        if unknown:
            self.select(form.name, self._looking_for(form, unknown), columns=form.table.key)
        taken = next((key for key in keys if memory.is_there(key)), None)
        if taken is not None:
            raise Conflict(f"another request has just created the same thing: {form.name} {taken}")

    @staticmethod
    def _looking_for(form: Form, keys: Sequence[Key]) -> list[Condition]:
        """Conditions that rows of these keys meet, and few others."""
        parts = [list(dict.fromkeys(part)) for part in zip(*keys, strict=True)]
        if form.table.span is not None and len(parts[0]) == 1 and len(keys) > _MANY_SPANS:
            owner, start, _ = form.table.span
            ends = [Compare(start, ">=", min(parts[1])), Compare(start, "<=", max(parts[1]))]
            return [Compare(owner, "==", parts[0][0]), *ends]
        return [In(name, values) for name, values in zip(form.table.key, parts, strict=True)]

    def update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        memory = self._memories[table]
        key_changes = any(name in values for name in memory.form.table.key)
        keys = self._resolve(memory, where, whole=key_changes)
        for key in keys:
            if key_changes:
                row = {**memory.full[key], **values}
                memory.delete(key)
                self._check_free(memory, [memory.form.key_of(row)])
                memory.insert(memory.form.key_of(row), row)
            else:
                memory.update(key, dict(values))
        return len(keys)

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        memory = self._memories[table]
        keys = self._resolve(memory, where, whole=False)
        for key in keys:
            memory.delete(key)
        return len(keys)

    def _resolve(self, memory: Memory, where: Sequence[Condition], *, whole: bool) -> list[Key]:
        """The keys of the rows that meet `where`, all of them in memory, with all columns if `whole`."""
        known = memory.recall(where, whole=whole)
        if known is not None:
            return known
        columns = None if whole else memory.form.table.key
        return [memory.form.key_of(row) for row in self.select(memory.form.name, where, columns=columns)]

    # Sending.

    def _flush(self, memory: Memory) -> None:
        """Send what is pending for one table: deletions, then updates, then new rows."""
        if not memory.is_pending:
            return
        form = memory.form
        self._has_written = True
        if memory.deleted:
            gone, memory.deleted = memory.deleted, {}
            self._cluster.delete(self._id, form, form.row_ids(list(gone.values())))
        alike: dict[tuple[str, ...], list[Key]] = defaultdict(list)
        for key, values in memory.updated.items():
            alike[tuple(sorted(values))].append(key)
        for names, keys in alike.items():
            self._send_update(memory, names, keys)
        memory.updated.clear()
        if memory.inserted:
            rows, memory.inserted = memory.inserted, {}
            ids = []
            for batch in form.batches(list(rows.values()), list(form.columns)):
                ids += self._cluster.insert(self._id, form, batch)
            memory.ids.update(zip(rows, ids, strict=True))

    def _send_update(self, memory: Memory, names: Sequence[str], keys: Sequence[Key]) -> None:
        form = memory.form
        sent = 0
        for batch in form.batches([memory.updated[key] for key in keys], names):
            ids = [memory.ids[key] for key in keys[sent : sent + batch.num_rows]]
            sent += batch.num_rows
            columns = [form.row_ids(ids), *batch.columns]
            self._cluster.update(self._id, form, pa.record_batch(columns, names=[ROW_ID, *names]))

    # The end.

    def commit(self) -> None:
        """Raises Contended or Unavailable where nothing was written."""
        evidence = self._evidence()
        for memory in self._memories.values():
            self._flush(memory)
        if self._tx is None:
            return
        if not self._has_written:
            self.close()
            return
        tx, self._tx = self._tx, None
        try:
            self._cluster.commit(tx)
        except UnknownOutcome as error:
            if not self._has_committed(tx, evidence):
                raise Contended("the catalogue could not take the change; nothing was changed") from error

    def rollback(self) -> None:
        tx, self._tx = self._tx, None
        if tx is not None:
            if self._has_written:
                self._cluster.rollback(tx)
            else:
                self._cluster.end_later(tx)

    def release(self) -> None:
        """Let other writers of this machine go on."""
        for held in self._held:
            held.release()
        self._held = []

    def _evidence(self) -> tuple[Form, Key] | None:
        """A row that will be there once this transaction is committed, and was not before."""
        for memory in self._memories.values():
            for key in memory.inserted:
                if not memory.deleted:
                    return memory.form, key
        return None

    def _has_committed(self, tx: int, evidence: tuple[Form, Key] | None) -> bool:
        """What became of a commit whose answer was lost. Raises Unavailable where that cannot be found out.

        Giving the transaction up comes first: if it was not committed, from then on it cannot be.
        """
        deadline = time.monotonic() + self._cluster.address.patience_s
        attempt = 0
        while time.monotonic() < deadline:
            try:
                if self._cluster.rollback(tx):
                    found = self._look_up(evidence)
                    if found is not None:
                        return found
                    break
            except Unavailable:
                pass
            pause(attempt)
            attempt += 1
        raise Unavailable("the catalogue did not say whether it took the change; look before you try again")

    def _look_up(self, evidence: tuple[Form, Key] | None) -> bool | None:
        """Whether this transaction's mark is in the row that it locked, or its new row is there; None: no telling."""
        reader = VastReader(self._cluster, self._densities)
        try:
            if self._locked:
                row = reader.get(LOCKS, slot=self._locked[0])
                marks = row["holders"].split(",") if row else []
                if self._mark in marks:
                    return True
                if self._before in marks or len(marks) < 2:
                    return False
            if evidence is not None:
                form, key = evidence
                return reader.get(form.name, **dict(zip(form.table.key, key, strict=True))) is not None
            return None
        finally:
            reader.close()
