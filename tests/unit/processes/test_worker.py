"""The worker with a real catalogue and real receivers."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.job_kinds import DELIVERY
from storage.tables import open_engine
from tams_server.outbound.header_rules import DELIVERY_ID
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.behaviours import Exchange, Received, hang, respond
from tests.faults.receivers import Receiver
from tests.faults.unreachable import refusing_url
from tests.unit.catalogs import OtherServers, World
from tests.unit.processes.worker_steps import LIMITS, TIMEOUT_S, wait_until_idle
from tests.unit.workers import RunningWorker, working


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def add_webhook(world: World, receiver: Receiver | str, *event_types: str, **members: Any) -> str:
    url = receiver if isinstance(receiver, str) else receiver.url
    return world.add_webhook(*(event_types or ("flows/created",)), url=url, **members)


def flow_ids(requests: list[Received]) -> list[str]:
    """Return the ids of the flows in delivered events."""
    return [request.json["event"]["flow"]["id"] for request in requests]


@pytest.mark.behaviour("DLV-01", "DLV-02", "DLV-04", "DLV-11", "AMB-41", "HOOK-ST-01")
def test_events_arrive_in_order_and_in_the_right_form(
    world: World, receiver: Receiver, specification: Specification
) -> None:
    webhook = add_webhook(world, receiver, api_key_name="X-Key", api_key_value="a secret")
    with working(world.catalog, specification.webhooks):
        made = [world.make_flow() for _ in range(30)]
        requests = receiver.wait_for(lambda requests: len(requests) >= 30, TIMEOUT_S)
        wait_until_idle(world)
    assert flow_ids(requests) == made
    for request in requests:
        assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
        assert request.headers["x-key"] == "a secret"
        assert set(json.loads(request.body)) == {"event_timestamp", "event_type", "event"}
    assert len({request.headers[DELIVERY_ID.lower()] for request in requests}) == 30
    assert len(receiver.received) == 30
    assert world.webhook(webhook)["status"] == "started"


@pytest.mark.behaviour("DLV-10")
def test_failing_receivers_do_not_delay_working_ones(world: World, specification: Specification) -> None:
    """More receivers fail, in each of several ways, than the worker has threads."""
    with ExitStack() as stack:
        silent = stack.enter_context(Receiver([hang()]))
        broken = stack.enter_context(Receiver([respond(500)]))
        refused = stack.enter_context(refusing_url())
        healthy = stack.enter_context(Receiver())
        for bad in (silent, broken, refused):
            for _ in range(15):
                add_webhook(world, bad)
        add_webhook(world, healthy)
        worker = stack.enter_context(RunningWorker(world.catalog, specification.webhooks, timeout_s=TIMEOUT_S))
        world.make_flow()
        silent.wait_for(lambda requests: len(requests) >= 15, TIMEOUT_S)
        started = time.monotonic()
        made = [world.make_flow() for _ in range(5)]
        requests = healthy.wait_for(lambda requests: len(requests) >= 6, TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2, "before any that hangs has timed out"
        assert flow_ids(requests)[1:] == made
        silent.close()
        worker.stop()


@pytest.mark.behaviour("DLV-05", "DLV-11", "HOOK-ST-05")
def test_a_failed_delivery_is_retried_with_the_same_id_before_later_events(
    world: World, specification: Specification
) -> None:
    with Receiver([respond(200), respond(503), respond()]) as receiver:
        add_webhook(world, receiver)
        made = [world.make_flow() for _ in range(3)]
        with working(world.catalog, specification.webhooks):
            requests = receiver.wait_for(lambda requests: len(requests) >= 4, TIMEOUT_S)
            wait_until_idle(world)
        assert flow_ids(requests) == [made[0], made[1], made[1], made[2]]
        assert requests[1].headers[DELIVERY_ID.lower()] == requests[2].headers[DELIVERY_ID.lower()]


@pytest.mark.behaviour("HOOK-ST-05", "HOOK-GET-03")
def test_a_receiver_that_is_gone_is_not_retried(world: World, specification: Specification) -> None:
    with Receiver([respond(410)]) as receiver:
        webhook = add_webhook(world, receiver)
        world.make_flow()
        with working(world.catalog, specification.webhooks):
            wait_until(lambda: world.webhook(webhook)["status"] == "error", "the error", TIMEOUT_S)
            wait_until_idle(world)
        assert len(receiver.received) == 1
        assert "410" in world.webhook(webhook)["error"]["summary"]


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-07", "HOOK-DEL-01")
def test_a_disabled_webhook_is_sent_nothing_more(world: World, specification: Specification) -> None:
    with Receiver([respond(503), respond()]) as receiver, Receiver() as other:
        webhook = add_webhook(world, receiver)
        add_webhook(world, other)
        with working(world.catalog, specification.webhooks):
            world.make_flow()
            receiver.wait_for(lambda requests: len(requests) == 1, TIMEOUT_S)
            world.set_webhook(webhook, "disabled")
            world.make_flow()
            other.wait_for(lambda requests: len(requests) == 2, TIMEOUT_S)
            wait_until_idle(world)
        assert len(receiver.received) == 1


class Gate:
    """Responds to no request until it is opened."""

    def __init__(self) -> None:
        self.is_open = False

    def __call__(self, exchange: Exchange) -> bool:
        while not self.is_open and not exchange.closing.wait(0.01):
            pass
        return respond()(exchange)


@pytest.mark.behaviour("DLV-11")
def test_a_stopped_worker_completes_its_delivery_and_releases_the_rest(
    world: World, specification: Specification
) -> None:
    gate = Gate()
    with Receiver(lambda _: gate) as receiver:
        add_webhook(world, receiver)
        made = [world.make_flow() for _ in range(5)]
        with RunningWorker(world.catalog, specification.webhooks, timeout_s=TIMEOUT_S) as worker:
            receiver.wait_for(lambda requests: len(requests) == 1, TIMEOUT_S)
            worker.request_stop()
            gate.is_open = True
        sent = len(receiver.received)
        assert sent < 5
        assert world.jobs() == [(DELIVERY, "waiting")]
        assert len(world.rows("deliveries")) == 5 - sent
        (job,) = world.catalog.jobs.list_jobs()
        assert (job["worker"], job["attempts"]) == (None, 0)
        with working(world.catalog, specification.webhooks):
            wait_until_idle(world)
        assert flow_ids(receiver.received) == made


@pytest.mark.behaviour("DLV-09", "DLV-11")
def test_two_workers_send_each_event_once_and_one_at_a_time(
    world: World, tmp_path: Path, specification: Specification
) -> None:
    """Each has an engine of its own, as in two processes, and events keep coming in."""
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    second = Catalog(engine, world.stores, LIMITS, outbound=OtherServers())
    with Receiver(lambda _: respond(after_s=0.01)) as receiver, ExitStack() as stack:
        webhooks = [add_webhook(world, receiver, api_key_name="X-Key", api_key_value=str(n)) for n in range(4)]
        for catalog in (world.catalog, second):
            stack.enter_context(working(catalog, specification.webhooks, count=2))
        with ThreadPoolExecutor(2) as pool:
            made = [flow_id for part in pool.map(lambda _: make_flows(world, 15), range(2)) for flow_id in part]
        receiver.wait_for(lambda requests: len(requests) >= 30 * len(webhooks), TIMEOUT_S)
        wait_until_idle(world)
        requests = receiver.received
    engine.close()
    by_webhook: dict[str, list[Received]] = defaultdict(list)
    for request in requests:
        by_webhook[request.headers["x-key"]].append(request)
        others = [requests[number] for number in request.overlaps]
        assert all(other.headers["x-key"] != request.headers["x-key"] for other in others)
    assert len(by_webhook) == len(webhooks)
    for sent in by_webhook.values():
        assert Counter(flow_ids(sent)) == Counter(made)
    assert len({request.headers[DELIVERY_ID.lower()] for request in requests}) == len(requests)


def make_flows(world: World, count: int) -> list[str]:
    return [world.make_flow(flow()) for _ in range(count)]


def test_an_idle_worker_polls_without_claiming(
    world: World, specification: Specification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle workers write nothing."""
    catalog, calls = world.catalog, Counter[str]()
    poll, claim, remove = catalog.pending_work, catalog.jobs.claim, catalog.remove_expired
    monkeypatch.setattr(catalog, "pending_work", lambda *args: (calls.update(["poll"]), poll(*args))[1])
    monkeypatch.setattr(catalog, "remove_expired", lambda *args: (calls.update(["remove"]), remove(*args))[1])
    monkeypatch.setattr(catalog.jobs, "claim", lambda *args: (calls.update(["claim"]), claim(*args))[1])
    with Receiver() as receiver, working(catalog, specification.webhooks):
        wait_until(lambda: calls["remove"] >= 2, "a second look for expired resources", TIMEOUT_S)
        assert calls["poll"] >= 10
        assert calls["claim"] == 0
        add_webhook(world, receiver)
        world.make_flow()
        receiver.wait_for(lambda requests: len(requests) >= 1, TIMEOUT_S)
        assert calls["claim"] >= 1


