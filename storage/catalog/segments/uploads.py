"""Verification of uploads: a segment is registered only if the bytes of its objects have arrived (SEG-POST-65)."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from storage.catalog.environment import Environment
from storage.catalog.objects.instances import instance_name
from storage.errors import Contended, Invalid, Unavailable
from storage.media.object_store import DamagedObject, StoredObject
from storage.tables.conditions import In, equals
from storage.tables.engine import Writer
from storage.tables.rows import InstanceRow

_CONCURRENT_STATS = 16
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Uploads:
    """What the stores have of the objects that a request may register.

    instances: of objects that were allocated when the stores were asked, by object id, with size and checksums.
    missing: for each of the others, the id of the storage backend that should have its bytes.
    """

    instances: Mapping[str, InstanceRow] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)

    def check(self, object_id: str, name: str) -> None:
        """Check that an allocated object has been uploaded. name: of the member that refers to it.

        Raises: Invalid if it has not; Contended if it was allocated after the stores were asked.
        """
        if object_id in self.missing:
            raise Invalid(
                f"{name} {object_id!r} has no bytes on storage backend {self.missing[object_id]}: an object must be"
                " uploaded before a segment that uses it is registered",
                field=name,
                behaviour="SEG-POST-65",
            )
        if object_id not in self.instances:
            raise Contended(f"{name} {object_id!r} has just been allocated; try again")

    def record(self, tx: Writer, object_ids: Iterable[str]) -> None:
        """Record the sizes and checksums of those of the objects that were verified."""
        rows = [self.instances[object_id] for object_id in sorted(object_ids) if object_id in self.instances]
        if rows:
            tx.delete("instances", [In("object_id", [row["object_id"] for row in rows])])
            tx.insert("instances", rows)


class UploadVerification:
    """Asks the stores for the objects of segments. It does so outside transactions, as stores may be slow."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        # The threads start with the first verification, and never in a process that is about to fork.
        self._threads = ThreadPoolExecutor(_CONCURRENT_STATS, thread_name_prefix="verify-upload")

    def verify(self, flow_id: str, items: Sequence[Mapping[str, Any]]) -> Uploads:
        """Ask the stores for all objects of the items that are allocated for this flow.

        Objects that are registered already, and those outside the storage backends of this service, are not verified.

        Raises: Unavailable if a store does not respond.
        """
        instances = self._allocated(flow_id, items)
        stats = {instance["object_id"]: self._threads.submit(self._stat, instance) for instance in instances}
        _wait_for(stats.values())
        found = {object_id: stat.result() for object_id, stat in stats.items()}
        return Uploads(
            {row["object_id"]: _recorded(row, stored) for row in instances if (stored := found[row["object_id"]])},
            {row["object_id"]: row["storage_id"] or "" for row in instances if not found[row["object_id"]]},
        )

    def _allocated(self, flow_id: str, items: Sequence[Mapping[str, Any]]) -> list[InstanceRow]:
        """The only instances of the objects of the items that no segment has used yet."""
        ids = {item[name] for item in items for name in ("object_id", "init_object_id") if name in item}
        with self._env.engine.read() as tx:
            where = [In("id", sorted(ids)), *equals(state="allocated", flow_id=flow_id)]
            allocated = [row["id"] for row in tx.select("objects", where, columns=["id"])]
            return tx.select("instances", [In("object_id", allocated)]) if allocated else []

    def _stat(self, instance: InstanceRow) -> StoredObject | None:
        store = self._env.stores.get(instance["storage_id"] or "")
        try:
            return store.stat(instance_name(instance)) if store else None
        except DamagedObject:
            return None


def _wait_for(stats: Iterable[Future[StoredObject | None]]) -> None:
    """Wait until all are done. Raises: Unavailable if one fails, or after _DEADLINE_S."""
    done, waiting = wait(stats, _DEADLINE_S, FIRST_EXCEPTION)
    for stat in waiting:
        stat.cancel()
    for stat in done:
        stat.result()
    if waiting:
        raise Unavailable(f"the storage backends did not confirm all uploads within {_DEADLINE_S:g} s; try again")


def _recorded(instance: InstanceRow, stored: StoredObject) -> InstanceRow:
    return {**instance, "size": stored.size, "etag": stored.etag, "checksum": stored.checksum}
