"""Bytes that nothing names any more: removed by one job for each backend, so that one that is down holds up no other.

Until they are gone no id is given out again, nor an object copied there: what is removed is never what came later.
"""

import logging
from collections.abc import Iterator, Sequence

from storage.catalog import jobs
from storage.catalog.environment import Environment
from storage.catalog.jobs import REMOVAL, Claim, Jobs
from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.tables.conditions import In, equals
from storage.tables.engine import Writer

_log = logging.getLogger(__name__)

LOCK = "removal"


def schedule_removal(tx: Writer, now: int, places: Sequence[tuple[str, str]]) -> None:
    """Have the bytes at these places removed: pairs of a backend's id and an object id."""
    if places:
        tx.lock(LOCK)
        tx.insert("garbage", [{"storage_id": s, "object_id": o, "due": now} for s, o in places])
        jobs.ensure(tx, now, REMOVAL, {storage_id for storage_id, _ in places})


class ByteRemoval:
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def step(self, claim: Claim) -> bool:
        """Remove a batch of the bytes on one backend. False once nothing is left there.

        Raises storage.errors.Unavailable where the backend does not do it, and storage.catalog.jobs.LostLease.
        """
        ids, until = self._next(claim)
        removed: Sequence[str] = ()
        if ids:
            store = self._env.stores.get(claim.key)
            if store is None:
                raise Unavailable(f"no storage backend {claim.key} is configured")
            removed = store.delete_many(self._while_held(ids, until))
        left = self._forget(claim, removed)
        if len(removed) < len(ids):
            raise Unavailable(f"storage backend {claim.key} has removed {len(removed)} of {len(ids)} objects")
        return left

    @retried
    def _next(self, claim: Claim) -> tuple[list[str], int]:
        """Objects to remove, and when the lease ends."""
        with self._env.engine.write() as tx:
            until = self._jobs.keep(tx, claim)
            here, limit = equals(storage_id=claim.key), self._env.limits.removal_batch
            rows = tx.select("garbage", here, order=("object_id",), limit=limit)
        return [row["object_id"] for row in rows], until

    def _while_held(self, ids: Sequence[str], until: int) -> Iterator[str]:
        """The ids, one by one, until the lease ends: after that they may be in use again."""
        for object_id in ids:
            if self._env.clock() >= until:
                return
            yield object_id

    @retried
    def _forget(self, claim: Claim, ids: Sequence[str]) -> bool:
        here = equals(storage_id=claim.key)
        with self._env.engine.write() as tx:
            tx.lock(LOCK)
            self._jobs.keep(tx, claim)
            tx.delete("garbage", [*here, In("object_id", ids)])
            if tx.select("garbage", here, limit=1, columns=["object_id"]):
                return True
            self._jobs.finish(tx, claim)
        return False
