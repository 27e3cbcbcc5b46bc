"""The lifetime of objects: how long they are kept, decided by counting the references of each flow (OBJ-LIFE-*).

A segment refers to its object and, through it, to that object's init object. When an object loses its last reference,
it is no longer shown, and its row records when it expires: after a short grace period. Until garbage collection removes
it, a new segment can use it again (A41).
"""

from collections import Counter
from collections.abc import Iterable, Sequence, Set

from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment, Limits
from storage.errors import Contended
from storage.media.object_store import ObjectStore
from storage.tables.conditions import In, equals
from storage.tables.rows import ObjectRefRow
from storage.tables.transaction import Writer

References = tuple[str, str | None]
"""What one segment refers to: its object's id, and the init object's."""

_IDS_PER_QUERY = 500


def allocated_until(limits: Limits, created: int, store: ObjectStore) -> int:
    """Return when an object that is allocated at `created` expires, both in microseconds since 1970 (TMO-01, STO-31).

    Upload URLs are made to expire by then, less the time for which the store may let an upload go on after that. So no
    upload ends after its object has expired, unless this server receives it and rejects it.
    """
    return created + (limits.unregistered_object_s + store.upload_tail_s) * SECOND


def add_references(tx: Writer, flow_id: str, segments: Iterable[References], *, unreferenced: Set[str]) -> None:
    """Count the references of new segments of the flow.

    unreferenced: ids of objects that no segment has ever referred to, whose counts need not be read.
    """
    counts = _count_references(segments)
    for row in _counts_of_flow(tx, flow_id, [object_id for object_id in counts if object_id not in unreferenced]):
        total = row["segments"] + counts.pop(row["object_id"])
        tx.update("object_refs", equals(object_id=row["object_id"], flow_id=flow_id), {"segments": total})
    rows: list[ObjectRefRow] = [
        {"object_id": object_id, "flow_id": flow_id, "segments": n} for object_id, n in counts.items()
    ]
    tx.insert("object_refs", rows, fresh=True)


def remove_references(tx: Writer, env: Environment, flow_id: str, segments: Iterable[References]) -> None:
    """Subtract the references of deleted segments of the flow; objects that lose their last one start to expire."""
    counts = _count_references(segments)
    gone = []
    for row in _counts_of_flow(tx, flow_id, list(counts)):
        left = row["segments"] - counts[row["object_id"]]
        if left > 0:
            tx.update("object_refs", equals(object_id=row["object_id"], flow_id=flow_id), {"segments": left})
        else:
            gone.append(row["object_id"])
    expires = env.clock() + env.limits.object_grace_s * SECOND
    for ids in _batches(gone):
        tx.delete("object_refs", [In("object_id", ids), *equals(flow_id=flow_id)])
        # First update the rows that `cancel_expiry` updates too, then read which references are left: so of two
        # concurrent transactions the later one sees the changes of the earlier one.
        tx.update("objects", [In("id", ids)], {"expires": expires})
        kept = {row["object_id"] for row in tx.select("object_refs", [In("object_id", ids)], columns=["object_id"])}
        if kept:
            tx.update("objects", [In("id", sorted(kept))], {"expires": None})


def cancel_expiry(tx: Writer, object_ids: Sequence[str]) -> None:
    """Keep these objects for new segments that refer to them. Raises: Contended if one has just been removed."""
    for ids in _batches(object_ids):
        if tx.update("objects", [In("id", ids)], {"expires": None}) != len(ids):
            raise Contended("an object of these segments has just been removed by garbage collection; try again")


def _count_references(segments: Iterable[References]) -> Counter[str]:
    return Counter(object_id for pair in segments for object_id in pair if object_id is not None)


def _counts_of_flow(tx: Writer, flow_id: str, object_ids: Sequence[str]) -> list[ObjectRefRow]:
    return [
        row
        for ids in _batches(object_ids)
        for row in tx.select("object_refs", [In("object_id", ids), *equals(flow_id=flow_id)])
    ]


def _batches(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + _IDS_PER_QUERY] for start in range(0, len(ids), _IDS_PER_QUERY))
