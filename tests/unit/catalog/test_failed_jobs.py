"""Failures of jobs: the pauses after them, giving up, and retrying or discarding a job by hand."""

import pytest

from storage.catalog import job_waits
from storage.catalog.clock import SECOND
from storage.catalog.job_kinds import COPY, REMOVAL
from storage.catalog.jobs import Jobs
from storage.errors import NotFound
from tests.unit.catalog.job_steps import (
    ALL,
    ATTEMPTS,
    JOB_LIMITS,
    LONG_S,
    claim_job,
    enqueue,
    make_due,
    require_lease,
    shown_job,
)
from tests.unit.catalogs import World

LIMITS = JOB_LIMITS


@pytest.fixture
def work(world: World) -> Jobs:
    return world.catalog.jobs


def test_pauses_grow_and_are_random(world: World, work: Jobs) -> None:
    for attempts, longest in [(0, 1), (1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (30, 300), (10_000, 300)]:
        pauses = {job_waits.JOB_BACKOFF.pause_s(attempts) for _ in range(20)}
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(pauses) > 1
    enqueue(world, "a")
    for attempts in range(ATTEMPTS - 1):
        assert work.fail(claim_job(world), f"failure {attempts}")
        shown = shown_job(world)
        assert (shown["state"], shown["attempts"], shown["error"]) == ("waiting", attempts + 1, f"failure {attempts}")
        (row,) = world.rows("jobs")
        assert 2**attempts / 2 * SECOND <= row["due"] - world.clock() <= 2**attempts * SECOND
        world.clock.now = row["due"] - 1
        assert world.claim(*ALL) == []
        world.clock.now = row["due"]


def fail_permanently(world: World) -> None:
    enqueue(world, "a")
    for n in range(ATTEMPTS):
        world.clock.forward(LONG_S)
        assert world.catalog.jobs.fail(claim_job(world), "the store is unavailable") == (n < ATTEMPTS - 1)


def test_a_job_that_fails_too_often_is_not_retried_automatically(world: World, work: Jobs) -> None:
    fail_permanently(world)
    world.clock.forward(10**9)
    assert world.claim(*ALL) == []
    shown = shown_job(world)
    assert (shown["state"], shown["attempts"], shown["error"]) == ("failed", ATTEMPTS, "the store is unavailable")
    assert (shown["due"], shown["worker"]) == (None, None)
    assert [each["key"] for each in work.list_jobs("failed")] == ["a"]
    assert work.list_jobs("waiting") == []


@pytest.mark.parametrize("way", ["retry", "make_due"])
def test_a_failed_job_can_be_retried(world: World, work: Jobs, way: str) -> None:
    fail_permanently(world)
    if way == "retry":
        work.retry(COPY, "a")
    else:
        make_due(world, "a")
    shown = shown_job(world)
    assert (shown["state"], shown["attempts"], shown["error"]) == ("waiting", 0, None)
    assert claim_job(world).attempts == 0


def test_an_unknown_job_cannot_be_retried_or_discarded(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    for kind, key in ((COPY, "b"), (REMOVAL, "a")):
        with pytest.raises(NotFound):
            work.retry(kind, key)
        with pytest.raises(NotFound):
            work.discard(kind, key)
    work.discard(COPY, "a")
    assert work.list_jobs() == []


@pytest.mark.parametrize("way", ["retry", "make_due"])
def test_a_running_job_is_left_to_its_worker(world: World, work: Jobs, way: str) -> None:
    enqueue(world, "a")
    claim = claim_job(world)
    before = world.rows("jobs")
    if way == "retry":
        work.retry(COPY, "a")
    else:
        make_due(world, "a")
    assert world.rows("jobs") == before
    require_lease(world, claim)


def test_make_due_adds_a_missing_job_and_ends_a_pause(world: World, work: Jobs) -> None:
    make_due(world, "a")
    work.fail(claim_job(world), "the store is unavailable")
    assert world.claim(*ALL) == []
    make_due(world, "a")
    assert claim_job(world).attempts == 0
