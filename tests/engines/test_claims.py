"""Workers claim jobs concurrently: each job is claimed by one of them, on every engine."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from storage.catalog import Limits
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import COPY, REMOVAL
from storage.catalog.jobs import Claim, Jobs, JobSelection
from storage.errors import Contended
from storage.tables import open_engine
from storage.tables.conditions import equals
from storage.tables.engine import Engine

WORKERS = 6
JOBS = 60
AT_ONCE = 4
LEASE_S = 30
NOW = 1_800_000_000 * SECOND


def _jobs(engine: Engine, now: int = NOW) -> Jobs:
    """The jobs of a worker whose clock stands still."""
    return Jobs(Environment(engine, {}, Limits(job_lease_s=LEASE_S), lambda: now))


def _make(engine: Engine, *keys: str, kind: str = REMOVAL) -> None:
    common = {"kind": kind, "due": NOW, "attempts": 0, "created": NOW, "doc": {}}
    with engine.write() as tx:
        tx.insert("jobs", [{**common, "key": key} for key in keys])


def _waiting(engine: Engine, jobs: Jobs) -> bool:
    with engine.read() as tx:
        return bool(jobs.waiting(tx, [REMOVAL], 1))


def test_workers_that_claim_concurrently_claim_each_job_once(engine_url: str, engine: Engine) -> None:
    """Each worker has its own connections, like a process."""
    _make(engine, *(f"{n:03}" for n in range(JOBS)))
    _make(engine, "of another kind", kind=COPY)
    start = threading.Barrier(WORKERS, timeout=60)

    def work(name: str) -> list[Claim]:
        taken: list[Claim] = []
        with closing(open_engine(engine_url)) as own:
            jobs = _jobs(own)
            start.wait()
            while _waiting(own, jobs):
                try:
                    claims = jobs.claim(name, [JobSelection(equals(kind=REMOVAL), AT_ONCE)])
                except Contended:
                    continue
                assert len(claims) <= AT_ONCE
                taken += claims
        return taken

    with ThreadPoolExecutor(WORKERS) as pool:
        results = dict(zip(map(str, range(WORKERS)), pool.map(work, map(str, range(WORKERS))), strict=True))
    claimed = sorted((claim.key, claim.token, name) for name, claims in results.items() for claim in claims)
    assert [key for key, _, _ in claimed] == [f"{n:03}" for n in range(JOBS)]
    with engine.read() as tx:
        rows = tx.select("jobs", equals(kind=REMOVAL), order=("key",))
        other = tx.get("jobs", kind=COPY, key="of another kind")
    assert [(row["key"], row["token"], row["worker"]) for row in rows] == claimed
    assert {row["due"] for row in rows} == {NOW + LEASE_S * SECOND}
    assert other is not None
    assert other["token"] is None


def test_an_expired_lease_is_claimed_by_another_worker_and_counts_as_a_failure(engine: Engine) -> None:
    _make(engine, "a", "b")
    wanted = [JobSelection(equals(kind=REMOVAL), 1)]
    [first] = _jobs(engine).claim("first", wanted)
    end = NOW + LEASE_S * SECOND
    [other] = _jobs(engine, end - 1).claim("second", wanted)
    assert {first.key, other.key} == {"a", "b"}
    assert _jobs(engine, end - 1).claim("third", wanted) == []
    [second] = _jobs(engine, end).claim("third", wanted)
    assert (first.key, first.attempts, second.key, second.attempts) == (second.key, 0, first.key, 1)
    assert second.token != first.token
    with engine.read() as tx:
        row = tx.get("jobs", kind=REMOVAL, key=first.key)
    assert row is not None
    assert (row["token"], row["worker"], row["attempts"]) == (second.token, "third", 1)
