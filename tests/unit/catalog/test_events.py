"""The events about flows, segments and sources: when they are recorded, and what they contain."""

from typing import Any

import pytest

from storage.catalog import Limits
from storage.errors import NotFound
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import Json, flow
from tests.conformance.kit.profiles import linked_flow, profile
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import CALLER, SECOND_BACKEND, World
from tests.unit.event_recorder import EventRecorder

LIMITS = Limits(async_deletion_threshold=5, deletion_batch=3)


@pytest.mark.behaviour("EVT-FC-01", "EVT-SC-01", "DLV-01", "DLV-12")
def test_a_flow_with_a_new_source_causes_an_event_for_each(world: World, recorder: EventRecorder) -> None:
    described = {"label": "News", "description": "A bulletin", "tags": {"genre": ["news"]}}
    flow_id = world.make_flow(flow(**described))
    source_event, flow_event = recorder.new_events()
    assert source_event["event_type"] == "sources/created"
    assert flow_event["event_type"] == "flows/created"
    shown = world.catalog.flows.get(CALLER, flow_id)
    assert flow_event["event"] == {"flow": shown}
    assert flow_event["event_timestamp"] == shown["metadata_updated"]
    shown = world.catalog.sources.get(CALLER, shown["source_id"])
    assert source_event["event"] == {"source": shown}
    assert source_event["event_timestamp"] == shown["updated"]
    assert {name: shown[name] for name in described} == described


@pytest.mark.behaviour("EVT-SC-02")
def test_a_second_flow_of_a_source_causes_no_source_event(world: World, recorder: EventRecorder, source: str) -> None:
    other = world.make_flow(flow(source_id=source))
    assert recorder.new_types_and_ids() == [("flows/created", other)]


@pytest.mark.behaviour("EVT-FC-01", "PROF-EVT-01")
def test_events_of_a_flow_include_members_from_its_profile(world: World, recorder: EventRecorder) -> None:
    document = profile()
    world.catalog.profiles.create(CALLER, document["id"], document)
    assert recorder.new_events() == []
    flow_id = world.make_flow(linked_flow(document["id"]))
    shown = recorder.new_events()[-1]["event"]["flow"]
    assert shown == world.catalog.flows.get(CALLER, flow_id)
    assert shown["essence_parameters"] == document["flow_metadata"]["essence_parameters"]


@pytest.mark.behaviour("EVT-FU-01", "EVT-FU-04", "EVT-FC-02", "AMB-20")
@pytest.mark.parametrize("change", [{}, {"label": "another"}], ids=["as it was", "changed"])
def test_an_update_event_shows_the_flow_as_it_was_put(world: World, recorder: EventRecorder, change: Json) -> None:
    document = flow()
    world.make_flow(document)
    add(world, document["id"], at(0))
    recorder.new_events()
    world.make_flow(document | change)
    (event,) = recorder.new_events()
    shown = world.catalog.flows.get(CALLER, document["id"])
    assert (event["event_type"], event["event"]) == ("flows/updated", {"flow": shown})
    assert event["event_timestamp"] == shown["metadata_updated"]
    assert "timerange" not in shown


@pytest.mark.behaviour("EVT-FU-01", "EVT-FU-02", "AMB-20")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "a label"),
        ("description", "some words"),
        ("max_bit_rate", 6000),
        ("avg_bit_rate", 4000),
        ("flow_collection", []),
        ("read_only", True),
        ("read_only", False),
    ],
)
def test_changing_one_member_causes_one_event(
    world: World, recorder: EventRecorder, made: str, name: str, value: Any
) -> None:
    for change in [value, value] if name == "read_only" else [value, value, None]:
        world.catalog.flows.set_member(CALLER, made, name, change)
        (event,) = recorder.new_events()
        shown = world.catalog.flows.get(CALLER, made)
        assert (event["event_type"], event["event"]) == ("flows/updated", {"flow": shown})
        assert event["event_timestamp"] == shown["metadata_updated"]
        assert shown.get(name) == change


@pytest.mark.behaviour("EVT-FU-02")
def test_changing_one_tag_causes_one_event(world: World, recorder: EventRecorder, made: str) -> None:
    world.catalog.flows.set_tag(CALLER, made, "new", ["a", "b"])
    (event,) = recorder.new_events()
    assert event["event_type"] == "flows/updated"
    assert event["event"]["flow"]["tags"] == {"kept": "yes", "new": ["a", "b"]}
    world.catalog.flows.delete_tag(CALLER, made, "kept")
    (event,) = recorder.new_events()
    assert event["event"]["flow"]["tags"] == {"new": ["a", "b"]}


