"""Events on their way to a webhook: in order, at least once, put off while the receiver fails, and dropped when they
are no longer wanted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.catalog import Limits
from storage.catalog.jobs import DELIVERY, Claim, LeaseLost
from tests.unit.catalogs import CALLER, World, open_world

LEASE_S = 30
GIVE_UP_S = 3600
SOON_S = 400
"""Longer than any pause after a failure."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(job_lease_s=LEASE_S, webhook_give_up_s=GIVE_UP_S)) as world:
        yield world


@pytest.fixture
def webhook(world: World) -> str:
    return world.add_webhook("flows/created")


def happen(world: World, count: int = 1) -> list[str]:
    """So many new flows; their ids."""
    made = []
    for _ in range(count):
        world.clock.forward(0.001)
        made.append(world.make_flow())
    world.run_background_work()
    return made


def claimed(world: World, webhook_id: str, worker: str = "a worker") -> Claim:
    claim = world.delivery_job(webhook_id, worker)
    assert claim is not None
    return claim


def told(world: World, claim: Claim) -> list[str]:
    """Ids of the flows that are to be told of now."""
    return [message.body["event"]["flow"]["id"] for _, message in world.messages(claim) if message is not None]


def fail(world: World, claim: Claim, pause: float | None = None, *, gone: bool = False) -> None:
    world.catalog.deliveries.record_failure(claim, "timeout", "The receiver did not respond.", pause, gone=gone)


def arrive(world: World, claim: Claim, count: int) -> None:
    """The next deliveries have arrived."""
    world.catalog.deliveries.mark_delivered(claim, world.catalog.deliveries.next_batch(claim.key, count))


def state(world: World, webhook_id: str) -> str:
    status: str = world.webhook(webhook_id)["status"]
    return status


