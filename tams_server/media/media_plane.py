"""The media plane: PUT, GET and HEAD of the objects of file stores under /media/, with the behaviour of S3.

A presigned URL needs no credentials; a plain one needs those of the API (AUTH-11). Bodies are streamed in both
directions. A request for several ranges gets the whole object.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeVar

import anyio
import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.catalog.caller import Caller
from storage.errors import Forbidden, NotFound, TamsError
from storage.media.filesystem import FileStore
from storage.media.object_file import ObjectFile
from storage.media.signing import allocation_of, is_signed, possible_ids
from tams_server.errors import ClientDisconnected, MethodNotAllowed
from tams_server.http.headers import all_headers
from tams_server.media.download import READ_BYTES, read_object
from tams_server.media.messages import (
    CORS_HEADERS,
    METHODS,
    MediaRequest,
    MediaResponse,
    error_response,
    preflight_response,
    raw_path_of,
)
from tams_server.media.upload import Uploader, UploadRules

_log = logging.getLogger(__name__)

T = TypeVar("T")

_THREADS: Final = 32


def media_plane(
    stores: Mapping[str, FileStore],
    authenticate: Callable[[Scope], Caller],
    uploads: UploadRules,
    *,
    max_upload_bytes: int | None = None,
    stall_timeout_s: float = 60.0,
) -> ASGIApp:
    """Return the ASGI application for /media/....

    stores: by storage backend id.
    authenticate: returns the caller of a plain URL, or raises tams_server.errors.Unauthorized. Runs in a thread.
    uploads: decides which objects may be written. Its methods run in threads.
    max_upload_bytes: the maximum size of an upload, beyond which it gets 413; None for no limit.
    stall_timeout_s: the time without any bytes after which an upload gets 408.
    """
    return _MediaPlane(stores, authenticate, uploads, max_upload_bytes, stall_timeout_s)


class _MediaPlane:
    def __init__(
        self,
        stores: Mapping[str, FileStore],
        authenticate: Callable[[Scope], Caller],
        uploads: UploadRules,
        max_upload_bytes: int | None,
        stall_timeout_s: float,
    ) -> None:
        self._stores = stores
        self._authenticate = authenticate
        self._uploads = uploads
        self._uploader = Uploader(uploads, self._in_thread, max_upload_bytes, stall_timeout_s)
        # Threads of its own, so that slow disks do not exhaust those of the API.
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope, receive)
        except ClientDisconnected:
            return
        except TamsError as error:
            response = error_response(error, scope)
        except Exception as error:
            _log.exception("the media plane failed at %s %s", scope["method"], scope["path"])
            response = error_response(error, scope)
        await self._send(response, scope["method"], receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> MediaResponse:
        method = scope["method"]
        headers = all_headers(scope)
        if method == "OPTIONS":
            return preflight_response(headers)
        if method not in ("GET", "HEAD", "PUT"):
            raise MethodNotAllowed(f"method {method} is not allowed here, only {METHODS}", headers={"Allow": METHODS})
        backend_id, object_ids = possible_ids(raw_path_of(scope))
        if backend_id not in self._stores:
            raise NotFound(f"storage backend {backend_id!r} does not exist or is not served from here")
        query = scope["query_string"].decode("latin-1")
        store = self._stores[backend_id]
        writes = method == "PUT"
        if is_signed(query):
            object_id = _signed_id(store, "PUT" if writes else "GET", object_ids, query)
            allocated = allocation_of(query) if writes else None
        else:
            await self._require_scope("write" if writes else "read", scope)
            object_id = await self._in_thread(partial(self._known_id, store, object_ids, writes=writes))
            allocated = None
        request = MediaRequest(method, headers, query, store, object_id)
        if writes:
            return await self._uploader.put(request, allocated, receive)
        return await self._in_thread(partial(read_object, request))

    def _known_id(self, store: FileStore, object_ids: Sequence[str], *, writes: bool) -> str:
        """Return the first of the ids that a plain URL may mean whose object can be written or read."""
        for object_id in object_ids[:-1]:
            try:
                if writes:
                    self._uploads.find(object_id, store.backend.id)
                elif store.stat(object_id) is None:
                    continue
            except NotFound:
                continue
            return object_id
        return object_ids[-1]

    async def _require_scope(self, needed: Literal["read", "write"], scope: Scope) -> None:
        caller = await self._in_thread(partial(self._authenticate, scope))
        if not caller.may((needed,)):
            raise Forbidden(f"{caller.name} does not have the scope tams-api/{needed}")

    async def _send(self, response: MediaResponse, method: str, receive: Receive, send: Send) -> None:
        headers = response.headers | CORS_HEADERS
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": raw})
            body = b"" if method == "HEAD" else response.body
            await send({"type": "http.response.body", "body": body, "more_body": response.remaining > 0})
            if response.file is not None and response.remaining:
                await self._send_rest(response.file, response.remaining, receive, send)
        finally:
            if response.file is not None:
                response.file.close()

    async def _send_rest(self, file: ObjectFile, remaining: int, receive: Receive, send: Send) -> None:
        """Send the next `remaining` bytes of `file`. Stop reading it if the client disconnects."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            while remaining:
                chunk = await self._in_thread(partial(file.read, min(READ_BYTES, remaining)))
                if not chunk:
                    raise OSError("the file of an object was truncated while it was being read")
                remaining -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": remaining > 0})
            tasks.cancel_scope.cancel()

    async def _in_thread(self, function: Callable[[], T], /) -> T:
        return await anyio.to_thread.run_sync(function, limiter=self._threads)


def _signed_id(store: FileStore, method: str, object_ids: Sequence[str], query: str) -> str:
    """Return the id that a presigned URL means. Raises storage.errors.Forbidden unless its signature is valid now."""
    errors = []
    for object_id in object_ids:
        try:
            store.check_signature(method, object_id, query)
        except Forbidden as error:
            errors.append(error)
        else:
            return object_id
    raise errors[0]


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
    scope.cancel()
