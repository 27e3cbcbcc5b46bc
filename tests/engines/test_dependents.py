"""Deletions that depend on what uses the deleted thing, and of sources with their flows, on every engine (F3)."""

from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.segments import source_deletion_steps
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.errors import Forbidden, InUse, Invalid, NotFound
from storage.tables.transaction import Row
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.ids import fresh
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import CALLER, World, open_world

LIMITS = Limits(deletion_batch=2, async_deletion_threshold=30)
_TABLES = ("flows", "sources", "segments", "objects", "object_refs", "collections", "events", "deletion_requests")


def everything(world: World) -> dict[str, list[Row]]:
    """All rows that a deletion could change. A lock may leave its mark elsewhere only."""
    return {table: sorted(world.rows(table), key=repr) for table in _TABLES}


def delete_flow(world: World, flow_id: str) -> Json | None:
    return world.catalog.deletions.delete_flow(CALLER, flow_id, cascade=False)


def delete_segments(world: World, flow_id: str, timerange: str = "_") -> Json | None:
    filters = SegmentFilter(parse_timerange(timerange))
    return world.catalog.deletions.delete_segments(CALLER, flow_id, filters, cascade=False)


def delete_source(world: World, source_id: str, *, cascade: bool) -> Json | None:
    return world.catalog.source_deletions.delete(CALLER, source_id, cascade=cascade)


def dependents(error: InUse) -> dict[str, Any]:
    found: dict[str, Any] = error.described()["dependents"]
    return found


