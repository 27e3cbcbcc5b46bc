"""What the tests of jobs do with them: enqueue, claim, check and show."""

from typing import Any

from storage.catalog import Limits, job_queue
from storage.catalog.job_kinds import COPY, DELIVERY, FLOW_DELETION, REMOVAL, SEGMENT_EVENTS
from storage.catalog.jobs import Claim
from storage.tables.rows import JobKind
from tests.unit.catalogs import World

LEASE_S = 30
ATTEMPTS = 4
JOB_LIMITS = Limits(job_lease_s=LEASE_S, job_attempts=ATTEMPTS)
LONG_S = 1000
"""Longer than any pause."""
ALL = [DELIVERY, FLOW_DELETION, REMOVAL, COPY, SEGMENT_EVENTS]


def enqueue(world: World, *keys: str, kind: JobKind = COPY) -> None:
    with world.engine.write() as tx:
        job_queue.enqueue(tx, world.clock(), kind, keys)


def make_due(world: World, key: str, kind: JobKind = COPY) -> None:
    with world.engine.write() as tx:
        job_queue.make_due(tx, world.clock(), kind, key)


def claim_job(world: World, worker: str = "a worker") -> Claim:
    """Claim the only job that is due."""
    (claim,) = world.claim(*ALL, worker=worker)
    return claim


def require_lease(world: World, claim: Claim) -> None:
    with world.engine.read() as tx:
        world.catalog.jobs.require_lease(tx, claim)


def shown_job(world: World, key: str = "a") -> dict[str, Any]:
    """The job with this key as `tams-server jobs` lists it."""
    (found,) = [each for each in world.catalog.jobs.list_jobs() if each["key"] == key]
    return found
