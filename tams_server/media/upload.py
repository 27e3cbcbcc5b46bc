"""PUT of an object: its bytes are written to disk as they arrive, and become visible once all are there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

import anyio
from starlette.types import Receive

from storage.catalog.objects.object_uploads import Publication, UploadTarget
from storage.errors import Invalid, NotFound
from storage.media.object_file import Upload
from storage.preconditions import NO_RESOURCE, ResourceState
from tams_server.errors import ClientDisconnected, TooLarge, TooSlow, UnsupportedMediaType
from tams_server.http.conditional_requests import read_preconditions
from tams_server.media.checksums import Checksums
from tams_server.media.messages import MediaRequest, MediaResponse

T = TypeVar("T")

_WRITE_BYTES: Final = 1024 * 1024
_MAX_LENGTH_DIGITS: Final = 18


class RunInThread(Protocol):
    """Runs a function in a worker thread."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class UploadRules(Protocol):
    """Decides which objects may be written, as storage.catalog's ObjectUploads."""

    def find(self, object_id: str, storage_id: str, allocated: int | None = None) -> UploadTarget: ...
    def publish(self, target: UploadTarget, upload: Publication, *, only_new: bool) -> None: ...


class Uploader:
    """Receives uploads and stores them."""

    def __init__(
        self, rules: UploadRules, in_thread: RunInThread, max_bytes: int | None, stall_timeout_s: float
    ) -> None:
        """max_bytes: the maximum size of an object, or None. stall_timeout_s: the longest wait for the next bytes."""
        self._rules = rules
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._stall_timeout_s = stall_timeout_s

    async def put(self, request: MediaRequest, allocated: int | None, receive: Receive) -> MediaResponse:
        """Store the body of an authorized request (STO-27, OBJ-LIFE-08).

        allocated: the allocation for which the URL was made; None if that is unknown.

        Nothing is stored if it raises: storage.errors.Invalid for wrong headers, length or checksums,
        storage.errors.NotFound, AlreadyExists, PreconditionFailed and Unavailable, TooLarge, TooSlow,
        UnsupportedMediaType, ClientDisconnected.
        """
        target = await self._in_thread(
            partial(self._rules.find, request.object_id, request.store.backend.id, allocated)
        )
        _check_headers(request.headers, target.content_type)
        self._check_size(int(request.headers.get("content-length", "0")))
        checksums = Checksums(request.headers)
        upload = await self._in_thread(partial(_begin, request, target.content_type))
        try:
            etag = await self._receive_into(upload, target, checksums, request.headers, receive)
        finally:
            with anyio.CancelScope(shield=True):
                await self._in_thread(upload.abort)
        return MediaResponse(200, {"etag": f'"{etag}"', "content-length": "0"})

    async def _receive_into(
        self, upload: Upload, target: UploadTarget, checksums: Checksums, headers: Mapping[str, str], receive: Receive
    ) -> str:
        """Store the body, with about _WRITE_BYTES of it in memory at a time. Return its ETag."""
        received = buffered_bytes = 0
        buffered: list[bytes] = []
        async for piece in self._pieces(receive):
            received += len(piece)
            self._check_size(received)
            buffered.append(piece)
            buffered_bytes += len(piece)
            if buffered_bytes >= _WRITE_BYTES:
                await self._in_thread(partial(_add, upload, checksums, buffered))
                buffered, buffered_bytes = [], 0
        declared = int(headers.get("content-length", received))
        if declared != received:
            raise Invalid(
                f"Content-Length {declared} does not match the body, which has {received} bytes; nothing was stored"
            )
        return await self._in_thread(partial(self._finish, upload, target, checksums, buffered, headers))

    def _finish(
        self,
        upload: Upload,
        target: UploadTarget,
        checksums: Checksums,
        pieces: list[bytes],
        headers: Mapping[str, str],
    ) -> str:
        _add(upload, checksums, pieces)
        etag = upload.complete(checksums.verify(upload.etag)).etag
        # The other conditions are checked when the upload begins; this one again when it ends, so that only one of
        # several concurrent uploads creates the object.
        self._rules.publish(target, upload, only_new=headers.get("if-none-match", "").strip() == "*")
        return etag

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        more = True
        while more:
            try:
                with anyio.fail_after(self._stall_timeout_s):
                    message = await receive()
            except TimeoutError:
                detail = f"no part of the upload was received for {self._stall_timeout_s:g} seconds; nothing was stored"
                raise TooSlow(detail, headers={"Connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise ClientDisconnected
            more = message.get("more_body", False)
            yield message.get("body", b"")

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise TooLarge(f"the upload must be at most {self._max_bytes} bytes")


def _begin(request: MediaRequest, content_type: str) -> Upload:
    if request.headers.keys() & {"if-match", "if-none-match", "if-unmodified-since"}:
        _check_conditions(request)
    return request.store.begin(request.object_id, content_type)


def _check_conditions(request: MediaRequest) -> None:
    current = NO_RESOURCE
    try:
        with request.store.open_unbuffered(request.object_id) as file:
            current = ResourceState(file.stored.etag, modified=int(file.modified))
    except NotFound:
        pass
    read_preconditions(request.headers).check_change(current)


def _add(upload: Upload, checksums: Checksums, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    upload.add(data)
    checksums.update(data)


def _check_headers(headers: Mapping[str, str], content_type: str) -> None:
    given = headers.get("content-type")
    if given is None:
        raise Invalid(f"Content-Type is missing; it must be {content_type!r} for this object", field="Content-Type")
    if _without_parameters(given) != _without_parameters(content_type):
        raise Invalid(f"Content-Type must be {content_type!r} for this object, not {given!r}", field="Content-Type")
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            "Content-Encoding is not supported: send the bytes as they are to be stored",
            headers={"Accept-Encoding": "identity"},
            field="Content-Encoding",
        )
    if "content-range" in headers:
        raise Invalid("Content-Range is not supported in an upload: send the whole object", field="Content-Range")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length.lstrip("0")) <= _MAX_LENGTH_DIGITS):
        raise Invalid(f"Content-Length must be a number of bytes, not {length!r}", field="Content-Length")


def _without_parameters(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
