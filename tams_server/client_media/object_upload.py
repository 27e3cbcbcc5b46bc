"""Upload the bytes of an object, verified by a checksum, or read back."""

import base64
import hashlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tams_server.client import ApiError, Client, RetryPolicy, calls
from tams_server.client.checksums import Digest, told
from tams_server.client.documents import GetUrl, Slot
from tams_server.client_media.errors import MediaError
from tams_server.client_media.retries import ONCE, repeat

_CHUNK: Final = 1 << 20
_EXPIRED: Final = 403
_SLOT_S: Final = 120
"""Storage is used so long after it was allocated; servers keep it longer, and URLs are valid longer."""
_NOT_TAKEN: Final = 3
"""Attempts with new storage after the put_url was refused, which an expired or used one is."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An uploaded object. sha256: of its bytes. proven: whether the store stated a checksum, and it was right."""

    object_id: str
    size: int
    sha256: bytes
    proven: bool


class ObjectUploader:
    """Uploads objects of flows. May be used by several threads.

    retry: for each object. batch: objects to allocate in one request. stop: ends the attempts once it is set.
    """

    def __init__(
        self,
        client: Client,
        retry: RetryPolicy,
        storage_id: str | None = None,
        batch: int = 1,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._retry = retry
        self._storage_id = storage_id
        self._batch = batch
        self._stop = stop or threading.Event()
        self._slots: dict[str, tuple[list[Slot], float]] = {}
        self._lock = threading.Lock()

    def upload(self, flow_id: str, data: bytes, content_type: str | None = None) -> Stored:
        """Store bytes as a new object of a flow. content_type: of an init object. Raises ClientError.

        After a failure the object is uploaded as a new one: what became of the attempt before is not known, and the
        server removes objects that no segment uses.
        """
        for attempt in range(1, _NOT_TAKEN + 1):
            try:
                return repeat(lambda: self._once(flow_id, data, content_type), self._retry, self._stop)
            except ApiError as error:
                if error.status != _EXPIRED or attempt == _NOT_TAKEN:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _once(self, flow_id: str, data: bytes, content_type: str | None) -> Stored:
        slot = self._slot(flow_id) if content_type is None else self._allocate(flow_id, 1, content_type)[0]
        digest = Digest()
        digest.update(data)
        checksum = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
        response = self._client.upload(slot, _chunks(data), len(data), {"Content-MD5": checksum})
        stated = told({name: value for name, value in response.headers.items() if name != "content-length"})
        difference = digest.difference(stated)
        if difference is not None:
            raise MediaError(f"object {slot['object_id']} was stored with {difference}")
        return Stored(slot["object_id"], len(data), digest.value("sha-256"), digest.is_proven_by(stated))

    def _slot(self, flow_id: str) -> Slot:
        """Storage for one object of a flow. Allocated in batches, of which what is not used in time is dropped."""
        with self._lock:
            slots, since = self._slots.get(flow_id, ([], 0.0))
            if not slots or time.monotonic() - since > _SLOT_S:
                slots, since = self._allocate(flow_id, self._batch, None), time.monotonic()
            slot = slots.pop()
            self._slots[flow_id] = slots, since
        return slot

    def _allocate(self, flow_id: str, count: int, content_type: str | None) -> list[Slot]:
        ids = [str(uuid.uuid4()) for _ in range(count)]
        named = calls.allocate(flow_id, ids, content_type=content_type, storage_id=self._storage_id)
        slots = self._client.send(named, ONCE)
        if not slots:
            raise MediaError(f"the server allocates no storage for flow {flow_id}")
        return slots

    def read_back(self, get_urls: list[GetUrl], stored: Stored) -> None:
        """Compare the stored bytes with those that were sent. Raises MediaError if they differ."""
        found, size = repeat(lambda: self._hash(get_urls), self._retry, self._stop)
        if found != stored.sha256:
            raise MediaError(f"object {stored.object_id} has other bytes than were sent: {size:,} of {stored.size:,}")

    def _hash(self, get_urls: list[GetUrl]) -> tuple[bytes, int]:
        digest, size = hashlib.sha256(), 0
        if not get_urls:
            raise MediaError("an object has no URL to read it back from")
        with self._client.download(get_urls[0]) as response:
            for chunk in response.iter_raw():
                digest.update(chunk)
                size += len(chunk)
        return digest.digest(), size


def _chunks(data: bytes) -> Iterator[bytes]:
    view = memoryview(data)
    for at in range(0, len(data), _CHUNK):
        yield bytes(view[at : at + _CHUNK])
