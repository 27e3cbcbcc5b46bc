"""The worker over a real catalogue, sending to real receivers on this machine."""

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
from storage.catalog.jobs import DELIVERY, FLOW_DELETION
from storage.errors import Unavailable
from storage.tables import open_engine
from tams_server.processes.webhook_courier import DELIVERY_ID
from tams_server.specification.load import Specification
from tests.conformance.kit.documents import flow
from tests.conformance.kit.polling import wait_until
from tests.faults.receivers import Exchange, Received, Receiver, hang, refusing_url, respond
from tests.unit.catalogs import Elsewhere, World, open_world
from tests.unit.workers import RunningWorker, working

PATIENCE_S = 30
LIMITS = Limits(job_lease_s=20, async_deletion_threshold=5, deletion_batch=5, object_grace_s=0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world by the clock of this machine."""
    with open_world(tmp_path, LIMITS) as world:
        world.catalog = Catalog(world.engine, world.stores, LIMITS, outbound=Elsewhere())
        yield world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def listen(world: World, receiver: Receiver | str, *event_types: str, **members: Any) -> str:
    url = receiver if isinstance(receiver, str) else receiver.url
    return world.add_webhook(*(event_types or ("flows/created",)), url=url, **members)


def told(requests: list[Received]) -> list[str]:
    """Ids of the flows that events are about."""
    return [request.json["event"]["flow"]["id"] for request in requests]


def idle(world: World) -> None:
    """Wait until nothing is left to be done."""
    wait_until(lambda: not world.rows("jobs") and not world.rows("events"), "the end of all work", PATIENCE_S)


@pytest.mark.behaviour("DLV-01", "DLV-02", "DLV-04", "DLV-11", "AMB-41", "HOOK-ST-01")
def test_events_arrive_in_order_as_they_should_look(
    world: World, receiver: Receiver, specification: Specification
) -> None:
    webhook = listen(world, receiver, api_key_name="X-Key", api_key_value="a secret")
    with working(world.catalog, specification.webhooks):
        made = [world.make_flow() for _ in range(30)]
        requests = receiver.wait_for(lambda requests: len(requests) >= 30, PATIENCE_S)
        idle(world)
    assert told(requests) == made
    for request in requests:
        assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
        assert request.headers["x-key"] == "a secret"
        assert set(json.loads(request.body)) == {"event_timestamp", "event_type", "event"}
    assert len({request.headers[DELIVERY_ID.lower()] for request in requests}) == 30
    assert len(receiver.received) == 30
    assert world.webhook(webhook)["status"] == "started"


@pytest.mark.behaviour("DLV-10")
def test_receivers_that_fail_do_not_delay_those_that_work(world: World, specification: Specification) -> None:
    """More of them than the worker has threads, in each of several ways."""
    with ExitStack() as stack:
        silent = stack.enter_context(Receiver([hang()]))
        broken = stack.enter_context(Receiver([respond(500)]))
        refused = stack.enter_context(refusing_url())
        healthy = stack.enter_context(Receiver())
        for bad in (silent, broken, refused):
            for _ in range(15):
                listen(world, bad)
        listen(world, healthy)
        worker = stack.enter_context(RunningWorker(world.catalog, specification.webhooks, timeout_s=PATIENCE_S))
        world.make_flow()
        silent.wait_for(lambda requests: len(requests) >= 15, PATIENCE_S)
        started = time.monotonic()
        made = [world.make_flow() for _ in range(5)]
        requests = healthy.wait_for(lambda requests: len(requests) >= 6, PATIENCE_S)
        assert time.monotonic() - started < PATIENCE_S / 2, "before any that hangs has timed out"
        assert told(requests)[1:] == made
        silent.close()
        worker.stop()


@pytest.mark.behaviour("DLV-05", "DLV-11", "HOOK-ST-05")
def test_what_failed_is_sent_again_with_the_same_id_before_what_came_later(
    world: World, specification: Specification
) -> None:
    with Receiver([respond(200), respond(503), respond()]) as receiver:
        listen(world, receiver)
        made = [world.make_flow() for _ in range(3)]
        with working(world.catalog, specification.webhooks):
            requests = receiver.wait_for(lambda requests: len(requests) >= 4, PATIENCE_S)
            idle(world)
        assert told(requests) == [made[0], made[1], made[1], made[2]]
        assert requests[1].headers[DELIVERY_ID.lower()] == requests[2].headers[DELIVERY_ID.lower()]


@pytest.mark.behaviour("HOOK-ST-05", "HOOK-GET-03")
def test_a_receiver_that_is_gone_is_not_tried_again(world: World, specification: Specification) -> None:
    with Receiver([respond(410)]) as receiver:
        webhook = listen(world, receiver)
        world.make_flow()
        with working(world.catalog, specification.webhooks):
            wait_until(lambda: world.webhook(webhook)["status"] == "error", "the error", PATIENCE_S)
            idle(world)
        assert len(receiver.received) == 1
        assert "410" in world.webhook(webhook)["error"]["summary"]


@pytest.mark.behaviour("HOOK-ST-02", "HOOK-ST-07", "HOOK-DEL-01")
def test_a_webhook_that_is_disabled_is_sent_nothing_more(world: World, specification: Specification) -> None:
    with Receiver([respond(503), respond()]) as receiver, Receiver() as other:
        webhook = listen(world, receiver)
        listen(world, other)
        with working(world.catalog, specification.webhooks):
            world.make_flow()
            receiver.wait_for(lambda requests: len(requests) == 1, PATIENCE_S)
            world.set_webhook(webhook, "disabled")
            world.make_flow()
            other.wait_for(lambda requests: len(requests) == 2, PATIENCE_S)
            idle(world)
        assert len(receiver.received) == 1


class Gate:
    """Answers no request before it is opened."""

    def __init__(self) -> None:
        self.is_open = False

    def __call__(self, exchange: Exchange) -> bool:
        while not self.is_open and not exchange.closing.wait(0.01):
            pass
        return respond()(exchange)


@pytest.mark.behaviour("DLV-11")
def test_a_worker_that_is_stopped_ends_what_it_is_sending_and_gives_the_rest_back(
    world: World, specification: Specification
) -> None:
    gate = Gate()
    with Receiver(lambda _: gate) as receiver:
        listen(world, receiver)
        made = [world.make_flow() for _ in range(5)]
        with RunningWorker(world.catalog, specification.webhooks, timeout_s=PATIENCE_S) as worker:
            receiver.wait_for(lambda requests: len(requests) == 1, PATIENCE_S)
            worker.tell()
            gate.is_open = True
        sent = len(receiver.received)
        assert sent < 5
        assert world.jobs() == [(DELIVERY, "waiting")]
        assert len(world.rows("deliveries")) == 5 - sent
        (job,) = world.catalog.jobs.list_jobs()
        assert (job["worker"], job["attempts"]) == (None, 0)
        with working(world.catalog, specification.webhooks):
            idle(world)
        assert told(receiver.received) == made


@pytest.mark.behaviour("DREQ-13")
def test_a_worker_that_is_stopped_gives_a_long_deletion_back(world: World, specification: Specification) -> None:
    flow_id = filled(world, 100)
    made = world.delete_segments(flow_id)
    assert made is not None
    with RunningWorker(world.catalog, specification.webhooks):
        wait_until(lambda: len(world.timeranges(flow_id)) < 100, "the first step", PATIENCE_S)
    left = len(world.timeranges(flow_id))
    assert world.jobs() == ([(FLOW_DELETION, "waiting")] if left else [])
    with working(world.catalog, specification.webhooks):
        idle(world)
    assert world.timeranges(flow_id) == []
    assert world.catalog.flow_delete_requests.get(made["id"])["status"] == "done"


def filled(world: World, count: int) -> str:
    """A flow with so many segments of one object."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "o")
    items = [{"object_id": "o", "timerange": f"[{n}:0_{n + 1}:0)", "ts_offset": f"{n}:0"} for n in range(count)]
    assert world.register(flow_id, *items) == []
    time.sleep(0.001)
    return flow_id


@pytest.mark.behaviour("DREQ-13", "OBJ-LIFE-01", "OBJ-LIFE-02")
def test_a_worker_removes_the_bytes_of_what_was_deleted(world: World, specification: Specification) -> None:
    flow_id = filled(world, 20)
    with working(world.catalog, specification.webhooks):
        assert world.delete_segments(flow_id) is not None
        wait_until(lambda: not world.has_bytes("o"), "the removal of the bytes", PATIENCE_S)
        idle(world)
    assert world.timeranges(flow_id) == []


@pytest.mark.behaviour("DREQ-06", "DREQ-08")
def test_a_deletion_that_fails_for_good_says_so(
    world: World, specification: Specification, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(job_attempts=1, async_deletion_threshold=0)
    world.catalog = Catalog(world.engine, world.stores, limits, outbound=Elsewhere())
    flow_id = filled(world, 3)
    made = world.delete_segments(flow_id)
    assert made is not None
    monkeypatch.setattr(world.catalog.flow_delete_requests, "_delete_batch", fail)
    with working(world.catalog, specification.webhooks):
        wait_until(lambda: world.jobs() == [(FLOW_DELETION, "failed")], "the failure", PATIENCE_S)
        shown = wait_until(
            lambda: world.catalog.flow_delete_requests.get(made["id"]).get("error"), "the error", PATIENCE_S
        )
    assert "the catalogue is away" in shown["summary"]
    assert world.catalog.flow_delete_requests.get(made["id"])["status"] == "error"


def fail(*_args: object) -> None:
    raise Unavailable("the catalogue is away")


@pytest.mark.behaviour("DLV-09", "DLV-11")
def test_two_workers_send_each_event_once_and_never_two_at_a_time(
    world: World, tmp_path: Path, specification: Specification
) -> None:
    """Each with an engine of its own, as in two processes, while events go on coming in."""
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    second = Catalog(engine, world.stores, LIMITS, outbound=Elsewhere())
    with Receiver(lambda _: respond(after_s=0.01)) as receiver, ExitStack() as stack:
        webhooks = [listen(world, receiver, api_key_name="X-Key", api_key_value=str(n)) for n in range(4)]
        for catalog in (world.catalog, second):
            stack.enter_context(working(catalog, specification.webhooks, count=2))
        with ThreadPoolExecutor(2) as pool:
            made = [flow_id for part in pool.map(lambda _: make_flows(world, 15), range(2)) for flow_id in part]
        receiver.wait_for(lambda requests: len(requests) >= 30 * len(webhooks), PATIENCE_S)
        idle(world)
        requests = receiver.received
    engine.close()
    by_webhook: dict[str, list[Received]] = defaultdict(list)
    for request in requests:
        by_webhook[request.headers["x-key"]].append(request)
        others = [requests[number] for number in request.overlaps]
        assert all(other.headers["x-key"] != request.headers["x-key"] for other in others)
    assert len(by_webhook) == len(webhooks)
    for sent in by_webhook.values():
        assert Counter(told(sent)) == Counter(made)
    assert len({request.headers[DELIVERY_ID.lower()] for request in requests}) == len(requests)


def make_flows(world: World, count: int) -> list[str]:
    return [world.make_flow(flow()) for _ in range(count)]


def test_a_worker_looks_for_work_without_claiming_any_where_there_is_none(
    world: World, specification: Specification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that those who wait for work write nothing."""
    catalog, asked = world.catalog, Counter[str]()
    look, claim, forget = catalog.pending_work, catalog.jobs.claim, catalog.remove_expired
    monkeypatch.setattr(catalog, "pending_work", lambda *args: (asked.update(["look"]), look(*args))[1])
    monkeypatch.setattr(catalog, "remove_expired", lambda *args: (asked.update(["forget"]), forget(*args))[1])
    monkeypatch.setattr(catalog.jobs, "claim", lambda *args: (asked.update(["claim"]), claim(*args))[1])
    with Receiver() as receiver, working(catalog, specification.webhooks):
        wait_until(lambda: asked["forget"] >= 2, "a second look for what has expired", PATIENCE_S)
        assert asked["look"] >= 10
        assert asked["claim"] == 0
        listen(world, receiver)
        world.make_flow()
        receiver.wait_for(lambda requests: len(requests) >= 1, PATIENCE_S)
        assert asked["claim"] >= 1


@pytest.mark.behaviour("DLV-11")
def test_a_job_that_takes_longer_than_its_lease_stays_with_its_worker(
    world: World, specification: Specification
) -> None:
    """The lease is renewed while the receiver takes its time, so that another worker does not send the same."""
    limits = Limits(job_lease_s=1)
    world.catalog = Catalog(world.engine, world.stores, limits, outbound=Elsewhere())
    with Receiver([respond(after_s=2.5), respond()]) as receiver:
        listen(world, receiver)
        made = [world.make_flow() for _ in range(2)]
        with working(world.catalog, specification.webhooks, count=2):
            receiver.wait_for(lambda requests: len(requests) >= 2, PATIENCE_S)
            idle(world)
        assert told(receiver.received) == made


@pytest.mark.behaviour("DLV-08")
def test_an_event_that_breaks_the_specification_is_not_sent(world: World, specification: Specification) -> None:
    with Receiver() as receiver:
        listen(world, receiver, "flows/created", "flows/deleted")
        bodies = dict(specification.webhooks)
        bodies["flows/created"] = bodies["flows/deleted"]
        world.make_flow()
        with working(world.catalog, bodies):
            failed = wait_until(
                lambda: [row["error"] for row in world.rows("jobs") if row["error"]], "it fails", PATIENCE_S
            )
        assert "InvalidEvent" in failed[0]
        assert receiver.received == []
