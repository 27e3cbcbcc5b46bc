"""Removal of bytes without references: one job per storage backend, so that a failing one does not delay the others.

Until the bytes are gone, their object id cannot be allocated again, and the object cannot be copied to that backend. So
a removal never hits newer bytes.
"""

from collections.abc import Iterator, Sequence

from storage.catalog import jobs
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import REMOVAL
from storage.catalog.jobs import Claim, Jobs
from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.tables.conditions import In, equals
from storage.tables.engine import Writer

LOCK = "removal"


def schedule_removal(tx: Writer, now: int, places: Sequence[tuple[str, str]]) -> None:
    """Schedule the removal of bytes at these places (storage backend id, object id). now: microseconds since 1970."""
    if places:
        tx.lock(LOCK)
        tx.insert("garbage", [{"storage_id": s, "object_id": o, "due": now} for s, o in places])
        jobs.enqueue(tx, now, REMOVAL, {storage_id for storage_id, _ in places})


class ByteRemoval:
    """Carries out the removal jobs."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def remove_batch(self, claim: Claim) -> bool:
        """Remove one batch of bytes from one storage backend. Returns False when nothing is left to remove there.

        Raises: storage.errors.Unavailable if the backend fails, storage.catalog.jobs.LeaseLost.
        """
        ids, lease_end = self._next_batch(claim)
        removed: Sequence[str] = ()
        if ids:
            store = self._env.stores.get(claim.key)
            if store is None:
                raise Unavailable(f"storage backend {claim.key} is not configured")
            removed = store.delete_many(self._until_lease_ends(ids, lease_end))
        more = self._record_removed(claim, removed)
        if len(removed) < len(ids):
            raise Unavailable(f"storage backend {claim.key} removed {len(removed)} of {len(ids)} objects only")
        return more

    @retried
    def _next_batch(self, claim: Claim) -> tuple[list[str], int]:
        """The next object ids to remove, and the end of the lease."""
        with self._env.engine.write() as tx:
            lease_end = self._jobs.renew_within(tx, claim)
            here, limit = equals(storage_id=claim.key), self._env.limits.removal_batch
            rows = tx.select("garbage", here, order=("object_id",), limit=limit)
        return [row["object_id"] for row in rows], lease_end

    def _until_lease_ends(self, ids: Sequence[str], lease_end: int) -> Iterator[str]:
        """The ids, one by one, until the lease ends; after that another worker may have freed them for reuse."""
        for object_id in ids:
            if self._env.clock() >= lease_end:
                return
            yield object_id

    @retried
    def _record_removed(self, claim: Claim, ids: Sequence[str]) -> bool:
        """Forget the removed objects, and finish the job if none are left; whether any are."""
        here = equals(storage_id=claim.key)
        with self._env.engine.write() as tx:
            tx.lock(LOCK)
            self._jobs.renew_within(tx, claim)
            tx.delete("garbage", [*here, In("object_id", ids)])
            if tx.select("garbage", here, limit=1, columns=["object_id"]):
                return True
            self._jobs.finish(tx, claim)
        return False