@pytest.mark.behaviour("DLV-11", "DLV-01")
def test_events_are_sent_in_order_and_each_once(world: World, webhook: str) -> None:
    made = happen(world, 5)
    claim = claimed(world, webhook)
    assert told(world, claim) == made
    arrive(world, claim, 2)
    assert told(world, claim) == made[2:]
    made += happen(world, 2)
    assert told(world, claim) == made[2:]
    assert not world.catalog.deliveries.finish_if_empty(claim)
    arrive(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    assert world.jobs() == []
    assert world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-11", "AMB-41")
def test_what_was_sent_by_a_worker_that_died_is_sent_again_with_the_same_id(world: World, webhook: str) -> None:
    made = happen(world, 3)
    dead = claimed(world, webhook, "one that dies")
    arrive(world, dead, 1)
    sent = [delivery.id for delivery, _ in world.messages(dead)]
    world.clock.forward(LEASE_S - 1)
    assert world.delivery_job(webhook) is None, "the lease of the dead worker holds"
    world.clock.forward(1)
    other = claimed(world, webhook, "another")
    assert told(world, other) == made[1:]
    assert [delivery.id for delivery, _ in world.messages(other)] == sent


@pytest.mark.behaviour("DLV-11")
def test_a_worker_that_has_lost_its_lease_sends_nothing_more(world: World, webhook: str) -> None:
    """From the end of the lease on, whether or not another has it already."""
    happen(world, 2)
    slow = claimed(world, webhook, "slow")
    ((delivery, _), _) = world.messages(slow)
    world.clock.forward(LEASE_S)
    with pytest.raises(LeaseLost):
        world.catalog.deliveries.prepare_request(slow, delivery)
    other = claimed(world, webhook, "other")
    for late in (
        lambda: world.catalog.deliveries.prepare_request(slow, delivery),
        lambda: world.catalog.deliveries.mark_delivered(slow, [delivery]),
        lambda: fail(world, slow, gone=True),
        lambda: world.catalog.deliveries.finish_if_empty(slow),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert state(world, webhook) == "created"
    assert len(told(world, other)) == 2


def test_events_are_queued_once_however_many_workers_do_it(world: World) -> None:
    webhooks = [world.add_webhook("flows/created") for _ in range(2)]
    made = []
    for _ in range(60):
        world.clock.forward(0.001)
        made.append(world.make_flow())

    def pass_on() -> None:
        while world.catalog.deliveries.dispatch():
            pass

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(pass_on) for _ in range(4)]:
            future.result()
    for webhook_id in webhooks:
        assert told(world, claimed(world, webhook_id)) == made


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-07", "HOOK-DEL-01", "HOOK-DEL-03")
@pytest.mark.parametrize("end", ["disabled", "deleted", "disabled and set going again"])
@pytest.mark.parametrize("moment", ["queued", "being sent", "put off"])
def test_what_is_no_longer_wanted_is_dropped(world: World, webhook: str, end: str, moment: str) -> None:
    happen(world, 3)
    claim = claimed(world, webhook) if moment != "queued" else None
    if claim is not None and moment == "put off":
        fail(world, claim)
    world.clock.forward(0.001)
    if end == "deleted":
        world.catalog.webhooks.delete(CALLER, webhook)
    else:
        world.set_webhook(webhook, "disabled")
    if end.endswith("again"):
        world.clock.forward(0.001)
        world.set_webhook(webhook)
    if claim is None or moment == "put off":
        claim = claimed(world, webhook)
    assert told(world, claim) == []
    arrive(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


@pytest.mark.behaviour("HOOK-DEL-01")
def test_an_event_that_was_not_yet_passed_on_reaches_no_deleted_webhook(world: World, webhook: str) -> None:
    world.make_flow()
    world.catalog.webhooks.delete(CALLER, webhook)
    world.run_background_work()
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


@pytest.mark.behaviour("DLV-05", "HOOK-ST-05")
def test_after_a_failure_all_is_tried_again_later(world: World, webhook: str) -> None:
    made = happen(world, 2)
    fail(world, claimed(world, webhook))
    assert state(world, webhook) == "started"
    assert world.delivery_job(webhook) is None
    ((_, job_state),) = world.jobs()
    assert job_state == "waiting"
    made += happen(world)
    world.clock.forward(1)
    claim = claimed(world, webhook)
    assert claim.attempts == 1
    assert told(world, claim) == made


@pytest.mark.behaviour("DLV-05")
def test_pauses_grow_up_to_five_minutes(world: World, webhook: str) -> None:
    happen(world)
    pauses = []
    for _ in range(12):
        fail(world, claimed(world, webhook))
        (job,) = world.rows("jobs")
        pauses.append((job["due"] - world.clock()) / 1e6)
        world.clock.now = job["due"]
    for n, pause in enumerate(pauses):
        assert min(2**n, 300) / 2 <= pause <= min(2**n, 300)


@pytest.mark.behaviour("DLV-05")
@pytest.mark.parametrize(("asked", "waited"), [(120, 120), (0, 0.4), (None, 0.4)])
def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    world: World, webhook: str, asked: float | None, waited: float
) -> None:
    happen(world)
    fail(world, claimed(world, webhook), asked)
    world.clock.forward(waited)
    assert (world.delivery_job(webhook) is not None) == (waited > 100)


@pytest.mark.behaviour("DLV-10")
def test_a_receiver_that_fails_holds_up_no_other(world: World, webhook: str) -> None:
    other = world.add_webhook("flows/created")
    happen(world)
    fail(world, claimed(world, webhook))
    made = happen(world)
    assert told(world, claimed(world, other))[1:] == made


@pytest.mark.behaviour("HOOK-ST-05", "HOOK-GET-03", "HOOK-ST-07", "DLV-05")
def test_a_webhook_whose_receiver_has_failed_for_long_goes_to_error(world: World, webhook: str) -> None:
    happen(world, 2)
    fail(world, claimed(world, webhook))
    world.clock.forward(GIVE_UP_S - 1)
    fail(world, claimed(world, webhook))
    assert state(world, webhook) == "started"
    world.clock.forward(SOON_S)
    fail(world, claimed(world, webhook))
    shown = world.webhook(webhook)
    assert shown["status"] == "error"
    assert shown["error"]["type"] == "timeout"
    assert shown["error"]["summary"] == "The receiver did not respond."
    assert shown["error"]["time"].endswith("Z")
    world.make_flow()
    world.clock.forward(SOON_S)
    assert world.deliver_events(webhook) == []
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []
    assert state(world, webhook) == "error"


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_receiver_that_is_gone_is_given_up_at_once(world: World, webhook: str) -> None:
    happen(world)
    fail(world, claimed(world, webhook), gone=True)
    assert state(world, webhook) == "error"
    world.clock.forward(SOON_S)
    assert world.deliver_events(webhook) == []


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_receiver_that_works_between_failures_is_never_given_up(world: World, webhook: str) -> None:
    happen(world, 10)
    for _ in range(5):
        claim = claimed(world, webhook)
        arrive(world, claim, 1)
        fail(world, claim)
        world.clock.forward(GIVE_UP_S - 1)
    assert state(world, webhook) == "started"
    assert len(told(world, claimed(world, webhook))) == 5


@pytest.mark.behaviour("HOOK-ST-03", "HOOK-PUT-01", "AMB-16")
def test_a_put_has_a_receiver_tried_again_at_once(world: World, webhook: str) -> None:
    """With all that has waited, since the webhook was never disabled."""
    made = happen(world, 2)
    fail(world, claimed(world, webhook), 1000)
    assert world.delivery_job(webhook) is None
    world.set_webhook(webhook, url="https://receiver.example/mended")
    claim = claimed(world, webhook)
    assert claim.attempts == 0
    assert told(world, claim) == made


@pytest.mark.behaviour("HOOK-PUT-01", "DLV-11")
def test_a_put_takes_no_webhook_from_the_worker_that_sends_to_it(world: World, webhook: str) -> None:
    made = happen(world, 2)
    claim = claimed(world, webhook)
    world.set_webhook(webhook, url="https://receiver.example/moved")
    assert world.delivery_job(webhook) is None
    assert told(world, claim) == made


def test_an_event_that_comes_while_the_queue_is_closed_is_not_forgotten(world: World, webhook: str) -> None:
    happen(world)
    claim = claimed(world, webhook)
    arrive(world, claim, 10)
    made = happen(world)
    assert not world.catalog.deliveries.finish_if_empty(claim)
    assert told(world, claim) == made
    arrive(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    made = happen(world)
    assert told(world, claimed(world, webhook)) == made


@pytest.mark.parametrize("count", [199, 200, 201, 450])
def test_however_many_events_there_are_all_are_queued(world: World, webhook: str, count: int) -> None:
    flow_id = world.make_flow()
    labels = world.add_webhook("flows/updated")
    for n in range(count):
        world.clock.now += 1
        world.catalog.flows.set_member(CALLER, flow_id, "label", str(n))
    bodies = world.deliver_events(labels)
    assert [body["event"]["flow"]["label"] for body in bodies] == [str(n) for n in range(count)]
    assert [kind for kind, _ in world.jobs()] == [DELIVERY]
    assert len(world.deliver_events(webhook)) == 1