@pytest.mark.behaviour("EVT-SU-01")
def test_changing_a_source_causes_only_a_source_event(world: World, recorder: EventRecorder, source: str) -> None:
    sources = world.catalog.sources
    for change in (
        lambda: sources.set_member(CALLER, source, "label", "a label"),
        lambda: sources.set_member(CALLER, source, "label", None),
        lambda: sources.set_member(CALLER, source, "description", "some words"),
        lambda: sources.set_tag(CALLER, source, "t", "v"),
        lambda: sources.delete_tag(CALLER, source, "t"),
    ):
        change()
        (event,) = recorder.new_events()
        shown = sources.get(CALLER, source)
        assert (event["event_type"], event["event"]) == ("sources/updated", {"source": shown})
        assert event["event_timestamp"] == shown["updated"]


@pytest.mark.behaviour("EVT-SA-01", "EVT-SA-04", "EVT-FU-03")
def test_new_segments_cause_one_event_and_no_flow_event(world: World, recorder: EventRecorder, made: str) -> None:
    ids = add(world, made, at(0), at(1))
    (event,) = recorder.new_events()
    assert event["event_type"] == "flows/segments_added"
    assert set(event["event"]) == {"flow_id", "segments"}
    assert event["event"]["flow_id"] == made
    segments = [(each["object_id"], each["timerange"]) for each in event["event"]["segments"]]
    assert segments == [(ids[0], at(0)), (ids[1], at(1))]


@pytest.mark.behaviour("EVT-SA-02", "DLV-13")
def test_only_registered_segments_are_in_the_event(world: World, recorder: EventRecorder, made: str) -> None:
    add(world, made, at(1))
    recorder.new_events()
    world.allocate(made, "good", "bad")
    bad = {"object_id": "bad", "timerange": at(1)}
    assert len(world.register(made, {"object_id": "good", "timerange": at(0)}, bad)) == 1
    (event,) = recorder.new_events()
    assert [each["object_id"] for each in event["event"]["segments"]] == ["good"]
    assert len(world.register(made, bad)) == 1
    assert recorder.new_events() == []


@pytest.mark.behaviour("EVT-SA-03", "AMB-23")
def test_very_many_segments_are_reported_in_several_events(world: World, recorder: EventRecorder, made: str) -> None:
    world.allocate(made, "o")
    items = [{"object_id": "o", "timerange": at(n), "ts_offset": f"{n}:0"} for n in range(450)]
    assert world.register(made, *items) == []
    events = recorder.new_events()
    assert {each["event_type"] for each in events} == {"flows/segments_added"}
    assert [len(each["event"]["segments"]) for each in events] == [200, 200, 50]
    assert [s["timerange"] for each in events for s in each["event"]["segments"]] == [at(n) for n in range(450)]


@pytest.mark.behaviour("EVT-SA-05")
def test_allocations_uploads_and_instances_cause_no_events(world: World, recorder: EventRecorder, made: str) -> None:
    world.allocate(made, "a")
    assert recorder.new_events() == []
    assert world.register(made, {"object_id": "a", "timerange": at(0)}) == []
    assert recorder.new_types() == ["flows/segments_added"]
    world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    world.catalog.objects.add_uncontrolled(CALLER, "a", "https://elsewhere.example/a", "elsewhere")
    world.catalog.objects.remove_instance(CALLER, "a", SECOND_BACKEND, None)
    world.run_background_work()
    assert recorder.new_events() == []


