"""What can only be told of single segments: whether their objects are used elsewhere or in part, and their key frames.

Of a long timeline a sample is looked up, one segment of each bucket or more.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from storage.catalog.caller import Caller
from storage.catalog.timeline.buckets import Bucket
from storage.tables.conditions import Condition, Exists, In, equals
from storage.tables.rows import ObjectRow, SegmentRow
from storage.tables.transaction import Reader

MOST_SAMPLED: Final = 2_000
"""Segments of one request, with a row each of their objects."""
_MOST_USES: Final = 2 * MOST_SAMPLED
_TOLERANCE_NS: Final = 50_000_000
"""By how much an object may be longer than a segment that uses all of it: audio frames overlap where media are cut."""
_OBJECT_COLUMNS = ("id", "start_ns", "end_ns", "key_frame_count")


def sample(tx: Reader, caller: Caller, flow_id: str, buckets: Sequence[Bucket]) -> None:
    """Look up a sample of the segments of buckets: all segments whose starts are known, or the first of each bucket."""
    if sum(len(bucket.starts) for bucket in buckets) > MOST_SAMPLED:
        chosen = [(bucket, start) for bucket in buckets for start in bucket.starts[:1]][:MOST_SAMPLED]
    else:
        chosen = [(bucket, start) for bucket in buckets for start in bucket.starts]
    segments = _segments(tx, flow_id, [start for _, start in chosen])
    ids = sorted({row["object_id"] for row in segments.values()})
    objects = {row["id"]: row for row in _select_objects(tx, ids)}
    uses = _uses(tx, caller, flow_id, ids)
    for bucket, start in chosen:
        segment = segments.get(start)
        if segment is not None:
            _add(bucket, segment, objects.get(segment["object_id"]), uses[segment["object_id"]] > 1)


def _segments(tx: Reader, flow_id: str, starts: Sequence[int]) -> dict[int, SegmentRow]:
    if not starts:
        return {}
    columns = ["start_ns", "end_ns", "object_id"]
    rows = tx.select("segments", [*equals(flow_id=flow_id), In("start_ns", starts)], columns=columns)
    return {row["start_ns"]: row for row in rows}


def _select_objects(tx: Reader, ids: Sequence[str]) -> list[ObjectRow]:
    return tx.select("objects", [In("id", ids)], columns=_OBJECT_COLUMNS) if ids else []


def _uses(tx: Reader, caller: Caller, flow_id: str, ids: Sequence[str]) -> Counter[str]:
    """How many segments use each object, of flows that the caller may read: others tell nothing of themselves."""
    uses: Counter[str] = Counter()
    if ids:
        readable: list[Condition] = []
        if caller.is_restricted:
            readable = [Exists("flows", "id", "flow_id", caller.visible("flow"))]
        own = tx.select("object_refs", [In("object_id", ids), *equals(flow_id=flow_id)])
        where: list[Condition] = [In("object_id", ids), *readable]
        every = tx.select("object_refs", where, order=("object_id", "flow_id"), limit=_MOST_USES)
        for row in [*own, *(row for row in every if row["flow_id"] != flow_id)]:
            uses[row["object_id"]] += row["segments"]
    return uses


def _add(bucket: Bucket, segment: SegmentRow, object_: ObjectRow | None, reused: bool) -> None:
    bucket.sampled += 1
    bucket.reused += reused
    if object_ is None or object_["start_ns"] is None or object_["end_ns"] is None:
        return
    whole = object_["end_ns"] - object_["start_ns"]
    bucket.partial += _is_part(segment["end_ns"] - segment["start_ns"], whole)
    if object_["key_frame_count"] is not None:
        bucket.key_frames = (bucket.key_frames or 0) + object_["key_frame_count"]


def _is_part(used: int, whole: int) -> bool:
    """Whether a segment uses noticeably less than its object has: durations in ns. The console has the same rule."""
    return whole - used > min(_TOLERANCE_NS, whole // 4)
