"""The HTTP side of the embedded media store: PUT, GET and HEAD of objects under /media/, with the manners of S3.

A presigned URL needs no credentials; a plain one takes those of the API (AUTH-11). Bodies are streamed both ways.
Several ranges in one request are answered with the whole object.
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
from tams_server.errors import MethodNotAllowed
from tams_server.media.download import READ_BYTES, read
from tams_server.media.messages import CORS, METHODS, Reply, Request, headers_of, preflight, raw_path_of, refusal
from tams_server.media.upload import Disconnected, Uploader

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
    """The ASGI application for /media/....

    stores: by backend id.
    authenticate: the caller of a plain URL, or raises tams_server.errors.Unauthorized; runs in a thread.
    content_type_of: that of an object which the catalogue knows, else None; runs in a thread, for plain uploads only.
    max_upload_bytes: larger uploads get 413. stall_timeout_s: an upload that sends nothing for so long gets 408.
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
        # Threads of its own, so that slow discs do not take those of the API.
        self._threads = anyio.CapacityLimiter(_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._answer(scope, receive)
        except Disconnected:
            return
        except TamsError as error:
            reply = refusal(error, scope)
        except Exception as error:
            _log.exception("the media plane failed at %s %s", scope["method"], scope["path"])
            reply = refusal(error, scope)
        await self._send(reply, scope["method"], receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply:
        method = scope["method"]
        headers = headers_of(scope)
        if method == "OPTIONS":
            return preflight(headers)
        if method not in ("GET", "HEAD", "PUT"):
            raise MethodNotAllowed(f"method {method} is not one of {METHODS}", headers={"Allow": METHODS})
        backend_id, object_id = parse_media_path(raw_path_of(scope))
        if backend_id not in self._stores:
            raise NotFound(f"storage backend {backend_id!r} is not one whose media are here")
        query = scope["query_string"].decode("latin-1")
        request = Request(method, headers, query, self._stores[backend_id], object_id)
        if method == "PUT":
            content_type = await self._permit_writing(request, scope)
            return await self._uploader.put(request, content_type, receive)
        await self._permit_reading(request, scope)
        return await self._in_thread(partial(read, request))

    async def _permit_reading(self, request: Request, scope: Scope) -> None:
        if is_signed(request.query):
            request.store.check_signature("GET", request.object_id, request.query)
        else:
            await self._require_scope("read", scope)

    async def _permit_writing(self, request: Request, scope: Scope) -> str:
        """The content type that the object is to have."""
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
            raise Forbidden(f"{caller.name} lacks the scope tams-api/{needed}")

    async def _send(self, reply: Reply, method: str, receive: Receive, send: Send) -> None:
        headers = reply.headers | CORS
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        try:
            await send({"type": "http.response.start", "status": reply.status, "headers": raw})
            body = b"" if method == "HEAD" else reply.body
            await send({"type": "http.response.body", "body": body, "more_body": reply.remaining > 0})
            if reply.file is not None and reply.remaining:
                await self._send_rest(reply.file, reply.remaining, receive, send)
        finally:
            if reply.file is not None:
                reply.file.close()

    async def _send_rest(self, file: ObjectFile, remaining: int, receive: Receive, send: Send) -> None:
        """Sends what follows in `file`, and stops reading it when the client goes away."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            while remaining:
                chunk = await self._in_thread(partial(file.read, min(READ_BYTES, remaining)))
                if not chunk:
                    raise OSError("the file of an object has become shorter")
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
