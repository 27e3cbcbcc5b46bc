"""The media plane: PUT, GET and HEAD of the objects of file stores under /media/, with the behaviour of S3.

A presigned URL needs no credentials; a plain one needs those of the API (AUTH-11). Bodies are streamed in both
directions. A request for several ranges gets the whole object.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal, TypeVar

import anyio
import anyio.to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from storage.catalog.caller import Caller
from storage.errors import Forbidden, NotFound, TamsError
from storage.media.filesystem import FileStore
from storage.media.object_file import ObjectFile
from storage.media.signing import is_signed, parse_media_path
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
from tams_server.media.upload import Uploader

_log = logging.getLogger(__name__)

T = TypeVar("T")

_THREADS: Final = 32


def media_plane(
    stores: Mapping[str, FileStore],
    authenticate: Callable[[Scope], Caller],
    content_type_of: Callable[[str], str | None],
    *,
    max_upload_bytes: int | None = None,
    stall_timeout_s: float = 60.0,
) -> ASGIApp:
    """Return the ASGI application for /media/....

    stores: by storage backend id.
    authenticate: returns the caller of a plain URL, or raises tams_server.errors.Unauthorized. Runs in a thread.
    content_type_of: returns the content type of an object by id, or None if it is unknown. Runs in a thread, for
        uploads to plain URLs only.
    max_upload_bytes: the maximum size of an upload, beyond which it gets 413; None for no limit.
    stall_timeout_s: the time without any bytes after which an upload gets 408.
    """
    return _MediaPlane(stores, authenticate, content_type_of, max_upload_bytes, stall_timeout_s)


class _MediaPlane:
    def __init__(
        self,
        stores: Mapping[str, FileStore],
        authenticate: Callable[[Scope], Caller],
        content_type_of: Callable[[str], str | None],
        max_upload_bytes: int | None,
        stall_timeout_s: float,
    ) -> None:
        self._stores = stores
        self._authenticate = authenticate
        self._content_type_of = content_type_of
        self._uploader = Uploader(self._in_thread, max_upload_bytes, stall_timeout_s)
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
        backend_id, object_id = parse_media_path(raw_path_of(scope))
        if backend_id not in self._stores:
            raise NotFound(f"storage backend {backend_id!r} does not exist or is not served from here")
        query = scope["query_string"].decode("latin-1")
        request = MediaRequest(method, headers, query, self._stores[backend_id], object_id)
        if method == "PUT":
            content_type = await self._authorize_write(request, scope)
            return await self._uploader.put(request, content_type, receive)
        await self._authorize_read(request, scope)
        return await self._in_thread(partial(read_object, request))

    async def _authorize_read(self, request: MediaRequest, scope: Scope) -> None:
        if is_signed(request.query):
            request.store.check_signature("GET", request.object_id, request.query)
        else:
            await self._require_scope("read", scope)

    async def _authorize_write(self, request: MediaRequest, scope: Scope) -> str:
        """Return the content type that the object must have."""
        if is_signed(request.query):
            return request.store.check_signature("PUT", request.object_id, request.query)
        await self._require_scope("write", scope)
        content_type = await self._in_thread(partial(self._content_type_of, request.object_id))
        if content_type is None:
            raise NotFound(f"object {request.object_id!r} has not been allocated")
        return content_type

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


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    message: Message = {}
    while message.get("type") != "http.disconnect":
        message = await receive()
    scope.cancel()
