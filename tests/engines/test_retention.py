"""Retention on every engine: batches, pages of flows, and the content range that is left."""

from pathlib import Path

from storage.catalog import Limits
from storage.catalog.retention.candidates import Pass
from tests.conformance.kit.documents import flow
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import World, open_world

LIMITS = Limits(deletion_batch=3)


def make_pass(world: World) -> tuple[int, int]:
    place: Pass | None = Pass()
    segments = flows = 0
    while place is not None:
        step = world.catalog.retention.step(place)
        segments, flows, place = segments + step.segments, flows + step.flows, step.next
    return segments, flows


def test_each_pass_deletes_a_batch_of_every_flow(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        loop = world.make_flow(flow(tags={"loop_recorder_duration": "2"}))
        old = world.make_flow(flow(tags={"segment_retention_offset": "60:0"}))
        ending = world.make_flow(flow(tags={"flow_retention_offset": "60:0"}))
        kept = world.make_flow(flow(tags={"retention": "none"}))
        for flow_id in (loop, old, ending, kept):
            add(world, flow_id, *(at(n) for n in range(6)))
        assert make_pass(world) == (6, 0)
        assert world.timeranges(loop) == [at(3), at(4), at(5)]
        assert world.timeranges(old) == [at(3), at(4), at(5)]
        world.clock.forward(61)
        assert make_pass(world) == (4, 1)
        assert make_pass(world) == (0, 0)
        assert world.timeranges(loop) == [at(4), at(5)]
        assert world.timeranges(old) == []
        assert len(world.timeranges(kept)) == 6
        with world.engine.read() as tx:
            assert {row["id"] for row in tx.select("flows")} == {loop, old, kept}


def test_a_flow_is_not_empty_while_its_first_objects_are_uploaded(engine_url: str, tmp_path: Path) -> None:
    limits = Limits(empty_flow_retention_s=60)
    with open_world(tmp_path, limits, engine_url) as world:
        awaiting, _ = world.make_flow(), world.make_flow()
        world.allocate(awaiting, "a", content=None)
        world.clock.forward(61)
        assert make_pass(world) == (0, 1)
        assert {row["id"] for row in world.rows("flows") if row["id"]} == {awaiting}
        world.clock.forward(limits.unregistered_object_s + 3600)
        assert make_pass(world) == (0, 1)
