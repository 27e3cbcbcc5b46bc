"""PUT of an object: its bytes go to the disc as they arrive, and become visible when all of them are there."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

import anyio
from starlette.types import Receive

from storage.errors import Conflict, Invalid, NotFound
from storage.media.object_file import Upload
from tams_server.errors import TooLarge, TooSlow, UnsupportedMediaType
from tams_server.http.conditional_requests import Validators, refused_by_condition
from tams_server.media.checksums import Checksums
from tams_server.media.download import precondition_failed
from tams_server.media.messages import PreconditionFailed, Reply, Request

T = TypeVar("T")

_WRITE_BYTES: Final = 1024 * 1024
_LONGEST_LENGTH: Final = 18


class InThread(Protocol):
    """Runs a function in a worker thread."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


class Disconnected(Exception):
    """The client went away; there is nobody to answer."""


class Uploader:
    """Takes uploads.

    max_bytes: larger ones are refused with 413; None for no limit.
    stall_s: one that sends nothing for so many seconds is given up with 408.
    """

    def __init__(self, in_thread: InThread, max_bytes: int | None, stall_s: float) -> None:
        self._in_thread = in_thread
        self._max_bytes = max_bytes
        self._stall_s = stall_s

    async def put(self, request: Request, content_type: str, receive: Receive) -> Reply:
        """Store the body of a permitted request as an object of `content_type` (STO-27).

        Whatever is raised, nothing of it is kept: storage.errors.Invalid for headers, length or checksums that are
        wrong, storage.errors.Unavailable, TooLarge, UnsupportedMediaType, PreconditionFailed, TooSlow, Disconnected.
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
        return Reply(200, {"etag": f'"{etag}"', "content-length": "0"})

    async def _receive_into(
        self, upload: Upload, checksums: Checksums, headers: Mapping[str, str], receive: Receive
    ) -> str:
        """Stores the body, holding about _WRITE_BYTES of it at a time, and returns its ETag."""
        received = held_bytes = 0
        held: list[bytes] = []
        async for piece in self._pieces(receive):
            received += len(piece)
            self._check_size(received)
            held.append(piece)
            held_bytes += len(piece)
            if held_bytes >= _WRITE_BYTES:
                await self._in_thread(partial(_add, upload, checksums, held))
                held, held_bytes = [], 0
        declared = int(headers.get("content-length", received))
        if declared != received:
            raise Invalid(f"Content-Length is {declared}, but the body has {received} bytes; nothing was stored")
        return await self._in_thread(partial(_finish, upload, checksums, held, headers))

    async def _pieces(self, receive: Receive) -> AsyncIterator[bytes]:
        more = True
        while more:
            try:
                with anyio.fail_after(self._stall_s):
                    message = await receive()
            except TimeoutError:
                detail = f"no byte of the upload arrived for {self._stall_s:g} s; nothing was stored"
                raise TooSlow(detail, headers={"Connection": "close"}) from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            more = message.get("more_body", False)
            yield message.get("body", b"")

    def _check_size(self, size: int) -> None:
        if self._max_bytes is not None and size > self._max_bytes:
            raise TooLarge(f"the upload is larger than the {self._max_bytes} bytes that are accepted")


def _begin(request: Request, content_type: str) -> Upload:
    if request.headers.keys() & {"if-match", "if-none-match", "if-unmodified-since"}:
        _check_conditions(request)
    return request.store.begin(request.object_id, content_type)


def _check_conditions(request: Request) -> None:
    current = None
    try:
        with request.store.open_unbuffered(request.object_id) as file:
            current = Validators(file.stored.etag, int(file.modified))
    except NotFound:
        pass
    if refused_by_condition(request.method, request.headers, current):
        raise precondition_failed(request.object_id)


def _add(upload: Upload, checksums: Checksums, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    upload.add(data)
    checksums.update(data)


def _finish(upload: Upload, checksums: Checksums, pieces: list[bytes], headers: Mapping[str, str]) -> str:
    _add(upload, checksums, pieces)
    checksums.verify(upload.etag)
    # The other conditions hold when the upload begins; this one until it is done, for those who race to be first.
    only_new = headers.get("if-none-match", "").strip() == "*"
    try:
        return upload.commit(replace=not only_new).etag
    except Conflict as error:
        raise PreconditionFailed(error.message) from None


def _check_headers(headers: Mapping[str, str], content_type: str) -> None:
    given = headers.get("content-type")
    if given is None:
        raise Invalid(
            f"Content-Type is missing; this object is to be uploaded as {content_type!r}", field="Content-Type"
        )
    if _essence(given) != _essence(content_type):
        raise Invalid(
            f"Content-Type is {given!r}; this object is to be uploaded as {content_type!r}", field="Content-Type"
        )
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("Content-Encoding is not taken: send the bytes as they are to be stored")
    if "content-range" in headers:
        raise Invalid("Content-Range is not taken in an upload: send the whole object", field="Content-Range")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) <= _LONGEST_LENGTH):
        raise Invalid(f"Content-Length is {length!r}; it must be a number of bytes", field="Content-Length")


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
