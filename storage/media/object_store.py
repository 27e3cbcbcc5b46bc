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


@dataclass(frozen=True, slots=True)
class AllocationTerm:
    """The time for which an object is allocated.

    created: when it was allocated, in microseconds since 1970, which tells it from others with the same id.
    remaining_s: for how many seconds from now uploads may begin.
    """

    created: int
    remaining_s: float


class DamagedObject(Unavailable):
    """What is stored is not a complete object. Only something outside this program can have caused that."""


class ObjectStore(ABC):
    """A store of media bytes, addressed by name (storage.media.names).

    Every method may raise storage.errors.Unavailable.

    base_url: the public origin and base path of this server, without a closing slash. Stores with URLs of their own
    (S3) ignore it.
    """

    backend: Backend
    extension_is_free: bool = False
    """Whether the same bytes are found under a name with any extension, or with none."""
    upload_tail_s: int = 0
    """How many seconds after the expiry of its URL an upload may still end without this server knowing of it. 0: this
    server receives all uploads, and rejects those for objects that have expired."""
    unsigned: bool
    """Whether clients can use URLs without a signature. If not, `upload_request` always returns a presigned one."""

    @abstractmethod
    def upload_request(
        self, name: str, content_type: str, *, presigned: bool, base_url: str, term: AllocationTerm | None = None
    ) -> UploadRequest:
        """The request that uploads the object. A presigned one is valid for the upload timeout.

        term: the allocation of the object, beyond which a presigned request is not valid. No I/O, but for what a store
        has to find out once.
        """

    @abstractmethod
    def download_urls(self, name: str, *, presigned: bool | None, base_url: str) -> list[DownloadUrl]:
        """URLs from which to read the object, presigned ones first. No I/O.

        presigned: True or False returns URLs of this kind alone; the others are not even signed.
        """

    @abstractmethod
    def stat(self, name: str) -> StoredObject | None:
        """What is stored under the name; None if no upload has finished."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """The bytes, from the first on. Raises storage.errors.NotFound."""

    @abstractmethod
    def write(self, name: str, content_type: str, chunks: Iterator[bytes]) -> StoredObject:
        """Store the bytes, all or nothing, replacing any earlier ones. They are durable when this returns.

        Exceptions from `chunks` are passed on.
        """

    @abstractmethod
    def copy_from(self, other: "ObjectStore", name: str, source_name: str | None = None) -> bool:
        """Copy bytes and content type from `other` without reading them here, replacing any earlier ones.

        source_name: the name in `other`; the same by default.
        False if the store cannot do that, and has changed nothing: the caller then reads and writes. Raises NotFound.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove the bytes, if there are any."""

    @abstractmethod
    def delete_many(self, names: Iterable[str]) -> list[str]:
        """Remove the bytes of many objects. Returns the names of those that have no bytes now.

        Raises Unavailable if an outage prevented all removals.
        """

    @abstractmethod
    def object_ids(self) -> Iterator[str]:
        """The names of all objects with bytes in this store, in no order. They are ids alone if extensions are free."""

    @abstractmethod
    def remove_abandoned(self) -> int:
        """Remove what the uploads of dead processes left behind, and return their number. To be called periodically."""

    @abstractmethod
    def check(self) -> None:
        """Raise Unavailable, within seconds, unless the store can be reached and used."""
