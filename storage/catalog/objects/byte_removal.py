"""Removal of bytes without references: one job per storage backend, so that a failing one does not delay the others.

A job passes through the objects in the order of their ids, and records how far it has come. So objects that cannot be
removed do not keep others from being removed: they are tried again in the next pass, after a pause.

Until the bytes are gone, their object id cannot be allocated again, and the object cannot be copied to that backend. So
a removal never hits newer bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from storage.catalog import job_queue
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import REMOVAL
from storage.catalog.jobs import Claim, Jobs
from storage.catalog.retry import retried
from storage.errors import Unavailable
from storage.media.names import split_name, stored_name
from storage.tables.conditions import In, equals
from storage.tables.rows import GarbageRow
from storage.tables.transaction import Reader, Writer

LOCK = "removal"


def schedule_removal(tx: Writer, now: int, places: Sequence[tuple[str, str]]) -> None:
    """Schedule the removal of bytes at these places (storage backend id, name). now: microseconds since 1970."""
    if places:
        tx.lock(LOCK)
        tx.insert("garbage", [_garbage_row(storage_id, name, now) for storage_id, name in places])
        job_queue.enqueue(tx, now, REMOVAL, {storage_id for storage_id, _ in places})


class ByteRemoval:
    """Carries out the removal jobs."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def remove_batch(self, claim: Claim) -> bool:
        """Remove one batch of bytes from one storage backend. Returns False when nothing is left to remove there.

        Raises: storage.errors.Unavailable if the backend fails, or at the end of a pass in which some objects could not
        be removed; storage.catalog.jobs.LeaseLost.
        """
        store = self._env.stores.get(claim.key)
        if store is None:
            raise Unavailable(f"storage backend {claim.key} is not configured")
        names, passed, lease_end = self._next_batch(claim)
        removed: Sequence[str] = ()
        try:
            if names:
                removed = store.delete_many(self._until_lease_ends(names, lease_end))
        finally:
            if names:
                failed = passed.failed + len(names) - len(removed)
                passed = replace(passed, after=split_name(names[-1])[0], failed=failed)
            more = self._record_removed(claim, removed, passed)
        return more

    @retried
    def _next_batch(self, claim: Claim) -> tuple[list[str], "_Pass", int]:
        """Return the names of the next objects to remove, how far the pass has come, and the end of the lease.

        Raises: Unavailable at the end of a pass that this claim began, if some objects could not be removed.
        """
        with self._env.engine.write() as tx:
            lease_end = self._jobs.renew_within(tx, claim)
            job = tx.get("jobs", kind=claim.kind, key=claim.key)
            passed = _Pass(**job["doc"]) if job and job["doc"] else _Pass(claim.token)
            names = self._names_after(tx, claim, passed)
            if not names and passed.after is not None:
                failed = passed.failed if passed.token == claim.token else 0
                passed = _Pass(claim.token)
                self._jobs.save_doc(tx, claim, asdict(passed))
                names = [] if failed else self._names_after(tx, claim, passed)
            else:
                failed = 0
        if failed:
            raise Unavailable(f"storage backend {claim.key} could not remove {failed} objects")
        return names, passed, lease_end

    def _names_after(self, tx: Reader, claim: Claim, passed: "_Pass") -> list[str]:
        here, after = equals(storage_id=claim.key), None if passed.after is None else [passed.after]
        limit = self._env.limits.removal_batch
        rows = tx.select("garbage", here, order=("object_id",), after=after, limit=limit)
        return [stored_name(row["object_id"], row["extension"]) for row in rows]

    def _until_lease_ends(self, names: Sequence[str], lease_end: int) -> Iterator[str]:
        """The names, one by one, until the lease ends; after that another worker may have freed them for reuse."""
        for name in names:
            if self._env.clock() >= lease_end:
                return
            yield name

    @retried
    def _record_removed(self, claim: Claim, names: Sequence[str], passed: "_Pass") -> bool:
        """Forget the removed objects, and finish the job if none are left; whether any are."""
        here = equals(storage_id=claim.key)
        with self._env.engine.write() as tx:
            tx.lock(LOCK)
            self._jobs.save_doc(tx, claim, asdict(passed))
            tx.delete("garbage", [*here, In("object_id", [split_name(name)[0] for name in names])])
            if tx.select("garbage", here, limit=1, columns=["object_id"]):
                return True
            self._jobs.finish(tx, claim)
        return False


def _garbage_row(storage_id: str, name: str, now: int) -> GarbageRow:
    object_id, extension = split_name(name)
    return {"storage_id": storage_id, "object_id": object_id, "due": now, "extension": extension}


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass through the objects of one storage backend.

    token: of the claim that began it. after: the last object that was tried; None at the beginning. failed: how many of
    those tried are still there.
    """

    token: str
    after: str | None = None
    failed: int = 0
