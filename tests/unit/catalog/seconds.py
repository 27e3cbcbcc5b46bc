"""Segments of one second each, for the tests of the catalogue."""

from tests.conformance.kit.ids import fresh
from tests.unit.catalogs import World


def at(n: int) -> str:
    """The timerange of second n."""
    return f"[{n}:0_{n + 1}:0)"


def add(world: World, flow_id: str, *timeranges: str) -> list[str]:
    """Register segments with one object each, and return the ids of the objects."""
    ids = [fresh() for _ in timeranges]
    world.allocate(flow_id, *ids)
    items = [{"object_id": id_, "timerange": timerange} for id_, timerange in zip(ids, timeranges, strict=True)]
    assert world.register(flow_id, *items) == []
    return ids
