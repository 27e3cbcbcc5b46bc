"""F14: what receivers of events learn of the tags of segments."""

import pytest

from storage.errors import NotFound
from tests.unit.catalog.seconds import at
from tests.unit.catalogs import CALLER, World
from tests.unit.event_recorder import EventRecorder

TAGS = {"shot": ["wide", "close"], "take": "1", "none": []}


@pytest.fixture
def flow_id(world: World, recorder: EventRecorder) -> str:
    """A flow with two segments, the first of which has tags."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "a", "b")
    tagged = {"object_id": "a", "timerange": at(0), "tags": TAGS}
    assert world.register(flow_id, tagged, {"object_id": "b", "timerange": at(1)}) == []
    return flow_id


def test_added_segments_have_their_tags_in_the_event(recorder: EventRecorder, flow_id: str) -> None:
    event = recorder.new_events()[-1]
    assert event["event_type"] == "flows/segments_added"
    first, second = event["event"]["segments"]
    assert first["tags"] == TAGS
    assert "tags" not in second


def test_a_change_of_tags_is_an_update_of_the_flow(world: World, recorder: EventRecorder, flow_id: str) -> None:
    recorder.new_events()
    before = world.catalog.flows.get(CALLER, flow_id)
    world.catalog.segment_tags.set(CALLER, flow_id, at(1), "shot", "wide")
    world.catalog.segment_tags.delete(CALLER, flow_id, at(0), "take")
    assert recorder.new_types_and_ids() == [("flows/updated", flow_id)] * 2
    assert world.catalog.flows.get(CALLER, flow_id) == before


def test_a_change_that_is_rejected_causes_no_event(world: World, recorder: EventRecorder, flow_id: str) -> None:
    recorder.new_events()
    with pytest.raises(NotFound):
        world.catalog.segment_tags.delete(CALLER, flow_id, at(1), "shot")
    with pytest.raises(NotFound):
        world.catalog.segment_tags.set(CALLER, flow_id, at(2), "shot", "wide")
    assert recorder.new_events() == []
