"""What became of a commit whose answer was lost: found out by the traces that the transaction would have left."""

import time
from dataclasses import dataclass

from storage.errors import Unavailable
from storage.tables.conditions import Compare
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.layout import HOLDERS, Form
from storage.tables.vast.locks import MARKS, marks_of
from storage.tables.vast.waiting import pause
from storage.tables.vast.write_buffer import Key


@dataclass(frozen=True, slots=True)
class Witness:
    """A row that the transaction locked, by its key, and the newest mark that it had before."""

    form: Form
    key: str | int
    before: str


@dataclass(frozen=True, slots=True)
class Traces:
    """mark: what the transaction leaves in its witness. new_row: one that is there afterwards and was not before."""

    mark: str
    witness: Witness | None
    new_row: tuple[Form, Key] | None


def has_committed(cluster: Cluster, tx: int, traces: Traces) -> bool:
    """Whether the transaction was committed. Raises Unavailable where that cannot be found out.

    Giving the transaction up comes first: if it was not committed, from then on it cannot be.
    """
    deadline = time.monotonic() + cluster.address.patience_s
    attempt = 0
    while time.monotonic() < deadline:
        try:
            if cluster.rollback(tx):
                found = _look_up(cluster, traces)
                if found is not None:
                    return found
                break
        except Unavailable:
            pass
        pause(attempt)
        attempt += 1
    raise Unavailable("the catalogue did not say whether it took the change; look before you try again")


def _look_up(cluster: Cluster, traces: Traces) -> bool | None:
    """Whether the mark or the new row is there; None: no telling."""
    tx = cluster.begin()
    try:
        witness = traces.witness
        if witness is not None:
            key = Compare(witness.form.table.key[0], "==", witness.key)
            found = witness.form.rows(cluster.select(tx, witness.form, [key], [HOLDERS.name], 1))
            marks = marks_of(found[0]) if found else None
            if marks is not None and traces.mark in marks:
                return True
            # Marks drop out only of a full list, and the older one first.
            if marks is not None and (witness.before in marks or len(marks) < MARKS):
                return False
        if traces.new_row is not None:
            form, key_values = traces.new_row
            where = [Compare(name, "==", value) for name, value in zip(form.table.key, key_values, strict=True)]
            return bool(cluster.select(tx, form, where, [form.table.key[0]], 1).num_rows)
        return None
    finally:
        cluster.end_later(tx)
