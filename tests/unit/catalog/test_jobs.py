"""Jobs: claimed by one of several workers, held under a lease, protected by a token, retried and resumed."""

from collections.abc import Sequence

import pytest

from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS
from storage.catalog.job_states import Counts
from storage.catalog.jobs import Claim, Jobs, JobSelection, LeaseLost
from storage.tables.conditions import In, equals
from tests.unit.catalog.job_steps import (
    ALL,
    ATTEMPTS,
    JOB_LIMITS,
    LEASE_S,
    LONG_S,
    claim_job,
    enqueue,
    require_lease,
    shown_job,
)
from tests.unit.catalogs import START, World

LIMITS = JOB_LIMITS


@pytest.fixture
def work(world: World) -> Jobs:
    return world.catalog.jobs


def renew(world: World, claim: Claim) -> None:
    with world.engine.write() as tx:
        world.catalog.jobs.renew_within(tx, claim)


def finish(world: World, claim: Claim) -> None:
    with world.engine.write() as tx:
        world.catalog.jobs.finish(tx, claim)


def waiting(world: World, kinds: Sequence[str] = ALL, limit: int = 10) -> list[str]:
    with world.engine.read() as tx:
        return [each.key for each in world.catalog.jobs.waiting(tx, kinds, limit)]


def test_the_longest_overdue_jobs_are_claimed_first_up_to_the_limit(world: World, work: Jobs) -> None:
    for number, key in enumerate("dcba"):
        enqueue(world, key, kind=REMOVAL if number % 2 else COPY)
        world.clock.forward(1)
    removals, all_others = JobSelection(equals(kind=REMOVAL), 1), JobSelection([In("kind", ALL)], 2)
    assert [claim.key for claim in work.claim("me", [removals, all_others])] == ["c", "d", "b"]
    assert waiting(world) == ["a"]
    assert [claim.key for claim in work.claim("me", [removals, all_others])] == ["a"]


def test_only_due_jobs_of_the_given_kinds_are_waiting(world: World) -> None:
    enqueue(world, "a", kind=COPY)
    enqueue(world, "b", kind=REMOVAL)
    assert waiting(world, [REMOVAL]) == ["b"]
    assert len(waiting(world, limit=1)) == 1
    world.clock.now -= 1
    assert waiting(world) == []


