"""Deliveries to a real receiver: when they are acknowledged, and what stays queued after a failure."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits
from storage.catalog.jobs import Claim, LeaseLost
from tams_server.outbound.sender import Sender
from tams_server.processes import webhook_courier
from tams_server.processes.webhook_courier import DELIVERY_ID, InvalidEvent, WebhookCourier
from tams_server.specification.load import Specification
from tams_server.specification.validators import Validator
from tests.faults.behaviours import Behaviour, Received, respond
from tests.faults.receivers import Receiver
from tests.unit.catalogs import World, open_world
from tests.unit.workers import LOCAL

LEASE_S = 30


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(job_lease_s=LEASE_S)) as world:
        yield world


@pytest.fixture
def bodies(specification: Specification) -> Mapping[str, Validator]:
    return specification.webhooks


def queue(world: World, receiver: Receiver, count: int) -> tuple[str, list[str]]:
    """Create a webhook and `count` flows. Returns the id of the webhook and the ids of the flows."""
    webhook = world.add_webhook("flows/created", url=receiver.url)
    made = []
    for _ in range(count):
        world.clock.forward(0.001)
        made.append(world.make_flow())
    world.run_background_work()
    return webhook, made


def claim_job(world: World, webhook_id: str) -> Claim:
    claim = world.delivery_job(webhook_id)
    assert claim is not None
    return claim


def deliver(
    world: World,
    claim: Claim,
    bodies: Mapping[str, Validator],
    stopping: Callable[[], bool] = lambda: False,
    *,
    fail_on_invalid_event: bool = True,
) -> None:
    """Send the queued events until the job of `claim` is finished or released."""

    async def run() -> None:
        catalog = world.catalog
        courier = WebhookCourier(
            catalog.deliveries,
            catalog.jobs,
            Sender(LOCAL),
            bodies,
            timeout_s=10,
            fail_on_invalid_event=fail_on_invalid_event,
        )

        async def in_thread(function: Callable[..., Any], *args: Any) -> Any:
            return await asyncio.to_thread(partial(function, *args))

        try:
            await courier.deliver(claim, stopping, in_thread)
        finally:
            await courier.aclose()

    asyncio.run(run())


def flow_ids(requests: list[Received]) -> list[str]:
    return [request.json["event"]["flow"]["id"] for request in requests]


@pytest.mark.behaviour("DLV-01", "DLV-11")
@pytest.mark.parametrize(
    "count", [1, webhook_courier._BATCH, webhook_courier._BATCH + 1, 2 * webhook_courier._BATCH + 5]
)
def test_all_queued_events_are_sent(world: World, bodies: Mapping[str, Validator], count: int) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, count)
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made
    assert world.jobs() == []
    assert world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-05", "DLV-11")
def test_events_delivered_before_a_failure_are_not_repeated(world: World, bodies: Mapping[str, Validator]) -> None:
    with Receiver([respond(), respond(204), respond(500), respond()]) as receiver:
        webhook, made = queue(world, receiver, 4)
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made[:3]
        assert len(world.rows("deliveries")) == 2
        assert world.delivery_job(webhook) is None
        world.clock.forward(1)
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == [*made[:3], *made[2:]]


@pytest.mark.behaviour("DLV-05")
@pytest.mark.parametrize(("status", "asked"), [(429, "120"), (503, "120")])
def test_retry_after_is_respected(world: World, bodies: Mapping[str, Validator], status: int, asked: str) -> None:
    with Receiver([respond(status, {"Retry-After": asked})]) as receiver:
        webhook, _ = queue(world, receiver, 1)
        deliver(world, claim_job(world, webhook), bodies)
    world.clock.forward(119)
    assert world.delivery_job(webhook) is None
    world.clock.forward(1)
    assert claim_job(world, webhook).attempts == 1


@pytest.mark.behaviour("DLV-04", "DLV-05", "DLV-06", "HOOK-ST-05", "HOOK-GET-03", "DLV-08")
@pytest.mark.parametrize(
    ("behaviour", "problem"),
    [
        (respond(500, body=b"internal words"), "status"),
        (respond(404), "status"),
        (respond(302, {"Location": "http://127.0.0.1/internal words"}), "redirect"),
    ],
    ids=["500", "404", "302"],
)
def test_the_error_of_a_webhook_has_the_status_but_not_the_body(
    world: World, bodies: Mapping[str, Validator], behaviour: Behaviour, problem: str
) -> None:
    with Receiver([behaviour]) as receiver:
        webhook, _ = queue(world, receiver, 1)
        deliver(world, claim_job(world, webhook), bodies)
        assert world.webhook(webhook)["status"] == "started"
        world.clock.forward(24 * 3600)
        deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 2
    shown = world.webhook(webhook)
    assert shown["status"] == "error"
    assert shown["error"]["type"] == problem
    assert "internal words" not in str(shown)


@pytest.mark.behaviour("HOOK-ST-05")
def test_status_410_sets_the_webhook_to_error_at_once(world: World, bodies: Mapping[str, Validator]) -> None:
    with Receiver([respond(410)]) as receiver:
        webhook, _ = queue(world, receiver, 3)
        deliver(world, claim_job(world, webhook), bodies)
        assert world.webhook(webhook)["status"] == "error"
        world.clock.forward(10)
        deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 1
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


@pytest.mark.behaviour("DLV-11", "AMB-41")
def test_a_crash_before_the_acknowledgement_repeats_deliveries(
    world: World, bodies: Mapping[str, Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 3)
        with monkeypatch.context() as dying:
            dying.setattr(world.catalog.deliveries, "mark_delivered", die)
            with pytest.raises(Death):
                deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made
        world.clock.forward(LEASE_S)
        deliver(world, claim_job(world, webhook), bodies)
        requests = receiver.received
    assert flow_ids(requests) == made + made
    ids = [request.headers[DELIVERY_ID.lower()] for request in requests]
    assert ids[:3] == ids[3:]


class Death(BaseException):
    """Stands for the death of the process."""


def die(*_args: object) -> None:
    raise Death


@pytest.mark.behaviour("DLV-11")
def test_nothing_is_sent_after_the_lease_expired(world: World, bodies: Mapping[str, Validator]) -> None:
    """The second request takes so long that the lease, which nobody renews, expires."""

    def behave(request: Received) -> Behaviour:
        if request.number == 1:
            world.clock.forward(LEASE_S)
        return respond()

    with Receiver(behave) as receiver:
        webhook, made = queue(world, receiver, 4)
        with pytest.raises(LeaseLost):
            deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made[:2]
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received)[2:] == made


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-DEL-01", "HOOK-DEL-03")
def test_a_webhook_disabled_during_a_batch_is_sent_nothing_more(world: World, bodies: Mapping[str, Validator]) -> None:
    def behave(request: Received) -> Behaviour:
        if request.number == 1:
            world.set_webhook(webhook, "disabled")
        return respond()

    with Receiver(behave) as receiver:
        webhook, made = queue(world, receiver, 5)
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made[:2]
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.webhook(webhook)["status"] == "disabled"


def test_a_stopping_worker_acknowledges_deliveries_and_releases_the_job(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 5)
        deliver(world, claim_job(world, webhook), bodies, lambda: len(receiver.received) >= 2)
        assert flow_ids(receiver.received) == made[:2]
        assert len(world.rows("deliveries")) == 3
        deliver(world, claim_job(world, webhook), bodies)
        assert flow_ids(receiver.received) == made


def test_a_webhook_with_very_many_events_is_released_after_its_turn(
    world: World, bodies: Mapping[str, Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_courier, "_TURN_S", -1.0)
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 3)
        for turn in range(1, 4):
            deliver(world, claim_job(world, webhook), bodies)
            assert flow_ids(receiver.received) == made[:turn]
        deliver(world, claim_job(world, webhook), bodies)
        assert len(receiver.received) == 3
    assert world.jobs() == []


@pytest.mark.parametrize("strict", [True, False])
def test_an_invalid_event_is_logged(
    world: World, bodies: Mapping[str, Validator], caplog: pytest.LogCaptureFixture, strict: bool
) -> None:
    """In tests it is not sent; in production it is, rather than lost."""
    wrong = {**bodies, "flows/created": bodies["flows/deleted"]}
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 1)
        claim = claim_job(world, webhook)
        if strict:
            with pytest.raises(InvalidEvent, match="event_type"):
                deliver(world, claim, wrong)
            assert receiver.received == []
        else:
            deliver(world, claim, wrong, fail_on_invalid_event=False)
            assert flow_ids(receiver.received) == made
    assert "event does not conform to the specification: flows/created" in caplog.text
