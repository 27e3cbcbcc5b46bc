"""Pages of background jobs for operators."""

import pytest

from storage.catalog import job_listing
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS, copy_key
from storage.catalog.job_listing import JobFilter
from storage.catalog.paging import KEY_BYTES, Page, PageRequest
from storage.errors import Invalid
from tests.unit.catalog.job_steps import ATTEMPTS, JOB_LIMITS, LONG_S, claim_job, enqueue
from tests.unit.catalogs import World

LIMITS = JOB_LIMITS
STORE = "11111111-1111-4111-8111-111111111111"
EVERYTHING = JobFilter()


def page(world: World, filters: JobFilter = EVERYTHING, limit: int = 2, key: str | None = None) -> Page:
    return world.catalog.job_listing.page(filters, PageRequest(limit, key))


def keys_of_pages(world: World, filters: JobFilter = EVERYTHING, limit: int = 2) -> list[str]:
    """The keys of all jobs, by pages of `limit`."""
    found: list[str] = []
    key = None
    while True:
        current = page(world, filters, limit, key)
        assert len(current.items) <= limit
        found += [each["key"] for each in current.items]
        if current.next_key is None:
            return found
        assert len(current.next_key) <= KEY_BYTES
        key = current.next_key


def test_a_job_names_what_it_is_for(world: World) -> None:
    enqueue(world, copy_key(STORE, "an object"))
    enqueue(world, "a webhook", kind=DELIVERY)
    enqueue(world, "a request", kind=FLOW_DELETION)
    enqueue(world, STORE, kind=REMOVAL)
    enqueue(world, "a flow", kind=SEGMENT_EVENTS)
    found = {each["kind"]: each for each in page(world, limit=9).items}
    assert (found[COPY]["storage_id"], found[COPY]["object_id"]) == (STORE, "an object")
    assert found[DELIVERY]["webhook_id"] == "a webhook"
    assert found[FLOW_DELETION]["request_id"] == "a request"
    assert found[REMOVAL]["storage_id"] == STORE
    assert found[SEGMENT_EVENTS]["flow_id"] == "a flow"
    assert found[COPY]["state"] == "waiting"
    assert "worker" not in found[COPY]


def test_states_and_errors_are_shown(world: World) -> None:
    enqueue(world, "a")
    for _ in range(ATTEMPTS):
        world.catalog.jobs.fail(claim_job(world), "the disk is full")
        world.clock.forward(LONG_S)
    enqueue(world, "b")
    claim_job(world, "worker 7")
    enqueue(world, "c")
    failed, running, waiting = page(world, limit=9).items
    assert (failed["state"], failed["attempts"], failed["error"]) == ("failed", ATTEMPTS, "the disk is full")
    assert "due" not in failed
    assert (running["state"], running["worker"]) == ("running", "worker 7")
    assert waiting["state"] == "waiting"
    for each in (failed, running, waiting):
        assert page(world, JobFilter(state=each["state"]), limit=9).items == [each]


def test_pages_have_every_job_once(world: World) -> None:
    enqueue(world, *(f"job {number}" for number in range(7)))
    enqueue(world, "hook", kind=DELIVERY)
    for limit in (1, 2, 3, 8, 100):
        assert keys_of_pages(world, limit=limit) == [*(f"job {number}" for number in range(7)), "hook"]
    assert keys_of_pages(world, JobFilter(kind=DELIVERY)) == ["hook"]


@pytest.mark.parametrize("character", ["x", "é", "\x01"])
def test_long_keys_fit_into_page_keys(world: World, character: str) -> None:
    keys = [copy_key(STORE, character * 190 + str(number)) for number in range(9)]
    enqueue(world, *keys)
    assert keys_of_pages(world) == keys


def test_a_long_key_that_is_gone_skips_no_job(world: World) -> None:
    keys = [copy_key(STORE, "x" * 300 + str(number)) for number in range(4)]
    enqueue(world, *keys)
    first = page(world)
    world.catalog.jobs.discard(COPY, keys[1])
    rest = page(world, limit=9, key=first.next_key)
    assert [each["key"] for each in rest.items] == [keys[0], keys[2], keys[3]]


def test_a_page_looks_at_a_limited_number_of_jobs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_listing, "_SCANNED", 3)
    enqueue(world, *(f"job {number}" for number in range(7)))
    enqueue(world, "hook", kind=DELIVERY)
    first = page(world, JobFilter(state="failed"))
    assert first.items == []
    assert first.next_key is not None
    assert keys_of_pages(world, JobFilter(state="failed")) == []
    assert len(keys_of_pages(world, JobFilter(state="waiting"))) == 8


def test_foreign_page_keys_are_rejected(world: World) -> None:
    enqueue(world, "a", "b", "c")
    key = page(world).next_key
    assert key is not None
    for foreign in ("x", key[:-1], key + "A", "A" * 500):
        with pytest.raises(Invalid):
            page(world, key=foreign)
