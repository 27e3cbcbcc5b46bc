"""Claiming jobs by the room that a worker has for each category."""

from storage.catalog import job_queue
from storage.catalog.job_kinds import COPY, DELIVERY, REMOVAL
from storage.catalog.job_room import Room
from storage.catalog.jobs import JobSelection
from storage.tables.conditions import equals
from storage.tables.rows import JobKind
from tests.unit.catalogs import World

AMPLE = 1000


def enqueue(world: World, kind: JobKind, *keys: str) -> None:
    """Add jobs that are due one after the other."""
    for key in keys:
        world.clock.forward(1)
        with world.engine.write() as tx:
            job_queue.enqueue(tx, world.clock(), kind, [key])


def fail_once(world: World, kind: JobKind, key: str) -> None:
    """Make a job fail and due again."""
    enqueue(world, kind, key)
    (claim,) = world.catalog.jobs.claim("a worker", [JobSelection(equals(kind=kind, key=key), 1)])
    with world.engine.write() as tx:
        world.catalog.jobs.retry_later(tx, claim, "failed", backoff=None)


def claim_keys(world: World, room: Room) -> list[str]:
    _, waiting = world.catalog.pending_work(AMPLE)
    return sorted(claim.key for claim in world.catalog.claim_jobs("a worker", waiting, room))


def test_each_category_is_claimed_up_to_its_room(world: World) -> None:
    fail_once(world, DELIVERY, "failing")
    enqueue(world, DELIVERY, "d1", "d2", "d3")
    enqueue(world, REMOVAL, "r1")
    enqueue(world, COPY, "c1")
    assert claim_keys(world, Room(deliveries=2, failing_deliveries=0, others=1)) == ["d1", "d2", "r1"]
    assert claim_keys(world, Room(deliveries=5, failing_deliveries=5, others=5)) == ["c1", "d3", "failing"]


def test_failing_deliveries_take_no_place_beyond_their_own_limit(world: World) -> None:
    for n in range(3):
        fail_once(world, DELIVERY, f"failing{n}")
    enqueue(world, DELIVERY, "working")
    assert claim_keys(world, Room(deliveries=2, failing_deliveries=1, others=0)) == ["failing0", "working"]


def test_nothing_is_claimed_without_room(world: World) -> None:
    enqueue(world, DELIVERY, "d")
    enqueue(world, REMOVAL, "r")
    assert claim_keys(world, Room(deliveries=0, failing_deliveries=10, others=0)) == []


def test_no_more_than_fifty_jobs_are_claimed_at_once(world: World) -> None:
    enqueue(world, DELIVERY, *(f"d{n:02}" for n in range(60)))
    room = Room(deliveries=AMPLE, failing_deliveries=AMPLE, others=AMPLE)
    assert claim_keys(world, room) == [f"d{n:02}" for n in range(50)]
    assert claim_keys(world, room) == [f"d{n:02}" for n in range(50, 60)]


def test_a_worker_does_not_take_over_its_own_jobs(world: World) -> None:
    enqueue(world, REMOVAL, "slow", "other")
    _, waiting = world.catalog.pending_work(AMPLE)
    (slow,) = world.catalog.claim_jobs("a worker", waiting, Room(deliveries=0, failing_deliveries=0, others=1))
    world.clock.forward(world.catalog.jobs.lease_s)
    _, waiting = world.catalog.pending_work(AMPLE)
    room = Room(deliveries=0, failing_deliveries=0, others=1, held=frozenset((slow.token,)))
    (other,) = world.catalog.claim_jobs("a worker", waiting, room)
    assert (slow.key, other.key) == ("slow", "other")
    world.catalog.jobs.renew(slow)
    world.clock.forward(world.catalog.jobs.lease_s)
    _, waiting = world.catalog.pending_work(AMPLE)
    taken_over = world.catalog.claim_jobs("another worker", waiting, Room(0, 0, 5))
    assert sorted(claim.key for claim in taken_over) == ["other", "slow"]
