"""Copies of objects on more storage backends (OBJ-INST-POST-01 to -06).

The request that asks for a copy makes it, as a job under a lease, so that its response reports how it went. If that
process dies, the lease expires and a worker makes the copy instead. The copy becomes an instance of the object once it
is complete and has been read back.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from storage import error_codes
from storage.catalog.access.backends import readable_backends, require_backend
from storage.catalog.access.object_access import require_object, require_object_before_lock
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.job_kinds import COPY, copy_key
from storage.catalog.jobs import Claim, Jobs, LeaseLost
from storage.catalog.kept_lease import kept_lease
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.objects.instances import instance_name
from storage.catalog.objects.objects import get_registered, object_state, require_use
from storage.catalog.remote_servers import Download
from storage.catalog.retry import retried
from storage.catalog.usage import charge_new, require_remaining_bytes
from storage.errors import Invalid, NotFound, TamsError, Unavailable
from storage.media.names import extension_for, split_name, stored_name
from storage.media.object_store import ObjectStore, StoredObject
from storage.preconditions import Preconditions
from storage.tables.conditions import equals
from storage.tables.rows import InstanceRow
from storage.tables.transaction import Reader, Writer
from storage.waiting import about_to_wait_for_others

_CHUNK_BYTES = 1 << 20
_LAST_START_S = 300.0
"""Time after which no other instance is tried, if the ones before could not be read."""


@dataclass(slots=True)
class _OpenInstance:
    """An instance that is being read. size: in bytes, None if it is unknown."""

    chunks: Iterable[bytes]
    size: int | None
    content_type: str | None


class Copies:
    """Copies objects to other storage backends."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def copy(self, caller: Caller, object_id: str, storage_id: str, preconditions: Preconditions | None = None) -> None:
        """Copy an object to another storage backend, and add the copy as an instance, which is charged to the caller.

        Raises: NotFound; Invalid; PreconditionFailed; QuotaExceeded; Unavailable if the bytes cannot be read or
            written now. Then nothing is left behind.
        """
        require_object_before_lock(self._env.engine, caller, object_id, "write")
        require_backend(self._env, caller, storage_id, "OBJ-INST-POST-05")
        about_to_wait_for_others("transfer")
        claim = self._start(caller, object_id, storage_id, preconditions)
        try:
            with kept_lease(self._jobs, claim):
                self.make_copy(claim)
        except LeaseLost:
            raise Unavailable("the copy took too long and was handed to a background worker") from None
        except BaseException:
            self._cancel(claim)
            raise

    def make_copy(self, claim: Claim) -> bool:
        """Carry out a copy job from its beginning. Always returns False: no steps are left.

        Raises: storage.catalog.jobs.LeaseLost; storage.errors.NotFound, Invalid, Unavailable.
        """
        object_id, storage_id = claim.doc["object_id"], claim.doc["storage_id"]
        target = self._env.store(storage_id, "OBJ-INST-POST-05")
        with self._env.engine.read() as tx:
            row = get_registered(tx, object_id)
            instances = tx.select("instances", equals(object_id=object_id), order=("object_id", "instance"))
            content_type = row["content_type"] or _container(tx, row["flow_id"])
        name = _name_of_copy(claim)
        self._copy_from_any(claim, name, _sources_of(claim, instances), content_type, target)
        stored = target.stat(name)
        if stored is None:
            raise Unavailable(f"the copy of object {object_id!r} has disappeared from storage backend {storage_id}")
        self._add_instance(claim, object_id, storage_id, stored)
        return False

    @retried
    def abandon(self, claim: Claim) -> None:
        """End the job of a copy that cannot be made, and have its bytes removed. Raises: LeaseLost."""
        with self._env.engine.write() as tx:
            self._jobs.renew_within(tx, claim)
            self._delete_job(tx, claim)

    @retried
    def _start(self, caller: Caller, object_id: str, storage_id: str, preconditions: Preconditions | None) -> Claim:
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            require_object(tx, caller, object_id, "write")
            row = get_registered(tx, object_id)
            require_use(tx, object_id)
            if preconditions is not None:
                preconditions.check_change(object_state(tx, row))
            key = copy_key(storage_id, object_id)
            existing = tx.get("instances", object_id=object_id, instance=storage_id)
            if existing or tx.get("jobs", kind=COPY, key=key):
                raise Invalid(
                    f"an instance of object {object_id!r} on storage backend {storage_id} already exists, or is just"
                    " being made",
                    code=error_codes.INSTANCE_EXISTS,
                    field="storage_id",
                    behaviour="OBJ-INST-POST-06",
                )
            if tx.get("garbage", object_id=object_id, storage_id=storage_id):
                raise Unavailable(
                    f"an earlier instance of object {object_id!r} on storage backend {storage_id} is still being"
                    " removed; try again later"
                )
            require_remaining_bytes(tx, self._env, caller.name)
            content_type = row["content_type"] or _container(tx, row["flow_id"])
            extension = extension_for(object_id, content_type)
            doc: dict[str, Any] = {
                "object_id": object_id,
                "storage_id": storage_id,
                "extension": extension,
                "owner": caller.name,
            }
            sources = readable_backends(self._env, caller)
            if sources is not None:
                doc["sources"] = sorted(sources)
            return self._jobs.start(tx, "request", COPY, key, doc)

    def _copy_from_any(
        self,
        claim: Claim,
        name: str,
        instances: Iterable[InstanceRow],
        content_type: str | None,
        target: ObjectStore,
    ) -> None:
        """Copy the bytes from the first instance that can be read, controlled instances first. name: in the target."""
        errors: list[TamsError] = []
        started = time.monotonic()
        for instance in sorted(instances, key=lambda row: row["storage_id"] is None):
            source = self._env.stores.get(instance["storage_id"] or "")
            if errors and time.monotonic() - started > _LAST_START_S:
                break
            try:
                if source is not None and target.copy_from(source, name, instance_name(instance)):
                    return
                with self._open(instance) as opened:
                    if opened is None:
                        continue
                    type_ = content_type or opened.content_type or "application/octet-stream"
                    self._write_verified(claim, name, opened, type_, target)
                    return
            except (Invalid, NotFound, Unavailable) as error:
                errors.append(error)
        reasons = "".join(f"; {error.message}" for error in errors)
        message = f"object {split_name(name)[0]!r} could not be copied from any of its instances{reasons}"
        if any(isinstance(error, Unavailable) for error in errors):
            raise Unavailable(message)
        raise Invalid(message, code=error_codes.COPY_FAILED, field="storage_id", behaviour="OBJ-INST-POST-04")

    @contextmanager
    def _open(self, instance: InstanceRow) -> Iterator[_OpenInstance | None]:
        """Open an instance for reading; None if its bytes are not there."""
        if instance["storage_id"] is None:
            with ExitStack() as stack:
                with _unavailable_as_invalid():
                    download = stack.enter_context(self._env.outbound.open(instance["url"] or ""))
                yield _OpenInstance(_download_chunks(download), None, download.content_type)
            return
        source = self._env.stores.get(instance["storage_id"])
        name = instance_name(instance)
        stored = source.stat(name) if source else None
        if source is None or stored is None:
            yield None
            return
        with source.open(name) as file:
            yield _OpenInstance(_file_chunks(file), stored.size, stored.content_type)

    def _write_verified(
        self, claim: Claim, name: str, opened: _OpenInstance, content_type: str, target: ObjectStore
    ) -> None:
        """Write the bytes to the target, then read them back and compare size and checksum. Raises: Unavailable."""
        read_digest = hashlib.sha256()
        size = 0

        def chunks_read() -> Iterator[bytes]:
            nonlocal size
            for chunk in self._while_renewing_lease(claim, opened.chunks):
                read_digest.update(chunk)
                size += len(chunk)
                yield chunk
            if opened.size is not None and size != opened.size:
                raise Unavailable(f"{size} bytes were read, not {opened.size}")

        target.write(name, content_type, chunks_read())
        written_digest = hashlib.sha256()
        with target.open(name) as file:
            for chunk in self._while_renewing_lease(claim, _file_chunks(file)):
                written_digest.update(chunk)
        if written_digest.digest() != read_digest.digest():
            target.delete(name)
            raise Unavailable("the bytes that were written are not those that were read")

    def _while_renewing_lease(self, claim: Claim, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks; the lease is renewed as they pass. Raises: LeaseLost."""
        renewed = time.monotonic()
        for chunk in chunks:
            if time.monotonic() - renewed > self._jobs.lease_s / 3:
                self._jobs.renew(claim)
                renewed = time.monotonic()
            yield chunk

    @retried
    def _add_instance(self, claim: Claim, object_id: str, storage_id: str, stored: StoredObject) -> None:
        """Finish the job, and add the copy as an instance. stored: what the store has of it."""
        instance: InstanceRow = {
            "object_id": object_id,
            "instance": storage_id,
            "storage_id": storage_id,
            "created": self._env.clock(),
            "size": stored.size,
            "etag": stored.etag,
            "checksum": stored.checksum,
            "extension": claim.doc.get("extension"),
        }
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            self._jobs.finish(tx, claim)
            get_registered(tx, object_id)
            owner = claim.doc.get("owner")
            tx.insert("instances", [instance if owner is None else charge_new(tx, self._env, instance, owner)])

    @retried
    def _cancel(self, claim: Claim) -> None:
        with self._env.engine.write() as tx:
            self._delete_job(tx, claim)

    def _delete_job(self, tx: Writer, claim: Claim) -> None:
        """Delete the job, if it is still held, and schedule the removal of what may have been written."""
        if tx.delete("jobs", claim.where):
            schedule_removal(tx, self._env.clock(), [(claim.doc["storage_id"], _name_of_copy(claim))])


def _container(tx: Reader, flow_id: str | None) -> str | None:
    """The container of the flow that used an object first; None if it has none, or is gone."""
    flow = tx.get("flows", id=flow_id)
    return flow["container"] if flow else None


def _sources_of(claim: Claim, instances: Iterable[InstanceRow]) -> list[InstanceRow]:
    """The instances that may be read: all, or those of the storage backends that the caller may read, and elsewhere."""
    readable = claim.doc.get("sources")
    return [row for row in instances if readable is None or row["storage_id"] in (None, *readable)]


def _name_of_copy(claim: Claim) -> str:
    """The name of a copy in its storage backend. Jobs from before names had extensions have none."""
    return stored_name(claim.doc["object_id"], claim.doc.get("extension"))


@contextmanager
def _unavailable_as_invalid() -> Iterator[None]:
    """Turn Unavailable into Invalid: an unreachable URL is an error in the request, not an outage of this service."""
    try:
        yield
    except Unavailable as error:
        raise Invalid(
            error.message, code=error_codes.COPY_FAILED, field="storage_id", behaviour="OBJ-INST-POST-04"
        ) from error


def _download_chunks(download: Download) -> Iterator[bytes]:
    """The chunks of a download. Raises: Invalid unless their size is as announced."""
    size = 0
    with _unavailable_as_invalid():
        for chunk in download.chunks():
            size += len(chunk)
            yield chunk
        if download.size not in (None, size):
            raise Unavailable(f"{size} bytes were received, not {download.size}")


def _file_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
