"""Transactions that write. One begins with its first request, and sends what it writes when it must."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from storage.errors import Conflict, Contended, Unavailable
from storage.tables.conditions import Compare, Condition, In
from storage.tables.engine import Row
from storage.tables.vast import presence_flag
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.cluster_errors import UnknownOutcome
from storage.tables.vast.commit_outcome import Traces, Witness, has_committed
from storage.tables.vast.density import Densities
from storage.tables.vast.flush import send
from storage.tables.vast.layout import FORMS, GUARDED, HOLDERS, LOCKS, NOTICE, ROW_ID, Form
from storage.tables.vast.locks import Held, Queues, marked, new_mark, newest_mark, slots_of
from storage.tables.vast.reader import VastReader
from storage.tables.vast.waiting import pause
from storage.tables.vast.write_buffer import Key, Memory


class VastWriter(VastReader):
    """A transaction that writes.

    What it has read it remembers, with row ids, so that changing those rows needs no second look. What it writes is
    sent when the table is next read, or at the end, in as few requests as it takes.
    """

    def __init__(self, cluster: Cluster, densities: Densities, queues: Queues) -> None:
        super().__init__(cluster, densities)
        self._queues = queues
        self._held: list[Held] = []
        self._queued: set[int] = set()
        self._locked: set[str] = set()
        self._mark = new_mark()
        self._memories = {name: Memory(form) for name, form in FORMS.items()}
        self._forget()

    def _forget(self) -> None:
        """Nothing has been read or written yet."""
        for memory in self._memories.values():
            memory.clear()
        self._slots: set[int] = set()
        self._witness: Witness | None = None
        self._is_unmarked = False
        self._nobody_listens = False
        self._has_stirred = False
        self._has_written = False

    # Locks.

    def lock(self, *names: str) -> None:
        new = [name for name in names if name not in self._locked]
        if not new:
            return
        patience = self._cluster.address.patience_s
        queue = [slot for slot in slots_of(new) if slot not in self._queued]
        self._held.append(self._queues.take(queue, patience))
        self._queued.update(queue)
        deadline = time.monotonic() + patience
        attempt = 0
        is_first = self._tx is None and not any(memory.is_pending for memory in self._memories.values())
        while True:
            try:
                self._take(new)
                break
            except Contended:
                # A view that something has been read by cannot be given up here for a later one, nor what was written.
                if not is_first or time.monotonic() > deadline:
                    raise
                self._abandon()
            pause(attempt)
            attempt += 1
        self._locked.update(new)

    def _take(self, names: Sequence[str]) -> None:
        slots = [slot for slot in slots_of(self._take_guarded(names)) if slot not in self._slots]
        if not slots:
            return
        form = FORMS[LOCKS]
        rows = self._fetch_plain(form, [In("slot", slots)])
        if len(rows) != len(slots):
            raise Unavailable("the tables are not there yet: run the server's start-up once")
        self._mark_rows(form, rows, [marked(row, self._mark) for row in rows])
        # A slot is there for ever, and a better witness than a row that may be deleted.
        self._witness = Witness(form, rows[0]["slot"], newest_mark(rows[0]))
        self._slots.update(slots)
        self._has_written = True

    def _take_guarded(self, names: Sequence[str]) -> list[str]:
        """Mark the rows that are locks, to be sent before anything else is read; the names that have no such row."""
        left = list(names)
        for kind, table in GUARDED.items():
            ids = {name.partition(":")[2]: name for name in names if name.startswith(f"{kind}:")}
            if not ids:
                continue
            memory = self._memories[table]
            self._flush(memory)
            key = memory.form.table.key[0]
            rows = {row[key]: row for row in self._fetch_plain(memory.form, [In(key, [NOTICE, *ids])])}
            self._nobody_listens = presence_flag.says_none(rows.pop(NOTICE, None))
            memory.keep(rows.values())
            memory.cover([In(key, list(ids))])
            for id_, row in rows.items():
                memory.update((id_,), {HOLDERS.name: marked(row, self._mark)})
                self._witness = self._witness or Witness(memory.form, id_, newest_mark(row))
                self._is_unmarked = True
                left.remove(ids[id_])
        return left

    def _mark_rows(self, form: Form, rows: Sequence[Row], words: Sequence[str]) -> None:
        values = pa.record_batch([pa.array(words, pa.string())], names=[HOLDERS.name])
        self._cluster.update(self._id, form, form.row_ids([row[ROW_ID] for row in rows]), values)

    def _fetch_plain(self, form: Form, conditions: Sequence[Compare | In]) -> list[Row]:
        return super()._fetch(form, conditions, [*form.columns, ROW_ID], None)

    def _abandon(self) -> None:
        if self._tx is not None:
            self._cluster.undo(self._tx)
            self._tx = None
        self._forget()

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
        if self._nobody_listens and not self._has_stirred and presence_flag.answers(table, where):
            return []
        memory = self._memories[table]
        known = memory.recall(where, whole=True)
        if known is not None and not order:
            rows = [memory.full[key] for key in known[:limit]]
            return [{name: row[name] for name in columns or memory.form.shown} for row in rows]
        rows = super().select(
            table, where, order=order, descending=descending, after=after, limit=limit, columns=columns
        )
        if after is None and (limit is None or len(rows) < limit):
            memory.cover(where)
        return rows

    def select_unlocked(
        self, table: str, where: Sequence[Condition], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Row]:
        """The cluster tells of rows that others change when this transaction changes them, or at its end."""
        return self.select(table, where, order=order, limit=limit)

    def _fetch(
        self, form: Form, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        """Rows with their key, which are remembered."""
        memory = self._memories[form.name]
        self._send_marks()
        self._flush(memory)
        rows = super()._fetch(form, conditions, list(dict.fromkeys((*columns, *form.table.key, ROW_ID))), limit)
        memory.keep(rows)
        return rows

    # Writing.

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, fresh: bool = False) -> None:
        memory = self._memories[table]
        form = memory.form
        keyed = {form.key_of(row): form.complete(row) for row in rows}
        if len(keyed) < len(rows):
            raise Conflict(f"two rows of {table} would have the same key")
        if not fresh:
            self._check_free(memory, list(keyed))
        self._has_stirred |= bool(keyed) and table == presence_flag.TABLE
        for key, row in keyed.items():
            # Another row of the same key than one that was there before is told from it by this.
            memory.insert(key, {**row, HOLDERS.name: self._mark} if form.locks else row)
        if form.table.span is not None:
            owner = form.table.span[0]
            by_owner: dict[str, list[Row]] = defaultdict(list)
            for row in keyed.values():
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
        return [In(name, values) for name, values in zip(form.table.key, parts, strict=True)]

    def update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        memory = self._memories[table]
        key_changes = any(name in values for name in memory.form.table.key)
        keys = self._resolve(memory, where, whole=key_changes)
        self._has_stirred |= bool(keys) and table == presence_flag.TABLE and presence_flag.CONDITION.column in values
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
        self._has_stirred |= bool(keys) and table == presence_flag.TABLE
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

    def _send_marks(self) -> None:
        """Change the rows that are locks, with whatever else is to become of them, before anything more is read."""
        if self._is_unmarked:
            self._is_unmarked = False
            for table in GUARDED.values():
                self._flush(self._memories[table])

    def _flush(self, memory: Memory) -> None:
        """Send what is pending for one table."""
        if memory.is_pending:
            self._has_written = True
            send(self._cluster, self._id, memory)

    def _renew_notice(self) -> None:
        """First the notice is changed, which keeps others out who would change it, then it is seen what to say."""
        form = FORMS[GUARDED["flow"]]
        key = form.table.key[0]
        rows = self._fetch_plain(form, [Compare(key, "==", NOTICE)])
        self._mark_rows(form, rows, [presence_flag.SOME] * len(rows))
        if not self.select(presence_flag.TABLE, [presence_flag.CONDITION], limit=1, columns=["id"]):
            self._mark_rows(form, rows, [presence_flag.NONE] * len(rows))

    # The end.

    def commit(self) -> None:
        """Raises Contended or Unavailable where nothing was written."""
        traces = Traces(self._mark, self._witness, self._new_row())
        if self._has_stirred:
            self._renew_notice()
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
            if not has_committed(self._cluster, tx, traces):
                raise Contended("the catalogue could not take the change; nothing was changed") from error

    def rollback(self) -> None:
        tx, self._tx = self._tx, None
        if tx is not None:
            if self._has_written:
                self._cluster.undo(tx)
            else:
                self._cluster.end_later(tx)

    def release(self) -> None:
        """Let other writers of this machine go on."""
        for held in self._held:
            held.release()
        self._held = []

    def _new_row(self) -> tuple[Form, Key] | None:
        """A row that will be there once this transaction is committed, and was not before."""
        for memory in self._memories.values():
            for key in memory.inserted:
                if not memory.deleted:
                    return memory.form, key
        return None
