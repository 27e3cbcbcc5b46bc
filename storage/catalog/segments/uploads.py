"""Verification of uploads: a segment is registered only if the bytes of its objects have arrived (SEG-POST-65)."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final

from storage import error_codes
from storage.catalog.environment import Environment
from storage.catalog.objects.instances import instance_name
from storage.catalog.objects.object_uploads import upload_in_use, upload_not_allocated
from storage.catalog.usage import Charge
from storage.errors import Contended, Invalid, Unavailable
from storage.media.object_store import DamagedObject, StoredObject
from storage.tables.conditions import In, equals
from storage.tables.rows import InstanceRow, ObjectRow
from storage.tables.transaction import Writer
from storage.waiting import about_to_wait_for_others

_RECORDED = ("object_id", "instance", "size", "etag", "checksum")
_CONCURRENT_STATS = 16
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class ReceivedObject:
    """An object whose bytes this server has received. allocated: when it was, in microseconds since 1970."""

    allocated: int
    content_type: str


@dataclass(frozen=True, slots=True)
class Uploads:
    """What the stores have of the objects that a request may register.

    instances: of objects that were allocated when the stores were asked, by object id, with size and checksums.
    missing: for each of the others, the id of the storage backend that should have its bytes.
    received: those of the instances' objects that this server has received itself, for the segment that it registers.
    required: whether all objects must have been uploaded. elsewhere: those that are not on a storage backend at all.
    """

    instances: Mapping[str, InstanceRow] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    received: Mapping[str, ReceivedObject] = field(default_factory=dict)
    required: bool = True
    elsewhere: frozenset[str] = frozenset()

    def check_received(self, stored: Mapping[str, ObjectRow]) -> None:
        """Check that no other request has used or removed the received objects. stored: rows of objects, by id.

        Raises: NotFound; AlreadyExists.
        """
        for object_id, received in self.received.items():
            row = stored.get(object_id)
            if row is None or row["created"] != received.allocated:
                raise upload_not_allocated(object_id, self.instances[object_id]["storage_id"] or "")
            if row["state"] != "allocated":
                raise upload_in_use(object_id)

    def check(self, object_id: str, name: str) -> None:
        """Check that an allocated object has been uploaded. name: of the member that refers to it.

        Raises: Invalid if it has not; Contended if it was allocated after the stores were asked.
        """
        if object_id in self.elsewhere:
            return
        if object_id in self.missing:
            raise Invalid(
                f"{name} {object_id!r} has no bytes on storage backend {self.missing[object_id]}: an object must be"
                " uploaded before a segment that uses it is registered",
                code=error_codes.SEGMENT_NOT_UPLOADED,
                field=name,
                behaviour="SEG-POST-65",
            )
        if self.required and object_id not in self.instances:
            raise Contended(f"{name} {object_id!r} has just been allocated; try again")

    def record(self, tx: Writer, object_ids: Iterable[str]) -> None:
        """Record sizes and checksums of those of the objects that were verified, and the types of those received."""
        types = [{"id": object_id, "content_type": each.content_type} for object_id, each in self.received.items()]
        if types:
            tx.update_rows("objects", types)
        rows = [self.instances[object_id] for object_id in sorted(object_ids) if object_id in self.instances]
        tx.update_rows("instances", [{name: value for name, value in row.items() if name in _RECORDED} for row in rows])

    def charges(self, owners: Mapping[str, str | None]) -> list[Charge]:
        """Return what to charge the owners of verified objects for that they have not been charged for yet."""
        return [
            Charge(object_id, row["storage_id"] or "", owner, row["size"] or 0)
            for object_id, owner in sorted(owners.items())
            if owner is not None
            and (row := self.instances.get(object_id)) is not None
            and (row["charged_to"], row["charged_bytes"]) != (owner, row["size"])
        ]


NO_UPLOADS: Final = Uploads()


class UploadVerification:
    """Asks the stores for the objects of segments. It does so outside transactions, as stores may be slow."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        # The threads start with the first verification, and never in a process that is about to fork.
        self._threads = ThreadPoolExecutor(_CONCURRENT_STATS, thread_name_prefix="verify-upload")

    def verify(self, flow_id: str, items: Sequence[Mapping[str, Any]], known: Uploads = NO_UPLOADS) -> Uploads:
        """Ask the stores for all objects of the items that are allocated for this flow, and add them to those known.

        Objects that are registered already, and those outside the storage backends of this service, are not verified.

        Raises: Unavailable if a store does not respond.
        """
        found_instances = self._allocated(flow_id, items, known.instances)
        elsewhere = frozenset(row["object_id"] for row in found_instances if row["storage_id"] is None)
        instances = [row for row in found_instances if row["storage_id"] is not None]
        stores = (self._env.stores.get(row["storage_id"] or "") for row in instances)
        if any(store is not None and store.is_remote for store in stores):
            about_to_wait_for_others("lookup")
        stats = {instance["object_id"]: self._threads.submit(self._stat, instance) for instance in instances}
        _wait_for(stats.values())
        found = {object_id: stat.result() for object_id, stat in stats.items()}
        verified = {
            row["object_id"]: _recorded(row, stored) for row in instances if (stored := found[row["object_id"]])
        }
        missing = {row["object_id"]: row["storage_id"] or "" for row in instances if not found[row["object_id"]]}
        return Uploads({**known.instances, **verified}, missing, known.received, elsewhere=elsewhere)

    def _allocated(
        self, flow_id: str, items: Sequence[Mapping[str, Any]], known: Mapping[str, InstanceRow]
    ) -> list[InstanceRow]:
        """The instances of the objects of the items that no segment has used yet, but for those that are known."""
        ids = {item[name] for item in items for name in ("object_id", "init_object_id") if name in item} - known.keys()
        if not ids:
            return []
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
