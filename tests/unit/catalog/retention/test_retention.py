"""F18: retention: what is due goes by ordinary deletions, and nothing else does."""

from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.caller import Caller
from storage.catalog.retention import retention as retention_module
from storage.catalog.retention.candidates import Pass
from storage.catalog.retention_tags import TAGS
from storage.errors import Forbidden
from storage.tables.conditions import equals
from storage.tai import tai_of_unix
from storage.timerange import NS
from tests.conformance.kit.documents import MULTI, flow
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import CALLER, START, World
from tests.unit.event_recorder import EventRecorder

LIMITS = Limits(deletion_batch=4, async_deletion_threshold=6, empty_flow_retention_s=600)
TODAY = tai_of_unix(START * 1000) // NS
"""The TAI second at which the clock of the tests stands."""


def tagged(**tags: Any) -> dict[str, Any]:
    return flow(tags=tags)


def rows(world: World, table: str) -> list[Any]:
    with world.engine.read() as tx:
        return tx.select(table)


def run(world: World) -> tuple[int, int]:
    """Do passes until nothing is due. Returns how many segments and flows were deleted."""
    segments = flows = 0
    for _ in range(100):
        place: Pass | None = Pass()
        deleted = 0
        while place is not None:
            step = world.catalog.retention.step(place)
            deleted += step.segments + step.flows
            segments, flows, place = segments + step.segments, flows + step.flows, step.next
        if not deleted:
            return segments, flows
    raise AssertionError("the passes do not end")


def days_ago(world: World, flow_id: str, *seconds: int) -> None:
    """Add segments of one second that end so many seconds ago by TAI."""
    add(world, flow_id, *(at(TODAY - each - 1) for each in seconds))


@pytest.mark.behaviour("TMO-07")
def test_segments_go_when_their_end_plus_the_offset_has_passed(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="3600:0"))
    days_ago(world, flow_id, 3602, 3601, 3600, 3599, 10)
    assert run(world) == (3, 0)
    assert world.timeranges(flow_id) == [at(TODAY - 3600), at(TODAY - 11)]
    world.clock.forward(1)
    assert run(world) == (1, 0)


@pytest.mark.behaviour("TMO-07")
def test_a_changed_tag_counts_at_once(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="100:0"))
    days_ago(world, flow_id, 500, 50)
    world.catalog.flows.set_tag(CALLER, flow_id, "segment_retention_offset", "1000:0")
    assert run(world) == (0, 0)
    world.catalog.flows.set_tag(CALLER, flow_id, "segment_retention_offset", "20:0")
    assert run(world) == (2, 0)
    assert world.timeranges(flow_id) == []


def test_a_tag_that_is_removed_between_the_look_and_the_deletion_saves_the_segments(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="1:0", flow_retention_offset="1:0"))
    days_ago(world, flow_id, 50)
    world.clock.forward(10)
    look = retention_module.flows_to_look_at

    def look_and_change(*args: Any) -> Any:
        found = look(*args)
        world.catalog.flows.delete_tag(CALLER, flow_id, "segment_retention_offset")
        world.catalog.flows.delete_tag(CALLER, flow_id, "flow_retention_offset")
        monkeypatch.undo()
        return found

    monkeypatch.setattr(retention_module, "flows_to_look_at", look_and_change)
    step = world.catalog.retention.step(Pass())
    assert (step.segments, step.flows) == (0, 0)
    assert len(world.timeranges(flow_id)) == 1


def test_a_loop_keeps_the_last_seconds_before_its_end_wherever_its_timeline_lies(world: World) -> None:
    flow_id = world.make_flow(tagged(loop_recorder_duration="3"))
    add(world, flow_id, *(at(n) for n in range(20)))
    assert run(world) == (17, 0)
    assert world.timeranges(flow_id) == [at(17), at(18), at(19)]
    add(world, flow_id, at(25))
    assert run(world) == (3, 0)
    assert world.timeranges(flow_id) == [at(25)]


def test_a_segment_that_reaches_into_the_loop_is_kept(world: World) -> None:
    flow_id = world.make_flow(tagged(loop_recorder_duration="3"))
    add(world, flow_id, "[0:0_10:0)", "[10:0_11:0)")
    assert run(world) == (0, 0)


