"""One webhook's queue on its way to a real receiver: what is acknowledged when, and what a failure leaves queued."""

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
from tests.faults.receivers import Behaviour, Received, Receiver, respond
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
    """A webhook that is to be told of so many new flows: its id, and theirs."""
    webhook = world.add_webhook("flows/created", url=receiver.url)
    made = []
    for _ in range(count):
        world.clock.forward(0.001)
        made.append(world.make_flow())
    world.run_background_work()
    return webhook, made


def claimed(world: World, webhook_id: str) -> Claim:
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
    """Send what is queued for the webhook of `claim`, until that has ended or is given back."""

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


def told(requests: list[Received]) -> list[str]:
    return [request.json["event"]["flow"]["id"] for request in requests]


@pytest.mark.behaviour("DLV-01", "DLV-11")
@pytest.mark.parametrize(
    "count", [1, webhook_courier._BATCH, webhook_courier._BATCH + 1, 2 * webhook_courier._BATCH + 5]
)
def test_all_that_is_queued_is_sent(world: World, bodies: Mapping[str, Validator], count: int) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, count)
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made
    assert world.jobs() == []
    assert world.rows("deliveries") == world.rows("events") == []


@pytest.mark.behaviour("DLV-05", "DLV-11")
def test_what_arrived_before_a_failure_is_not_sent_again(world: World, bodies: Mapping[str, Validator]) -> None:
    with Receiver([respond(), respond(204), respond(500), respond()]) as receiver:
        webhook, made = queue(world, receiver, 4)
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made[:3]
        assert len(world.rows("deliveries")) == 2
        assert world.delivery_job(webhook) is None
        world.clock.forward(1)
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == [*made[:3], *made[2:]]


@pytest.mark.behaviour("DLV-05")
@pytest.mark.parametrize(("status", "asked"), [(429, "120"), (503, "120")])
def test_a_receiver_that_says_when_to_come_back_is_left_alone_until_then(
    world: World, bodies: Mapping[str, Validator], status: int, asked: str
) -> None:
    with Receiver([respond(status, {"Retry-After": asked})]) as receiver:
        webhook, _ = queue(world, receiver, 1)
        deliver(world, claimed(world, webhook), bodies)
    world.clock.forward(119)
    assert world.delivery_job(webhook) is None
    world.clock.forward(1)
    assert claimed(world, webhook).attempts == 1


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
def test_the_error_of_a_webhook_tells_the_status_and_not_the_answer(
    world: World, bodies: Mapping[str, Validator], behaviour: Behaviour, problem: str
) -> None:
    with Receiver([behaviour]) as receiver:
        webhook, _ = queue(world, receiver, 1)
        deliver(world, claimed(world, webhook), bodies)
        assert world.webhook(webhook)["status"] == "started"
        world.clock.forward(24 * 3600)
        deliver(world, claimed(world, webhook), bodies)
        assert len(receiver.received) == 2
    shown = world.webhook(webhook)
    assert shown["status"] == "error"
    assert shown["error"]["type"] == problem
    assert "internal words" not in str(shown)


@pytest.mark.behaviour("HOOK-ST-05")
def test_a_receiver_that_is_gone_puts_its_webhook_in_error_at_once(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    with Receiver([respond(410)]) as receiver:
        webhook, _ = queue(world, receiver, 3)
        deliver(world, claimed(world, webhook), bodies)
        assert world.webhook(webhook)["status"] == "error"
        world.clock.forward(10)
        deliver(world, claimed(world, webhook), bodies)
        assert len(receiver.received) == 1
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.jobs() == []


@pytest.mark.behaviour("DLV-11", "AMB-41")
def test_a_crash_between_sending_and_acknowledging_sends_again(
    world: World, bodies: Mapping[str, Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 3)
        with monkeypatch.context() as dying:
            dying.setattr(world.catalog.deliveries, "mark_delivered", die)
            with pytest.raises(Death):
                deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made
        world.clock.forward(LEASE_S)
        deliver(world, claimed(world, webhook), bodies)
        requests = receiver.received
    assert told(requests) == made + made
    ids = [request.headers[DELIVERY_ID.lower()] for request in requests]
    assert ids[:3] == ids[3:]


class Death(BaseException):
    """The end of a process."""


def die(*_args: object) -> None:
    raise Death


@pytest.mark.behaviour("DLV-11")
def test_nothing_is_sent_once_the_lease_has_run_out(world: World, bodies: Mapping[str, Validator]) -> None:
    """The receiver of the second event is so slow that the lease, which nobody renews, ends meanwhile."""

    def behave(request: Received) -> Behaviour:
        if request.number == 1:
            world.clock.forward(LEASE_S)
        return respond()

    with Receiver(behave) as receiver:
        webhook, made = queue(world, receiver, 4)
        with pytest.raises(LeaseLost):
            deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made[:2]
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received)[2:] == made


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-DEL-01", "HOOK-DEL-03")
def test_a_webhook_that_is_disabled_in_the_middle_is_sent_nothing_more(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    def behave(request: Received) -> Behaviour:
        if request.number == 1:
            world.set_webhook(webhook, "disabled")
        return respond()

    with Receiver(behave) as receiver:
        webhook, made = queue(world, receiver, 5)
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made[:2]
    assert world.rows("deliveries") == world.rows("events") == []
    assert world.webhook(webhook)["status"] == "disabled"


def test_a_worker_that_stops_acknowledges_what_it_sent_and_gives_the_rest_back(
    world: World, bodies: Mapping[str, Validator]
) -> None:
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 5)
        deliver(world, claimed(world, webhook), bodies, lambda: len(receiver.received) >= 2)
        assert told(receiver.received) == made[:2]
        assert len(world.rows("deliveries")) == 3
        deliver(world, claimed(world, webhook), bodies)
        assert told(receiver.received) == made


def test_a_webhook_with_very_many_events_lets_others_have_their_turn(
    world: World, bodies: Mapping[str, Validator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_courier, "_TURN_S", -1.0)
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 3)
        for turn in range(1, 4):
            deliver(world, claimed(world, webhook), bodies)
            assert told(receiver.received) == made[:turn]
        deliver(world, claimed(world, webhook), bodies)
        assert len(receiver.received) == 3
    assert world.jobs() == []


@pytest.mark.parametrize("strict", [True, False])
def test_an_event_that_breaks_the_specification_is_told_in_the_log(
    world: World, bodies: Mapping[str, Validator], caplog: pytest.LogCaptureFixture, strict: bool
) -> None:
    """Strictly (in tests) it is not sent; else it is, since a receiver had better know."""
    wrong = {**bodies, "flows/created": bodies["flows/deleted"]}
    with Receiver() as receiver:
        webhook, made = queue(world, receiver, 1)
        claim = claimed(world, webhook)
        if strict:
            with pytest.raises(InvalidEvent, match="event_type"):
                deliver(world, claim, wrong)
            assert receiver.received == []
        else:
            deliver(world, claim, wrong, fail_on_invalid_event=False)
            assert told(receiver.received) == made
    assert "event does not conform to the specification: flows/created" in caplog.text
