"""The seam between the catalogue and the media: the ObjectStore interface, and the types that pass through it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from storage.errors import Unavailable

STABLE_S: Final = 3600
"""Within each span of so many seconds, stable URLs of one object are the same: players and caches see one file."""


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


class DownloadUrls(NamedTuple):
    """URLs from which GET returns the bytes of objects.

    presigned, plain: one for each object, in order; empty if URLs of this kind were not requested or are not offered.
    """

    presigned: list[str]
    plain: list[str]


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


class IncomingObject(Protocol):
    """An object whose bytes arrive in pieces: `add` them, then `commit`. size: in bytes, so far.

    buffer_bytes: the most bytes that are held in memory for the present. `add` may raise it.

    Call `abort` in any case; after `commit` it does nothing. Every method but `abort` may raise
    storage.errors.Unavailable; only `abort` may follow.
    """

    size: int

    @property
    def buffer_bytes(self) -> int: ...

    def add(self, data: bytes | memoryview) -> None:
        """Append bytes."""

    def commit(self, *, checksum: str | None = None) -> StoredObject:
        """Make the object visible, and durable, in place of any earlier one.

        checksum: of the bytes, as of a StoredObject; kept with them where the store can.
        """

    def abort(self) -> None:
        """Discard what has not been committed."""


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
    is_remote: bool = True
    """Whether its methods wait for another server."""
    unsigned: bool
    """Whether clients can use URLs without a signature. If not, `upload_requests` always returns presigned ones."""

    @abstractmethod
    def upload_requests(
        self,
        names: Sequence[str],
        content_type: str,
        *,
        presigned: bool,
        base_url: str,
        term: AllocationTerm | None = None,
    ) -> list[UploadRequest]:
        """The requests that upload the objects, in order. Presigned ones are valid for the upload timeout.

        term: the allocation of the objects, beyond which a presigned request is not valid. No I/O, but for what a store
        has to find out once.
        """

    @abstractmethod
    def download_urls(
        self, names: Sequence[str], *, presigned: bool | None, base_url: str, stable: bool = False
    ) -> DownloadUrls:
        """URLs from which to read the objects. No I/O.

        presigned: True or False returns URLs of this kind alone; the others are not even signed.
        stable: sign URLs that stay the same for STABLE_S, and are valid for that much longer.
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
    def begin(self, name: str, content_type: str) -> IncomingObject:
        """Start to store bytes that arrive in pieces. Nothing of them is visible before they are committed."""

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

    @abstractmethod
    def check_place(self) -> None:
        """Raise Unavailable unless the store can be reached and has the marker of its backend (storage.media.marker).

        Raises storage.media.marker.UnknownPlace if it is the place of another backend, or a mount is lost.
        """
