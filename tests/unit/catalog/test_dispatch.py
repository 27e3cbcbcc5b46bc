"""Dispatching: new events are queued for the webhooks that they match, once and in order."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from storage.catalog.job_kinds import DELIVERY
from tests.unit.catalog.delivery_steps import claim_job, create_flows, mark_delivered, queued_flows
from tests.unit.catalogs import CALLER, World


def test_events_are_queued_once_by_concurrent_workers(world: World) -> None:
    webhooks = [world.add_webhook("flows/created") for _ in range(2)]
    made = []
    for _ in range(60):
        world.clock.forward(0.001)
        made.append(world.make_flow())

    def dispatch_all() -> None:
        while world.catalog.deliveries.dispatch():
            pass

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(dispatch_all) for _ in range(4)]:
            future.result()
    for webhook_id in webhooks:
        assert queued_flows(world, claim_job(world, webhook_id)) == made


@pytest.mark.behaviour("HOOK-DEL-01")
def test_events_not_yet_dispatched_are_not_sent_to_a_deleted_webhook(world: World, webhook: str) -> None:
    world.make_flow()
    world.catalog.webhooks.delete(CALLER, webhook)
    world.run_background_work()
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


def test_an_event_queued_while_the_job_finishes_is_not_lost(world: World, webhook: str) -> None:
    create_flows(world)
    claim = claim_job(world, webhook)
    mark_delivered(world, claim, 10)
    made = create_flows(world)
    assert not world.catalog.deliveries.finish_if_empty(claim)
    assert queued_flows(world, claim) == made
    mark_delivered(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    made = create_flows(world)
    assert queued_flows(world, claim_job(world, webhook)) == made


@pytest.mark.parametrize("count", [199, 200, 201, 450])
def test_very_many_events_are_all_queued(world: World, webhook: str, count: int) -> None:
    flow_id = world.make_flow()
    labels = world.add_webhook("flows/updated")
    for n in range(count):
        world.clock.now += 1
        world.catalog.flows.set_member(CALLER, flow_id, "label", str(n))
    bodies = world.deliver_events(labels)
    assert [body["event"]["flow"]["label"] for body in bodies] == [str(n) for n in range(count)]
    assert [kind for kind, _ in world.jobs()] == [DELIVERY]
    assert len(world.deliver_events(webhook)) == 1
