"""Soft deletion looks to others like any deletion (F13): events, also of a restoration, and ids that are used again."""

from pathlib import Path

import pytest

from storage.catalog.caller import Caller
from storage.catalog.deleted import segment_events
from storage.catalog.job_kinds import SEGMENT_EVENTS
from storage.catalog.jobs import LeaseLost
from storage.errors import AlreadyExists, Invalid, NotFound
from storage.timerange import parse_timerange
from tests.conformance.kit.documents import MULTI, flow
from tests.conformance.kit.ids import fresh
from tests.engines.test_soft_deletion import GRACE_S, LIMITS, delete, deleted_flows, deleted_sources, restore, shown
from tests.unit.catalog.seconds import add, at
from tests.unit.catalogs import World, open_world


@pytest.mark.parametrize("segments", [0, 2, 7])
def test_a_deletion_is_reported_at_once_and_carried_out_in_silence_at_the_end_of_the_grace_period(
    engine_url: str, tmp_path: Path, segments: int
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        if segments:
            add(world, flow_id, *(at(n) for n in range(segments)))
        webhook_id = world.add_webhook()
        delete(world, flow_id)
        messages = world.deliver_events(webhook_id)
        expected = ["flows/segments_deleted", "flows/deleted", "sources/deleted"]
        assert [message["event_type"] for message in messages] == expected[not segments :]
        if segments:
            whole = parse_timerange(f"[0:0_{segments}:0)")
            assert parse_timerange(messages[0]["event"]["timerange"]) == whole
        world.clock.forward(GRACE_S)
        world.run_background_work()
        assert world.deliver_events(webhook_id) == []
        with pytest.raises(NotFound):
            restore(world, flow_id)
        world.clock.forward(LIMITS.object_grace_s + LIMITS.unregistered_object_s)
        world.run_background_work()
        assert world.rows("segments") == world.rows("objects") == world.rows("object_refs") == []
        assert world.rows("deleted_flows") == world.rows("deleted_sources") == []
        assert [row for row in world.rows("tags") if row["kind"].startswith("deleted")] == []
        assert world.deliver_events(webhook_id) == []


def test_a_restoration_is_reported_as_the_creation_of_what_was_deleted(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        first = world.make_flow(flow(label="first"))
        second = world.make_flow(flow(source_id=shown(world, first)["source_id"]))
        add(world, first, at(0), at(2))
        before = shown(world, first)
        delete(world, first)
        delete(world, second)
        webhook_id = world.add_webhook()
        restore(world, first)
        source, created, added = world.deliver_events(webhook_id)
        assert source["event_type"] == "sources/created"
        assert source["event"]["source"]["id"] == before["source_id"]
        assert created["event_type"] == "flows/created"
        assert created["event"]["flow"] == {name: value for name, value in before.items() if name != "timerange"}
        assert added["event_type"] == "flows/segments_added"
        assert [each["timerange"] for each in added["event"]["segments"]] == [at(0), at(2)]
        restore(world, second)
        assert world.delivered_types(webhook_id) == ["flows/created"]


def added_to(world: World, webhook_id: str) -> list[str]:
    """The timeranges of the segments that waiting events report as added, in order."""
    messages = world.deliver_events(webhook_id)
    added = [each["event"]["segments"] for each in messages if each["event_type"] == "flows/segments_added"]
    return [segment["timerange"] for segments in added for segment in segments]


def test_every_segment_of_a_long_flow_is_reported_once(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches, which another worker resumes, while segments come and go."""
    monkeypatch.setattr(segment_events, "BATCH", 2)
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        add(world, flow_id, *(at(n) for n in range(0, 14, 2)))
        delete(world, flow_id)
        webhook_id = world.add_webhook()
        restore(world, flow_id)
        assert added_to(world, webhook_id) == [at(0), at(2)]
        [dying] = world.claim(SEGMENT_EVENTS, worker="one that dies")
        assert world.run_step(dying)
        assert added_to(world, webhook_id) == [at(4), at(6)]
        add(world, flow_id, at(7), at(9))
        world.delete_segments(flow_id, at(10))
        assert added_to(world, webhook_id) == [at(7), at(9)]
        world.clock.forward(world.catalog.jobs.lease_s)
        world.run_background_work()
        assert added_to(world, webhook_id) == [at(8), at(12)]
        with pytest.raises(LeaseLost):
            world.run_step(dying)


def test_the_events_of_an_earlier_restoration_end_with_it(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_events, "BATCH", 2)
    with open_world(tmp_path, LIMITS, engine_url) as world:
        flow_id = world.make_flow()
        add(world, flow_id, *(at(n) for n in range(5)))
        delete(world, flow_id)
        webhook_id = world.add_webhook()
        restore(world, flow_id)
        [running] = world.claim(SEGMENT_EVENTS)
        assert world.run_step(running)
        assert added_to(world, webhook_id) == [at(n) for n in range(4)]
        delete(world, flow_id)
        restore(world, flow_id)
        assert world.run_step(running) and not world.run_step(running)
        assert added_to(world, webhook_id) == [at(n) for n in range(5)]
        delete(world, flow_id)
        restore(world, flow_id)
        delete(world, flow_id)
        assert added_to(world, webhook_id) == [at(0), at(1)]
        world.run_background_work()
        assert added_to(world, webhook_id) == []
        assert world.jobs() == []


@pytest.mark.parametrize("is_of_same_source", [True, False])
def test_a_new_flow_takes_the_id_of_a_deleted_one_which_goes_for_good(
    engine_url: str, tmp_path: Path, is_of_same_source: bool
) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow(label="old", tags={"a": "b"})
        flow_id = world.make_flow(document)
        world.add_object(flow_id, "old")
        delete(world, flow_id)
        webhook_id = world.add_webhook()
        again = flow(label="new", id=flow_id, **({"source_id": document["source_id"]} if is_of_same_source else {}))
        world.make_flow(again)
        assert world.delivered_types(webhook_id) == ["sources/created", "flows/created"]
        assert "tags" not in shown(world, flow_id)
        assert world.timeranges(flow_id) == []
        with pytest.raises(NotFound):
            world.object("old")
        with pytest.raises(NotFound):
            restore(world, flow_id)
        assert deleted_flows(world) == deleted_sources(world) == []
        assert list(world.catalog.consistency.check()) == []


def test_an_invalid_flow_does_not_end_the_grace_period_of_a_deleted_one(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow()
        flow_id = world.make_flow(document)
        delete(world, flow_id)
        with pytest.raises(Invalid):
            world.make_flow(flow(MULTI, id=flow_id, flow_collection=[{"id": fresh()}]))
        restore(world, flow_id)


def test_a_deleted_flow_with_many_segments_goes_before_a_new_one_takes_its_id(engine_url: str, tmp_path: Path) -> None:
    with open_world(tmp_path, LIMITS, engine_url) as world:
        document = flow()
        flow_id = world.make_flow(document)
        add(world, flow_id, *(at(n) for n in range(5)))
        delete(world, flow_id)
        webhook_id = world.add_webhook()
        with pytest.raises(NotFound, match="still being deleted"):
            world.make_flow(document)
        world.run_background_work()
        world.make_flow(document)
        assert world.timeranges(flow_id) == []
        assert world.delivered_types(webhook_id) == ["sources/created", "flows/created"]


@pytest.mark.parametrize("scope", ["write", "delete"])
def test_only_who_may_delete_a_flow_ends_its_grace_period_by_using_its_id(tmp_path: Path, scope: str) -> None:
    with open_world(tmp_path, LIMITS) as world:
        document = flow()
        flow_id = world.make_flow(document)
        delete(world, flow_id)
        caller = Caller("recorder", frozenset({"write", scope}))
        if scope == "delete":
            assert world.catalog.flows.put(caller, flow_id, document) is not None
        else:
            with pytest.raises(AlreadyExists, match="restore it"):
                world.catalog.flows.put(caller, flow_id, document)
            restore(world, flow_id)
