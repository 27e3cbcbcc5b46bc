"""Who refers to an object: counted by flow, so that the last reference is noticed when it goes (OBJ-LIFE-*).

A segment refers to its object and, through it, to that object's init object. An object that loses its last reference
is no longer shown, and is kept for a short grace in which a new segment can take it up again (A41).
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from storage.catalog.environment import SECOND, Environment
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


def add(tx: Writer, flow_id: str, segments: Iterable[Named]) -> None:
    """Count these new segments of the flow."""
    counts = _counted(segments)
    for row in _of_flow(tx, flow_id, list(counts)):
        total = row["segments"] + counts.pop(row["object_id"])
        tx.update("object_refs", equals(object_id=row["object_id"], flow_id=flow_id), {"segments": total})
    rows = [{"object_id": object_id, "flow_id": flow_id, "segments": n} for object_id, n in counts.items()]
    tx.insert("object_refs", rows)


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
        kept = {row["object_id"] for row in tx.select("object_refs", [In("object_id", ids)], columns=["object_id"])}
        tx.update("objects", [In("id", [id_ for id_ in ids if id_ not in kept])], {"expires": due})


def collect(tx: Writer, now: int, limit: int) -> int:
    """Forget up to `limit` objects whose time has come, and mark their bytes for removal; the number of them."""
    ids = [row["id"] for row in tx.select("objects", [Compare("expires", "<=", now)], limit=limit, columns=["id"])]
    stored = [row for row in tx.select("instances", [In("object_id", ids)]) if row["storage_id"] is not None]
    tx.insert("garbage", [{"storage_id": r["storage_id"], "object_id": r["object_id"], "due": now} for r in stored])
    tx.delete("instances", [In("object_id", ids)])
    tx.delete("objects", [In("id", ids)])
    return len(ids)
