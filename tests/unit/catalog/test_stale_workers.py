"""Workers that continue after losing their lease, and failures that last, must do no harm."""

import threading
from collections.abc import Iterable

import pytest

from storage.catalog import Limits
from storage.catalog.job_kinds import FLOW_DELETION
from storage.catalog.jobs import LeaseLost
from storage.errors import Invalid, NotFound, Unavailable
from tests.conformance.kit.documents import flow
from tests.unit.catalog.copy_steps import die_in_a_copy, fail
from tests.unit.catalogs import CALLER, DEFAULT_BACKEND, SECOND_BACKEND, World

LIMITS = Limits(object_grace_s=60, async_deletion_threshold=5, deletion_batch=4, job_attempts=3)


def _filled(world: World) -> str:
    """Create a flow with ten segments, enough for its deletion to become a request."""
    flow_id = world.make_flow()
    world.allocate(flow_id, *(f"o{n}" for n in range(10)))
    world.register(flow_id, *({"object_id": f"o{n}", "timerange": f"[{n}:0_{n + 1}:0)"} for n in range(10)))
    world.clock.forward(1)
    return flow_id


def test_an_id_is_not_free_while_a_copy_of_the_object_is_waiting(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    die_in_a_copy(world, "a")
    world.clock.forward(31)
    store = world.stores[SECOND_BACKEND]
    write, store.write = store.write, fail
    world.run_background_work()
    store.write = write
    world.delete_segments(flow_id)
    with world.engine.write() as tx:
        tx.update("jobs", [], {"due": world.clock() + 300_000_000})
    world.clock.forward(61)
    world.run_background_work()
    with pytest.raises(Invalid, match="already exists"):
        world.allocate(flow_id, "a", storage_id=SECOND_BACKEND, content=b"the new one")
    world.clock.forward(300)
    world.run_background_work()
    world.allocate(flow_id, "a", storage_id=SECOND_BACKEND, content=b"the new one")
    world.clock.forward(300)
    world.run_background_work()
    assert world.has_bytes("a", SECOND_BACKEND)


def test_a_stalled_removal_never_deletes_the_bytes_of_a_reused_id(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.delete_segments(flow_id)
    world.clock.forward(61)
    store = world.stores[DEFAULT_BACKEND]
    delete_many, stalled, resume = store.delete_many, threading.Event(), threading.Event()

    def slowly(ids: Iterable[str]) -> list[str]:
        if threading.current_thread() is slow:
            stalled.set()
            assert resume.wait(10)
        return delete_many(ids)

    slow = threading.Thread(target=world.run_background_work)
    monkeypatch.setattr(store, "delete_many", slowly)
    slow.start()
    assert stalled.wait(10)
    world.clock.forward(31)
    world.run_background_work()
    world.add_object(flow_id, "a")
    resume.set()
    slow.join(10)
    assert world.has_bytes("a")


def test_a_worker_without_lease_records_no_failure(world: World) -> None:
    made = world.delete_segments(_filled(world))
    assert made is not None
    for _ in range(2):
        (claim,) = world.claim(FLOW_DELETION)
        world.catalog.jobs.fail(claim, "the store is unavailable")
        world.clock.forward(1000)
    (stale,) = world.claim(FLOW_DELETION)
    world.clock.forward(31)
    world.run_background_work()
    with pytest.raises(LeaseLost):
        world.catalog.jobs.fail(stale, "the store is unavailable")
    assert world.catalog.flow_delete_requests.get(CALLER, made["id"])["status"] == "done"


def test_a_flow_created_again_after_a_failed_deletion_has_no_old_segments(world: World) -> None:
    flow_id = _filled(world)
    made = world.catalog.deletions.delete_flow(CALLER, flow_id)
    assert made is not None
    for _ in range(3):
        (claim,) = world.claim(FLOW_DELETION)
        if not world.catalog.jobs.fail(claim, "the store is unavailable"):
            world.catalog.flow_delete_requests.mark_failed(claim.key, "the store is unavailable")
        world.clock.forward(1000)
    assert world.catalog.flow_delete_requests.get(CALLER, made["id"])["status"] == "error"
    with pytest.raises(NotFound):
        world.make_flow(flow(id=flow_id))
    world.catalog.jobs.retry(FLOW_DELETION, made["id"])
    world.run_background_work()
    world.make_flow(flow(id=flow_id))
    assert world.timeranges(flow_id) == []


def test_removals_resume_after_a_long_outage(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    world.delete_segments(flow_id)
    world.clock.forward(61)
    store = world.stores[DEFAULT_BACKEND]
    delete_many = store.delete_many
    store.delete_many = fail
    for _ in range(5):
        world.run_background_work()
        world.clock.forward(1000)
    store.delete_many = delete_many
    world.add_object(flow_id, "b")
    world.delete_segments(flow_id)
    world.clock.forward(10_000)
    world.run_background_work()
    assert not world.has_bytes("b")
    assert not world.has_bytes("a")


def test_a_copy_that_failed_in_an_outage_can_be_requested_again(world: World) -> None:
    flow_id = world.make_flow()
    world.add_object(flow_id, "a")
    store = world.stores[SECOND_BACKEND]
    write, store.write = store.write, fail
    with pytest.raises(Unavailable):
        world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    store.write = write
    with pytest.raises(Unavailable, match="still being removed"):
        world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    world.run_background_work()
    world.catalog.copies.copy(CALLER, "a", SECOND_BACKEND)
    assert world.backends_of("a") == {DEFAULT_BACKEND, SECOND_BACKEND}


def test_pauses_are_short_again_after_a_success(world: World) -> None:
    webhook = world.add_webhook("flows/created")
    for _ in range(3):
        world.clock.forward(1)
        world.make_flow()
    world.run_background_work()
    for _ in range(8):
        claim = world.delivery_job(webhook)
        world.catalog.deliveries.record_failure(claim, "status", "500", None, gone=False)
        world.clock.forward(400)
    claim = world.delivery_job(webhook)
    world.catalog.deliveries.mark_delivered(claim, world.catalog.deliveries.next_batch(webhook, 1))
    world.catalog.deliveries.record_failure(claim, "status", "503", None, gone=False)
    (job,) = world.rows("jobs")
    assert job["due"] - world.clock() <= 2_000_000