def test_a_flow_with_dependents_is_not_deleted_and_nothing_changes(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        world.add_webhook()
        used, collector = world.make_flow(), world.make_flow()
        object_ids = add(world, used, *(at(n) for n in range(22)))
        world.set_collection(collector, used)
        before = everything(world)
        with pytest.raises(InUse, match="22 segments") as caught:
            delete_flow(world, used)
        assert everything(world) == before
        found = dependents(caught.value)
        assert found["segments"]["count"] == 22
        assert found["segments"]["more"] is False
        assert found["segments"]["first"] == [{"timerange": at(n), "object_id": object_ids[n]} for n in range(20)]
        assert found["collected_by"] == {"count": 1, "more": False, "first": [{"id": collector}]}
        world.delete_segments(used)
        world.set_collection(collector)
        assert delete_flow(world, used) is None


def test_awaited_uploads_and_unfinished_deletions_are_dependents_of_a_flow(engine_url: str, tmp_path: Path) -> None:
    limits = Limits(async_deletion_threshold=1)
    with open_world(tmp_path, limits, engine_url) as world:
        flow_id = world.make_flow()
        world.allocate(flow_id, "awaited", content=None)
        with pytest.raises(InUse) as caught:
            delete_flow(world, flow_id)
        assert dependents(caught.value) == {
            "objects": {"count": 1, "more": False, "first": [{"id": "awaited", "state": "allocated"}]}
        }
        add(world, flow_id, at(0), at(1))
        request = world.delete_segments(flow_id)
        assert request is not None
        with pytest.raises(InUse) as caught:
            delete_flow(world, flow_id)
        assert dependents(caught.value)["flow_delete_requests"]["first"] == [{"id": request["id"]}]
        world.clock.forward(limits.unregistered_object_s + 3600)
        world.run_background_work()
        assert delete_flow(world, flow_id) is None


def test_an_empty_flow_is_deleted_although_other_flows_use_its_objects(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        recording, cut = world.make_flow(), world.make_flow()
        [shared] = add(world, recording, at(0))
        assert world.register(cut, {"object_id": shared, "timerange": at(0)}) == []
        world.delete_segments(recording)
        assert delete_flow(world, recording) is None
        assert world.timeranges(cut) == [at(0)]
        assert [row["flow_id"] for row in world.rows("object_refs")] == [cut]


def test_counts_of_dependents_end_at_a_thousand(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        world.add_object(flow_id, "all", "[0:0_2000:0)")
        world.delete_segments(flow_id)
        segments = [{"object_id": "all", "timerange": at(n)} for n in range(1001)]
        assert world.register(flow_id, *segments) == []
        with pytest.raises(InUse, match="more than 1000 segments") as caught:
            delete_flow(world, flow_id)
        assert dependents(caught.value)["segments"]["count"] == 1000
        assert dependents(caught.value)["segments"]["more"] is True


def test_segments_are_deleted_only_if_no_other_flow_uses_their_objects(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        world.add_webhook()
        recording, cut = world.make_flow(), world.make_flow()
        _, shared, _ = add(world, recording, at(0), at(1), at(2))
        assert world.register(cut, {"object_id": shared, "timerange": at(1)}) == []
        before = everything(world)
        with pytest.raises(InUse) as caught:
            delete_segments(world, recording)
        assert everything(world) == before
        use = {"object_id": shared, "flow_id": cut, "segments": 1}
        assert dependents(caught.value) == {"object_references": {"count": 1, "more": False, "first": [use]}}
        assert delete_segments(world, recording, at(0)) is None
        assert world.timeranges(recording) == [at(1), at(2)]
        world.delete_segments(cut)
        assert delete_segments(world, recording) is None
        assert world.timeranges(recording) == []


def test_more_segments_than_can_be_checked_at_once_are_not_deleted(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, Limits(async_deletion_threshold=2), engine_url) as world:
        flow_id = world.make_flow()
        add(world, flow_id, at(0), at(1), at(2))
        with pytest.raises(Invalid, match="at most 2"):
            delete_segments(world, flow_id)
        assert len(world.timeranges(flow_id)) == 3
        assert world.rows("deletion_requests") == []


def make_source(world: World, flows: int, segments: int = 0) -> tuple[str, list[str]]:
    """A source with so many flows of so many segments. Returns its id and theirs."""
    source_id, ids = fresh(), []
    for _ in range(flows):
        world.clock.forward(1)
        ids.append(world.make_flow(flow(source_id=source_id)))
        if segments:
            add(world, ids[-1], *(at(n) for n in range(segments)))
    return source_id, ids


def test_a_source_with_flows_is_not_deleted_without_cascade(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 2)
        before = everything(world)
        with pytest.raises(InUse, match="2 flows") as caught:
            delete_source(world, source_id, cascade=False)
        assert dependents(caught.value)["flows"]["first"] == [{"id": id_} for id_ in ids]
        assert everything(world) == before


def test_a_source_is_deleted_with_its_flows_as_one_request_with_progress(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 3, segments=5)
        other = world.make_flow()
        webhook_id = world.add_webhook("flows/deleted", "sources/deleted", "flows/segments_deleted")
        request = delete_source(world, source_id, cascade=True)
        assert request is not None
        assert (request["source_id"], request["flows_to_delete"], request["flows_deleted"]) == (source_id, 3, 0)
        (claim,) = world.claim("flow-deletion")
        progress = []
        while world.run_step(claim):
            progress.append(world.catalog.flow_delete_requests.get(CALLER, request["id"])["flows_deleted"])
        assert progress == sorted(progress)
        assert set(progress) == {0, 1, 2, 3}
        done = world.catalog.flow_delete_requests.get(CALLER, request["id"])
        assert (done["status"], done["timerange_remaining"]) == ("done", "()")
        assert [row["id"] for row in world.rows("flows") if row["id"]] == [other]
        assert world.rows("segments") == []
        with pytest.raises(NotFound):
            world.catalog.sources.get(CALLER, source_id)
        bodies = world.deliver_events(webhook_id)
        assert [each["event"]["flow_id"] for each in bodies if each["event_type"] == "flows/deleted"] == ids
        assert [each["event_type"] for each in bodies].count("sources/deleted") == 1


def test_many_flows_are_deleted_in_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as they have few segments together. What is left of a flow is a step of its own."""
    monkeypatch.setattr(source_deletion_steps, "_STEP_S", 60.0)
    for flows, segments, expected in ((25, 0, [20, 25]), (10, 3, [3, 4, 7, 8, 10])):
        with open_world(tmp_path, Limits(deletion_batch=10)) as world:
            source_id, _ = make_source(world, flows, segments)
            request = delete_source(world, source_id, cascade=True)
            assert request is not None
            (claim,) = world.claim("flow-deletion")
            progress = []
            while world.run_step(claim):
                progress.append(world.catalog.flow_delete_requests.get(CALLER, request["id"])["flows_deleted"])
            assert progress == expected
            assert world.rows("flows") == world.rows("segments") == []


def test_another_worker_resumes_the_deletion_of_a_source(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 2, segments=5)
        assert delete_source(world, source_id, cascade=True) is not None
        (claim,) = world.claim("flow-deletion", worker="one that dies")
        assert world.run_step(claim)
        with pytest.raises(NotFound, match="still being deleted"):
            world.make_flow(flow(id=ids[0]))
        assert len(world.timeranges(ids[1])) == 5
        world.clock.forward(LIMITS.job_lease_s + 1)
        world.run_background_work()
        assert [row for row in world.rows("flows") if row["id"]] == world.rows("segments") == []


def test_flows_made_or_protected_after_the_request_stay(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 2)
        request = delete_source(world, source_id, cascade=True)
        assert request is not None
        world.clock.forward(1)
        later = world.make_flow(flow(source_id=source_id))
        world.catalog.flows.set_member(CALLER, ids[1], "read_only", True)
        world.run_background_work()
        ended = world.catalog.flow_delete_requests.get(CALLER, request["id"])
        assert (ended["status"], ended["flows_deleted"]) == ("error", 1)
        assert "1 of the flows became read-only" in ended["error"]["summary"]
        assert {row["id"] for row in world.rows("flows") if row["id"]} == {ids[1], later}
        assert world.catalog.sources.get(CALLER, source_id)["id"] == source_id


def test_a_flow_that_is_restored_while_its_source_is_deleted_stays(engine_url: str, tmp_path: Path) -> None:
    """Whether it had been deleted before the request, or after it by somebody else."""
    limits = Limits(soft_delete_grace_s=60)
    with open_world(tmp_path, limits, engine_url) as world:
        source_id, ids = make_source(world, 4)
        world.catalog.deletions.delete_flow(CALLER, ids[1])
        request = delete_source(world, source_id, cascade=True)
        assert request is not None
        world.catalog.deletions.delete_flow(CALLER, ids[2])
        for restored in ids[1:3]:
            world.catalog.deleted.restore_flow(CALLER, restored)
        world.run_background_work()
        ended = world.catalog.flow_delete_requests.get(CALLER, request["id"])
        assert (ended["status"], ended["flows_to_delete"], ended["flows_deleted"]) == ("done", 3, 2)
        assert {row["id"] for row in world.rows("flows") if row["id"]} == {ids[1], ids[2]}
        assert world.rows("flows_to_delete") == []


def test_a_flow_made_after_the_request_by_a_clock_that_is_behind_stays(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, _ = make_source(world, 1)
        world.clock.forward(60)
        assert delete_source(world, source_id, cascade=True) is not None
        world.clock.forward(-30)
        later = world.make_flow(flow(source_id=source_id))
        world.clock.forward(30)
        world.run_background_work()
        assert [row["id"] for row in world.rows("flows") if row["id"]] == [later]


def test_the_ids_of_deleted_flows_are_free_although_their_source_kept_another(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 2)
        assert delete_source(world, source_id, cascade=True) is not None
        world.catalog.flows.set_member(CALLER, ids[1], "read_only", True)
        world.run_background_work()
        assert [(row["status"], row["flow_id"]) for row in world.rows("deletion_requests")] == [("error", ids[0])]
        world.make_flow(flow(id=ids[0]))
        world.clock.forward(LIMITS.deletion_request_retention_s + 1)
        world.run_background_work()
        assert world.rows("deletion_requests") == []


def test_a_read_only_flow_keeps_its_source_before_anything_is_deleted(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        source_id, ids = make_source(world, 3)
        world.catalog.flows.set_member(CALLER, ids[2], "read_only", True)
        before = everything(world)
        with pytest.raises(Forbidden, match=ids[2]):
            delete_source(world, source_id, cascade=True)
        with pytest.raises(Forbidden, match=ids[2]):
            delete_flow(world, ids[2])
        assert everything(world) == before


def test_a_source_that_is_deleted_with_its_flows_can_be_restored(engine_url: str, tmp_path: Path) -> None:
    limits = Limits(soft_delete_grace_s=60, async_deletion_threshold=2)
    with open_world(tmp_path, limits, engine_url) as world:
        source_id, ids = make_source(world, 3, segments=4)
        assert delete_source(world, source_id, cascade=True) is not None
        world.run_background_work()
        assert [row for row in world.rows("flows") if row["id"]] == []
        world.catalog.deleted.restore_source(CALLER, source_id)
        assert [len(world.timeranges(id_)) for id_ in ids] == [4, 4, 4]
        assert world.catalog.sources.get(CALLER, source_id)["id"] == source_id
