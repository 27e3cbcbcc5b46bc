"""Write transactions. One begins with its first request, and sends its changes as late as it can."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from storage.errors import Conflict, Contended, Unavailable
from storage.tables.conditions import Compare, Condition, In
from storage.tables.transaction import ByteBudget, Row, Writer
from storage.tables.vast.cluster import CONTENTION_BACKOFF, Cluster
from storage.tables.vast.cluster_errors import UnknownOutcome
from storage.tables.vast.commit_outcome import CommitTraces, LockedRow, has_committed, new_row
from storage.tables.vast.density import DensityCache
from storage.tables.vast.flush import flush
from storage.tables.vast.layout import FLAG_KEY, HOLDERS, LAYOUTS, LOCK_TABLES, LOCKS, ROW_ID, TableLayout
from storage.tables.vast.locks import HeldLocks, LockQueues, add_mark, lock_slots, new_mark, newest_mark
from storage.tables.vast.presence_flag import FLAGS, NONE, SOME, TransactionFlags
from storage.tables.vast.reader import VastReader
from storage.tables.vast.write_buffer import Key, WriteBuffer


class VastWriter(VastReader, Writer):
    """A transaction that writes.

    It remembers the rows that it has read, with their row ids, so that changing them needs no second query. Changes are
    sent when their table is next read, or at the commit.
    """

    def __init__(self, cluster: Cluster, densities: DensityCache, queues: LockQueues) -> None:
        super().__init__(cluster, densities)
        self._held = HeldLocks(queues)
        self._locked_names: set[str] = set()
        self._mark = new_mark()
        self._buffers = {name: WriteBuffer(layout) for name, layout in LAYOUTS.items()}
        self._flags = TransactionFlags()
        self._reset()

    def _reset(self) -> None:
        """Return to the state before the first read and write; local locks stay held."""
        for buffer in self._buffers.values():
            buffer.clear()
        self._flags.clear()
        self._locked_slots: set[int] = set()
        self._locked_row: LockedRow | None = None
        self._has_unsent_marks = False
        self._has_written = False

    # Locks.

    def lock(self, *names: str) -> None:
        new = [name for name in names if name not in self._locked_names]
        if not new:
            return
        timeout_s = self._cluster.address.retry_s
        self._held.acquire(lock_slots(new), timeout_s)
        deadline = time.monotonic() + timeout_s
        attempt = 0
        is_first = self._tx is None and not any(buffer.is_pending for buffer in self._buffers.values())
        while True:
            try:
                self._lock_rows(new)
                break
            except Contended:
                # A retry needs a new transaction, which is possible only if this one has not read or written before.
                if not is_first or time.monotonic() > deadline:
                    raise
                self._restart()
            time.sleep(CONTENTION_BACKOFF.pause_s(attempt))
            attempt += 1
        self._locked_names.update(new)

    def _lock_rows(self, names: Sequence[str]) -> None:
        """Mark the rows that these names stand for: slots on the cluster, rows of LOCK_TABLES in the buffer."""
        slots = [slot for slot in lock_slots(self._lock_existing_rows(names)) if slot not in self._locked_slots]
        if not slots:
            return
        layout = LAYOUTS[LOCKS]
        rows = self._fetch_unbuffered(layout, [In("slot", slots)])
        if len(rows) != len(slots):
            raise Unavailable("the tables do not exist yet: start the server once to create them")
        self._set_holders(layout, rows, [add_mark(row, self._mark) for row in rows])
        # Slots are never deleted, so that one of them shows the outcome of a commit better than another row.
        self._locked_row = LockedRow(layout, rows[0]["slot"], newest_mark(rows[0]))
        self._locked_slots.update(slots)
        self._has_written = True

    def _lock_existing_rows(self, names: Sequence[str]) -> list[str]:
        """Mark the rows of LOCK_TABLES, to be sent before the next read. Returns the names that have no such row."""
        left = list(names)
        for kind, table in LOCK_TABLES.items():
            ids = {name.partition(":")[2]: name for name in names if name.startswith(f"{kind}:")}
            if not ids:
                continue
            buffer = self._buffers[table]
            self._flush(buffer)
            key = buffer.layout.table.key[0]
            flag_keys = [FLAG_KEY] if table in FLAGS else []
            rows = {row[key]: row for row in self._fetch_unbuffered(buffer.layout, [In(key, [*flag_keys, *ids])])}
            self._flags.remember(table, rows.pop(FLAG_KEY, None))
            buffer.remember(rows.values())
            buffer.mark_complete([In(key, list(ids))])
            for id_, row in rows.items():
                buffer.update((id_,), {HOLDERS.name: add_mark(row, self._mark)})
                self._locked_row = self._locked_row or LockedRow(buffer.layout, id_, newest_mark(row))
                self._has_unsent_marks = True
                left.remove(ids[id_])
        return left

    def _set_holders(self, layout: TableLayout, rows: Sequence[Row], values: Sequence[str]) -> None:
        batch = pa.record_batch([pa.array(values, pa.string())], names=[HOLDERS.name])
        self._cluster.update(self._tx_id, layout, layout.row_ids([row[ROW_ID] for row in rows]), batch)

    def _fetch_unbuffered(self, layout: TableLayout, conditions: Sequence[Compare | In]) -> list[Row]:
        """Rows with all columns and row ids, without sending or remembering anything."""
        return super()._fetch(layout, conditions, [*layout.columns, ROW_ID], None)

    def _restart(self) -> None:
        if self._tx is not None:
            self._cluster.ensure_rollback(self._tx)
            self._tx = None
        self._reset()

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
        budget: ByteBudget | None = None,
    ) -> list[Any]:
        if self._flags.rule_out(table, where):
            return []
        buffer = self._buffers[table]
        keys = buffer.find(where, whole=True)
        if keys is not None and not order:
            known = [buffer.rows[key] for key in keys[:limit]]
            return [{name: row[name] for name in columns or buffer.layout.catalog_columns} for row in known]
        rows = super().select(
            table, where, order=order, descending=descending, after=after, limit=limit, columns=columns, budget=budget
        )
        is_cut = budget is not None and budget.is_spent
        if after is None and not is_cut and (limit is None or len(rows) < limit):
            buffer.mark_complete(where)
        return rows

    def select_unlocked(
        self, table: str, where: Sequence[Condition], *, order: Sequence[str] = (), limit: int | None = None
    ) -> list[Any]:
        """Like `select`. A conflict with another transaction only shows when a row is changed, or at the commit."""
        return self.select(table, where, order=order, limit=limit)

    def _fetch(
        self, layout: TableLayout, conditions: Sequence[Compare | In], columns: Sequence[str], limit: int | None
    ) -> list[Row]:
        """Rows with their key, which are remembered."""
        buffer = self._buffers[layout.name]
        self._send_marks()
        self._flush(buffer)
        rows = super()._fetch(layout, conditions, list(dict.fromkeys((*columns, *layout.table.key, ROW_ID))), limit)
        buffer.remember(rows)
        return rows

    # Writing.

    def _insert(self, table: str, rows: Sequence[Any], *, fresh: bool) -> None:
        buffer = self._buffers[table]
        layout = buffer.layout
        by_key = {layout.key_of(row): layout.complete(row) for row in rows}
        if len(by_key) < len(rows):
            raise Conflict(f"two rows to be inserted into {table} have the same key")
        if not fresh:
            self._check_free(buffer, list(by_key))
        if by_key:
            self._flags.note_change(table)
        for key, row in by_key.items():
            # The mark distinguishes the row from an earlier one with the same key.
            buffer.insert(key, {**row, HOLDERS.name: self._mark} if layout.has_locks else row)
        if layout.table.span is not None:
            self._densities.observe_inserted(layout, by_key.values())

    def _check_free(self, buffer: WriteBuffer, keys: Sequence[Key]) -> None:
        """Raise Conflict if one of these keys is taken. Locks the keys, unless the caller has locked anything."""
        layout = buffer.layout
        if keys and not self._locked_names:
            self.lock(*(f"{layout.name}:{'/'.join(map(str, key))}" for key in keys))
        self._look_up(buffer, keys)
        taken = next((key for key in keys if buffer.exists(key)), None)
        if taken is not None:
            raise Conflict(f"another request has just created the same thing: {layout.name} {taken}")

    def _look_up(self, buffer: WriteBuffer, keys: Sequence[Key]) -> None:
        """Look up which of these keys exist, all in one query, unless that is known."""
        unknown = [key for key in keys if not buffer.exists(key) and not buffer.is_absent(key)]
        if unknown:
            self.select(buffer.layout.name, buffer.layout.key_conditions(unknown), columns=buffer.layout.table.key)

    def _update(self, table: str, where: Sequence[Condition], values: Mapping[str, Any]) -> int:
        buffer = self._buffers[table]
        key_changes = any(name in values for name in buffer.layout.table.key)
        keys = self._find(buffer, where, whole=key_changes)
        if keys:
            self._flags.note_change(table, values)
        for key in keys:
            if key_changes:
                row = {**buffer.rows[key], **values}
                buffer.delete(key)
                self._check_free(buffer, [buffer.layout.key_of(row)])
                buffer.insert(buffer.layout.key_of(row), row)
            else:
                buffer.update(key, dict(values))
        return len(keys)

    def _update_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> int:
        buffer = self._buffers[table]
        self._look_up(buffer, [buffer.layout.key_of(row) for row in rows])
        return super()._update_rows(table, rows)

    def delete(self, table: str, where: Sequence[Condition]) -> int:
        buffer = self._buffers[table]
        keys = self._find(buffer, where, whole=False)
        if keys:
            self._flags.note_change(table)
        for key in keys:
            buffer.delete(key)
        return len(keys)

    def _find(self, buffer: WriteBuffer, where: Sequence[Condition], *, whole: bool) -> list[Key]:
        """The keys of the rows that meet `where`; afterwards all are in the buffer, with all columns if `whole`."""
        keys = buffer.find(where, whole=whole)
        if keys is not None:
            return keys
        columns = None if whole else buffer.layout.table.key
        return [buffer.layout.key_of(row) for row in self.select(buffer.layout.name, where, columns=columns)]

    # Sending.

    def _send_marks(self) -> None:
        """Send the marks in rows of LOCK_TABLES, with any other changes of these rows, before the next read."""
        if self._has_unsent_marks:
            self._has_unsent_marks = False
            for table in LOCK_TABLES.values():
                self._flush(self._buffers[table])

    def _flush(self, buffer: WriteBuffer) -> None:
        if buffer.is_pending:
            self._has_written = True
            flush(self._cluster, self._tx_id, buffer)

    def _update_flag(self, carrier: str) -> None:
        """Set the flag of this carrier: first change its row, which keeps other writers out, then look up the facts."""
        flag, layout = FLAGS[carrier], LAYOUTS[carrier]
        rows = self._fetch_unbuffered(layout, [Compare(layout.table.key[0], "==", FLAG_KEY)])
        self._set_holders(layout, rows, [SOME] * len(rows))
        key = LAYOUTS[flag.table].table.key
        if not self.select(flag.table, [flag.condition], limit=1, columns=key):
            self._set_holders(layout, rows, [NONE] * len(rows))

    # The end.

    def commit(self) -> None:
        """Raises Contended or Unavailable where nothing was written."""
        traces = CommitTraces(self._mark, self._locked_row, new_row(self._buffers.values()))
        for carrier in sorted(self._flags.outdated):
            self._update_flag(carrier)
        for buffer in self._buffers.values():
            self._flush(buffer)
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
                raise Contended("the database did not take the change; nothing was written") from error

    def rollback(self) -> None:
        tx, self._tx = self._tx, None
        if tx is not None:
            if self._has_written:
                self._cluster.ensure_rollback(tx)
            else:
                self._cluster.rollback_later(tx)

    def release(self) -> None:
        """Release the local locks, so that other writers of this machine go on."""
        self._held.release()
