"""Uploads that this server receives itself: which objects may be written, from the beginning of an upload to its end.

An object may be written again until a segment uses it, so that a client can repeat an upload that failed. From then on
its bytes never change (OBJ-LIFE-08). An object that has expired must not be written any more: its bytes would stay for
ever.
"""

from dataclasses import dataclass
from typing import Protocol

from storage.catalog.environment import Environment
from storage.catalog.retry import retried
from storage.errors import AlreadyExists, Conflict, Forbidden, NotFound, PreconditionFailed
from storage.tables.conditions import equals
from storage.tables.engine import Reader
from storage.tables.rows import ObjectRow


@dataclass(frozen=True, slots=True)
class UploadTarget:
    """The object of an upload. allocated: when it was allocated, in microseconds since 1970."""

    object_id: str
    storage_id: str
    flow_id: str
    content_type: str
    allocated: int


class Publication(Protocol):
    """A complete upload that is not visible yet. Every method may raise storage.errors.Unavailable."""

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
        if allocated is not None and row["created"] != allocated:
            raise Forbidden(
                f"this URL is for an object {object_id!r} that has been removed; another one has its id now"
            )
        if row["state"] != "allocated" and self._env.stores[storage_id].stat(object_id) is not None:
            raise _in_use(object_id)
        assert row["flow_id"] is not None
        return UploadTarget(object_id, storage_id, row["flow_id"], row["content_type"] or "", row["created"])

    def publish(self, target: UploadTarget, upload: Publication, *, only_new: bool) -> None:
        """Make the bytes of a complete upload visible, unless the object has expired or come into use meanwhile.

        only_new: do not replace earlier bytes.

        Raises: NotFound, AlreadyExists, PreconditionFailed, Unavailable; then nothing has changed.
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
            with self._env.engine.read_once() as tx:
                self._get_again(tx, target)
        except BaseException:
            upload.withdraw()
            raise

    @retried
    def _replace(self, target: UploadTarget, upload: Publication) -> None:
        """Replace the bytes within a transaction that conflicts with the registration and the removal of the object."""
        try:
            with self._env.engine.write() as tx:
                tx.lock(f"flow:{target.flow_id}", f"object:{target.object_id}")
                row = self._get_again(tx, target)
                if row["state"] != "allocated":
                    raise _in_use(target.object_id)
                if not tx.update("objects", equals(id=target.object_id), {"expires": row["expires"]}):
                    raise _missing(target.object_id, target.storage_id)
                upload.replace()
        except BaseException:
            upload.withdraw()
            raise

    def _get_again(self, tx: Reader, target: UploadTarget) -> ObjectRow:
        row = self._get(tx, target.object_id, target.storage_id)
        if row["created"] != target.allocated:
            raise _missing(target.object_id, target.storage_id)
        return row

    def _get(self, tx: Reader, object_id: str, storage_id: str) -> ObjectRow:
        row = tx.get("objects", id=object_id)
        instance = tx.get("instances", object_id=object_id, instance=storage_id) if row else None
        if row is None or instance is None or row["content_type"] is None:
            raise _missing(object_id, storage_id)
        return row


def _missing(object_id: str, storage_id: str) -> NotFound:
    return NotFound(
        f"object {object_id!r} has not been allocated on storage backend {storage_id}, or it has expired",
        field="object_id",
        behaviour="STO-31",
    )


def _in_use(object_id: str) -> AlreadyExists:
    return AlreadyExists(
        f"the bytes of object {object_id!r} already exist, and cannot be replaced: a segment uses them",
        field="object_id",
        behaviour="OBJ-LIFE-08",
    )