@pytest.mark.behaviour("TMO-07")
def test_a_flow_goes_when_its_last_change_plus_the_offset_has_passed(world: World) -> None:
    flow_id = world.make_flow(tagged(flow_retention_offset="3600:0"))
    world.clock.forward(3000)
    days_ago(world, flow_id, 5)  # counts as a change
    world.clock.forward(3599)
    assert run(world) == (0, 0)
    world.clock.forward(1)
    assert run(world) == (0, 1)
    assert rows(world, "flows") == []


def test_a_flow_with_many_segments_goes_by_one_delete_request(world: World) -> None:
    flow_id = world.make_flow(tagged(flow_retention_offset="1:0"))
    add(world, flow_id, *(at(n) for n in range(10)))
    world.clock.forward(10)
    assert run(world) == (0, 1)
    (request,) = rows(world, "deletion_requests")
    assert request["doc"]["created_by"] == "retention"
    world.run_background_work()
    assert rows(world, "segments") == []


@pytest.mark.behaviour("TMO-08")
def test_read_only_flows_are_left(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="1:0", flow_retention_offset="1:0"))
    days_ago(world, flow_id, 50)
    world.catalog.flows.set_member(CALLER, flow_id, "read_only", True)
    world.clock.forward(10_000)
    assert run(world) == (0, 0)
    assert list(world.catalog.retention.due()) == []


@pytest.mark.behaviour("TMO-08")
def test_events_are_those_of_ordinary_deletions(world: World, recorder: EventRecorder) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="100:0", flow_retention_offset="1000:0"))
    days_ago(world, flow_id, 500, 50)
    recorder.new_events()
    run(world)
    (deleted,) = recorder.new_events()
    assert deleted["event_type"] == "flows/segments_deleted"
    assert deleted["event"] == {"flow_id": flow_id, "timerange": at(TODAY - 501)}
    world.clock.forward(2000)
    run(world)
    assert "flows/deleted" in recorder.new_types()


def test_the_objects_of_what_went_are_removed_as_usual(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="1:0"))
    (object_id,) = add(world, flow_id, at(TODAY - 50))
    run(world)
    world.clock.forward(LIMITS.unregistered_object_s + 1)
    world.run_background_work()
    assert [row["id"] for row in rows(world, "objects") if row["id"] == object_id] == []


def test_empty_flows_go_by_the_setting_but_collections_stay(world: World) -> None:
    empty, full, member = world.make_flow(), world.make_flow(), world.make_flow()
    collection = world.make_flow(flow(MULTI))
    add(world, full, at(0))
    add(world, member, at(0))
    world.set_collection(collection, member)
    world.clock.forward(599)
    assert run(world) == (0, 0)
    world.clock.forward(1)
    assert run(world) == (0, 1)
    assert {row["id"] for row in rows(world, "flows")} == {full, member, collection}
    assert empty not in {row["id"] for row in rows(world, "flows")}


def test_what_is_due_is_told_without_deleting(world: World) -> None:
    loop = world.make_flow(tagged(loop_recorder_duration="2"))
    add(world, loop, *(at(n) for n in range(5)))
    old = world.make_flow(tagged(flow_retention_offset="100:0"))
    add(world, old, at(0))
    odd = world.make_flow(tagged(segment_retention_offset="soon"))
    add(world, odd, at(0))
    assert {
        each.flow_id: (each.whole_flow, each.timerange, each.segments) for each in world.catalog.retention.due()
    } == {
        loop: (False, "[0:0_3:0)", 3),
        odd: (False, None, 0),
    }
    later = {each.flow_id: each for each in world.catalog.retention.due(within_s=100)}
    assert later[old].whole_flow
    assert "segment_retention_offset" in later[odd].ignored[0]
    assert len(rows(world, "segments")) == 7


def test_a_pass_goes_through_all_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.catalog.retention.candidates.PAGE_FLOWS", 2)
    ids = [world.make_flow(tagged(segment_retention_offset="1:0")) for _ in range(5)]
    for flow_id in ids:
        days_ago(world, flow_id, 50)
    assert run(world) == (5, 0)