@pytest.mark.behaviour("EVT-SD-01", "EVT-SD-02", "EVT-SD-03", "EVT-SD-04", "AMB-22", "EVT-FU-03")
@pytest.mark.parametrize(
    ("existing", "deleted", "reported"),
    [
        ([at(0), at(1), at(2)], "_", ["[0:0_3:0)"]),
        ([at(2), at(0), at(1)], "_", ["[0:0_3:0)"]),
        ([at(0), at(2), at(3), at(9)], "_", [at(0), "[2:0_4:0)", at(9)]),
        ([at(0), at(1), at(2)], "[1:0_2:0)", [at(1)]),
        ([at(0), at(1), at(2)], "[0:500000000_10:0)", ["[1:0_3:0)"]),
        ([at(0), at(1)], "[5:0_", []),
        ([at(0)], "()", []),
        (["[0:0_1:0]", "[1:1_2:0]"], "_", ["[0:0_2:0]"]),
        (["[0:0_1:0)", "[1:0_1:0]", "[1:1_2:0)"], "_", ["[0:0_2:0)"]),
        (["[0:0_1:0)", "[1:1_2:0)"], "_", ["[0:0_1:0)", "[1:1_2:0)"]),
        (["[-2:0_-1:0)", "[-1:0_0:0)"], "_", ["[-2:0_0:0)"]),
    ],
    ids=str,
)
def test_deleted_segments_are_reported_in_runs_without_gaps(
    world: World, recorder: EventRecorder, made: str, existing: list[str], deleted: str, reported: list[str]
) -> None:
    add(world, made, *existing)
    recorder.new_events()
    assert world.delete_segments(made, deleted) is None
    bodies = recorder.new_events()
    assert all(body["event_type"] == "flows/segments_deleted" for body in bodies)
    assert all(set(body["event"]) == {"flow_id", "timerange"} for body in bodies)
    assert {body["event"]["flow_id"] for body in bodies} <= {made}
    runs = [parse_timerange(body["event"]["timerange"]) for body in bodies]
    assert [each.bounds for each in runs] == [parse_timerange(each).bounds for each in reported]


@pytest.mark.behaviour("EVT-SD-01", "AMB-22")
def test_runs_of_deleted_segments_stop_at_other_objects(world: World, recorder: EventRecorder, made: str) -> None:
    add(world, made, at(1))
    world.allocate(made, "o")
    items = [{"object_id": "o", "timerange": at(n), "ts_offset": f"{n}:0"} for n in (0, 2, 3)]
    assert world.register(made, *items) == []
    recorder.new_events()
    world.delete_segments(made, object_id="o")
    assert [body["event"]["timerange"] for body in recorder.new_events()] == [at(0), "[2:0_4:0)"]


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-01", "AMB-18", "EVT-SD-01")
def test_the_event_of_a_deleted_flow_follows_those_of_its_segments(
    world: World, recorder: EventRecorder, made: str, source: str
) -> None:
    add(world, made, at(0), at(5))
    recorder.new_events()
    assert world.catalog.deletions.delete_flow(CALLER, made) is None
    bodies = recorder.new_events()
    assert [body["event_type"] for body in bodies] == [
        "flows/segments_deleted",
        "flows/segments_deleted",
        "flows/deleted",
        "sources/deleted",
    ]
    assert bodies[2]["event"] == {"flow_id": made}
    assert bodies[3]["event"] == {"source_id": source}


@pytest.mark.behaviour("EVT-SX-01", "EVT-FD-01", "DLV-13")
def test_a_source_is_deleted_with_its_last_flow(world: World, recorder: EventRecorder, made: str, source: str) -> None:
    other = world.make_flow(flow(source_id=source))
    recorder.new_events()
    world.catalog.deletions.delete_flow(CALLER, made)
    assert recorder.new_types_and_ids() == [("flows/deleted", made)]
    with pytest.raises(NotFound):
        world.catalog.deletions.delete_flow(CALLER, made)
    assert recorder.new_events() == []
    world.catalog.deletions.delete_flow(CALLER, other)
    assert recorder.new_types_and_ids() == [("flows/deleted", other), ("sources/deleted", source)]


@pytest.mark.behaviour("EVT-FD-01", "EVT-SX-02", "AMB-17", "AMB-21", "EVT-SD-01")
def test_a_long_deletion_reports_the_flow_at_once_and_segments_as_they_go(
    world: World, recorder: EventRecorder, made: str, source: str
) -> None:
    add(world, made, *(at(n) for n in range(8)))
    recorder.new_events()
    assert world.catalog.deletions.delete_flow(CALLER, made) is not None
    assert recorder.new_types_and_ids() == [("flows/deleted", made), ("sources/deleted", source)]
    (claim,) = world.claim("flow-deletion")
    for deleted in ("[0:0_3:0)", "[3:0_6:0)", "[6:0_8:0)"):
        world.run_step(claim)
        (body,) = recorder.new_events()
        assert body["event_type"] == "flows/segments_deleted"
        assert body["event"] == {"flow_id": made, "timerange": deleted}
    world.run_background_work()
    assert recorder.new_events() == []