@pytest.mark.behaviour("DLV-11")
def test_a_job_longer_than_its_lease_stays_with_its_worker(world: World, specification: Specification) -> None:
    """The lease is renewed while the receiver is slow, so that no other worker sends the same event."""
    limits = Limits(job_lease_s=1)
    world.catalog = Catalog(world.engine, world.stores, limits, outbound=OtherServers())
    with Receiver([respond(after_s=2.5), respond()]) as receiver:
        add_webhook(world, receiver)
        made = [world.make_flow() for _ in range(2)]
        with working(world.catalog, specification.webhooks, count=2):
            receiver.wait_for(lambda requests: len(requests) >= 2, TIMEOUT_S)
            wait_until_idle(world)
        assert flow_ids(receiver.received) == made


@pytest.mark.behaviour("DLV-08")
def test_an_invalid_event_is_not_sent(world: World, specification: Specification) -> None:
    with Receiver() as receiver:
        add_webhook(world, receiver, "flows/created", "flows/deleted")
        bodies = dict(specification.webhooks)
        bodies["flows/created"] = bodies["flows/deleted"]
        world.make_flow()
        with working(world.catalog, bodies):
            failed = wait_until(
                lambda: [row["error"] for row in world.rows("jobs") if row["error"]], "it fails", TIMEOUT_S
            )
        assert "InvalidEvent" in failed[0]
        assert receiver.received == []
