"""PUT of an object: its bytes are written to disk as they arrive, and become visible once all are there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

import anyio
from starlette.types import Receive

from storage.errors import Conflict, Invalid, NotFound
from storage.media.object_file import Upload
from tams_server.errors import ClientDisconnected, TooLarge, TooSlow, UnsupportedMediaType
from tams_server.http.conditional_requests import ResourceState, evaluate_conditions
from tams_server.media.checksums import Checksums
from tams_server.media.download import precondition_failed
from tams_server.media.messages import MediaRequest, MediaResponse, PreconditionFailed

T = TypeVar("T")

_WRITE_BYTES: Final = 1024 * 1024
_MAX_LENGTH_DIGITS: Final = 18


class RunInThread(Protocol):
    """Runs a function in a worker thread."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Uploader:
    """Receives uploads and stores them."""

    def __init__(self, in_thread: RunInThread, max_bytes: int | None, stall_timeout_s: float) -> None:
        """max_bytes: the maximum size of an object, or None. stall_timeout_s: the longest wait for the next bytes."""
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._stall_timeout_s = stall_timeout_s

    async def put(self, request: MediaRequest, content_type: str, receive: Receive) -> MediaResponse:
        """Store the body of a permitted request as an object of `content_type` (STO-27).

        Nothing is stored if it raises: storage.errors.Invalid for wrong headers, length or checksums,
        storage.errors.Unavailable, TooLarge, TooSlow, UnsupportedMediaType, PreconditionFailed, ClientDisconnected.
        """
        _check_headers(request.headers, content_type)
        self._check_size(int(request.headers.get("content-length", "0")))
        checksums = Checksums(request.headers)
        upload = await self._in_thread(partial(_begin, request, content_type))
        try:
            etag = await self._receive_into(upload, checksums, request.headers, receive)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._in_thread(upload.abort)
            raise
        return MediaResponse(200, {"etag": f'"{etag}"', "content-length": "0"})

    async def _receive_into(
        self, upload: Upload, checksums: Checksums, headers: Mapping[str, str], receive: Receive
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
        return await self._in_thread(partial(_finish, upload, checksums, buffered, headers))

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
    current = None
    try:
        with request.store.open_unbuffered(request.object_id) as file:
            current = ResourceState(file.stored.etag, int(file.modified))
    except NotFound:
        pass
    if evaluate_conditions(request.method, request.headers, current):
        raise precondition_failed(request.object_id)


def _add(upload: Upload, checksums: Checksums, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    upload.add(data)
    checksums.update(data)


def _finish(upload: Upload, checksums: Checksums, pieces: list[bytes], headers: Mapping[str, str]) -> str:
    _add(upload, checksums, pieces)
    checksum = checksums.verify(upload.etag)
    # The other conditions are checked when the upload begins; this one again when it ends, so that only one of several
    # concurrent uploads creates the object.
    only_new = headers.get("if-none-match", "").strip() == "*"
    try:
        return upload.commit(replace=not only_new, checksum=checksum).etag
    except Conflict as error:
        raise PreconditionFailed(error.message) from None


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
    if not (length.isascii() and length.isdigit() and len(length) <= _MAX_LENGTH_DIGITS):
        raise Invalid(f"Content-Length must be a number of bytes, not {length!r}", field="Content-Length")


def _without_parameters(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
