"""Find out whether a commit without a response took effect, from the traces that the transaction would have left."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from storage.errors import Unavailable
from storage.tables.conditions import Compare
from storage.tables.vast.cluster import CONTENTION_BACKOFF, Cluster
from storage.tables.vast.layout import HOLDERS, TableLayout
from storage.tables.vast.locks import MAX_MARKS, marks
from storage.tables.vast.write_buffer import Key, WriteBuffer


@dataclass(frozen=True, slots=True)
class LockedRow:
    """A row that a transaction locked. previous_mark: its newest mark before that."""

    layout: TableLayout
    key: str | int
    previous_mark: str


@dataclass(frozen=True, slots=True)
class CommitTraces:
    """What a commit leaves: `mark` in the locked row, and a new row that did not exist before."""

    mark: str
    locked_row: LockedRow | None
    new_row: tuple[TableLayout, Key] | None


def new_row(buffers: Iterable[WriteBuffer]) -> tuple[TableLayout, Key] | None:
    """A pending row that will exist once its transaction is committed, and did not before."""
    for buffer in buffers:
        # Where rows are deleted too, the new row may replace one of them.
        if buffer.inserted and not buffer.deleted:
            return buffer.layout, next(iter(buffer.inserted))
    return None


def has_committed(cluster: Cluster, tx: int, traces: CommitTraces) -> bool:
    """Whether the transaction took effect. Raises Unavailable where that cannot be found out.

    The transaction is rolled back first: if it has not been committed, it can no longer be.
    """
    deadline = time.monotonic() + cluster.address.retry_s
    attempt = 0
    while time.monotonic() < deadline:
        try:
            if cluster.rollback(tx):
                committed = _look_up(cluster, traces)
                if committed is not None:
                    return committed
                break
        except Unavailable:
            pass
        time.sleep(CONTENTION_BACKOFF.pause_s(attempt))
        attempt += 1
    raise Unavailable("the database did not confirm the change: check whether it was made before you retry")


def _look_up(cluster: Cluster, traces: CommitTraces) -> bool | None:
    """Whether the mark or the new row exists; None where neither can show it."""
    tx = cluster.begin()
    try:
        locked = traces.locked_row
        if locked is not None:
            key = Compare(locked.layout.table.key[0], "==", locked.key)
            rows = locked.layout.rows(cluster.select(tx, locked.layout, [key], [HOLDERS.name], 1))
            found = marks(rows[0]) if rows else None
            if found is not None and traces.mark in found:
                return True
            # Only a full list drops marks, the oldest first: so this transaction's mark was never there.
            if found is not None and (locked.previous_mark in found or len(found) < MAX_MARKS):
                return False
        if traces.new_row is not None:
            layout, values = traces.new_row
            where = [Compare(name, "==", value) for name, value in zip(layout.table.key, values, strict=True)]
            return bool(cluster.select(tx, layout, where, [layout.table.key[0]], 1).num_rows)
        return None
    finally:
        cluster.rollback_later(tx)
