"""Fills a flow through the Engine protocol, for stores that do not speak SQL. Slower than tests.benchmarks.seeding."""

from collections.abc import Callable
from typing import Any

from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.timerange import NS
from tests.benchmarks.flow_seeding import SEGMENT_S, Filled

_BATCH = 20_000


def fill_through_engine(database: str, flow: Filled) -> None:
    """Add all segments but the first and the last to a flow that Filled.create has made, as Filled.fill does."""
    engine = open_engine(database)
    try:
        with engine.read() as tx:
            first = tx.select("segments", equals(flow_id=flow.id), limit=1)[0]
            object_ = tx.select("objects", equals(id=flow.shared_id), limit=1)[0]
            instance = tx.select("instances", equals(object_id=flow.shared_id), limit=1)[0]
            reference = tx.select("object_refs", equals(object_id=flow.shared_id), limit=1)[0]
        for start in range(1, flow.count - 1, _BATCH):
            numbers = range(start, min(start + _BATCH, flow.count - 1))
            own = [n for n in numbers if n % flow.step]
            with engine.write() as tx:
                tx.lock(f"flow:{flow.id}")
                tx.insert("segments", _copies(first, numbers, lambda n: _segment(flow, n)), fresh=True)
                tx.insert("objects", _copies(object_, own, lambda n: {"id": flow.object_id(n), **_span(n)}), fresh=True)
                tx.insert("instances", _copies(instance, own, lambda n: {"object_id": flow.object_id(n)}), fresh=True)
                tx.insert(
                    "object_refs", _copies(reference, own, lambda n: {"object_id": flow.object_id(n)}), fresh=True
                )
    finally:
        engine.close()


def _copies(row: Any, numbers: Any, changed: Callable[[int], dict[str, Any]]) -> list[Any]:
    return [{**row, **changed(n)} for n in numbers]


def _span(n: int) -> dict[str, Any]:
    start, end = n * SEGMENT_S, (n + 1) * SEGMENT_S
    return {"start_ns": start * NS, "end_ns": end * NS, "timerange": f"[{start}:0_{end}:0)"}


def _segment(flow: Filled, n: int) -> dict[str, Any]:
    span = _span(n)
    object_id = flow.object_id(n) if n % flow.step else flow.shared_id
    return {**span, "object_id": object_id, "doc": {"object_timerange": span["timerange"]}}
