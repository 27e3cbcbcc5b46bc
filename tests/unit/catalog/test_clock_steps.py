"""The clock is set forwards and backwards: nothing is lost, reordered or frozen."""

from collections.abc import Callable

import pytest

from storage.catalog.job_kinds import COPY, DELIVERY
from storage.catalog.jobs import JobSelection, LeaseLost
from storage.tables.conditions import equals
from tests.conformance.kit.documents import flow
from tests.unit.catalog.job_steps import LEASE_S, enqueue
from tests.unit.catalogs import CALLER, World

HOUR_S = 3600
Change = Callable[[str], None]


@pytest.fixture
def flow_id(world: World) -> str:
    return world.make_flow()


@pytest.fixture
def change(world: World, flow_id: str) -> Change:
    """Change the label of the flow, so that one event is recorded."""
    return lambda label: world.catalog.flows.set_member(CALLER, flow_id, "label", label)


def _labels(world: World, webhook_id: str) -> list[str]:
    world.run_background_pass()
    return [body["event"]["flow"]["label"] for body in world.deliver_events(webhook_id)]


@pytest.mark.parametrize("step_s", [-HOUR_S, -60, -1, HOUR_S])
def test_events_after_a_step_of_the_clock_are_sent(world: World, change: Change, step_s: int) -> None:
    hook = world.add_webhook("flows/updated")
    world.clock.forward(step_s)
    change("a")
    assert _labels(world, hook) == ["a"]


@pytest.mark.parametrize("dispatched", [False, True])
def test_events_are_sent_in_the_order_of_the_changes(world: World, change: Change, dispatched: bool) -> None:
    hook = world.add_webhook("flows/updated")
    for number in range(3):
        change(f"before {number}")
        world.clock.forward(1)
    if dispatched:
        assert world.catalog.deliveries.dispatch()
    world.clock.forward(-HOUR_S)
    for number in range(3):
        change(f"after {number}")
        world.clock.forward(1)
        if dispatched:
            assert world.catalog.deliveries.dispatch()
    world.clock.forward(60)
    assert _labels(world, hook) == [f"{when} {number}" for when in ("before", "after") for number in range(3)]


@pytest.mark.parametrize("dispatched", [False, True])
def test_a_webhook_is_sent_nothing_from_before_it_was_made(world: World, change: Change, dispatched: bool) -> None:
    first = world.add_webhook("flows/updated")
    change("before")
    if dispatched:
        assert world.catalog.deliveries.dispatch()
    world.clock.forward(-HOUR_S)
    second = world.add_webhook("flows/updated")
    change("after")
    assert _labels(world, second) == ["after"]
    assert _labels(world, first) == ["before", "after"]


def test_a_webhook_that_was_disabled_is_sent_nothing_from_before(world: World, change: Change) -> None:
    hook = world.add_webhook("flows/updated")
    change("before")
    assert world.catalog.deliveries.dispatch()
    world.clock.forward(-HOUR_S)
    world.set_webhook(hook, "disabled")
    world.set_webhook(hook, "created")
    change("after")
    assert _labels(world, hook) == ["after"]


def test_a_waiting_job_does_not_wait_for_the_time_that_the_clock_has_shown(world: World) -> None:
    enqueue(world, "a")
    world.clock.forward(-HOUR_S)
    assert world.claim(COPY) == []
    world.run_background_pass()
    assert [claim.key for claim in world.claim(COPY)] == ["a"]


def test_the_job_of_a_dead_worker_is_taken_over_within_a_lease(world: World) -> None:
    enqueue(world, "a")
    (lost,) = world.claim(COPY)
    world.clock.forward(-HOUR_S)
    world.run_background_pass()
    assert world.claim(COPY) == [], "the worker may be alive"
    world.clock.forward(LEASE_S + 1)
    (claim,) = world.claim(COPY)
    with pytest.raises(LeaseLost):
        world.catalog.jobs.renew(lost)
    world.catalog.jobs.renew(claim)


def test_a_living_worker_keeps_its_job_when_the_clock_is_set_back(world: World) -> None:
    enqueue(world, "a")
    (claim,) = world.claim(COPY)
    world.clock.forward(-HOUR_S)
    world.run_background_pass()
    for _ in range(3):
        world.catalog.jobs.heartbeat([claim])
        world.clock.forward(LEASE_S / 2)
        assert world.claim(COPY, worker="another") == []
    world.catalog.jobs.renew(claim)


def test_only_one_of_two_workers_finishes_a_job_when_the_clock_is_set_forwards(world: World) -> None:
    enqueue(world, "a")
    (first,) = world.claim(COPY)
    world.clock.forward(HOUR_S)
    (second,) = world.claim(COPY, worker="another")
    with pytest.raises(LeaseLost), world.engine.write() as tx:
        world.catalog.jobs.finish(tx, first)
    with world.engine.write() as tx:
        world.catalog.jobs.finish(tx, second)


def test_a_pause_that_a_receiver_asked_for_is_kept(world: World, change: Change) -> None:
    hook = world.add_webhook("flows/updated")
    change("a")
    assert world.catalog.deliveries.dispatch()
    (claim,) = world.catalog.jobs.claim("a worker", [JobSelection(equals(kind=DELIVERY, key=hook), 1)])
    world.catalog.deliveries.record_failure(claim, "busy", "Busy.", 20 * HOUR_S, gone=False)
    world.run_background_pass()
    assert world.delivery_job(hook) is None
    world.clock.forward(20 * HOUR_S + 1)
    assert world.delivery_job(hook) is not None


@pytest.mark.parametrize("pause_s", [0.0, 600.0])
def test_the_next_attempt_of_a_delivery_keeps_its_pause(world: World, change: Change, pause_s: float) -> None:
    """It does not wait for the time that the clock showed when the pause began."""
    hook = world.add_webhook("flows/updated")
    change("a")
    assert world.catalog.deliveries.dispatch()
    (claim,) = world.catalog.jobs.claim("a worker", [JobSelection(equals(kind=DELIVERY, key=hook), 1)])
    world.catalog.deliveries.record_failure(claim, "busy", "Busy.", pause_s, gone=False)
    world.clock.forward(-20 * HOUR_S)
    world.run_background_pass()
    if pause_s:
        assert world.delivery_job(hook) is None
        world.clock.forward(pause_s / 2)
        world.run_background_pass()
        assert world.delivery_job(hook) is None
        world.clock.forward(pause_s / 2 + 1)
    else:
        world.clock.forward(12)
    assert world.delivery_job(hook) is not None


def test_the_version_of_a_flow_never_goes_back(world: World, flow_id: str, change: Change) -> None:
    change("a")
    before = world.catalog.flows.get(CALLER, flow_id)["metadata_updated"]
    world.clock.forward(-HOUR_S)
    change("b")
    assert world.catalog.flows.get(CALLER, flow_id)["metadata_updated"] > before


def test_the_version_of_a_source_never_goes_back(world: World) -> None:
    document = flow()
    world.make_flow(document)
    sources, source_id = world.catalog.sources, document["source_id"]
    before = sources.get(CALLER, source_id)["updated"]
    world.clock.forward(-HOUR_S)
    sources.set_member(CALLER, source_id, "label", "b")
    assert sources.get(CALLER, source_id)["updated"] > before
