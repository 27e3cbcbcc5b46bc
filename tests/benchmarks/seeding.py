"""Fills a flow with many segments through the Engine protocol, faster than an API client could."""

import time
from collections.abc import Callable

from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Reader
from storage.tables.rows import InstanceRow, ObjectRefRow, ObjectRow, SegmentRow
from storage.timerange import NS

SEGMENT_NS = 2 * NS
_BATCH = 20_000


def fill(url: str, flow_id: str, count: int, progress: Callable[[int], None]) -> None:
    """Add `count` adjacent segments of two seconds from 0:0, each with its own object, to a flow.

    url: of the database, in which the flow must exist with an allocated object. progress: called with the number of
    segments so far.
    """
    engine = open_engine(url)
    with engine.read() as tx:
        storage_id = _storage_id(tx, flow_id)
    now = time.time_ns() // 1000
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        with engine.write() as tx:
            ids = {n: f"{flow_id}/{n}" for n in numbers}
            content = {"content_start": 0, "content_end": (numbers[-1] + 1) * SEGMENT_NS, "segments_updated": now}
            instances: list[InstanceRow] = [
                {"object_id": id_, "instance": storage_id, "storage_id": storage_id, "created": now}
                for id_ in ids.values()
            ]
            references: list[ObjectRefRow] = [
                {"object_id": id_, "flow_id": flow_id, "segments": 1} for id_ in ids.values()
            ]
            tx.lock(f"flow:{flow_id}")
            tx.update("flows", equals(id=flow_id), content)
            tx.insert("segments", [_segment(n, ids[n], flow_id, now) for n in numbers], fresh=True)
            tx.insert("objects", [_object(n, ids[n], flow_id, now) for n in numbers], fresh=True)
            tx.insert("instances", instances, fresh=True)
            tx.insert("object_refs", references, fresh=True)
        progress(numbers[-1] + 1)
    engine.close()


def _storage_id(tx: Reader, flow_id: str) -> str:
    """The storage backend of an object that the service allocated for the flow."""
    allocated = tx.select("objects", equals(flow_id=flow_id), limit=1)[0]
    storage_id = tx.select("instances", equals(object_id=allocated["id"]), limit=1)[0]["storage_id"]
    assert storage_id is not None
    return storage_id


def _timerange(n: int) -> str:
    return f"[{2 * n}:0_{2 * n + 2}:0)"


def _segment(n: int, object_id: str, flow_id: str, created: int) -> SegmentRow:
    return {
        "flow_id": flow_id,
        "start_ns": n * SEGMENT_NS,
        "end_ns": (n + 1) * SEGMENT_NS,
        "object_id": object_id,
        "timerange": _timerange(n),
        "created": created,
        "doc": {"object_timerange": _timerange(n)},
    }


def _object(n: int, object_id: str, flow_id: str, created: int) -> ObjectRow:
    return {
        "id": object_id,
        "state": "media",
        "flow_id": flow_id,
        "content_type": "video/mp2t",
        "timerange": _timerange(n),
        "start_ns": n * SEGMENT_NS,
        "end_ns": (n + 1) * SEGMENT_NS,
        "created": created,
    }
