"""Who refers to an object: counted by flow, so that the last reference is noticed when it goes (OBJ-LIFE-*).

A segment refers to its object and, through it, to that object's init object. An object that loses its last reference
is no longer shown, and is kept for a short grace in which a new segment can take it up again (A41).
"""

from collections import Counter
from collections.abc import Container, Iterable, Sequence

from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.retry import retried
from storage.errors import Contended
from storage.tables.conditions import Compare, In, equals
from storage.tables.engine import Row, Writer

Named = tuple[str, str | None]
"""The object id of a segment, and that of its init object."""

_AT_ONCE = 500
"""Ids in one IN list."""


def _counted(segments: Iterable[Named]) -> Counter[str]:
    return Counter(object_id for pair in segments for object_id in pair if object_id is not None)


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _of_flow(tx: Writer, flow_id: str, object_ids: Sequence[str]) -> list[Row]:
    return [
        row
        for ids in _batches(object_ids)
        for row in tx.select("object_refs", [In("object_id", ids), *equals(flow_id=flow_id)])
    ]


def add(tx: Writer, flow_id: str, segments: Iterable[Named], *, first_named: Container[str]) -> None:
    """Count these new segments of the flow. first_named: objects that nothing has named before."""
    counts = _counted(segments)
    for row in _of_flow(tx, flow_id, [object_id for object_id in counts if object_id not in first_named]):
        total = row["segments"] + counts.pop(row["object_id"])
        tx.update("object_refs", equals(object_id=row["object_id"], flow_id=flow_id), {"segments": total})
    rows = [{"object_id": object_id, "flow_id": flow_id, "segments": n} for object_id, n in counts.items()]
    tx.insert("object_refs", rows, fresh=True)


def remove(tx: Writer, env: Environment, flow_id: str, segments: Iterable[Named]) -> None:
    """Count these segments of the flow out, and set the time at which objects that lost their last one are due."""
    counts = _counted(segments)
    gone = []
    for row in _of_flow(tx, flow_id, list(counts)):
        left = row["segments"] - counts[row["object_id"]]
        if left > 0:
            tx.update("object_refs", equals(object_id=row["object_id"], flow_id=flow_id), {"segments": left})
        else:
            gone.append(row["object_id"])
    due = env.clock() + env.limits.object_grace_s * SECOND
    for ids in _batches(gone):
        tx.delete("object_refs", [In("object_id", ids), *equals(flow_id=flow_id)])
        # First the rows that whoever takes an object up again changes too, then the look at what is left: of two that
        # meet here, the later one sees what the earlier one did.
        tx.update("objects", [In("id", ids)], {"expires": due})
        kept = {row["object_id"] for row in tx.select("object_refs", [In("object_id", ids)], columns=["object_id"])}
        if kept:
            tx.update("objects", [In("id", sorted(kept))], {"expires": None})


def take_up(tx: Writer, object_ids: Sequence[str]) -> None:
    """Keep these objects, which are to get a new segment, from being collected. Raises Contended where one has just
    been."""
    for ids in _batches(object_ids):
        if tx.update("objects", [In("id", ids)], {"expires": None}) != len(ids):
            raise Contended("an object of these segments has just been collected; try again")


class Collection:
    """Forgets objects that nothing names, once their time has come."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    @retried
    def step(self) -> bool:
        """Forget a batch of them, and have their bytes removed. False when there were none."""
        now = self._env.clock()
        expired = Compare("expires", "<=", now)
        with self._env.engine.read_once() as tx:
            limit = self._env.limits.collection_batch
            ids = [row["id"] for row in tx.select("objects", [expired], limit=limit, columns=["id"])]
        if not ids:
            return False
        with self._env.engine.write() as tx:
            if tx.delete("objects", [In("id", ids), expired]) != len(ids):
                raise Contended("an object has just been taken up again; try again")
            stored = [row for row in tx.select("instances", [In("object_id", ids)]) if row["storage_id"] is not None]
            tx.delete("instances", [In("object_id", ids)])
            schedule_removal(tx, now, [(row["storage_id"], row["object_id"]) for row in stored])
        return True
