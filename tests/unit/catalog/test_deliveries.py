"""Deliveries to a webhook: in order, at least once, retried later while the receiver fails, and dropped when they are
no longer wanted."""

import pytest

from storage.catalog import Limits
from storage.catalog.jobs import Claim, LeaseLost
from tests.unit.catalog.delivery_steps import claim_job, create_flows, mark_delivered, queued_flows
from tests.unit.catalogs import CALLER, World

LEASE_S = 30
GIVE_UP_S = 3600
LIMITS = Limits(job_lease_s=LEASE_S, webhook_give_up_s=GIVE_UP_S)
LONG_S = 400
"""Longer than any pause after a failure."""


def fail(world: World, claim: Claim, pause: float | None = None, *, gone: bool = False) -> None:
    world.catalog.deliveries.record_failure(claim, "timeout", "The receiver did not respond.", pause, gone=gone)


def status_of(world: World, webhook_id: str) -> str:
    status: str = world.webhook(webhook_id)["status"]
    return status


@pytest.mark.behaviour("DLV-11", "DLV-01")
def test_events_are_queued_in_order_and_once_each(world: World, webhook: str) -> None:
    made = create_flows(world, 5)
    claim = claim_job(world, webhook)
    assert queued_flows(world, claim) == made
    mark_delivered(world, claim, 2)
    assert queued_flows(world, claim) == made[2:]
    made += create_flows(world, 2)
    assert queued_flows(world, claim) == made[2:]
    assert not world.catalog.deliveries.finish_if_empty(claim)
    mark_delivered(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    assert world.jobs() == []
    assert world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-11", "AMB-41")
def test_events_sent_by_a_dead_worker_are_repeated_with_the_same_id(world: World, webhook: str) -> None:
    made = create_flows(world, 3)
    dead = claim_job(world, webhook, "dead")
    mark_delivered(world, dead, 1)
    sent = [delivery.id for delivery, _ in world.messages(dead)]
    world.clock.forward(LEASE_S - 1)
    assert world.delivery_job(webhook) is None, "the lease of the dead worker has not expired"
    world.clock.forward(1)
    other = claim_job(world, webhook, "another")
    assert queued_flows(world, other) == made[1:]
    assert [delivery.id for delivery, _ in world.messages(other)] == sent


@pytest.mark.behaviour("DLV-11")
def test_a_worker_sends_nothing_after_losing_its_lease(world: World, webhook: str) -> None:
    """From the end of the lease on, whether or not another worker has claimed the job."""
    create_flows(world, 2)
    slow = claim_job(world, webhook, "slow")
    ((delivery, _), _) = world.messages(slow)
    world.clock.forward(LEASE_S)
    with pytest.raises(LeaseLost):
        world.catalog.deliveries.prepare_request(slow, delivery)
    other = claim_job(world, webhook, "other")
    for late in (
        lambda: world.catalog.deliveries.prepare_request(slow, delivery),
        lambda: world.catalog.deliveries.mark_delivered(slow, [delivery]),
        lambda: fail(world, slow, gone=True),
        lambda: world.catalog.deliveries.finish_if_empty(slow),
    ):
        with pytest.raises(LeaseLost):
            late()
    assert status_of(world, webhook) == "created"
    assert len(queued_flows(world, other)) == 2


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-07", "HOOK-DEL-01", "HOOK-DEL-03")
@pytest.mark.parametrize("end", ["disabled", "deleted", "disabled and enabled again"])
@pytest.mark.parametrize("moment", ["queued", "being sent", "waiting for a retry"])
def test_unwanted_events_are_dropped(world: World, webhook: str, end: str, moment: str) -> None:
    create_flows(world, 3)
    claim = claim_job(world, webhook) if moment != "queued" else None
    if claim is not None and moment == "waiting for a retry":
        fail(world, claim)
    world.clock.forward(0.001)
    if end == "deleted":
        world.catalog.webhooks.delete(CALLER, webhook)
    else:
        world.set_webhook(webhook, "disabled")
    if end.endswith("again"):
        world.clock.forward(0.001)
        world.set_webhook(webhook)
    if claim is None or moment == "waiting for a retry":
        claim = claim_job(world, webhook)
    assert queued_flows(world, claim) == []
    mark_delivered(world, claim, 10)
    assert world.catalog.deliveries.finish_if_empty(claim)
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


@pytest.mark.behaviour("DLV-05", "HOOK-ST-05")
def test_all_queued_events_are_retried_after_a_failure(world: World, webhook: str) -> None:
    made = create_flows(world, 2)
    fail(world, claim_job(world, webhook))
    assert status_of(world, webhook) == "started"
    assert world.delivery_job(webhook) is None
    ((_, job_state),) = world.jobs()
    assert job_state == "waiting"
    made += create_flows(world)
    world.clock.forward(1)
    claim = claim_job(world, webhook)
    assert claim.attempts == 1
    assert queued_flows(world, claim) == made


@pytest.mark.behaviour("DLV-05")
def test_pauses_grow_up_to_five_minutes(world: World, webhook: str) -> None:
    create_flows(world)
    pauses = []
    for _ in range(12):
        fail(world, claim_job(world, webhook))
        (job,) = world.rows("jobs")
        pauses.append((job["due"] - world.clock()) / 1e6)
        world.clock.now = job["due"]
    for n, pause in enumerate(pauses):
        assert min(2**n, 300) / 2 <= pause <= min(2**n, 300)


@pytest.mark.behaviour("DLV-05")
@pytest.mark.parametrize(("asked", "elapsed"), [(120, 120), (0, 0.4), (None, 0.4)])
def test_retry_after_is_the_least_pause(world: World, webhook: str, asked: float | None, elapsed: float) -> None:
    create_flows(world)
    fail(world, claim_job(world, webhook), asked)
    world.clock.forward(elapsed)
    assert (world.delivery_job(webhook) is not None) == (elapsed > 100)


@pytest.mark.behaviour("DLV-10")
def test_a_failing_receiver_delays_no_other(world: World, webhook: str) -> None:
    other = world.add_webhook("flows/created")
    create_flows(world)
    fail(world, claim_job(world, webhook))
    made = create_flows(world)
    assert queued_flows(world, claim_job(world, other))[1:] == made


@pytest.mark.behaviour("HOOK-ST-05", "HOOK-GET-03", "HOOK-ST-07", "DLV-05")
def test_a_webhook_that_fails_for_too_long_is_given_up(world: World, webhook: str) -> None:
    create_flows(world, 2)
    fail(world, claim_job(world, webhook))
    world.clock.forward(GIVE_UP_S - 1)
    fail(world, claim_job(world, webhook))
    assert status_of(world, webhook) == "started"
    world.clock.forward(LONG_S)
    fail(world, claim_job(world, webhook))
    shown = world.webhook(webhook)
    assert shown["status"] == "error"
    assert shown["error"]["type"] == "timeout"
    assert shown["error"]["summary"] == "The receiver did not respond."
    assert shown["error"]["time"].endswith("Z")
    world.make_flow()
    world.clock.forward(LONG_S)
    assert world.deliver_events(webhook) == []
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []
    assert status_of(world, webhook) == "error"


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_webhook_whose_receiver_is_gone_is_given_up_at_once(world: World, webhook: str) -> None:
    create_flows(world)
    fail(world, claim_job(world, webhook), gone=True)
    assert status_of(world, webhook) == "error"
    world.clock.forward(LONG_S)
    assert world.deliver_events(webhook) == []


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_success_between_failures_resets_the_time_to_give_up(world: World, webhook: str) -> None:
    create_flows(world, 10)
    for _ in range(5):
        claim = claim_job(world, webhook)
        mark_delivered(world, claim, 1)
        fail(world, claim)
        world.clock.forward(GIVE_UP_S - 1)
    assert status_of(world, webhook) == "started"
    assert len(queued_flows(world, claim_job(world, webhook))) == 5


@pytest.mark.behaviour("HOOK-ST-03", "HOOK-PUT-01", "AMB-16")
def test_a_put_ends_the_pause_after_a_failure(world: World, webhook: str) -> None:
    """All waiting events are kept, since the webhook was never disabled."""
    made = create_flows(world, 2)
    fail(world, claim_job(world, webhook), 1000)
    assert world.delivery_job(webhook) is None
    world.set_webhook(webhook, url="https://receiver.example/repaired")
    claim = claim_job(world, webhook)
    assert claim.attempts == 0
    assert queued_flows(world, claim) == made


@pytest.mark.behaviour("HOOK-PUT-01", "DLV-11")
def test_a_put_leaves_the_job_with_the_worker_that_holds_it(world: World, webhook: str) -> None:
    made = create_flows(world, 2)
    claim = claim_job(world, webhook)
    world.set_webhook(webhook, url="https://receiver.example/moved")
    assert world.delivery_job(webhook) is None
    assert queued_flows(world, claim) == made
