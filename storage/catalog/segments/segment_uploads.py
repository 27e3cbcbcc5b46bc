"""F7: a segment whose object is uploaded with it, through this server, whatever the storage backend.

The object is allocated before its first byte is stored, and expires like any other that no segment uses. So whatever
becomes of the upload, or of this process, garbage collection finds the bytes. Its row has no content type until the
segment is registered, so that no upload URL can write it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from storage.catalog.access.checks import require_before_lock
from storage.catalog.caller import Caller
from storage.catalog.clock import SECOND
from storage.catalog.environment import Environment
from storage.catalog.flows import flow_rows
from storage.catalog.flows.flow_filter import KIND
from storage.catalog.flows.flow_rules import check_container, check_writable
from storage.catalog.objects.allocation import (
    Allocation,
    allocated_object,
    allocation_time,
    check_free,
    content_type_of,
)
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.objects.instances import controlled_instance, instance_name
from storage.catalog.objects.object_ids import check_object_id
from storage.catalog.objects.object_uploads import UploadTarget, upload_not_allocated
from storage.catalog.retry import retried
from storage.catalog.segments.segments import Segments
from storage.catalog.segments.uploads import ReceivedObject, Uploads, UploadVerification
from storage.catalog.usage import remaining_bytes, require_remaining_bytes
from storage.media.names import extension_for, without_parameters
from storage.media.object_store import IncomingObject, ObjectStore, StoredObject
from storage.preconditions import Preconditions
from storage.tables.conditions import Condition, equals
from storage.tables.rows import FlowRow, InstanceRow


@dataclass(frozen=True, slots=True)
class SegmentUpload:
    """An upload in progress.

    item: the segment, valid by flow-segment-post.json. target: its object. instance: the row of its instance.
    preconditions: on the flow.
    """

    caller: Caller
    item: Mapping[str, Any]
    target: UploadTarget
    instance: InstanceRow
    preconditions: Preconditions | None = None


@dataclass(frozen=True, slots=True)
class ReceivedSegment:
    """A segment whose bytes are stored. stored: what the storage backend has of them."""

    upload: SegmentUpload
    stored: StoredObject


class SegmentUploads:
    """Uploads of segments, from their beginning to the registration or the end without one."""

    def __init__(self, env: Environment, allocation: Allocation, segments: Segments) -> None:
        self._env = env
        self._allocation = allocation
        self._segments = segments
        self._verification = UploadVerification(env)

    @property
    def renewal_s(self) -> float:
        """The time in seconds after which `renew` must be called again and again while an upload is in progress."""
        return self._env.limits.unregistered_object_s / 4

    def check_flow(self, caller: Caller, flow_id: str) -> None:
        """Check that a flow can take an upload at all. Raises: NotFound, Forbidden, Invalid, QuotaExceeded."""
        with self._env.engine.read() as tx:
            flow = flow_rows.get(tx, caller, flow_id, flow_rows.CONTENT_WRITER_COLUMNS, "write")
            check_writable(flow)
            check_container(flow)
            require_remaining_bytes(tx, self._env, caller.name)

    def begin(
        self,
        caller: Caller,
        flow_id: str,
        document: Mapping[str, Any],
        content_type: str,
        preconditions: Preconditions | None = None,
    ) -> SegmentUpload:
        """Check a segment by all rules, and allocate its object.

        document: valid by flow-segment-upload. content_type: of the bytes to come, as the client states it.

        Raises: NotFound, Forbidden, Invalid, PreconditionFailed, QuotaExceeded, Unavailable; then nothing has changed.
        """
        item = {"object_id": str(uuid.uuid4()), **document}
        store = self._allocation.store_for(caller, item.pop("storage_id", None))
        is_chosen = "object_id" in document
        if is_chosen:
            check_object_id(item["object_id"], "object_id")
        return self._begin(caller, flow_id, item, is_chosen, store, content_type, preconditions)

    @retried
    def _begin(
        self,
        caller: Caller,
        flow_id: str,
        item: Mapping[str, Any],
        is_chosen: bool,
        store: ObjectStore,
        content_type: str,
        preconditions: Preconditions | None,
    ) -> SegmentUpload:
        """is_chosen: whether the client has chosen the id of the object."""
        object_id = item["object_id"]
        require_before_lock(self._env.engine, caller, KIND, flow_id, "write")
        verified = self._verification.verify(flow_id, [item]) if self._env.verify_uploads else Uploads(required=False)
        with self._env.engine.write() as tx:
            columns, locks = flow_rows.CONTENT_WRITER_COLUMNS, [f"object:{object_id}"] if is_chosen else []
            flow = flow_rows.lock_writable(tx, caller, flow_id, *locks, preconditions=preconditions, columns=columns)
            check_container(flow)
            require_remaining_bytes(tx, self._env, caller.name)
            left = remaining_bytes(tx, self._env, caller.name)
            content_type = _content_type(flow, content_type)
            if is_chosen:
                check_free(tx, self._env, [object_id], "object_id")
            now = allocation_time(self._env, [flow])
            extension = extension_for(object_id, content_type)
            instance = controlled_instance(object_id, store.backend.id, extension, now)
            row = allocated_object(object_id, flow_id, now, self._expiry(), owner=caller.name)
            tx.insert("objects", [row], fresh=True)
            tx.insert("instances", [instance], fresh=True)
            known = replace(verified, instances={**verified.instances, object_id: instance})
            self._segments.check(tx, caller, flow, item, known)
        target = UploadTarget(object_id, store.backend.id, flow_id, content_type, now, caller.name, left)
        return SegmentUpload(caller, item, target, instance, preconditions)

    def _expiry(self) -> int:
        return self._env.clock() + self._env.limits.unregistered_object_s * SECOND

    def store_of(self, upload: SegmentUpload) -> ObjectStore:
        """The storage backend of an upload."""
        return self._env.stores[upload.target.storage_id]

    def open(self, upload: SegmentUpload) -> IncomingObject:
        """Start to store the bytes. Raises: Unavailable."""
        return self.store_of(upload).begin(instance_name(upload.instance), upload.target.content_type)

    @retried
    def renew(self, upload: SegmentUpload) -> None:
        """Keep the object of an upload in progress from expiring. Raises: NotFound if it has."""
        with self._env.engine.write() as tx:
            if not tx.update("objects", _allocated(upload.target), {"expires": self._expiry()}):
                raise upload_not_allocated(upload.target.object_id, upload.target.storage_id)

    def require_allocated(self, upload: SegmentUpload) -> None:
        """Check, just before the bytes become visible under its name, that the object is still that of this upload.

        Afterwards its id stays reserved for at least half of the time that `renew` gives, for which the storage backend
        has to commit the bytes. Raises: NotFound.
        """
        with self._env.engine.read_once() as tx:
            rows = tx.select("objects", _allocated(upload.target), limit=1, columns=["expires"])
        expires = rows[0]["expires"] if rows else None
        if expires is None or (expires - self._env.clock()) * 2 < self._env.limits.unregistered_object_s * SECOND:
            self.renew(upload)

    def register(self, received: ReceivedSegment) -> str:
        """Register the segment with the bytes that are stored, and return the id of its object.

        Raises: what Segments.register raises; then nothing has changed.
        """
        upload, stored, target = received.upload, received.stored, received.upload.target
        instance: InstanceRow = {
            **upload.instance,
            "size": stored.size,
            "etag": stored.etag,
            "checksum": stored.checksum,
            "charged_to": None,
            "charged_bytes": None,
        }
        uploads = Uploads(
            {target.object_id: instance},
            received={target.object_id: ReceivedObject(target.allocated, target.content_type)},
            required=False,
        )
        failed = self._segments.register(upload.caller, target.flow_id, [upload.item], upload.preconditions, uploads)
        if failed:
            raise failed[0][1]
        return target.object_id

    @retried
    def discard(self, upload: SegmentUpload, *, stored: bool) -> None:
        """Remove what an upload has left, unless its segment is registered.

        stored: whether its bytes may be visible in the storage backend.
        """
        target = upload.target
        place = (target.storage_id, instance_name(upload.instance))
        with self._env.engine.write() as tx:
            if tx.delete("objects", _allocated(target)):
                tx.delete("instances", equals(object_id=target.object_id))
            elif tx.get("objects", id=target.object_id) is not None:
                return
            if stored and not tx.get("garbage", storage_id=target.storage_id, object_id=target.object_id):
                schedule_removal(tx, self._env.clock(), [place])


def _allocated(target: UploadTarget) -> tuple[Condition, ...]:
    """Conditions that the row of the object meets until a segment uses it."""
    return equals(id=target.object_id, state="allocated", created=target.allocated)


def _content_type(flow: FlowRow, stated: str) -> str:
    """The type of the bytes: the flow's container, or the one stated for flows that need init objects too (STO-21).

    Raises: Invalid for the Content-Type of the bytes.
    """
    container = flow["container"] or ""
    is_container = without_parameters(stated) == without_parameters(container)
    return content_type_of(flow, container if is_container else stated, "Content-Type")
