"""F14, F15: what a consistency check finds and repairs in the rows by which tags are found."""

import pytest

from storage.catalog.check.findings import WRONG_TAGS
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.paging import PageRequest
from storage.catalog.tags import TagFilter
from storage.tables.conditions import equals
from storage.tables.rows import TagOwner
from tests.unit.catalog.check.checks import check, corrupt, repair_all
from tests.unit.catalogs import CALLER, World


@pytest.fixture
def tagged(world: World, filled: str) -> str:
    """A flow with a tag, whose source has one, and a segment of which has two."""
    world.catalog.flows.set_tag(CALLER, filled, "genre", ["news", "sport"])
    source_id = world.catalog.flows.get(CALLER, filled)["source_id"]
    world.catalog.sources.set_tag(CALLER, source_id, "place", "Salford")
    world.catalog.segment_tags.set(CALLER, filled, "[0:0_1:0)", "shot", ["wide", "close"])
    world.catalog.segment_tags.set(CALLER, filled, "[0:0_1:0)", "none", [])
    assert check(world) == []
    return filled


def _found(world: World, value: str) -> list[str]:
    filters = FlowFilter(tags=TagFilter({"genre": [value]}))
    page = world.catalog.flows.page(CALLER, filters, "created", PageRequest())
    return [flow["id"] for flow in page.items]


@pytest.mark.parametrize("kind", ["flow", "source", "webhook"])
def test_tags_of_resources_that_are_gone_are_removed(world: World, tagged: str, kind: TagOwner) -> None:
    with world.engine.write() as tx:
        tx.insert(
            "tags",
            [
                {"kind": kind, "owner_id": "gone", "name": "x", "value": value, "empty": False, "created": 1}
                for value in "abcd"
            ],
        )
    (finding,) = check(world)
    assert finding.kind == WRONG_TAGS
    assert "gone, which does not exist" in finding.detail
    repair_all(world)
    assert _found(world, "news") == [tagged]


def test_a_flow_is_found_again_by_its_tags(world: World, tagged: str) -> None:
    corrupt(world, "tags", None, kind="flow", owner_id=tagged, value="news")
    assert _found(world, "news") == []
    (finding,) = check(world)
    assert (finding.kind, finding.flow_id, finding.repaired) == (WRONG_TAGS, tagged, False)
    repair_all(world)
    assert _found(world, "news") == [tagged]


def test_rows_with_another_time_of_creation_are_corrected(world: World, tagged: str) -> None:
    corrupt(world, "tags", {"created": 5}, kind="flow", owner_id=tagged, value="news")
    assert [each.kind for each in check(world)] == [WRONG_TAGS]
    repair_all(world)


def test_tags_of_segments_that_are_gone_are_removed(world: World, tagged: str) -> None:
    with world.engine.write() as tx:
        tx.insert(
            "segment_tags",
            [
                {"flow_id": flow_id, "start_ns": 77, "name": "x", "value": value, "empty": False}
                for flow_id in (tagged, "gone")
                for value in "abcd"
            ],
        )
    findings = check(world)
    assert {(each.kind, each.flow_id) for each in findings} == {(WRONG_TAGS, tagged), (WRONG_TAGS, "gone")}
    repair_all(world)
    with world.engine.read() as tx:
        assert {row["flow_id"] for row in tx.select("segment_tags")} == {tagged}


def test_a_segment_is_found_again_by_its_tags(world: World, tagged: str) -> None:
    corrupt(world, "segment_tags", None, flow_id=tagged, value="wide")
    (finding,) = check(world)
    assert "[0:0_1:0)" in finding.detail
    repair_all(world)
    with world.engine.read() as tx:
        assert len(tx.select("segment_tags", equals(flow_id=tagged))) == 3


def test_a_segment_is_found_again_whose_rows_are_all_gone(world: World, tagged: str) -> None:
    corrupt(world, "segment_tags", None, flow_id=tagged)
    (finding,) = check(world)
    assert (finding.kind, finding.flow_id, finding.repaired) == (WRONG_TAGS, tagged, False)
    assert "[0:0_1:0)" in finding.detail
    repair_all(world)
    with world.engine.read() as tx:
        assert len(tx.select("segment_tags", equals(flow_id=tagged))) == 3


def test_rows_of_a_segment_without_tags_are_removed(world: World, tagged: str) -> None:
    for name in ("shot", "none"):
        world.catalog.segment_tags.delete(CALLER, tagged, "[0:0_1:0)", name)
    with world.engine.write() as tx:
        tx.insert(
            "segment_tags", [{"flow_id": tagged, "start_ns": 0, "name": "x", "value": "a", "empty": False}], fresh=True
        )
    (finding,) = check(world)
    assert "[0:0_1:0)" in finding.detail
    repair_all(world)
    with world.engine.read() as tx:
        assert tx.select("segment_tags") == []
