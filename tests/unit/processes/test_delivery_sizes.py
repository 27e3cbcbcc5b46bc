"""Deliveries to a receiver that responds with 413 to bodies above a size of its own."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from tams_server.specification.load import Specification
from tams_server.specification.validators import Validator
from tests.faults.behaviours import Behaviour, Received, respond
from tests.faults.receivers import Receiver
from tests.unit.catalogs import CALLER, World, open_world
from tests.unit.processes.test_webhook_courier import DELIVERY_ID, claim_job, deliver

GIVE_UP_S = 24 * 3600
SET_ASIDE_S = 600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(webhook_give_up_s=GIVE_UP_S, webhook_set_aside_s=SET_ASIDE_S)) as world:
        yield world


@pytest.fixture
def bodies(specification: Specification) -> Mapping[str, Validator]:
    return specification.webhooks


def at_most(size: int, status: int = 413) -> Callable[[Received], Behaviour]:
    """A receiver that takes bodies of at most `size` bytes."""
    return lambda request: respond(200 if len(request.body) <= size else status)


def accepted(receiver: Receiver, size: int) -> list[Received]:
    return [request for request in receiver.received if len(request.body) <= size]


def register_segments(world: World, flow_id: str, lengths: list[int]) -> list[str]:
    """Register segments with one call, with URLs of these lengths elsewhere. Returns the ids of their objects."""
    segments = []
    for number, length in enumerate(lengths):
        url = f"https://media.example.com/{number:03}/".ljust(length, "x")
        object_id = f"{flow_id[:8]}-{number:03}-{length}"
        members = {"object_id": object_id, "timerange": f"[{number}:0_{number + 1}:0)"}
        segments.append({**members, "get_urls": [{"url": url, "label": "elsewhere"}]})
    assert world.register(flow_id, *segments) == []
    world.clock.forward(0.001)
    return [segment["object_id"] for segment in segments]


def object_ids(requests: list[Received]) -> list[str]:
    events: list[dict[str, Any]] = [request.json["event"] for request in requests]
    return [segment["object_id"] for event in events for segment in event.get("segments", ())]


def subscribe(world: World, receiver: Receiver) -> str:
    return world.add_webhook("flows/segments_added", "flows/deleted", url=receiver.url)


@pytest.mark.behaviour("DLV-01", "DLV-11")
def test_a_large_event_is_sent_in_parts_by_default(world: World, bodies: Mapping[str, Validator]) -> None:
    with Receiver() as receiver:
        webhook = world.add_webhook("flows/segments_added", url=receiver.url)
        flow = world.make_flow()
        ids = register_segments(world, flow, [1900] * 200)
        world.run_background_work()
        deliver(world, claim_job(world, webhook), bodies)
        assert object_ids(receiver.received) == ids
        assert len(receiver.received) > 1
        assert max(len(request.body) for request in receiver.received) <= 256 * 1024
        delivery_ids = [request.headers[DELIVERY_ID.lower()] for request in receiver.received]
        assert len(set(delivery_ids)) == len(delivery_ids)
    assert world.jobs() == world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-05", "DLV-11")
@pytest.mark.parametrize("size", [20_000, 3_000, 900])
def test_a_part_that_is_too_large_is_halved(world: World, bodies: Mapping[str, Validator], size: int) -> None:
    with Receiver(at_most(size)) as receiver:
        webhook = subscribe(world, receiver)
        flow = world.make_flow()
        ids = register_segments(world, flow, [500] * 60)
        world.delete_segments(flow)
        world.run_background_work()
        more = register_segments(world, flow, [400] * 5)
        world.run_background_work()
        deliver(world, claim_job(world, webhook), bodies)
        assert object_ids(accepted(receiver, size)) == [*ids, *more]
        assert len(receiver.received) - len(accepted(receiver, size)) < 10
    assert world.jobs() == world.rows("deliveries") == world.rows("events") == []
    assert "error" not in world.webhook(webhook)


@pytest.mark.behaviour("DLV-05", "DLV-10", "HOOK-ST-06")
@pytest.mark.parametrize("give_up", ["late", "early"])
def test_one_segment_that_is_too_large_is_set_aside_after_a_time(
    tmp_path: Path, bodies: Mapping[str, Validator], give_up: str
) -> None:
    """After the time to set aside, or that to give up if it is shorter, what follows is sent in order."""
    limits = Limits(webhook_give_up_s=GIVE_UP_S if give_up == "late" else 300, webhook_set_aside_s=SET_ASIDE_S)
    wait = SET_ASIDE_S if give_up == "late" else 300
    with open_world(tmp_path, limits) as world, Receiver(at_most(1_000)) as receiver:
        webhook = subscribe(world, receiver)
        flow = world.make_flow()
        ids = register_segments(world, flow, [300, 300, 990, 300, 990, 300])
        more = register_segments(world, world.make_flow(), [100])
        world.run_background_work()
        deliver(world, claim_job(world, webhook), bodies)
        assert object_ids(accepted(receiver, 1_000)) == ids[:2]
        assert "error" not in world.webhook(webhook)
        for _ in range(2):  # the clock does not move between the claim and the response
            world.clock.forward(wait / 2)
            deliver(world, claim_job(world, webhook), bodies)
        sent = [*ids[:2], ids[3], ids[5]]
        assert object_ids(accepted(receiver, 1_000)) == [*sent, *more]
        shown = world.webhook(webhook)
        assert shown["status"] == "started"
        assert shown["error"]["type"] == "set_aside"
        assert "413" in shown["error"]["summary"]
        assert world.jobs() == world.rows("deliveries") == world.rows("events") == []
        assert "error" not in world.set_webhook(webhook)


@pytest.mark.behaviour("DLV-05", "DLV-10", "HOOK-ST-06")
@pytest.mark.parametrize("status", [400, 413, 422])
def test_an_event_that_is_always_rejected_does_not_block_others(
    world: World, bodies: Mapping[str, Validator], status: int
) -> None:
    poison = world.make_flow()

    def behave(request: Received) -> Behaviour:
        return respond(status if request.json["event"]["flow_id"] == poison else 200)

    with Receiver(behave) as receiver:
        webhook = subscribe(world, receiver)
        for each in (poison, world.make_flow(), world.make_flow()):
            world.catalog.deletions.delete_flow(CALLER, each)
            world.clock.forward(0.001)
        world.run_background_work()
        deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 1
        world.clock.forward(SET_ASIDE_S)
        deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 4
    assert world.webhook(webhook)["status"] == "started"
    assert str(status) in world.webhook(webhook)["error"]["summary"]
    assert world.jobs() == world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-05", "HOOK-ST-06")
def test_only_an_uninterrupted_time_of_rejections_counts(world: World, bodies: Mapping[str, Validator]) -> None:
    """A receiver that was down for an hour between two rejections has not rejected an event for an hour."""
    responses = iter([400, 503, 400, 200])
    with Receiver(lambda _: respond(next(responses))) as receiver:
        webhook = subscribe(world, receiver)
        world.catalog.deletions.delete_flow(CALLER, world.make_flow())
        world.run_background_work()
        for pause_s in (0, SET_ASIDE_S / 2, SET_ASIDE_S, 600):
            world.clock.forward(pause_s)
            deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 4
    assert "error" not in world.webhook(webhook)
    assert world.rows("deliveries") == []


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_receiver_that_rejects_everything_is_given_up(world: World, bodies: Mapping[str, Validator]) -> None:
    with Receiver([respond(400)]) as receiver:
        webhook = subscribe(world, receiver)
        for _ in range(3):
            world.catalog.deletions.delete_flow(CALLER, world.make_flow())
            world.clock.forward(0.001)
        world.run_background_work()
        for pause_s in (0, SET_ASIDE_S, GIVE_UP_S - SET_ASIDE_S):
            world.clock.forward(pause_s)
            deliver(world, claim_job(world, webhook), bodies)
    assert world.webhook(webhook)["status"] == "error"


@pytest.mark.behaviour("DLV-11")
def test_parts_that_were_delivered_are_not_repeated_after_a_failure(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    sizes = iter([413, 413, 200, 200, 500])
    with Receiver(lambda _: respond(next(sizes, 200))) as receiver:
        webhook = subscribe(world, receiver)
        ids = register_segments(world, world.make_flow(), [500] * 16)
        world.run_background_work()
        deliver(world, claim_job(world, webhook), bodies)
        world.clock.forward(1)
        deliver(world, claim_job(world, webhook), bodies)
        received = receiver.received
        assert object_ids([*received[2:4], *received[5:]]) == ids
        assert received[4].headers[DELIVERY_ID.lower()] == received[5].headers[DELIVERY_ID.lower()]


@pytest.mark.behaviour("DLV-11")
def test_a_lease_that_could_end_during_a_delivery_is_renewed_first(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    with Receiver() as receiver:
        webhook = subscribe(world, receiver)
        register_segments(world, world.make_flow(), [100])
        world.run_background_work()
        claim = claim_job(world, webhook)
        world.clock.forward(25)
        [delivery] = world.catalog.deliveries.next_batch(webhook, 10)
        assert world.catalog.deliveries.prepare_request(claim, delivery, 0, 10.0) is not None
        world.clock.forward(10)
        assert world.delivery_job(webhook, "another") is None
