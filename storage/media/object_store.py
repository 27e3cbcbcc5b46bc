"""The seam between the catalogue and the stores of media: the ObjectStore protocol and what passes through it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from storage.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Backend:
    """A storage backend as `GET /service/storage-backends` tells of it (storage-backends-list.json).

    id: lower-case UUID (v1 to v5), the same for the life of the store.
    """

    id: str
    label: str | None
    provider: str
    store_product: str
    region: str | None = None
    availability_zone: str | None = None
    default_storage: bool = False
    tags: dict[str, str | list[str]] = field(default_factory=dict)
    store_type: str = "http_object_store"

    def described(self) -> dict[str, Any]:
        """What it is technically (storage-backend.json), without what is not set."""
        members = {
            "store_type": self.store_type,
            "provider": self.provider,
            "store_product": self.store_product,
            "region": self.region,
            "availability_zone": self.availability_zone,
            "tags": self.tags or None,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """How a client uploads one object: a PUT of the bytes to `url` with these headers (http-request.json)."""

    url: str
    content_type: str
    presigned: bool
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DownloadUrl:
    """A URL that answers GET with the bytes of an object."""

    url: str
    presigned: bool


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store knows of the bytes of an object. size: bytes; etag: without quotes.

    modified: microseconds since 1970 at which they were stored, where the store says so.
    """

    size: int
    content_type: str
    etag: str
    modified: int | None = field(default=None, compare=False)


class Damaged(Unavailable):
    """What is stored is not a whole object, which only something outside this program can have made."""


class ObjectStore(Protocol):
    """A store of media bytes, addressed by object id. Every method may raise storage.errors.Unavailable.

    base_url: the public origin and base path of this server, without a closing slash; stores whose URLs are their
    own (S3) ignore it.
    """

    backend: Backend
    unsigned: bool
    """Whether it has URLs without a signature that are of use to clients; `upload` gives signed ones otherwise."""

    def upload(self, object_id: str, content_type: str, *, presigned: bool, base_url: str) -> UploadRequest:
        """The request that uploads `object_id`; a presigned one is valid for the upload timeout. No I/O."""
        ...

    def downloads(self, object_id: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """URLs to read `object_id`, presigned first. `presigned` True or False leaves out the other kind, before
        anything is signed. No I/O."""
        ...

    def stat(self, object_id: str) -> StoredObject | None:
        """What is stored under `object_id`, or None where no upload has finished."""
        ...

    def open(self, object_id: str) -> BinaryIO:
        """The bytes, from the first on. Raises storage.errors.NotFound."""
        ...

    def write(self, object_id: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes durably (on return they survive a crash), replacing what was there, all or nothing."""
        ...

    def copy_from(self, other: "ObjectStore", object_id: str) -> bool:
        """Have the bytes copied from `other` without reading them here, content type and all, replacing what was there.

        False where that cannot be done, and nothing was: the caller then reads and writes. Raises NotFound.
        """
        ...

    def delete(self, object_id: str) -> None:
        """Remove the bytes; no error where there are none."""
        ...

    def delete_many(self, object_ids: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects; the ids of those that have none now.

        Raises Unavailable where none could be removed because of an outage.
        """
        ...

    def object_ids(self) -> Iterator[str]:
        """The ids of all objects that have bytes here, in no order."""
        ...

    def remove_abandoned(self) -> int:
        """Remove what uploads of dead processes left behind, and return how many; to be called by clock."""
        ...

    def check(self) -> None:
        """Raises Unavailable, within seconds, unless the store is there and can be used."""
        ...