def test_an_existing_job_is_not_enqueued_again(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    work.fail(claim_job(world), "the store is unavailable")
    world.clock.forward(0.1)
    enqueue(world, "a", "b")
    assert [(each["key"], each["attempts"]) for each in work.list_jobs()] == [("a", 1), ("b", 0)]


def test_a_lease_expires_unless_it_is_renewed(world: World) -> None:
    enqueue(world, "a")
    first = claim_job(world, "first")
    require_lease(world, first)
    world.clock.forward(LEASE_S)
    world.clock.now -= 1
    require_lease(world, first)
    assert world.claim(*ALL) == []
    assert shown_job(world)["state"] == "running"
    world.clock.now += 1
    with pytest.raises(LeaseLost):
        require_lease(world, first)
    assert shown_job(world)["state"] == "waiting"
    second = claim_job(world, "second")
    assert second.token != first.token
    assert shown_job(world)["worker"] == "second"


@pytest.mark.parametrize("method", ["heartbeat", "renew_within"])
def test_a_renewed_lease_does_not_expire(world: World, work: Jobs, method: str) -> None:
    enqueue(world, "a")
    claim = claim_job(world)
    for _ in range(10):
        world.clock.forward(LEASE_S - 1)
        if method == "heartbeat":
            work.heartbeat([claim])
        else:
            renew(world, claim)
        assert world.claim(*ALL) == []
    world.clock.forward(LEASE_S - 1)
    require_lease(world, claim)


def test_a_late_worker_can_renew_an_expired_lease_that_nobody_claimed(world: World) -> None:
    enqueue(world, "a")
    claim = claim_job(world)
    world.clock.forward(10 * LEASE_S)
    renew(world, claim)
    assert world.claim(*ALL) == []


def test_a_worker_cannot_change_a_job_after_losing_its_lease(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    stale = claim_job(world, "stale")
    world.clock.forward(LEASE_S)
    other = claim_job(world, "other")
    before = world.rows("jobs")
    world.clock.forward(1)
    for late in (renew, finish, require_lease):
        with pytest.raises(LeaseLost):
            late(world, stale)
    work.heartbeat([stale])
    work.release(stale)
    with pytest.raises(LeaseLost):
        work.fail(stale, "late")
    with pytest.raises(LeaseLost), world.engine.write() as tx:
        work.retry_later(tx, stale, "late")
    assert world.rows("jobs") == before
    require_lease(world, other)
    finish(world, other)
    assert work.list_jobs() == []


def test_a_discarded_job_stops_its_worker(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    claim = claim_job(world)
    work.discard(COPY, "a")
    work.heartbeat([claim])
    work.release(claim)
    for late in (renew, finish, require_lease):
        with pytest.raises(LeaseLost):
            late(world, claim)
    assert work.list_jobs() == []


def test_a_rolled_back_step_does_not_renew_the_lease(world: World) -> None:
    enqueue(world, "a")
    claim = claim_job(world)
    world.clock.forward(10)
    with pytest.raises(KeyboardInterrupt), world.engine.write() as tx:
        world.catalog.jobs.finish(tx, claim)
        raise KeyboardInterrupt
    require_lease(world, claim)
    world.clock.forward(LEASE_S - 10)
    with pytest.raises(LeaseLost):
        require_lease(world, claim)


def test_a_released_job_can_be_claimed_immediately(world: World, work: Jobs) -> None:
    enqueue(world, "a")
    work.fail(claim_job(world), "the store is unavailable")
    world.clock.forward(LONG_S)
    work.release(claim_job(world))
    shown = shown_job(world)
    assert (shown["state"], shown["worker"], shown["attempts"], shown["error"]) == ("waiting", None, 0, None)
    assert claim_job(world).attempts == 0


def fail_permanently(world: World) -> None:
    enqueue(world, "a")
    for n in range(ATTEMPTS):
        world.clock.forward(LONG_S)
        assert world.catalog.jobs.fail(claim_job(world), "the store is unavailable") == (n < ATTEMPTS - 1)


def test_a_job_can_be_started_under_a_lease(world: World, work: Jobs) -> None:
    with world.engine.write() as tx:
        mine = work.start(tx, "me", REMOVAL, "a", {"object_id": "o"})
    assert world.claim(*ALL) == []
    assert shown_job(world)["worker"] == "me"
    require_lease(world, mine)
    world.clock.forward(LEASE_S)
    theirs = claim_job(world)
    assert theirs.doc == {"object_id": "o"}
    with pytest.raises(LeaseLost):
        renew(world, mine)


def test_jobs_are_counted_by_kind_and_state(world: World, work: Jobs) -> None:
    assert work.counts() == dict.fromkeys(ALL, Counts())
    fail_permanently(world)
    world.clock.forward(1)
    now = world.clock()
    enqueue(world, "r", kind=REMOVAL)
    claim_job(world)
    enqueue(world, "b", "c", kind=COPY)
    assert work.counts() == {
        DELIVERY: Counts(),
        FLOW_DELETION: Counts(),
        REMOVAL: Counts(running=1, oldest=now),
        COPY: Counts(waiting=2, failed=1, oldest=START),
        SEGMENT_EVENTS: Counts(),
    }
    world.clock.forward(LEASE_S)
    assert work.counts()[REMOVAL] == Counts(waiting=1, oldest=now)


def test_jobs_are_listed_oldest_first_and_by_state(world: World, work: Jobs) -> None:
    fail_permanently(world)
    for key in ("z", "y"):
        world.clock.forward(1)
        enqueue(world, key)
    (claim,) = work.claim("me", [JobSelection(equals(key="z"), 10)])
    listed = [(each["key"], each["state"]) for each in work.list_jobs()]
    assert listed == [("a", "failed"), ("z", "running"), ("y", "waiting")]
    assert [each["key"] for each in work.list_jobs("running")] == [claim.key]
    assert set(work.list_jobs()[0]) == {"kind", "key", "state", "created", "due", "worker", "attempts", "error"}
