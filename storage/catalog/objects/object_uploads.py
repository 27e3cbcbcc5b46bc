"""Uploads that this server receives itself: which objects may be written, from the beginning of an upload to its end.

An object may be written again until a segment uses it, so that a client can repeat an upload that failed. From then on
its bytes never change (OBJ-LIFE-08). An object that has expired must not be written any more: its bytes would stay for
ever.
"""

from dataclasses import dataclass
from typing import Protocol

from storage import error_codes
from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.catalog.usage import Charge, charge, quota_exceeded, remaining_bytes, usage_lock
from storage.errors import AlreadyExists, Conflict, Forbidden, NotFound, PreconditionFailed
from storage.tables.conditions import Exists, equals
from storage.tables.rows import ObjectRow
from storage.tables.transaction import Reader

_COLUMNS = ("state", "flow_id", "content_type", "created", "expires", "owner")


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """The object of an upload. allocated: when it was allocated, in microseconds since 1970.

    owner: the principal that allocated it, if it is known. most_bytes: that its quota leaves for it; None for no limit.
    """

    object_id: str
    storage_id: str
    flow_id: str
    content_type: str
    allocated: int
    owner: str | None = None
    most_bytes: int | None = None

    def check_size(self, size: int) -> None:
        """Raises: QuotaExceeded if the quota leaves less than `size` bytes."""
        if self.most_bytes is not None and size > self.most_bytes:
            raise quota_exceeded(self.owner or "")


class Publication(Protocol):
    """A complete upload that is not visible yet. Every method may raise storage.errors.Unavailable. size: in bytes."""

    size: int

    def publish_new(self) -> None:
        """Make the bytes visible. Raises Conflict if there are any already."""

    def replace(self) -> None:
        """Make the bytes visible in place of those that are there."""

    def withdraw(self) -> None:
        """Undo `publish_new` or `replace`, after which they can be called again."""


class ObjectUploads:
    """Decides about the uploads to file stores."""

    def __init__(self, env: Environment) -> None:
        self._env = env

    def find(self, object_id: str, storage_id: str, allocated: int | None = None) -> UploadTarget:
        """Return the object that an upload may write, at the beginning of the upload.

        allocated: the allocation for which the upload URL was made; None if that is unknown.

        Raises: NotFound; Forbidden if the URL is for an earlier object with this id; AlreadyExists if the object is in
            use and has bytes.
        """
        with self._env.engine.read_once() as tx:
            row = self._get(tx, object_id, storage_id)
            most_bytes = self._most_bytes(tx, object_id, storage_id, row["owner"])
        if allocated is not None and row["created"] != allocated:
            raise Forbidden(
                f"this URL is for an object {object_id!r} that has been removed; another one has its id now",
                code=error_codes.OBJECT_REPLACED,
            )
        if row["state"] != "allocated" and self._env.stores[storage_id].stat(object_id) is not None:
            raise upload_in_use(object_id)
        assert row["flow_id"] is not None
        content_type, created = row["content_type"] or "", row["created"]
        return UploadTarget(object_id, storage_id, row["flow_id"], content_type, created, row["owner"], most_bytes)

    def publish(self, target: UploadTarget, upload: Publication, *, only_new: bool) -> None:
        """Make the bytes of a complete upload visible, unless the object has expired or come into use meanwhile.

        only_new: do not replace earlier bytes.

        Raises: NotFound, AlreadyExists, PreconditionFailed, QuotaExceeded, Unavailable; then nothing has changed.
        """
        try:
            upload.publish_new()
        except Conflict as error:
            if only_new:
                raise PreconditionFailed(error.message, field="If-None-Match") from None
            self._replace(target, upload)
            return
        try:
            # The bytes are there before the object is looked up. So if it is removed after that, so are they.
            if self._env.stored_bytes_quota is not None and target.owner is not None:
                self._charge(target, upload.size)
            else:
                with self._env.engine.read_once() as tx:
                    self._get_again(tx, target)
        except BaseException:
            upload.withdraw()
            raise

    @retried
    def _charge(self, target: UploadTarget, size: int) -> None:
        """Charge new bytes, unless the object has been removed."""
        assert target.owner is not None
        with self._env.engine.write() as tx:
            # The object before the usage of its owner, as registration and removal do, so that no two deadlock.
            if not tx.update("objects", equals(id=target.object_id), {"owner": target.owner}):
                raise upload_not_allocated(target.object_id, target.storage_id)
            tx.lock(usage_lock(target.owner))
            self._get_again(tx, target)
            charge(tx, self._env, [Charge(target.object_id, target.storage_id, target.owner, size)])

    @retried
    def _replace(self, target: UploadTarget, upload: Publication) -> None:
        """Replace the bytes within a transaction that conflicts with the registration and the removal of the object."""
        try:
            with self._env.engine.write() as tx:
                tx.lock(f"flow:{target.flow_id}", f"object:{target.object_id}")
                row = self._get_again(tx, target)
                if row["state"] != "allocated":
                    raise upload_in_use(target.object_id)
                if not tx.update("objects", equals(id=target.object_id), {"expires": row["expires"]}):
                    raise upload_not_allocated(target.object_id, target.storage_id)
                if target.owner is not None:
                    charge(tx, self._env, [Charge(target.object_id, target.storage_id, target.owner, upload.size)])
                upload.replace()
        except BaseException:
            upload.withdraw()
            raise

    def _most_bytes(self, tx: Reader, object_id: str, storage_id: str, owner: str | None) -> int | None:
        """The bytes that the quota of the owner leaves for the object; None for no limit."""
        remaining = remaining_bytes(tx, self._env, owner)
        if remaining is None:
            return None
        instance = tx.get("instances", object_id=object_id, instance=storage_id)
        return remaining + (instance["charged_bytes"] or 0 if instance else 0)

    def _get_again(self, tx: Reader, target: UploadTarget) -> ObjectRow:
        row = self._get(tx, target.object_id, target.storage_id)
        if row["created"] != target.allocated:
            raise upload_not_allocated(target.object_id, target.storage_id)
        return row

    def _get(self, tx: Reader, object_id: str, storage_id: str) -> ObjectRow:
        instance = Exists("instances", "object_id", "id", equals(instance=storage_id))
        rows = tx.select("objects", [*equals(id=object_id), instance], limit=1, columns=_COLUMNS)
        if not rows or rows[0]["content_type"] is None:
            raise upload_not_allocated(object_id, storage_id)
        return rows[0]


def upload_not_allocated(object_id: str, storage_id: str) -> NotFound:
    return NotFound(
        f"object {object_id!r} has not been allocated on storage backend {storage_id}, or it has expired",
        code=error_codes.OBJECT_NOT_ALLOCATED,
        field="object_id",
        behaviour="STO-31",
    )


def upload_in_use(object_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"the bytes of object {object_id!r} already exist, and cannot be replaced: a segment uses them",
        code=error_codes.OBJECT_WRITTEN,
        field="object_id",
        behaviour="OBJ-LIFE-08",
    )
