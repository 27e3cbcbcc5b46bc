"""F15: what a consistency check finds and repairs in the references to objects, their expiry and content ranges."""

import pytest

from storage.catalog.check.findings import (
    MISSING_OBJECT,
    WRONG_CONTENT,
    WRONG_COUNT,
    WRONG_EXPIRY,
    WRONG_TIMES,
)
from storage.catalog.clock import SECOND
from storage.catalog.flows.content_range import content_columns
from storage.tables.conditions import equals
from storage.tables.outline import outline_columns
from tests.conformance.kit.documents import init_flow
from tests.unit.catalog.check.checks import CHECK_LIMITS, OLD_S, check, corrupt, kinds_and_ids, repair_all
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import World

LIMITS = CHECK_LIMITS


@pytest.mark.parametrize("recorded", [{"segments": 7}, None])
def test_wrong_counts_are_repaired(world: World, filled: str, recorded: dict[str, object] | None) -> None:
    corrupt(world, "object_refs", recorded, object_id="o1", flow_id=filled)
    [finding] = check(world)
    assert (finding.kind, finding.object_id, finding.flow_id) == (WRONG_COUNT, "o1", filled)
    repair_all(world)
    world.delete_segments(filled)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert not world.has_bytes("o1")
    assert check(world) == []


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"outline_node": 12345}, id="node"),
        pytest.param({"outline_end": 1}, id="end"),
        pytest.param(outline_columns(0, 0), id="outline of nothing"),
    ],
)
def test_a_wrong_outline_is_corrected(world: World, filled: str, values: dict[str, object]) -> None:
    corrupt(world, "flows", values, id=filled)
    [finding] = check(world)
    assert (finding.kind, finding.flow_id) == (WRONG_CONTENT, filled)
    repair_all(world)


@pytest.mark.parametrize("values", [{"end_ns": 2_500_000_000}, {"end_ns": 0}])
def test_segments_that_overlap_or_end_before_they_begin_are_found(
    world: World, filled: str, values: dict[str, object]
) -> None:
    corrupt(world, "segments", values, flow_id=filled, start_ns=1_000_000_000)
    found = [each for each in check(world) if each.kind == WRONG_TIMES]
    assert [each.object_id for each in found] == ["o2" if values["end_ns"] else "o1"]
    assert found[0].flow_id == filled
    assert WRONG_TIMES in {each.kind for each in check(world, repair=True)}, "which of them to keep is not decided here"


def test_a_content_range_without_segments_is_corrected(world: World) -> None:
    flow_id = world.make_flow()
    corrupt(world, "flows", content_columns((0, 10**9)), id=flow_id)
    assert [each.flow_id for each in check(world)] == [flow_id]
    repair_all(world)


@pytest.mark.parametrize("recorded", [(0, 3), (1, 5), (2, 3), (0, 0), (9, 12)])
def test_segments_outside_the_content_range_are_found_after_repair(
    world: World, filled: str, recorded: tuple[int, int]
) -> None:
    empty, wide = world.make_flow(), world.make_flow()
    everything = [at(n) for n in range(5)]
    start, end = (second * 10**9 for second in recorded)
    corrupt(world, "flows", {"content_start": start, "content_end": end}, id=filled)
    world.add_object(wide, "wide", at(1))
    corrupt(world, "flows", content_columns((-5, 10 * 10**9)), id=wide)
    assert world.timeranges(filled) != everything
    [finding] = check(world)
    assert (finding.kind, finding.flow_id) == (WRONG_CONTENT, filled)
    repair_all(world)
    assert world.timeranges(filled) == everything
    assert world.timeranges(empty) == []


def test_a_count_without_segments_is_removed(world: World, filled: str) -> None:
    another = world.make_flow()
    with world.engine.write() as tx:
        tx.insert("object_refs", [{"object_id": "o1", "flow_id": another, "segments": 2}])
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "o1")]
    repair_all(world)


def test_counts_of_init_objects_are_compared(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="application/octet-stream")
    for n in range(4):
        world.add_object(flow_id, f"m{n}", at(n), init_object_id="init")
    assert check(world) == []
    corrupt(world, "object_refs", {"segments": 1}, object_id="init", flow_id=flow_id)
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "init")]
    repair_all(world)
    assert {row["segments"] for row in world.rows("object_refs") if row["object_id"] == "init"} == {4}


def test_an_object_in_use_is_saved_from_garbage_collection(world: World, filled: str) -> None:
    corrupt(world, "objects", {"expires": world.clock.now + SECOND}, id="o3")
    assert kinds_and_ids(check(world)) == [(WRONG_EXPIRY, "o3")]
    repair_all(world)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert world.has_bytes("o3")
    assert world.is_registered("o3")


def test_an_unreferenced_object_is_removed_after_the_grace_period(world: World, filled: str) -> None:
    world.delete_segments(filled, at(3))
    corrupt(world, "objects", {"expires": None}, id="o3")
    assert kinds_and_ids(check(world)) == [(WRONG_EXPIRY, "o3")]
    repair_all(world)
    world.run_background_work()
    assert world.has_bytes("o3")
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert not world.has_bytes("o3")


def test_an_init_object_referenced_only_by_segments_is_kept(world: World) -> None:
    flow_id = world.make_flow(init_flow())
    world.allocate(flow_id, "init", content_type="application/octet-stream")
    world.add_object(flow_id, "m", at(0), init_object_id="init")
    corrupt(world, "object_refs", None, object_id="init")
    assert kinds_and_ids(check(world)) == [(WRONG_COUNT, "init")]
    repair_all(world)
    world.clock.forward(OLD_S)
    world.run_background_work()
    assert world.has_bytes("init")


def test_segments_of_a_missing_object_are_reported_and_kept(world: World, filled: str) -> None:
    corrupt(world, "objects", None, id="o1")
    found = check(world, repair=True)
    assert kinds_and_ids(found) == [(MISSING_OBJECT, "o1")]
    assert not found[0].repaired
    with world.engine.read() as tx:
        assert len(tx.select("segments", equals(flow_id=filled))) == 5