def test_a_backlog_goes_in_batches_that_tell_of_the_rest(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="1:0"))
    days_ago(world, flow_id, *range(60, 50, -1))
    step = world.catalog.retention.step(Pass())
    assert (step.segments, step.is_behind) == (4, True)
    assert run(world) == (6, 0)
    with world.engine.read() as tx:
        (row,) = tx.select("flows", equals(id=flow_id))
    assert (row["content_start"], row["content_end"]) == (0, 0)


@pytest.mark.parametrize("name", TAGS)
def test_tags_of_a_flow_with_segments_are_changed_only_by_who_may_delete_them(world: World, name: str) -> None:
    recorder = Caller("recorder", frozenset({"read", "write"}))
    document = tagged(**{name: "900"})
    flow_id = document["id"]
    world.catalog.flows.put(recorder, flow_id, document)
    world.catalog.flows.set_tag(recorder, flow_id, name, "800")
    days_ago(world, flow_id, 50)
    world.catalog.flows.put(recorder, flow_id, {**document, "tags": {name: "800"}})
    for change in (
        lambda: world.catalog.flows.set_tag(recorder, flow_id, name, "1"),
        lambda: world.catalog.flows.put(recorder, flow_id, {**document, "tags": {name: ["1"]}}),
        lambda: world.catalog.flows.set_member(recorder, flow_id, "tags", {name: "1"}),
    ):
        with pytest.raises(Forbidden, match="tams-api/delete"):
            change()
    world.catalog.flows.set_tag(Caller("editor", frozenset({"write", "delete"})), flow_id, name, "700")
    world.catalog.flows.delete_tag(recorder, flow_id, name)
    with pytest.raises(Forbidden, match="tams-api/delete"):
        world.catalog.flows.set_tag(recorder, flow_id, name, "1")


@pytest.mark.parametrize("name", TAGS)
def test_a_read_only_flow_with_tags_is_released_only_by_who_may_delete_it(world: World, name: str) -> None:
    editor, recorder = Caller("editor", frozenset({"write", "delete"})), Caller("recorder", frozenset({"write"}))
    flows = world.catalog.flows
    document = tagged(**{name: "1"})
    flow_id = document["id"]
    flows.put(recorder, flow_id, document)
    days_ago(world, flow_id, 50)
    flows.set_member(recorder, flow_id, "read_only", True)
    with pytest.raises(Forbidden, match="tams-api/delete") as error:
        flows.set_member(recorder, flow_id, "read_only", False)
    assert error.value.field == "read_only"
    with pytest.raises(Forbidden, match="read-only"):
        flows.put(recorder, flow_id, {**document, "read_only": False})
    assert run(world) == (0, 0)
    flows.set_member(editor, flow_id, "read_only", False)
    flows.set_member(recorder, flow_id, "description", "changed")


def test_a_read_only_flow_without_tags_is_released_by_who_may_write_it(world: World) -> None:
    recorder = Caller("recorder", frozenset({"write"}))
    flow_id = world.make_flow()
    world.catalog.flows.set_member(recorder, flow_id, "read_only", True)
    world.catalog.flows.set_member(recorder, flow_id, "read_only", False)


@pytest.mark.parametrize("name", TAGS)
def test_tags_of_a_flow_of_another_are_set_only_by_who_may_delete_it(world: World, name: str) -> None:
    """Before the other records anything there."""
    flow_id = world.make_flow()
    with pytest.raises(Forbidden, match="another has created"):
        world.catalog.flows.set_tag(Caller("recorder", frozenset({"write"})), flow_id, name, "1")


def test_a_clock_that_is_set_after_the_time_was_checked_deletes_nothing(world: World) -> None:
    flow_id = world.make_flow(tagged(segment_retention_offset="3600:0", flow_retention_offset="7200:0"))
    days_ago(world, flow_id, 10)
    world.allocate(flow_id, "not registered yet")
    checked = world.clock()
    world.clock.forward(86_400)
    step = world.catalog.retention.step(Pass(), checked)
    assert (step.segments, step.flows) == (0, 0)
    assert not world.catalog.remove_expired(checked)
    assert world.catalog.remove_expired()
