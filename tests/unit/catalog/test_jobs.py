"""Long work: claimed by one of several workers, held by a lease, fenced by a token, put off and taken up again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import Limits, jobs
from storage.catalog.clock import SECOND
from storage.catalog.jobs import COPY, DELIVERY, FLOW_DELETION, REMOVAL, Claim, Counts, Jobs, JobSelection, LeaseLost
from storage.errors import NotFound
from storage.tables.conditions import In, equals
from tests.unit.catalogs import START, World, open_world

LEASE_S = 30
ATTEMPTS = 4
LONG_S = 1000
"""Longer than any pause."""
ALL = [DELIVERY, FLOW_DELETION, REMOVAL, COPY]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_world(tmp_path, Limits(job_lease_s=LEASE_S, job_attempts=ATTEMPTS)) as world:
        yield world


@pytest.fixture
def work(world: World) -> Jobs:
    return world.catalog.jobs


def enqueue(world: World, *keys: str, kind: str = COPY) -> None:
    with world.engine.write() as tx:
        jobs.enqueue(tx, world.clock(), kind, keys)


def make_due(world: World, key: str, kind: str = COPY) -> None:
    with world.engine.write() as tx:
        jobs.make_due(tx, world.clock(), kind, key)


def claimed(world: World, worker: str = "a worker") -> Claim:
    (claim,) = world.claim(*ALL, worker=worker)
    return claim


def keep(world: World, claim: Claim) -> None:
    with world.engine.write() as tx:
        world.catalog.jobs.renew_within(tx, claim)


def finish(world: World, claim: Claim) -> None:
    with world.engine.write() as tx:
        world.catalog.jobs.finish(tx, claim)


def check(world: World, claim: Claim) -> None:
    with world.engine.read() as tx:
        world.catalog.jobs.require_lease(tx, claim)


def job(world: World, key: str = "a") -> dict[str, Any]:
    (found,) = [each for each in world.catalog.jobs.list_jobs() if each["key"] == key]
    return found


def waiting(world: World, kinds: Sequence[str] = ALL, limit: int = 10) -> list[str]:
    with world.engine.read() as tx:
        return [each.key for each in world.catalog.jobs.waiting(tx, kinds, limit)]


def test_the_jobs_that_are_longest_due_are_claimed_first_and_no_more_than_wanted(world: World, work: Jobs) -> None:
    for number, key in enumerate("dcba"):
        enqueue(world, key, kind=REMOVAL if number % 2 else COPY)
        world.clock.forward(1)
    removals, all_others = JobSelection(equals(kind=REMOVAL), 1), JobSelection([In("kind", ALL)], 2)
    assert [claim.key for claim in work.claim("me", [removals, all_others])] == ["c", "d", "b"]
    assert waiting(world) == ["a"]
    assert [claim.key for claim in work.claim("me", [removals, all_others])] == ["a"]


def test_jobs_of_other_kinds_and_those_that_are_not_due_are_left(world: World) -> None:
    enqueue(world, "a", kind=COPY)
    enqueue(world, "b", kind=REMOVAL)
    assert waiting(world, [REMOVAL]) == ["b"]
    assert len(waiting(world, limit=1)) == 1
    world.clock.now -= 1
    assert waiting(world) == []


def test_what_waits_already_is_not_made_twice(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    work.fail(claimed(world), "away")
    world.clock.forward(0.1)
    enqueue(world, "a", "b")
    assert [(each["key"], each["attempts"]) for each in work.list_jobs()] == [("a", 1), ("b", 0)]


def test_a_lease_ends_when_it_was_not_renewed(world: World) -> None:
    enqueue(world, "a")
    first = claimed(world, "first")
    check(world, first)
    world.clock.forward(LEASE_S)
    world.clock.now -= 1
    check(world, first)
    assert world.claim(*ALL) == []
    assert job(world)["state"] == "running"
    world.clock.now += 1
    with pytest.raises(LeaseLost):
        check(world, first)
    assert job(world)["state"] == "waiting"
    second = claimed(world, "second")
    assert second.token != first.token
    assert job(world)["worker"] == "second"


@pytest.mark.parametrize("renew", ["heartbeat", "renew_within"])
def test_a_lease_that_is_renewed_goes_on(world: World, work: Jobs, renew: str) -> None:
    enqueue(world, "a")
    claim = claimed(world)
    for _ in range(10):
        world.clock.forward(LEASE_S - 1)
        if renew == "heartbeat":
            work.heartbeat([claim])
        else:
            keep(world, claim)
        assert world.claim(*ALL) == []
    world.clock.forward(LEASE_S - 1)
    check(world, claim)


def test_a_worker_that_is_late_may_go_on_while_nobody_else_has_begun(world: World) -> None:
    enqueue(world, "a")
    claim = claimed(world)
    world.clock.forward(10 * LEASE_S)
    keep(world, claim)
    assert world.claim(*ALL) == []


def test_a_worker_that_has_lost_its_job_changes_nothing_of_it(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    stale = claimed(world, "stale")
    world.clock.forward(LEASE_S)
    other = claimed(world, "other")
    before = world.rows("jobs")
    world.clock.forward(1)
    for late in (keep, finish, check):
        with pytest.raises(LeaseLost):
            late(world, stale)
    work.heartbeat([stale])
    work.release(stale)
    with pytest.raises(LeaseLost):
        work.fail(stale, "late")
    with pytest.raises(LeaseLost), world.engine.write() as tx:
        work.retry_later(tx, stale, "late")
    assert world.rows("jobs") == before
    check(world, other)
    finish(world, other)
    assert work.list_jobs() == []


def test_a_job_that_was_discarded_stops_its_worker(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    claim = claimed(world)
    work.discard(COPY, "a")
    work.heartbeat([claim])
    work.release(claim)
    for late in (keep, finish, check):
        with pytest.raises(LeaseLost):
            late(world, claim)
    assert work.list_jobs() == []


def test_what_fails_within_the_transaction_of_a_step_keeps_the_lease_as_it_was(world: World) -> None:
    enqueue(world, "a")
    claim = claimed(world)
    world.clock.forward(10)
    with pytest.raises(KeyboardInterrupt), world.engine.write() as tx:
        world.catalog.jobs.finish(tx, claim)
        raise KeyboardInterrupt
    check(world, claim)
    world.clock.forward(LEASE_S - 10)
    with pytest.raises(LeaseLost):
        check(world, claim)


def test_a_job_that_is_given_back_can_be_taken_at_once(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    work.fail(claimed(world), "away")
    world.clock.forward(LONG_S)
    work.release(claimed(world))
    shown = job(world)
    assert (shown["state"], shown["worker"], shown["attempts"], shown["error"]) == ("waiting", None, 0, None)
    assert claimed(world).attempts == 0


def test_pauses_grow_and_are_never_the_same(world: World, work: Jobs) -> None:
    for attempts, longest in [(0, 1), (1, 2), (2, 4), (5, 32), (8, 256), (9, 300), (30, 300), (10_000, 300)]:
        pauses = {jobs.JOB_BACKOFF.pause_s(attempts) for _ in range(20)}
        assert all(longest / 2 <= pause <= longest for pause in pauses)
        assert len(pauses) > 1
    enqueue(world, "a")
    for attempts in range(ATTEMPTS - 1):
        assert work.fail(claimed(world), f"failure {attempts}")
        shown = job(world)
        assert (shown["state"], shown["attempts"], shown["error"]) == ("waiting", attempts + 1, f"failure {attempts}")
        (row,) = world.rows("jobs")
        assert 2**attempts / 2 * SECOND <= row["due"] - world.clock() <= 2**attempts * SECOND
        world.clock.now = row["due"] - 1
        assert world.claim(*ALL) == []
        world.clock.now = row["due"]


def failed_for_good(world: World) -> None:
    enqueue(world, "a")
    for n in range(ATTEMPTS):
        world.clock.forward(LONG_S)
        assert world.catalog.jobs.fail(claimed(world), "away") == (n < ATTEMPTS - 1)


def test_what_fails_too_often_is_left_for_people_to_see(world: World, work: Jobs) -> None:
    failed_for_good(world)
    world.clock.forward(10**9)
    assert world.claim(*ALL) == []
    shown = job(world)
    assert (shown["state"], shown["attempts"], shown["error"]) == ("failed", ATTEMPTS, "away")
    assert (shown["due"], shown["worker"]) == (None, None)
    assert [each["key"] for each in work.list_jobs("failed")] == ["a"]
    assert work.list_jobs("waiting") == []


@pytest.mark.parametrize("way", ["retry", "make_due"])
def test_what_has_failed_can_be_tried_again(world: World, work: Jobs, way: str) -> None:
    failed_for_good(world)
    if way == "retry":
        work.retry(COPY, "a")
    else:
        make_due(world, "a")
    shown = job(world)
    assert (shown["state"], shown["attempts"], shown["error"]) == ("waiting", 0, None)
    assert claimed(world).attempts == 0


def test_a_job_that_is_not_there_can_be_neither_retried_nor_discarded(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    for kind, key in ((COPY, "b"), (REMOVAL, "a")):
        with pytest.raises(NotFound):
            work.retry(kind, key)
        with pytest.raises(NotFound):
            work.discard(kind, key)
    work.discard(COPY, "a")
    assert work.list_jobs() == []


@pytest.mark.parametrize("way", ["retry", "make_due"])
def test_no_job_is_taken_from_the_worker_that_holds_it(world: World, work: Jobs, way: str) -> None:
    enqueue(world, "a")
    claim = claimed(world)
    before = world.rows("jobs")
    if way == "retry":
        work.retry(COPY, "a")
    else:
        make_due(world, "a")
    assert world.rows("jobs") == before
    check(world, claim)


def test_waking_makes_a_job_that_is_not_there_and_ends_a_pause(world: World, work: Jobs) -> None:
    make_due(world, "a")
    work.fail(claimed(world), "away")
    assert world.claim(*ALL) == []
    make_due(world, "a")
    assert claimed(world).attempts == 0


def test_a_job_can_be_held_from_the_start_by_who_made_it(world: World, work: Jobs) -> None:
    with world.engine.write() as tx:
        mine = work.start(tx, "me", REMOVAL, "a", {"object_id": "o"})
    assert world.claim(*ALL) == []
    assert job(world)["worker"] == "me"
    check(world, mine)
    world.clock.forward(LEASE_S)
    theirs = claimed(world)
    assert theirs.doc == {"object_id": "o"}
    with pytest.raises(LeaseLost):
        keep(world, mine)


def test_jobs_are_counted_by_kind_and_state(world: World, work: Jobs) -> None:
    assert work.counts() == dict.fromkeys(ALL, Counts())
    failed_for_good(world)
    world.clock.forward(1)
    now = world.clock()
    enqueue(world, "r", kind=REMOVAL)
    claimed(world)
    enqueue(world, "b", "c", kind=COPY)
    assert work.counts() == {
        DELIVERY: Counts(),
        FLOW_DELETION: Counts(),
        REMOVAL: Counts(running=1, oldest=now),
        COPY: Counts(waiting=2, failed=1, oldest=START),
    }
    world.clock.forward(LEASE_S)
    assert work.counts()[REMOVAL] == Counts(waiting=1, oldest=now)


def test_jobs_are_listed_oldest_first_and_by_state(world: World, work: Jobs) -> None:
    failed_for_good(world)
    for key in ("z", "y"):
        world.clock.forward(1)
        enqueue(world, key)
    (claim,) = work.claim("me", [JobSelection(equals(key="z"), 10)])
    listed = [(each["key"], each["state"]) for each in work.list_jobs()]
    assert listed == [("a", "failed"), ("z", "running"), ("y", "waiting")]
    assert [each["key"] for each in work.list_jobs("running")] == [claim.key]
    assert set(work.list_jobs()[0]) == {"kind", "key", "state", "created", "due", "worker", "attempts", "error"}
