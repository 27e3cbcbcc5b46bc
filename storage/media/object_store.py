"""The seam between the catalogue and the media: the ObjectStore interface, and the types that pass through it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from storage.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Backend:
    """A storage backend as `GET /service/storage-backends` describes it (storage-backends-list.json).

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

    def technical_description(self) -> dict[str, Any]:
        """The members of storage-backend.json, without those that are not set."""
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
    """A URL from which GET returns the bytes of an object."""

    url: str
    presigned: bool


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store knows about the bytes of an object. size: in bytes. etag: without quotes.

    modified: when they were stored, in microseconds since 1970; None where the store does not know.
    checksum: one that the store verified when it received the bytes and has kept, with its algorithm, in the form of
    RFC 9530 (`sha-256=:...:`); None without.
    """

    size: int
    content_type: str
    etag: str
    modified: int | None = field(default=None, compare=False)
    checksum: str | None = field(default=None, compare=False)


class DamagedObject(Unavailable):
    """What is stored is not a complete object. Only something outside this program can have caused that."""


class ObjectStore(ABC):
    """A store of media bytes, addressed by object id. Every method may raise storage.errors.Unavailable.

    base_url: the public origin and base path of this server, without a closing slash. Stores with URLs of their own
    (S3) ignore it.
    """

    backend: Backend
    unsigned: bool
    """Whether clients can use URLs without a signature. If not, `upload_request` always returns a presigned one."""

    @abstractmethod
    def upload_request(self, object_id: str, content_type: str, *, presigned: bool, base_url: str) -> UploadRequest:
        """The request that uploads `object_id`. A presigned one is valid for the upload timeout. No I/O."""

    @abstractmethod
    def download_urls(self, object_id: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """URLs from which to read `object_id`, presigned ones first. No I/O.

        presigned: True or False returns URLs of this kind alone; the others are not even signed.
        """

    @abstractmethod
    def stat(self, object_id: str) -> StoredObject | None:
        """What is stored for `object_id`; None if no upload has finished."""

    @abstractmethod
    def open(self, object_id: str) -> BinaryIO:
        """The bytes, from the first on. Raises storage.errors.NotFound."""

    @abstractmethod
    def write(self, object_id: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes, all or nothing, replacing any earlier ones. They are durable when this returns.

        Exceptions from `chunks` are passed on.
        """

    @abstractmethod
    def copy_from(self, other: "ObjectStore", object_id: str) -> bool:
        """Copy bytes and content type from `other` without reading them here, replacing any earlier ones.

        False if the store cannot do that, and has changed nothing: the caller then reads and writes. Raises NotFound.
        """

    @abstractmethod
    def delete(self, object_id: str) -> None:
        """Remove the bytes, if there are any."""

    @abstractmethod
    def delete_many(self, object_ids: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects. Returns the ids of those that have no bytes now.

        Raises Unavailable if an outage prevented all removals.
        """

    @abstractmethod
    def object_ids(self) -> Iterator[str]:
        """The ids of all objects with bytes in this store, in no order."""

    @abstractmethod
    def remove_abandoned(self) -> int:
        """Remove what the uploads of dead processes left behind, and return their number. To be called periodically."""

    @abstractmethod
    def check(self) -> None:
        """Raise Unavailable, within seconds, unless the store can be reached and used."""
