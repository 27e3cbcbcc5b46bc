"""Fills a catalogue with long flows faster than a client could, through the Engine protocol."""

import time
from collections.abc import Callable

from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.timerange import NS

SEGMENT_NS = 2 * NS
_BATCH = 20_000


def fill(url: str, flow_id: str, count: int, progress: Callable[[int], None]) -> None:
    """Give the flow, which must be in the database at `url`, `count` adjoining segments of two seconds from 0:0 on,
    each of its own object; progress is told how many are in."""
    engine = open_engine(url)
    with engine.read() as tx:
        backend = tx.select("instances", equals(object_id=_anchor(tx, flow_id)), limit=1)[0]["storage_id"]
    now = time.time_ns() // 1000
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        with engine.write() as tx:
            ids = {n: f"{flow_id}/{n}" for n in numbers}
            common = {"flow_id": flow_id, "created": now}
            content = {"content_start": 0, "content_end": (numbers[-1] + 1) * SEGMENT_NS, "segments_updated": now}
            place = {"instance": backend, "storage_id": backend, "created": now}
            references = [{"object_id": id_, "flow_id": flow_id, "segments": 1} for id_ in ids.values()]
            tx.lock(f"flow:{flow_id}")
            tx.update("flows", equals(id=flow_id), content)
            tx.insert("segments", [_segment(n, ids[n]) | common for n in numbers], fresh=True)
            tx.insert("objects", [_object(n, ids[n]) | common for n in numbers], fresh=True)
            tx.insert("instances", [{"object_id": id_} | place for id_ in ids.values()], fresh=True)
            tx.insert("object_refs", references, fresh=True)
        progress(numbers[-1] + 1)
    engine.close()


def _anchor(tx: object, flow_id: str) -> str:
    """An object that the service itself allocated for the flow, to learn its storage backend from."""
    rows = tx.select("objects", equals(flow_id=flow_id), limit=1)  # type: ignore[attr-defined]
    anchor: str = rows[0]["id"]
    return anchor


def _text(n: int) -> str:
    return f"[{2 * n}:0_{2 * n + 2}:0)"


def _segment(n: int, object_id: str) -> dict[str, object]:
    return {
        "start_ns": n * SEGMENT_NS,
        "end_ns": (n + 1) * SEGMENT_NS,
        "object_id": object_id,
        "timerange": _text(n),
        "doc": {"object_timerange": _text(n)},
    }


def _object(n: int, object_id: str) -> dict[str, object]:
    return {
        "id": object_id,
        "state": "media",
        "content_type": "video/mp2t",
        "timerange": _text(n),
        "start_ns": n * SEGMENT_NS,
        "end_ns": (n + 1) * SEGMENT_NS,
    }
