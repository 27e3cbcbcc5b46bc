"""The worker and jobs that are not deliveries: run, stopped and failed."""

import time

import pytest

from storage.catalog import Catalog, Limits
from storage.catalog.job_kinds import FLOW_DELETION
from storage.catalog.jobs import Claim
from storage.errors import Conflict, Contended, Unavailable
from tams_server.specification.load import Specification
from tests.conformance.kit.polling import wait_until
from tests.unit.catalogs import CALLER, OtherServers, World
from tests.unit.processes.worker_steps import TIMEOUT_S, wait_until_idle
from tests.unit.workers import RunningWorker, working


@pytest.mark.behaviour("DREQ-13")
def test_a_stopped_worker_releases_a_long_deletion(world: World, specification: Specification) -> None:
    flow_id = filled(world, 100)
    made = world.delete_segments(flow_id)
    assert made is not None
    with RunningWorker(world.catalog, specification.webhooks):
        wait_until(lambda: len(world.timeranges(flow_id)) < 100, "the first step", TIMEOUT_S)
    left = len(world.timeranges(flow_id))
    assert world.jobs() == ([(FLOW_DELETION, "waiting")] if left else [])
    with working(world.catalog, specification.webhooks):
        wait_until_idle(world)
    assert world.timeranges(flow_id) == []
    assert world.catalog.flow_delete_requests.get(CALLER, made["id"])["status"] == "done"


def filled(world: World, count: int) -> str:
    """Create a flow with `count` segments of one object."""
    flow_id = world.make_flow()
    world.allocate(flow_id, "o")
    items = [{"object_id": "o", "timerange": f"[{n}:0_{n + 1}:0)", "ts_offset": f"{n}:0"} for n in range(count)]
    assert world.register(flow_id, *items) == []
    time.sleep(0.001)
    return flow_id


@pytest.mark.behaviour("DREQ-13", "OBJ-LIFE-01", "OBJ-LIFE-02")
def test_a_worker_removes_the_bytes_of_deleted_segments(world: World, specification: Specification) -> None:
    flow_id = filled(world, 20)
    with working(world.catalog, specification.webhooks):
        assert world.delete_segments(flow_id) is not None
        wait_until(lambda: not world.has_bytes("o"), "the removal of the bytes", TIMEOUT_S)
        wait_until_idle(world)
    assert world.timeranges(flow_id) == []


@pytest.mark.behaviour("DREQ-06", "DREQ-08")
def test_a_permanently_failed_deletion_reports_its_error(
    world: World, specification: Specification, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(job_attempts=1, async_deletion_threshold=0)
    world.catalog = Catalog(world.engine, world.stores, limits, outbound=OtherServers())
    flow_id = filled(world, 3)
    made = world.delete_segments(flow_id)
    assert made is not None
    monkeypatch.setattr(world.catalog.flow_delete_requests, "_delete_batch", fail)
    with working(world.catalog, specification.webhooks):
        wait_until(lambda: world.jobs() == [(FLOW_DELETION, "failed")], "the failure", TIMEOUT_S)
        shown = wait_until(
            lambda: world.catalog.flow_delete_requests.get(CALLER, made["id"]).get("error"), "the error", TIMEOUT_S
        )
    assert "the catalogue is unavailable" in shown["summary"]
    assert world.catalog.flow_delete_requests.get(CALLER, made["id"])["status"] == "error"


@pytest.mark.behaviour("DREQ-13")
def test_lost_races_are_no_failures(
    world: World, specification: Specification, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job would be given up after a single failure."""
    limits = Limits(job_attempts=1, async_deletion_threshold=0)
    world.catalog = Catalog(world.engine, world.stores, limits, outbound=OtherServers())
    flow_id = filled(world, 3)
    assert world.delete_segments(flow_id) is not None
    requests = world.catalog.flow_delete_requests
    delete_batch, races = requests.delete_batch, [Contended("first"), Conflict("second")]

    def after_races(claim: Claim) -> bool:
        if races:
            raise races.pop()
        return delete_batch(claim)

    monkeypatch.setattr(requests, "delete_batch", after_races)
    with working(world.catalog, specification.webhooks):
        wait_until_idle(world)
    assert world.timeranges(flow_id) == []


def fail(*_args: object) -> None:
    raise Unavailable("the catalogue is unavailable")
